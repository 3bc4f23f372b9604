"""The statements that move a batch into the database.

Python's SQLite driver gives the interpreter away at every row, and beside a thread that computes it gets it back only
milliseconds later: row by row, some hundred rows go in each second. So for SQLite a batch is one statement over one
JSON array, and what must be read back comes as one JSON value. PostgreSQL is given arrays, because that saves round
trips. Any other database, and an SQLite too old for this, gets plain statements.

Everything here runs inside the caller's transaction. Where two transactions might wait for each other on
PostgreSQL (texts, runs), rows are taken in one order.
"""

from __future__ import annotations

import contextlib
import functools
import sqlite3
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import bindparam, insert, select, text, update

from .runrows import RunRow
from .schema import events, journal_problems, journals, meta, runs, texts
from .store import LOCK_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from .tail import Problem

EventRow = tuple[int, int, int, int, int, int, int, "str | None", Any]
"""A row of ``events`` in the order of its columns; the payload as :func:`.packing.pack` gives it."""

PART: Final = 500
"""Values in one IN list: below the limit on parameters of every database."""

SQLITE_LEAST: Final = (3, 33, 0)
"""The oldest SQLite with UPDATE ... FROM. Its JSON functions could be left out until 3.38."""

FORGOTTEN: Final = "forgotten"

_encode = msgspec.json.encode
_RUN_COLUMNS: Final = tuple(column.name for column in runs.columns)
_EVENT_COLUMNS: Final = tuple(column.name for column in events.columns)
_JSON_COLUMNS: Final = frozenset(("agents", "flags", "excluded"))


def bulk(connection: Connection) -> Bulk:
    """The statements for the database of ``connection``."""
    dialect = connection.dialect.name
    if dialect == "sqlite" and _sqlite_has_json():
        return SqliteBulk(connection)
    if dialect == "postgresql":
        return PostgresBulk(connection)
    return Bulk(connection)


@functools.cache
def _sqlite_has_json() -> bool:
    if sqlite3.sqlite_version_info < SQLITE_LEAST:
        return False
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("SELECT json_group_array(value) FROM json_each('[1]')").close()
        except sqlite3.OperationalError:
            return False
    return True


