"""Skill templates, and which tasks they were learned from.

Revision ID: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NAME = sa.Text().with_variant(sa.String(255), "mysql", "mariadb")


def upgrade() -> None:
    """Add the tables; they are filled when the library learns."""
    op.create_table(
        "task_pools",
        sa.Column("namespace", NAME, primary_key=True),
        sa.Column("fingerprint", NAME, primary_key=True),
        sa.Column("pool", NAME, nullable=False),
        sa.Index("task_pools_by_pool", "namespace", "pool"),
    )
    op.create_table(
        "skill_templates",
        sa.Column("namespace", NAME, primary_key=True),
        sa.Column("template_id", NAME, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("pool", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("diff", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("made_ns", sa.BigInteger, nullable=False),
        sa.Index("skill_templates_by_name", "namespace", "name"),
    )
