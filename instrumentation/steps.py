"""A run as turns and steps, read piece by piece.

A step is one event; a turn is what happened from one agent's reply to the next. A run can be as long as it likes: of
each turn only its place is kept (seven numbers), and events are read when somebody looks at them.
"""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, overload

from sqlalchemy import Connection, func, select

from .describing import described, name_of
from .errors import NotFound
from .schema import events as events_table
from .schema import runs as runs_table
from .timeline import Place, events

if TYPE_CHECKING:
    from collections.abc import Collection

    from .events import Event
    from .reading import RunRecord

Reading = Callable[[], AbstractContextManager[Connection]]
"""Opens a connection for reading, such as :meth:`.store.Store.reading`."""


class Step:
    """One event of a run.

    Attributes:
        event: the event itself; its values are offered here too.
        kind: what it is, one of :data:`.events.KINDS`.
        agent: who did it, or None.
        seq: its number in the run (and journal).
        at_ns: when, in nanoseconds since the epoch; for what takes time, when it ended.
        turn: the number of the turn that it belongs to.
        payload: everything else, by :data:`.events.PAYLOAD_KEYS`. A model call has ``prompt``, the messages exactly as
            sent, and ``injected``, the part of them that was put in.
    """

    __slots__ = ("agent", "at_ns", "event", "kind", "payload", "seq", "turn")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.kind = event.kind
        self.agent = event.agent
        self.seq = event.seq
        self.at_ns = event.at
        self.turn = event.turn
        self.payload: dict[str, Any] = event.payload

    @property
    def duration_ms(self) -> float | None:
        """How long it took, in milliseconds, where that was measured."""
        value = self.payload.get("duration_ms")
        return float(value) if isinstance(value, (int, float)) else None

    @property
    def failed(self) -> bool:
        """Whether it is an error, a tool or program that failed, or a model call without an answer."""
        if self.kind in ("tool_result", "code_execution"):
            return self.payload.get("ok") is False or self.payload.get("exit_code") not in (None, 0)
        return self.kind in ("error", "gap") or bool(self.kind == "model_call" and self.payload.get("error"))

    @property
    def title(self) -> str:
        """The step in a line, such as ``ada calls look_up({"order": 7})``. As recorded: not escaped for any display."""
        return described(self.event)[0]

    @property
    def text(self) -> str:
        """Its main text in full: a message's content, a model's answer, a tool's result."""
        return described(self.event)[1]

    def __repr__(self) -> str:
        return f"<Step {self.seq} {self.kind} {self.title[:80]!r}>"


class Turn:
    """What happened from one agent's reply to the next; turn 0 is what came before the first reply.

    Attributes:
        number: its number in the run.
        started_ns, ended_ns: its first and last event, in nanoseconds since the epoch.
    """

    def __init__(self, reading: Reading, run_id: str, number: int, place: Place, count: int) -> None:
        self.number = number
        self.started_ns, self.ended_ns = place.from_ns or 0, place.until_ns or 0
        self._reading, self._run_id, self._place, self._count = reading, run_id, place, count
        self._steps: dict[bool, list[Step]] = {}

    def _read(self, *, prompts: bool) -> list[Step]:
        if prompts not in self._steps:
            with self._reading() as connection:
                found = events(connection, self._run_id, prompts=prompts, turn=self.number, place=self._place)
                self._steps[prompts] = [Step(event) for event in found]
        return self._steps[prompts]

    @property
    def steps(self) -> list[Step]:
        """Its steps in order, model calls without their prompts (see :meth:`with_prompts`)."""
        return self._read(prompts=False)

    @property
    def with_prompts(self) -> list[Step]:
        """Its steps in order, each model call with ``prompt`` and ``injected``; in a long run this takes longer."""
        return self._read(prompts=True)

    @property
    def agent(self) -> str | None:
        """Who spoke: the sender of its first message, else whoever asked a model or used a tool first."""
        for kinds in (("message",), ("model_call", "tool_call", "code_execution", "human_input")):
            for step in self.steps:
                if step.kind in kinds and step.agent is not None:
                    return step.agent
        return None

    @property
    def text(self) -> str:
        """What was said in it, messages one after the other."""
        return "\n\n".join(step.text for step in self.steps if step.kind == "message" and step.text)

    @property
    def failed(self) -> bool:
        """Whether anything in it failed."""
        return any(step.failed for step in self.steps)

    @property
    def duration_s(self) -> float:
        """From its first to its last event, in seconds."""
        return max(0, self.ended_ns - self.started_ns) / 1e9

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __repr__(self) -> str:
        return f"<Turn {self.number} of {name_of(self.agent)}: {self._count} steps>"


