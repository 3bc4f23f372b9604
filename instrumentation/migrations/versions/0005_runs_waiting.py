"""The queue of runs that wait to be learned from, as an index of its own: it was found by looking at all runs.

Revision ID: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WAITING = sa.text("learned IS NULL")


def upgrade() -> None:
    """Add the index."""
    op.create_index(
        "runs_waiting", "runs", ["namespace", "finished_at"], sqlite_where=WAITING, postgresql_where=WAITING
    )
