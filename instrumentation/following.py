"""What is new in a database: its events as they land, each once, whoever brings them in.

Events land journal by journal, and within a segment of a journal in its order; so how far each segment was read says
exactly what is new. Time does not: of two events the one that happened first may well land last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import false, func, or_, select

from .events import KIND_NUMBER, KINDS, UNKNOWN, Event, Line
from .schema import events as events_table
from .schema import journals, runs
from .timeline import in_full

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

RECENT = 100
"""Segments, by their number, among which the last events are looked for beside those that are still written. They are
also asked for anew each time: two that begin at once may appear in either order."""

BLOCK = 500
"""Events that are read at a time."""

_decode = msgspec.json.decode


class Follower:
    """Follows what lands in a database.

    Args:
        runs: only events of the runs with these ids and of the runs inside them; None for all.
        agents: only events of these agents.
        kinds: only events of these kinds.
    """

    def __init__(
        self,
        *,
        runs: Collection[str] | None = None,
        agents: Collection[str] | None = None,
        kinds: Collection[str] | None = None,
    ) -> None:
        self._wanted = None if runs is None else set(runs)
        self._agents = agents
        self._kinds = kinds
        self._read: dict[int, int] = {}
        """How far each segment that may grow was read, in bytes of the journal: events from there on are new."""
        self._newest = 0
        self._runs: dict[int, tuple[str, bool]] = {}

    def begin(self, connection: Connection, last: int = 0) -> list[Event]:
        """Begin here; returns the ``last`` events before, by their time."""
        found: list[Any] = []
        for number, offset, _ in self._segments(connection):
            if last:
                query = self._query().where(events_table.c.journal_pk == number, events_table.c.offset < offset)
                found += connection.execute(query.order_by(events_table.c.offset.desc()).limit(last)).all()
            self._read[number] = offset
        if self._wanted is not None and last:
            found = self._last_of_runs(connection, last)
        found.sort(key=_in_time)
        return self._events(connection, found)[-last:] if last else []

    def new(self, connection: Connection, most: int = BLOCK) -> tuple[list[Event], bool]:
        """About ``most`` of the events that landed since, by their time, and whether there are more."""
        found: list[Any] = []
        more = False
        for number, offset, done in self._segments(connection):
            start = self._read.get(number, 0)
            if offset > start and len(found) >= most:
                more = True
            elif offset > start:
                place = events_table.c
                query = self._query().where(place.journal_pk == number, place.offset >= start, place.offset < offset)
                rows = connection.execute(query.order_by(place.offset).limit(most)).all()
                found += rows
                more |= len(rows) == most
                self._read[number] = offset if len(rows) < most else rows[-1].offset + 1
            if done and self._read.get(number, 0) >= offset and number < self._newest - RECENT:
                del self._read[number]
        found.sort(key=_in_time)
        return self._events(connection, found), more

    def _segments(self, connection: Connection) -> list[tuple[int, int, bool]]:
        """Segments that may have something new: number, how far they are in the database, whether that is all."""
        table = journals.c
        if not self._newest:
            self._newest = connection.execute(select(func.max(table.journal_pk))).scalar() or 0
        behind = list(self._read)[:BLOCK]
        query = select(table.journal_pk, table.offset, table.done).where(
            or_(table.done == false(), table.journal_pk > self._newest - RECENT, table.journal_pk.in_(behind))
        )
        found = [(row.journal_pk, row.offset, row.done) for row in connection.execute(query)]
        self._newest = max([self._newest, *(number for number, _, _ in found)])
        return found

    def _query(self) -> Any:  # a Select of whatever columns; its type has one argument for each
        table = events_table.c
        query = select(
            table.run_pk, journals.c.writer, table.offset, table.seq, table.kind, table.at, table.turn, table.agent,
            table.payload,
        ).join_from(events_table, journals, table.journal_pk == journals.c.journal_pk)  # fmt: skip
        if self._agents is not None:
            query = query.where(table.agent.in_(list(self._agents)))
        if self._kinds is not None:
            query = query.where(table.kind.in_([KIND_NUMBER[kind] for kind in self._kinds]))
        return query

    def _last_of_runs(self, connection: Connection, last: int) -> list[Any]:
        found: list[Any] = []
        known = connection.execute(select(runs.c.run_pk, runs.c.run_id).where(runs.c.run_id.in_(self._wanted or ())))
        inside = connection.execute(select(runs.c.run_pk).where(runs.c.parent_run_id.in_(self._wanted or ()))).scalars()
        for number in [*(row.run_pk for row in known), *inside]:
            query = self._query().where(events_table.c.run_pk == number)
            found += connection.execute(query.order_by(events_table.c.at.desc(), events_table.c.seq.desc()).limit(last))
        return found

    def _events(self, connection: Connection, rows: Sequence[Any]) -> list[Event]:
        """The events that are wanted, in full."""
        known = self._known(connection, {row.run_pk for row in rows})
        found: list[Event] = []
        ready: list[tuple[str, Line, Any]] = []
        for row in rows:
            run_id, wanted = known.get(row.run_pk, ("", False))  # one that was forgotten in between is not known
            if not wanted:
                continue
            if 0 <= row.kind < len(KINDS):
                line = Line(run_id, row.seq, KINDS[row.kind], row.at, row.turn, row.agent, {}, {})
                ready.append((row.writer, line, _decode(row.payload)))
                continue
            found.append(
                Event(
                    run_id=run_id, writer=row.writer, seq=row.seq, kind=UNKNOWN, at=row.at, turn=row.turn,
                    agent=row.agent, payload={"number": row.kind, "stored": row.payload},
                )
            )  # fmt: skip
        found += in_full(connection, ready)
        found.sort(key=lambda event: (event.at, event.writer, event.seq))
        return found

    def _known(self, connection: Connection, numbers: set[int]) -> dict[int, tuple[str, bool]]:
        """Which runs these are, and whether they are wanted: a run inside a wanted one is."""
        unknown = sorted(numbers - self._runs.keys())
        unsure: dict[int, tuple[str, bool]] = {}
        for first in range(0, len(unknown), BLOCK):
            query = select(runs.c.run_pk, runs.c.run_id, runs.c.parent_run_id, runs.c.session_id)
            for row in connection.execute(query.where(runs.c.run_pk.in_(unknown[first : first + BLOCK]))):
                wanted = self._is_wanted(connection, row.run_id, row.parent_run_id)
                # a run whose start has not arrived has no session, and its parent is not known
                (self._runs if wanted or row.session_id else unsure)[row.run_pk] = row.run_id, wanted
        return self._runs | unsure if unsure else self._runs

    def _is_wanted(self, connection: Connection, run_id: str, parent: str | None) -> bool:
        """Whether a run, or one that it is inside of, is wanted."""
        if self._wanted is None:
            return True
        chain = [run_id]
        while chain[-1] not in self._wanted:
            if parent is None or parent in chain:
                return False
            chain.append(parent)
            parent = connection.execute(select(runs.c.parent_run_id).where(runs.c.run_id == parent)).scalar()
        self._wanted.update(chain)
        return True


def _in_time(row: Any) -> tuple[int, str, int]:
    return row.at, row.writer, row.seq
