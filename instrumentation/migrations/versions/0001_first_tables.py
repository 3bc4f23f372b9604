"""The first tables: recorded facts, and what agents earn.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = sa.Text().with_variant(sa.String(255), "mysql", "mariadb")
ZERO = sa.text("0")
FALSE = sa.text("false")
EMPTY = sa.text("''")


def upgrade() -> None:
    """Make every table of the first version."""
    _recorded()
    _runs()
    _growth()


def _recorded() -> None:
    op.create_table(
        "journals",
        sa.Column("journal_pk", KEY, primary_key=True),
        sa.Column("writer", NAME, nullable=False),
        sa.Column("segment", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False, server_default=ZERO),
        sa.Column("done", sa.Boolean, nullable=False, server_default=FALSE),
        sa.UniqueConstraint("writer", "segment", name="journals_writer_segment"),
    )
    op.create_table(
        "journal_problems",
        sa.Column("writer", NAME, primary_key=True),
        sa.Column("segment", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("offset", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_table(
        "texts",
        sa.Column("text_pk", KEY, primary_key=True),
        sa.Column("hash", sa.LargeBinary(16), nullable=False),
        sa.Column("text", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("texts_hash", "texts", ["hash"], unique=True)
    op.create_table(
        "events",
        sa.Column("journal_pk", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("offset", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("run_pk", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("agent", sa.Text),
        sa.Column("payload", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("events_run", "events", ["run_pk"])
    op.create_table(
        "meta",
        sa.Column("key", NAME, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run_pk", KEY, primary_key=True),
        sa.Column("run_id", NAME, nullable=False, unique=True),
        sa.Column("session_id", NAME, nullable=False, server_default=EMPTY),
        sa.Column("namespace", NAME, nullable=False, server_default=EMPTY),
        sa.Column("parent_run_id", NAME),
        sa.Column("task_pk", sa.BigInteger),
        sa.Column("domain", sa.Text),
        sa.Column("task_type", sa.Text),
        sa.Column("framework", sa.Text),
        sa.Column("model", sa.Text),
        sa.Column("source", sa.Text),
        sa.Column("agents", sa.JSON),
        sa.Column("opened_at", sa.BigInteger),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("status", sa.Text, nullable=False, server_default=sa.text("'running'")),
        sa.Column("end_reason", sa.Text),
        sa.Column("messages", sa.Integer, nullable=False, server_default=ZERO),
        sa.Column("model_calls", sa.Integer, nullable=False, server_default=ZERO),
        sa.Column("tool_calls", sa.Integer, nullable=False, server_default=ZERO),
        sa.Column("errors", sa.Integer, nullable=False, server_default=ZERO),
        sa.Column("turns", sa.Integer, nullable=False, server_default=ZERO),
        sa.Column("input_tokens", sa.BigInteger, nullable=False, server_default=ZERO),
        sa.Column("output_tokens", sa.BigInteger, nullable=False, server_default=ZERO),
        sa.Column("cost_usd", sa.Double),
        sa.Column("cost_given", sa.Boolean, nullable=False, server_default=FALSE),
        sa.Column("success", sa.Boolean),
        sa.Column("quality", sa.Double),
        sa.Column("complexity", sa.Text),
        sa.Column("outcome_source", sa.Text),
        sa.Column("outcome_trust", sa.Integer),
        sa.Column("outcome_at", sa.BigInteger),
        sa.Column("flags", sa.JSON),
        sa.Column("excluded", sa.JSON),
        sa.Column("judged", sa.Boolean, nullable=False, server_default=FALSE),
        sa.Column("learned", sa.BigInteger),
        sa.Column("lost", sa.Integer, nullable=False, server_default=ZERO),
        sqlite_autoincrement=True,
    )
    op.create_index("runs_namespace_finished", "runs", ["namespace", "finished_at"])
    op.create_index("runs_parent", "runs", ["parent_run_id"])


def _growth() -> None:
    op.create_table(
        "agent_profiles",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("total_xp", sa.Integer, nullable=False),
        sa.Column("agent_level", sa.Integer, nullable=False),
        sa.Column("specialization", sa.Text),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("runs_succeeded", sa.Integer, nullable=False),
        sa.Column("success_streak", sa.Integer, nullable=False),
        sa.Column("events", sa.Integer, nullable=False),
        sa.Column("updated_ns", sa.BigInteger, nullable=False),
        sa.Column("last_run_id", sa.Text, nullable=False),
    )
    op.create_table(
        "agent_skills",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("skill", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("domain", sa.Text, nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("xp", sa.Integer, nullable=False),
        sa.Column("starting_level", sa.Integer, nullable=False),
        sa.Column("starting_xp", sa.Integer, nullable=False),
        sa.Column("success_xp", sa.Integer, nullable=False),
        sa.Column("times_used", sa.Integer, nullable=False),
        sa.Column("times_succeeded", sa.Integer, nullable=False),
        sa.Column("times_failed", sa.Integer, nullable=False),
        sa.Column("last_used", sa.BigInteger),
        sa.Column("last_runs", sa.Text, nullable=False),
        sa.Column("unlocked_abilities", sa.Text, nullable=False),
    )
    op.create_table(
        "skill_events",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("skill", sa.Text, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("xp", sa.Integer),
        sa.Column("new_level", sa.Integer),
        sa.Column("ability", sa.Text),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_index("skill_events_by_run", "skill_events", ["run_id"])
    op.create_table(
        "contributions",
        sa.Column("run_id", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("weight", sa.Integer, nullable=False),
        sa.Column("skills", sa.Text, nullable=False),
        sa.Column("finished_ns", sa.BigInteger, nullable=False),
        sa.Column("success", sa.Boolean, nullable=False),
        sa.Column("complexity", sa.Text, nullable=False),
        sa.Column("domain", sa.Text),
        sa.Column("before", sa.Text, nullable=False),
    )
    op.create_index("contributions_by_agent", "contributions", ["namespace", "agent", "finished_ns"])
    op.create_table(
        "achievements",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text, primary_key=True),
        sa.Column("slug", sa.Text, primary_key=True),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
