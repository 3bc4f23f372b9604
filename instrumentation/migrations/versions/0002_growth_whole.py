"""Growth, whole: attributes, kinds of tasks, and the facts that the further awards follow from.

What was learned before is dropped here, because it lacks these facts: every run is put back into the queue and
learned from again at the next flush, which gives what ``seasoned rebuild`` would.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NAME = sa.Text().with_variant(sa.String(255), "mysql", "mariadb")
ZERO = sa.text("0")
EMPTY = sa.text("''")
TRAITS = (
    "thoroughness", "speed", "independence", "collaboration", "creativity", "resilience", "caution", "curiosity",
)  # fmt: skip


def upgrade() -> None:
    """Add what is new, and have everything learned again."""
    op.add_column("runs", sa.Column("task_group", sa.Text))
    op.add_column("agent_profiles", sa.Column("failure_streak", sa.Integer, nullable=False, server_default=ZERO))
    op.add_column("agent_profiles", sa.Column("calm_streak", sa.Integer, nullable=False, server_default=ZERO))
    op.add_column("contributions", sa.Column("facts", sa.Text, nullable=False, server_default=EMPTY))
    op.add_column("skill_events", sa.Column("attribute", sa.Text))
    op.add_column("skill_events", sa.Column("value", sa.Double))
    op.add_column("skill_events", sa.Column("title", sa.Text))
    op.create_table(
        "agent_attributes",
        sa.Column("namespace", NAME, primary_key=True),
        sa.Column("agent", NAME, primary_key=True),
        *(sa.Column(trait, sa.Double, nullable=False) for trait in TRAITS),
    )
    op.create_table(
        "agent_groups",
        sa.Column("namespace", NAME, primary_key=True),
        sa.Column("agent", NAME, primary_key=True),
        sa.Column("task_group", NAME, primary_key=True),
        sa.Column("tried", sa.Integer, nullable=False),
        sa.Column("succeeded", sa.Integer, nullable=False),
        sa.Column("durations", sa.Text, nullable=False),
    )
    for table in ("agent_profiles", "agent_skills", "skill_events", "contributions", "achievements"):
        op.execute(sa.delete(sa.table(table)))
    runs = sa.table("runs", sa.column("learned"))
    op.execute(runs.update().values(learned=None))