class Bulk:
    """The plain statements, for any database."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def lock(self, *, alone: bool) -> None:
        """Keep forgetting and ingesting apart, where the transaction does not do that by itself."""

    # -- small facts -----------------------------------------------------------------------------------------

    def forgotten(self) -> int:
        """How often something was forgotten."""
        value = self.connection.execute(select(meta.c.value).where(meta.c.key == FORGOTTEN)).scalar()
        return int(value) if value is not None else 0

    def claim(self, writer: str, segment: int) -> tuple[int, int]:
        """The number of a journal segment and the bytes of it that are in the database, locked until the
        transaction ends; made where it is new."""
        place = (journals.c.writer == writer) & (journals.c.segment == segment)
        query = select(journals.c.journal_pk, journals.c.offset).where(place).with_for_update()
        row = self.connection.execute(query).one_or_none()
        if row is None:
            self._add_journal(writer, segment)
            row = self.connection.execute(query).one()
        return row[0], row[1]

    def _add_journal(self, writer: str, segment: int) -> None:
        self.connection.execute(insert(journals).values(writer=writer, segment=segment))

    def move(self, journal_pk: int, before: int, now: int) -> bool:
        """Move a segment's offset if it is still ``before``; False where it is not."""
        done = self.connection.execute(
            update(journals).where(journals.c.journal_pk == journal_pk, journals.c.offset == before).values(offset=now)
        )
        return done.rowcount == 1

    def done(self, writer: str, segment: int) -> None:
        """Note that a segment's file is deleted."""
        self.connection.execute(
            update(journals).where(journals.c.writer == writer, journals.c.segment == segment).values(done=True)
        )

    def problems(self, writer: str, segment: int, found: Iterable[Problem]) -> None:
        """Keep what could not be read; what is known already stays as it is."""
        for problem in found:
            key = {"writer": writer, "segment": segment, "offset": problem.offset}
            known = select(journal_problems.c.offset).filter_by(**key)
            if self.connection.execute(known).first() is None:
                self.connection.execute(insert(journal_problems).values(reason=problem.message, **key))

    # -- texts -----------------------------------------------------------------------------------------------

    def add_texts(self, found: Mapping[bytes, str | None]) -> None:
        """Add texts by their hash; None for one that is only referred to so far. Known ones stay as they are."""
        hashes = list(found)
        known: dict[bytes, bool] = {}
        for first in range(0, len(hashes), PART):
            query = select(texts.c.hash, texts.c.text.is_(None)).where(texts.c.hash.in_(hashes[first : first + PART]))
            known.update((bytes(digest), bool(missing)) for digest, missing in self.connection.execute(query))
        new = [{"hash": digest, "text": value} for digest, value in found.items() if digest not in known]
        if new:
            self.connection.execute(insert(texts), new)
        late = [
            {"h": digest, "t": found[digest]}
            for digest, missing in known.items()
            if missing and found[digest] is not None
        ]
        if late:
            self.connection.execute(
                update(texts).where(texts.c.hash == bindparam("h")).values(text=bindparam("t")), late
            )

    def text_numbers(self, hashes: Sequence[bytes]) -> dict[bytes, int]:
        """The numbers of those of these texts that are there."""
        found: dict[bytes, int] = {}
        for first in range(0, len(hashes), PART):
            query = select(texts.c.hash, texts.c.text_pk).where(texts.c.hash.in_(hashes[first : first + PART]))
            found.update((bytes(digest), number) for digest, number in self.connection.execute(query))
        return found

    # -- runs and events -------------------------------------------------------------------------------------

    def run_rows(self, first_seen: Mapping[str, int]) -> dict[str, RunRow]:
        """The rows of these runs, by id, made where they are new; values are when each was first seen."""
        ids = sorted(first_seen)
        found = self._load_runs(ids)
        new = [run_id for run_id in ids if run_id not in found]
        if new:
            self._add_runs([(run_id, first_seen[run_id]) for run_id in new])
            found.update(self._load_runs(new))
        return found

    def _add_runs(self, new: list[tuple[str, int]]) -> None:
        self.connection.execute(insert(runs), [{"run_id": run_id, "started_at": at} for run_id, at in new])

    def _load_runs(self, ids: list[str]) -> dict[str, RunRow]:
        found: dict[str, RunRow] = {}
        for first in range(0, len(ids), PART):
            query = select(runs).where(runs.c.run_id.in_(ids[first : first + PART])).order_by(runs.c.run_id)
            for row in self.connection.execute(query.with_for_update()):
                found[row.run_id] = RunRow(*row)
        return found

    def save_runs(self, rows: Iterable[RunRow]) -> None:
        """Write rows back."""
        values = [
            {f"new_{name}": getattr(row, name) for name in _RUN_COLUMNS}
            for row in sorted(rows, key=lambda row: row.run_id)
        ]
        if values:
            columns = {name: bindparam(f"new_{name}", type_=runs.c[name].type) for name in _RUN_COLUMNS[2:]}
            self.connection.execute(
                update(runs).where(runs.c.run_pk == bindparam("new_run_pk")).values(columns), values
            )

    def add_events(self, rows: list[EventRow]) -> None:
        """Add events; the caller's claim on their journals says that they are new."""
        self.connection.execute(
            insert(events),
            [dict(zip(_EVENT_COLUMNS, (*row[:8], _encode(row[8]).decode()), strict=True)) for row in rows],
        )


class SqliteBulk(Bulk):
    """One statement for each batch, over one JSON array. Hashes come as one value of 16 bytes each, because JSON
    cannot hold bytes."""

    def add_texts(self, found: Mapping[bytes, str | None]) -> None:
        """See :meth:`Bulk.add_texts`."""
        self.connection.exec_driver_sql(_SQLITE_TEXTS, (b"".join(found), _encode(list(found.values())).decode()))

    def text_numbers(self, hashes: Sequence[bytes]) -> dict[bytes, int]:
        """See :meth:`Bulk.text_numbers`."""
        found = self.connection.exec_driver_sql(
            _SQLITE_NUMBERS, (b"".join(hashes), "[" + ",".join("0" * len(hashes)) + "]")
        ).scalar_one()
        return {hashes[index]: number for index, number in _decode_numbers(found).items()}

    def _add_runs(self, new: list[tuple[str, int]]) -> None:
        self.connection.exec_driver_sql(_SQLITE_ADD_RUNS, (_encode(new).decode(),))

    def _load_runs(self, ids: list[str]) -> dict[str, RunRow]:
        found = self.connection.exec_driver_sql(_SQLITE_RUNS, (_encode(ids).decode(),)).scalar_one()
        return {row.run_id: row for row in _decode_runs(found)}

    def save_runs(self, rows: Iterable[RunRow]) -> None:
        """See :meth:`Bulk.save_runs`."""
        self.connection.exec_driver_sql(_SQLITE_SAVE_RUNS, (_encode(list(rows)).decode(),))

    def add_events(self, rows: list[EventRow]) -> None:
        """See :meth:`Bulk.add_events`."""
        self.connection.exec_driver_sql(_SQLITE_EVENTS, (_encode(rows).decode(),))


