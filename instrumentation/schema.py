"""The tables, as SQLAlchemy Core: what a store holds.

The recorded facts are five tables. ``events`` is kept small, because a chat writes three for each message: an
event's place in its journal is its primary key (so that it can land only once), its texts are numbers in
``texts``, where every text is stored once, and its payload is a JSON array without names (:mod:`.packing`).
``runs`` sums up each run's events and is kept up to date by the ingester.

Other parts of the package add their tables to the same :data:`metadata`. Migrations are written by hand; a test
holds them equal to this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

metadata: Final = MetaData()
"""Every table of the package; :mod:`..growth.tables` adds its own."""

KEY: Final[TypeEngine[int]] = BigInteger().with_variant(Integer(), "sqlite")
"""Type of a numbered primary key. SQLite numbers rows by itself only where the type is exactly INTEGER."""

NAME: Final[TypeEngine[str]] = Text().with_variant(String(255), "mysql", "mariadb")
"""Type of a name or an id that an index may hold; MySQL's indexes want a length."""

ZERO: Final = text("0")
FALSE: Final = text("false")
EMPTY: Final = text("''")

journals: Final = Table(
    "journals",
    metadata,
    Column("journal_pk", KEY, primary_key=True),
    Column("writer", NAME, nullable=False),
    Column("segment", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False, server_default=ZERO),
    Column("done", Boolean, nullable=False, server_default=FALSE),
    UniqueConstraint("writer", "segment", name="journals_writer_segment"),
)
"""Journal segments and how many bytes of each are in the database. ``done``: the file is deleted."""

journal_problems: Final = Table(
    "journal_problems",
    metadata,
    Column("writer", NAME, primary_key=True),
    Column("segment", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("reason", Text, nullable=False),
)
"""What could not be read in the journals, and where; ``reason`` is the whole message."""

texts: Final = Table(
    "texts",
    metadata,
    Column("text_pk", KEY, primary_key=True),
    Column("hash", LargeBinary(16), nullable=False),
    Column("text", Text),
    Index("texts_hash", "hash", unique=True),
    sqlite_autoincrement=True,
)
"""Every text once. ``hash`` is the first 16 bytes of its SHA-256; ``text`` is null until it arrives, which may be
after the first event that refers to it. Numbers are never given twice, so that none can come to mean another text."""

runs: Final = Table(
    "runs",
    metadata,
    Column("run_pk", KEY, primary_key=True),
    Column("run_id", NAME, nullable=False, unique=True),
    Column("session_id", NAME, nullable=False, server_default=EMPTY),
    Column("namespace", NAME, nullable=False, server_default=EMPTY),
    Column("parent_run_id", NAME),
    Column("task_pk", BigInteger),
    Column("domain", Text),
    Column("task_type", Text),
    Column("framework", Text),
    Column("model", Text),
    Column("source", Text),
    Column("agents", JSON(none_as_null=True)),
    Column("opened_at", BigInteger),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("status", Text, nullable=False, server_default=text("'running'")),
    Column("end_reason", Text),
    Column("messages", Integer, nullable=False, server_default=ZERO),
    Column("model_calls", Integer, nullable=False, server_default=ZERO),
    Column("tool_calls", Integer, nullable=False, server_default=ZERO),
    Column("errors", Integer, nullable=False, server_default=ZERO),
    Column("turns", Integer, nullable=False, server_default=ZERO),
    Column("input_tokens", BigInteger, nullable=False, server_default=ZERO),
    Column("output_tokens", BigInteger, nullable=False, server_default=ZERO),
    Column("cost_usd", Double),
    Column("cost_given", Boolean, nullable=False, server_default=FALSE),
    Column("success", Boolean),
    Column("quality", Double),
    Column("complexity", Text),
    Column("outcome_source", Text),
    Column("outcome_trust", Integer),
    Column("outcome_at", BigInteger),
    Column("flags", JSON(none_as_null=True)),
    Column("excluded", JSON(none_as_null=True)),
    Column("judged", Boolean, nullable=False, server_default=FALSE),
    Column("learned", BigInteger),
    Column("lost", Integer, nullable=False, server_default=ZERO),
    Column("task_group", Text),
    Index("runs_namespace_finished", "namespace", "finished_at"),
    Index("runs_parent", "parent_run_id"),
    Index(
        "runs_waiting",
        "namespace",
        "finished_at",
        sqlite_where=text("learned IS NULL"),
        postgresql_where=text("learned IS NULL"),
    ),
    sqlite_autoincrement=True,
)
"""One row for each run: who, what about, how it ended, what it cost, how it was judged (see :mod:`.runrows`).

Times are nanoseconds since the epoch. ``finished_at`` is null while ``status`` is ``running``; ``opened_at`` is
the last start or resumption. ``errors`` counts error events, failed tool results and failed model calls.
``cost_given`` says that an outcome named the cost. A run whose start has not arrived yet has no ``session_id``.
``judged``: the judge has seen its present end. ``learned`` belongs to the learner; the ingester sets it to null
when the verdict changes or more events arrive. ``lost`` counts events that the journal could not take.
``task_group`` is the kind of task that the learner took the run for when it first did. The index
``runs_waiting`` holds only runs that nothing was learned from yet, so that the queue need not look at all others.
"""

events: Final = Table(
    "events",
    metadata,
    Column("journal_pk", BigInteger, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("run_pk", BigInteger, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("agent", Text),
    Column("payload", Text, nullable=False),
    Index("events_run", "run_pk"),
    sqlite_with_rowid=False,
)
"""Every event; ``kind`` is its number in :data:`.events.KINDS`, ``payload`` as :mod:`.packing` writes it."""

meta: Final = Table(
    "meta",
    metadata,
    Column("key", NAME, primary_key=True),
    Column("value", Text, nullable=False),
)
"""Small facts about the store, numbers in decimal. ``forgotten`` counts how often something was forgotten: whoever
remembers numbers of texts or runs must drop them when it changes."""
