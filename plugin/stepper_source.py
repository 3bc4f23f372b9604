"""What the step-through shows, read from the record when it is looked at.

A run may have any number of turns. Of each only its place is known from the beginning; what is in it is read when it
comes into view, and what was used up to it is counted beside, in one pass that looks at no text.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter, OrderedDict
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from ..instrumentation.describing import text_of
from ..instrumentation.events import KIND_NUMBER, KINDS
from ..instrumentation.moments import Totals
from ..instrumentation.packing import unpack
from ..instrumentation.schema import events as events_table
from ..instrumentation.schema import runs as runs_table
from ..instrumentation.steps import Step, Turns, steps
from ..instrumentation.timeline import Place
from .cli import output
from .cli.wording import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..instrumentation.reading import RunRecord
    from ..instrumentation.steps import Reading

LONGEST = 2_000
"""Steps of a turn that are read: a run that knows no turns has all its events in one."""

LABELS = 5_000
"""Labels of turns that are kept."""

KEPT = 32
"""Turns whose steps are kept."""


class Label(NamedTuple):
    """A turn in the list: its number, who spoke, the beginning of what was said, whether anything failed."""

    number: int
    agent: str
    words: str
    failed: bool


class Source:
    """A run, read piece by piece; safe to be asked from several threads.

    Args:
        reading: opens a connection for reading.
        record: the run.
        notes: what should be known about its record, such as that it is still going on.
        update: brings in what was recorded since and returns the run and the notes as they are then.
    """

    def __init__(
        self,
        reading: Reading,
        record: RunRecord,
        notes: Sequence[str] = (),
        update: Callable[[], tuple[RunRecord, list[str]]] | None = None,
    ) -> None:
        self.reading = reading
        self.record = record
        self.notes = list(notes)
        self.turns = Turns(reading, record.run_id)
        self.tally: Tally | None = None
        self._update = update
        self._labels: OrderedDict[int, Label] = OrderedDict()
        self._steps: OrderedDict[tuple[int, bool], list[Step]] = OrderedDict()

    def refreshed(self) -> Source:
        """The run as it is now."""
        record, notes = self._update() if self._update is not None else (self.record, self.notes)
        return Source(self.reading, record, notes, self._update)

    def __len__(self) -> int:
        return len(self.turns)

    def known(self, index: int) -> Label | None:
        """The label of a turn, if it was read already."""
        return self._labels.get(index)

    def label(self, index: int) -> Label:
        """The label of a turn, read if need be."""
        found = self._labels.get(index)
        if found is None:
            read = self.steps(index)
            turn = self.turns[index]
            said = [step for step in read if step.kind == "message"]
            speaker = next((step.agent for step in [*said, *read] if step.agent), None)
            text = next((words for step in said for words in (words_of(step.event)[1],) if words), "") or _did(read)
            failed = any(step.failed for step in read)
            found = Label(turn.number, output.one_line(speaker, 40), output.one_line(text, 120), failed)
            self._labels[index] = found
            while len(self._labels) > LABELS:
                self._labels.popitem(last=False)
        return found

    def steps(self, index: int, *, prompts: bool = False) -> list[Step]:
        """The steps of a turn, the first :data:`LONGEST` of them."""
        found = self._steps.get((index, prompts))
        if found is None:
            turn = self.turns[index]
            if len(turn) <= LONGEST:
                found = turn.with_prompts if prompts else turn.steps
            else:
                place = Place(turn.started_ns, turn.ended_ns)
                every = steps(self.reading, self.record, prompts=prompts, place=place)
                try:
                    found = list(islice((step for step in every if step.turn == turn.number), LONGEST))
                finally:
                    every.close()
            self._steps[index, prompts] = found
            while len(self._steps) > KEPT:
                self._steps.popitem(last=False)
        return found

    def count(self) -> None:
        """Count what was used, turn by turn."""
        self.tally = Tally(self.reading, self.record, self.turns)

    def search(self, text: str, index: int, step: int) -> tuple[int, int] | None:
        """Where ``text`` occurs next after a step of a turn, from the beginning again at the end; None where nowhere.
        Turns are found in the order of their events."""
        wanted = text.casefold()
        places = {number: at for at, (number, _, _, _) in enumerate(self.turns.counts())}
        if not places:
            return None
        here = self.steps(index)
        for at in range(step + 1, len(here)):
            if _says(here[at], wanted):
                return index, at
        begin = self.turns[index].started_ns
        for place in (Place(from_ns=begin), Place(until_ns=begin)):
            every = steps(self.reading, self.record, place=place)
            try:
                for found in every:
                    if found.turn != self.turns[index].number and _says(found, wanted):
                        return self._at(places[found.turn], found)
            finally:
                every.close()
        for at in range(min(step + 1, len(here))):
            if _says(here[at], wanted):
                return index, at
        return None

    def _at(self, index: int, found: Step) -> tuple[int, int]:
        key = (found.event.writer, found.seq)
        return index, next((at for at, step in enumerate(self.steps(index)) if (step.event.writer, step.seq) == key), 0)


def _did(read: list[Step]) -> str:
    """What a turn is about in which nothing was said: the tools that were called, or that the model asked for."""
    tools = [text_of(step.payload.get("tool")) for step in read if step.kind == "tool_call"]
    for step in read:
        asked = step.payload.get("tool_calls") if step.kind == "model_call" else None
        for call in asked if isinstance(asked, list) and not tools else ():
            function = call.get("function", call) if isinstance(call, dict) else call
            tools.append(text_of(function.get("name") if isinstance(function, dict) else function))
    if tools:
        return "calls " + ", ".join(dict.fromkeys(tools))
    return next((words for step in read for words in (words_of(step.event)[1],) if words), "")


def _says(step: Step, wanted: str) -> bool:
    return wanted in "\n".join(words_of(step.event)).casefold()


_COUNTED = ("model_call", "tool_call", "tool_result", "code_execution", "error", "gap")


class Tally:
    """What was used up to each turn, and which tools."""

    def __init__(self, reading: Reading, record: RunRecord, turns: Turns) -> None:
        places = {number: at for at, (number, _, _, _) in enumerate(turns.counts())}
        each = [array("q", bytes(8 * len(places))) for _ in range(5)]
        cost = array("d", bytes(8 * len(places)))
        uses: list[tuple[int, str, bool]] = []
        for turn, kind, payload in _counted(reading, record.run_id):
            at = places.get(turn)
            if at is None:
                continue  # it came after the turns were read
            failed = _failed(kind, payload)
            each[4][at] += failed
            if kind == "model_call":
                each[0][at] += 1
                usage = payload.get("usage")
                if isinstance(usage, dict):
                    each[2][at] += _whole(usage.get("input_tokens"))
                    each[3][at] += _whole(usage.get("output_tokens"))
                value = payload.get("cost_usd")
                cost[at] += value if isinstance(value, (int, float)) else 0.0
            elif kind == "tool_call":
                each[1][at] += 1
                uses.append((at, str(payload.get("tool")), False))
            elif kind == "tool_result" and failed:
                uses.append((at, str(payload.get("tool")), True))
        self.failures = each[4]
        self._each = [array("q", accumulate(values)) for values in each]
        self._cost = array("d", accumulate(cost))
        uses.sort(key=lambda use: use[0])
        self._places = [use[0] for use in uses]
        self._uses = uses

    def totals(self, index: int) -> Totals:
        """What was used up to the end of a turn."""
        models, tools, sent, got, failures = (values[index] for values in self._each)
        return Totals(models, tools, sent, got, self._cost[index], failures)

    def tools(self, index: int) -> list[tuple[str, int, int]]:
        """Each tool that was called up to the end of a turn, how often, and how often it failed."""
        calls: Counter[str] = Counter()
        failures: Counter[str] = Counter()
        for _, tool, failed in self._uses[: bisect_right(self._places, index)]:
            (failures if failed else calls)[tool] += 1
        return [(tool, calls[tool], failures[tool]) for tool in dict.fromkeys([*calls, *failures])]


def _counted(reading: Reading, run_id: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Turn, kind and payload of the events that count; texts in it are numbers."""
    table = events_table.c
    query = (
        select(table.turn, table.kind, table.payload)
        .join(runs_table, table.run_pk == runs_table.c.run_pk)
        .where(runs_table.c.run_id == run_id, table.kind.in_([KIND_NUMBER[kind] for kind in _COUNTED]))
        .execution_options(yield_per=2_000)
    )
    with reading() as connection:
        for turn, kind, payload in connection.execute(query):
            yield turn, KINDS[kind], unpack(KINDS[kind], payload)


def _failed(kind: str, payload: dict[str, Any]) -> bool:
    """As :attr:`.steps.Step.failed`, of a payload whose texts are numbers."""
    if kind in ("tool_result", "code_execution"):
        return payload.get("ok") is False or payload.get("exit_code") not in (None, 0)
    return kind in ("error", "gap") or (kind == "model_call" and payload.get("error") is not None)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0
