"""What became of the runs that were given a template.

Revision ID: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

NAME = sa.Text().with_variant(sa.String(255), "mysql", "mariadb")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "template_uses",
        sa.Column("run_id", NAME, primary_key=True),
        sa.Column("template_id", NAME, primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("namespace", NAME, nullable=False),
        sa.Column("agents", sa.Text(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("adaptations", sa.Text(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
    )
    op.create_index("template_uses_by_template", "template_uses", ["namespace", "template_id"])
