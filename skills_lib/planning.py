"""The steps for a new task, composed from what solved other tasks.

Most tasks are several requests in one, and no earlier task is the same several. So a plan is not the nearest solved
task's: each clause is matched to the calls that solved such clauses (:mod:`.clause_model`), the nearest tasks' whole
sequences have a say (:mod:`.neighbours`), and of all likely sequences the one is chosen that loses least whichever of
them is right. What each call is given is read off its clause where a value there has the outline that the argument's
values have; where not, its source is told.

The steps of a plan are the calls that change something, because look-ups depend on what is found; what is mostly looked
up before them is told apart. Where nothing that the library knows changes anything, all its calls are steps.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from .clauses import READ, split, words_of
from .neighbours import Neighbours, likeliest
from .procedure import arguments_of, induce
from .sketches import Sketch, digest, sketch_of
from .sources import kind_of, shape_of
from .writes import verb_writes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .clause_model import ClauseModel
    from .steps import Trace

MAX_RECORDS = 1_000
"""Solved runs that are learned from; of more, those with the lowest hash of their id."""

ENOUGH = 12
"""Different solved tasks from which on clauses are learned; fewer are only compared as wholes."""

SAY_OF_NEIGHBOURS = 0.2
"""The part of a plan's probability that comes from the nearest tasks' whole sequences. Of 0, 0.1, 0.2, 0.3 and 0.5 it
did best in cross-validation by user on public retail tasks; 0.3 did nearly as well."""

_READABLE = frozenset({"id", "email", "zip", "number", "date", "url"})
_EDGE = "\"'`.,;:!?()[]{}<>"


class SolvedTask(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the planner learns from it.

    Attributes:
        run_id: identifies it.
        text: its task, in the words in which a new task will come.
        calls: the tools that were called and did not fail, in order.
        success: the verdict; only successes are learned from.
        sketch: where its calls' arguments came from, if that is known.
        template: the template that it belongs to, if any.
    """

    run_id: str
    text: str
    calls: tuple[str, ...] = ()
    success: bool | None = None
    sketch: Sketch | None = None
    template: str | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The steps for a task.

    Attributes:
        steps: pairs of a tool and its arguments: a value where the task tells it, else the argument's source as in
            a procedure (a dictionary with ``source``).
        templates: the templates that they are composed from, each once.
        confidence: 0 to 1: how alike the likely sequences are to the one chosen, and how much of the task is known.
        lookups: tools that are mostly asked before such steps, with their arguments' sources.
        clauses: for each step the clause of the task that asks for it, where one does.
    """

    steps: list[tuple[str, dict[str, Any]]]
    templates: list[str]
    confidence: float
    lookups: list[tuple[str, dict[str, Any]]] = []
    clauses: list[int | None] = []


def solved_task(trace: Trace, *, task: str | None = None, template: str | None = None) -> SolvedTask:
    """A run's trace as the planner learns from it.

    Args:
        trace: the run's steps and verdict.
        task: what tells its task from others, as for :func:`.sketches.sketch_of`.
        template: the template that it belongs to.
    """
    return SolvedTask(
        run_id=trace.run_id,
        text=trace.task,
        calls=tuple(step.tool for step in trace.steps if step.ok is not False),
        success=trace.success,
        sketch=None if trace.success is None else sketch_of(trace, task),
        template=template,
    )


class Planner:
    """Learns from solved tasks, and plans new ones. The same records in any order give the same plans."""

    def __init__(self, writes: Callable[[str], bool] | None = None) -> None:
        """Args:
        writes: says of a tool whether it changes something; where None, the verbs of the tools' names do.
        """
        self._writes = writes or (lambda tool: verb_writes(tool) is True)
        self._records: dict[str, SolvedTask] = {}
        self._stale = True
        self._model: ClauseModel | None = None
        self._neighbours = Neighbours([])
        self._used: list[SolvedTask] = []
        self._vocabulary: frozenset[str] = frozenset()
        self._sources: dict[str, tuple[dict[str, Any], dict[str, Counter[str]]]] = {}

    def __len__(self) -> int:
        return len(self._records)

    def learn(self, records: Iterable[SolvedTask]) -> None:
        """Take in many runs; those that did not succeed are passed over."""
        for record in records:
            self.add(record)

    def add(self, record: SolvedTask) -> None:
        """Take in a run, in place of an earlier record of it; one that did not succeed only removes that."""
        self.discard(record.run_id)
        if record.success and record.text.strip():
            self._records[record.run_id] = record
            self._stale = True

    def discard(self, run_id: str) -> None:
        """Forget a run."""
        if self._records.pop(run_id, None) is not None:
            self._stale = True

    def prepare(self) -> None:
        """Learn from what has come since the last time: seconds for hundreds of runs. :meth:`plan` does it where
        nobody did before."""
        if not self._stale:
            return
        kept = sorted(self._records.values(), key=lambda one: (digest(one.run_id), one.run_id))[:MAX_RECORDS]
        self._used = sorted(kept, key=lambda one: (one.text, one.calls, one.run_id))
        any_writes = any(self._writes(call) for record in self._used for call in record.calls)
        solved = [(record.text, self._sequence(record.calls, any_writes=any_writes)) for record in self._used]
        self._neighbours = Neighbours(solved)
        self._vocabulary = frozenset(word for text, _ in solved for word in words_of(" ".join(split(text))))
        self._model = _fitted(solved)
        self._sources = self._pooled_sources()
        self._stale = False

    def plan(self, task: str) -> Plan:
        """The steps for a task; none, with confidence 0, where nothing is known."""
        self.prepare()
        task = task[:READ]
        clauses = split(task)
        sequences = self._neighbours.sequences(task)
        if self._model is not None and clauses:
            read = self._model.sequences(task)
            part = SAY_OF_NEIGHBOURS if sequences else 0.0
            merged = Counter({calls: (1 - part) * weight for calls, weight in read.items()})  # type: ignore[misc]
            for calls, weight in sequences.items():
                merged[calls] += part * weight  # type: ignore[assignment]
            sequences = dict(merged)
        calls, expected = likeliest(sequences)
        where = self._model.clauses_of(task, calls) if self._model is not None else []
        places: list[int | None] = [*where] if len(where) == len(calls) else [None] * len(calls)
        said = {word for clause in clauses for word in words_of(clause)}
        known = len(said & self._vocabulary) / len(said) if said else 0.0
        used: set[tuple[str, str]] = set()
        steps = [
            (call, self._filled(call, clauses if place is None else [clauses[place]], used))
            for call, place in zip(calls, places, strict=True)
        ]
        return Plan(
            steps=steps,
            templates=self._templates(task, calls),
            confidence=round(expected * min(1.0, 2 * known), 4),
            lookups=self._lookups(calls),
            clauses=places,
        )

    def _sequence(self, calls: Sequence[str], *, any_writes: bool) -> tuple[str, ...]:
        """What is predicted of a run: its calls that change something; where none does, its calls without repetitions
        in a row, of which the number says nothing."""
        if any_writes:
            return tuple(call for call in calls if self._writes(call))
        return tuple(call for number, call in enumerate(calls) if not number or calls[number - 1] != call)

    def _pooled_sources(self) -> dict[str, tuple[dict[str, Any], dict[str, Counter[str]]]]:
        """For each tool its arguments with their sources, and the outlines of each argument's values."""
        marks: dict[str, list[Any]] = defaultdict(list)
        for record in self._used:
            if record.sketch is not None:
                for mark in record.sketch.marks:
                    if not mark.failed:
                        marks[mark.tool].append((record.sketch, mark))
        found: dict[str, tuple[dict[str, Any], dict[str, Counter[str]]]] = {}
        for tool, calls in marks.items():
            shapes: dict[str, Counter[str]] = defaultdict(Counter)
            for _, mark in calls:
                for given in mark.given:
                    if given.shape:
                        shapes[given.name][given.shape] += 1
            found[tool] = (arguments_of(calls, set(marks)), dict(shapes))
        return found

    def _filled(self, tool: str, clauses: Sequence[str], used: set[tuple[str, str]]) -> dict[str, Any]:
        """The arguments of a call: values of the right outline in its clause, in order, each used once for an argument
        of this tool; else the argument's source."""
        sources, shapes = self._sources.get(tool, ({}, {}))
        words = [word.strip(_EDGE) for clause in clauses for word in clause.split()]
        taken: set[str] = set()
        filled: dict[str, Any] = {}
        for name, source in sources.items():
            usual = shapes.get(name, Counter())
            wanted = {shape for shape, count in usual.items() if 5 * count >= usual.total()} if usual else set()
            fitting = [
                word
                for word in dict.fromkeys(words)
                if wanted
                and source.get("type") in _READABLE
                and source["source"] != "constant"
                and word not in taken
                and (name, word) not in used
                and shape_of(word) in wanted
                and kind_of(word, name) == source["type"]
            ]
            if fitting:
                values = fitting if source.get("many") else fitting[:1]
                taken.update(values)
                used.update((name, value) for value in values)
                filled[name] = values if source.get("many") else values[0]
            else:
                filled[name] = source
        return filled

    def _templates(self, task: str, calls: Sequence[str]) -> list[str]:
        """For each call the template of the nearest solved task that made it."""
        nearest = self._neighbours.nearest(task, limit=200)
        found: dict[str, None] = {}
        for call in dict.fromkeys(calls):
            for number, _ in nearest:
                record = self._used[number]
                if record.template is not None and call in record.calls:
                    found[record.template] = None
                    break
        return list(found)

    def _lookups(self, calls: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
        """What runs that made these calls mostly looked up."""
        wanted = set(calls)
        sketches = [one.sketch for one in self._used if one.sketch is not None and wanted & set(one.calls)]
        steps = induce(sketches, self._writes).steps if sketches else ()
        return [(step.tool, step.arguments) for step in steps if not step.writes and step.tool not in wanted]


def _fitted(solved: Sequence[tuple[str, tuple[str, ...]]]) -> ClauseModel | None:
    """The clause model of these tasks; None where they are too few, or numpy and scipy are not installed. Runs of one
    task count as one: each of its sequences has its share."""
    by_text: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for text, calls in solved:
        by_text[text][calls] += 1
    if len(by_text) < ENOUGH or not any(calls for _, calls in solved):
        return None
    try:
        from .clause_model import ClauseModel, Example  # heavy, and needs what may not be installed

        examples = [
            Example(text, calls, count / found.total())
            for text, found in by_text.items()
            for calls, count in found.items()
        ]
        return ClauseModel(examples)
    except ImportError:
        return None