_decode_numbers = msgspec.json.Decoder(dict[int, int]).decode
_decode_runs = msgspec.json.Decoder(list[RunRow]).decode

_SQLITE_TEXTS: Final = (
    "INSERT INTO texts (hash, text) SELECT substr(?1, 1 + 16 * key, 16), value FROM json_each(?2) WHERE true "
    "ON CONFLICT (hash) DO UPDATE SET text = excluded.text WHERE texts.text IS NULL"
)
_SQLITE_NUMBERS: Final = (
    "SELECT json_group_object(key, text_pk) FROM json_each(?2) JOIN texts ON hash = substr(?1, 1 + 16 * key, 16)"
)
_SQLITE_ADD_RUNS: Final = (
    "INSERT INTO runs (run_id, started_at) SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') "
    "FROM json_each(?1)"
)
_SQLITE_RUNS: Final = (
    "SELECT json_group_array(json_array("  # noqa: S608  only names of our own columns, here and below
    + ", ".join(f"json({name})" if name in _JSON_COLUMNS else name for name in _RUN_COLUMNS)
    + ")) FROM runs WHERE run_id IN (SELECT value FROM json_each(?1))"
)
_SQLITE_SAVE_RUNS: Final = (
    "UPDATE runs SET "  # noqa: S608
    + ", ".join(f"{name} = json_extract(value, '$[{index}]')" for index, name in enumerate(_RUN_COLUMNS) if index > 1)
    + " FROM json_each(?1) WHERE runs.run_pk = json_extract(value, '$[0]')"
)
_SQLITE_EVENTS: Final = (
    "INSERT INTO events SELECT "  # noqa: S608
    + ", ".join(f"json_extract(value, '$[{index}]')" for index in range(len(_EVENT_COLUMNS)))
    + " FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING"
)


class PostgresBulk(Bulk):
    """Arrays instead of rows; not JSON, because PostgreSQL refuses the whole of it for a NUL anywhere inside.

    Ingesters share a lock that forgetting takes alone: it must not overlook an event that is just coming in and
    refers to a text."""

    def lock(self, *, alone: bool) -> None:
        """See :meth:`Bulk.lock`."""
        shared = "" if alone else "_shared"
        self.connection.execute(text(f"SELECT pg_advisory_xact_lock{shared}(:key)"), {"key": LOCK_KEY})

    def _add_journal(self, writer: str, segment: int) -> None:
        self.connection.exec_driver_sql(
            "INSERT INTO journals (writer, segment) VALUES (%s, %s) ON CONFLICT DO NOTHING", (writer, segment)
        )

    def add_texts(self, found: Mapping[bytes, str | None]) -> None:
        """See :meth:`Bulk.add_texts`."""
        hashes = sorted(found)
        self.connection.exec_driver_sql(_POSTGRES_TEXTS, (hashes, [found[digest] for digest in hashes]))

    def text_numbers(self, hashes: Sequence[bytes]) -> dict[bytes, int]:
        """See :meth:`Bulk.text_numbers`."""
        result = self.connection.exec_driver_sql(
            "SELECT hash, text_pk FROM texts WHERE hash = ANY(%s::bytea[])", (list(hashes),)
        )
        return {bytes(digest): number for digest, number in result}

    def _add_runs(self, new: list[tuple[str, int]]) -> None:
        self.connection.exec_driver_sql(
            "INSERT INTO runs (run_id, started_at) SELECT * FROM unnest(%s::text[], %s::bigint[]) "
            "ON CONFLICT DO NOTHING",
            ([run_id for run_id, _ in new], [at for _, at in new]),
        )

    def add_events(self, rows: list[EventRow]) -> None:
        """See :meth:`Bulk.add_events`."""
        *columns, payloads = zip(*rows, strict=True)
        self.connection.exec_driver_sql(
            _POSTGRES_EVENTS, (*map(list, columns), [_encode(payload).decode() for payload in payloads])
        )


_POSTGRES_TEXTS: Final = (
    "INSERT INTO texts (hash, text) SELECT * FROM unnest(%s::bytea[], %s::text[]) "
    "ON CONFLICT (hash) DO UPDATE SET text = excluded.text WHERE texts.text IS NULL"
)
_POSTGRES_EVENTS: Final = (
    "INSERT INTO events SELECT * FROM unnest("  # noqa: S608
    + ", ".join("%s::text[]" if name in ("agent", "payload") else "%s::bigint[]" for name in _EVENT_COLUMNS)
    + ") ON CONFLICT DO NOTHING"
)
