"""Which tasks were tried, and how they went: the ground that the skill library stands on.

Every learned run is put back into the queue, so that those of before are filed as well; growth finds nothing new in
them and changes nothing.

Revision ID: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NAME = sa.Text().with_variant(sa.String(255), "mysql", "mariadb")


def upgrade() -> None:
    """Add the tables, and have everything learned from again."""
    op.create_table(
        "task_fingerprints",
        sa.Column("namespace", NAME, primary_key=True),
        sa.Column("fingerprint", NAME, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("keywords", sa.Text, nullable=False),
        sa.Column("technologies", sa.Text, nullable=False),
        sa.Column("files", sa.Text, nullable=False),
    )
    op.create_table(
        "fingerprinted_runs",
        sa.Column("run_id", NAME, primary_key=True),
        sa.Column("namespace", NAME, nullable=False),
        sa.Column("fingerprint", NAME, nullable=False),
        sa.Column("task_group", NAME, nullable=True),
        sa.Column("task_type", sa.Text, nullable=True),
        sa.Column("domain", sa.Text, nullable=True),
        sa.Column("complexity", sa.Text, nullable=True),
        sa.Column("success", sa.Boolean, nullable=False),
        sa.Column("duration_ms", sa.BigInteger, nullable=True),
        sa.Column("finished_ns", sa.BigInteger, nullable=False),
        sa.Index("fingerprinted_runs_by_task", "namespace", "fingerprint"),
        sa.Index("fingerprinted_runs_by_group", "namespace", "task_group"),
    )
    runs = sa.table("runs", sa.column("learned"))
    op.execute(runs.update().values(learned=None))