class Turns(Sequence[Turn]):
    """The turns of a run by when they began: a sequence that reads a turn when it is asked for it.

    Raises:
        NotFound: there is no such run.
    """

    def __init__(self, reading: Reading, run_id: str) -> None:
        self._reading, self._run_id = reading, run_id
        self._facts = [array("q") for _ in range(8)]
        table = events_table.c
        with reading() as connection:
            run_pk = connection.execute(select(runs_table.c.run_pk).where(runs_table.c.run_id == run_id)).scalar()
            if run_pk is None:
                raise NotFound(f"there is no run {run_id[:80]!r}. List what there is: seasoned runs")
            query = (
                select(
                    table.turn, func.min(table.at).label("first"), func.max(table.at), func.count(),
                    func.min(table.journal_pk), func.max(table.journal_pk), func.min(table.offset),
                    func.max(table.offset),
                )
                .where(table.run_pk == run_pk)
                .group_by(table.turn)
                .order_by("first", table.turn)
                .execution_options(yield_per=10_000)
            )  # fmt: skip
            for block in connection.execute(query).partitions():
                for values, column in zip(self._facts, zip(*block, strict=True), strict=True):
                    values.extend(column)

    def __len__(self) -> int:
        return len(self._facts[0])

    @overload
    def __getitem__(self, index: int) -> Turn: ...
    @overload
    def __getitem__(self, index: slice) -> list[Turn]: ...
    def __getitem__(self, index: int | slice) -> Turn | list[Turn]:
        if isinstance(index, slice):
            return [self._turn(at) for at in range(*index.indices(len(self)))]
        return self._turn(index)

    def _turn(self, index: int) -> Turn:
        number, first, last, count, journal, end, low, high = (values[index] for values in self._facts)
        # within one journal the turn is one stretch of it; else time alone says where it is
        where = (journal, low, high) if journal == end else None
        return Turn(self._reading, self._run_id, number, Place(first, last, where), count)

    def numbered(self, number: int) -> Turn:
        """The turn with this number; raises NotFound where there is none."""
        try:
            return self[self._facts[0].index(number)]
        except ValueError:
            last = max(self._facts[0], default=0)
            raise NotFound(f"run {self._run_id} has no turn {number}; its turns are 0 to {last}") from None

    def each(self, *, prompts: bool = False) -> Generator[list[Step], None, None]:
        """The steps of every turn, turn by turn, from one pass over the run: for whoever needs them all. Close it where
        it is not read to its end: it holds a connection."""
        waiting: dict[int, list[Step]] = {}
        with (
            self._reading() as connection,
            contextlib.closing(events(connection, self._run_id, prompts=prompts)) as found,
        ):
            for number, _, _, count in self.counts():
                mine = waiting.setdefault(number, [])
                while len(mine) < count and (event := next(found, None)) is not None:
                    waiting.setdefault(event.turn, []).append(Step(event))
                yield waiting.pop(number)

    def counts(self) -> Iterator[tuple[int, int, int, int]]:
        """Of each turn its number, first and last time (nanoseconds) and number of events, without reading it."""
        return zip(*self._facts[:4], strict=True)


def steps(
    reading: Reading,
    record: RunRecord,
    *,
    prompts: bool = False,
    kinds: Collection[str] | None = None,
    place: Place | None = None,
) -> Generator[Step, None, None]:
    """All steps of a run in order, read in blocks; arguments are those of :func:`.timeline.events`. Close it where it
    is not read to its end: it holds a connection."""
    with reading() as connection:
        for event in events(connection, record.run_id, prompts=prompts, kinds=kinds, place=place):
            yield Step(event)
