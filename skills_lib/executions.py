"""What a run did with the template that it was given: followed it, adapted it, or went its own way.

A template earns its keep only where agents use it, and what they change in it is what it should say next. So a run is
laid beside the procedure step by step, with the means by which the procedure was found: calls that failed are in no
step, a tool that stands in several steps is told apart by its stretches (:mod:`.procedure`), and where an argument's
value came from is what its sketch says (:mod:`.sources`).

An execution holds names of tools, arguments and agents that look like names, and counts. No value gets into it, and
no word of a user or a tool.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from .rising import longest_rising
from .sketches import sketch_of
from .sources import MAX_ORIGINS, normalised
from .steps import is_tool_name, parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .sketches import Given, Mark, Sketch
    from .steps import Trace
    from .template_record import TemplateRecord

How = Literal["followed", "adapted", "abandoned"]
"""What became of a template in a run."""

Kind = Literal["added", "dropped", "reordered", "argument", "agent"]
"""What a run did otherwise than its template says."""

MAX_LISTED = 20
"""Adaptations that a summary lists; the others are too rare to say anything about the template."""

MAX_WANTED = 400
"""Steps of a procedure that are compared; what is learned here has far fewer, what is imported may have any number."""

_HOWS: tuple[How, ...] = ("followed", "adapted", "abandoned")
_KINDS: tuple[Kind, ...] = ("added", "dropped", "reordered", "argument", "agent")
_PART = r"[A-Za-z_][\w-]{0,47}(?:\[\*\]){0,8}"
_ARGUMENT = re.compile(rf"{_PART}(?:\.{_PART}){{0,8}}", re.ASCII)


class Adaptation(msgspec.Struct, frozen=True):
    """One thing that a run did otherwise than its template says.

    Attributes:
        kind: ``added`` (a tool of no step answered), ``dropped`` (a step that is not optional was not done),
            ``reordered`` (a step was done before one that comes before it), ``argument`` (a value came from elsewhere
            than the template says, or is not its constant), ``agent`` (another agent did the step).
        tool: of the step, or the tool that was added; "" where it has no plain name.
        detail: for ``reordered`` the tool of the step that it should have waited for, for ``argument`` the argument,
            for ``agent`` who did it; "" for the others, and for what has no plain name.
        count: calls or, where it is dropped or reordered, steps.
    """

    kind: Kind
    tool: str
    detail: str = ""
    count: int = 1


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did with its template.

    Attributes:
        how: ``followed``, ``adapted`` or ``abandoned``.
        adaptations: each kind, tool and detail once, in a fixed order.
        done: those of the wanted steps that were done.
        wanted: the steps that are not optional; all of them where all are optional.
    """

    how: How
    adaptations: tuple[Adaptation, ...] = ()
    done: int = 0
    wanted: int = 0


class _Wanted(NamedTuple):
    """A step of the template, as far as it can be read."""

    tool: str
    agent: str | None
    optional: bool
    repeated: bool
    arguments: dict[str, dict[str, Any]]
    after: tuple[int, ...] | None


def compare(record: TemplateRecord, trace: Trace, sketch: Sketch | None = None) -> Execution:
    """Lay a run beside the template that it was given. The same for the same run; odd records raise nothing.

    * Calls that failed count neither as done nor as added: the run got nothing from them, and the error is learned
      from elsewhere. A call that nobody knows the end of counts, as it does when procedures are found.
    * A step may be done more often than the template says: how often is what differs most between runs that succeed.
    * Steps that are optional may be left out, and the order is judged between steps that are neither optional nor
      repeated, and of which the template says that one comes after the other (``after``; where it says nothing of
      that, its list). Of a circle of steps in another order as few as explain it are reported, each as the step that
      came too early.
    * What the run has beyond the template is ``added`` and makes it ``adapted``, never ``abandoned``: to look up one
      thing more is no departure.
    * A run is ``abandoned`` where fewer than half of the steps that are not optional were done, or none of a procedure
      in which all are optional. Half is a run that took what it could use.
    * A value without an origin of its own (a flag, a single digit) says nothing about where it came from, so only a
      constant can make it an adaptation.
    * A procedure without steps says that no tool is needed: who called none followed it.

    Args:
        record: the template, of the version that was given.
        trace: what the run did.
        sketch: of the same trace, where it is at hand; else it is made.
    """
    steps = _wanted(record)
    marks = _marks(trace, sketch)
    places = [place for place, mark in enumerate(marks) if not mark.failed]
    known = {step.tool for step in steps}
    counts: Counter[tuple[Kind, str, str]] = Counter()
    for place in places:
        if marks[place].tool not in known:
            counts["added", _plain(marks[place].tool), ""] += 1
    calls = _assigned(steps, [(place, marks[place].tool) for place in places if marks[place].tool in known])
    for step, found in zip(steps, calls, strict=True):
        if not found and not step.optional:
            counts["dropped", step.tool, ""] += 1
        for place in found:
            _judge(step, marks[place], trace.steps[place].arguments, counts)
    for early, late in _inversions(steps, calls):
        if not _is_before(steps, late, early):
            continue  # the runs that the template was learned from show both orders
        counts["reordered", steps[early].tool, steps[late].tool] += 1
    adaptations = tuple(
        Adaptation(*key, count)
        for key, count in sorted(counts.items(), key=lambda item: (_KINDS.index(item[0][0]), item[0]))
    )
    needed = [number for number, step in enumerate(steps) if not step.optional]
    counted = needed or range(len(steps))
    done = sum(bool(calls[number]) for number in counted)
    enough = 2 * done >= len(counted) if needed else done > 0 or not steps
    how: How = "abandoned" if not enough else "adapted" if adaptations else "followed"
    return Execution(how=how, adaptations=adaptations, done=done, wanted=len(counted))


def summary(executions: Iterable[Execution]) -> dict[str, Any]:
    """How many runs did what with a template, and what they changed in it.

    Returns:
        ``{followed, adapted, abandoned, adaptations}``; each of the last is ``{kind, tool, detail, count, runs}``. What
        most runs did comes first, because one run that loops is no evidence; at most :data:`MAX_LISTED`.
    """
    hows: Counter[str] = Counter()
    counts: Counter[tuple[str, str, str]] = Counter()
    runs: Counter[tuple[str, str, str]] = Counter()
    for execution in executions:
        hows[execution.how] += 1
        keys = [(one.kind, one.tool, one.detail) for one in execution.adaptations]
        runs.update(set(keys))
        for key, one in zip(keys, execution.adaptations, strict=True):
            counts[key] += one.count
    first = sorted(counts, key=lambda key: (-runs[key], -counts[key], key))[:MAX_LISTED]
    listed = [
        {"kind": kind, "tool": tool, "detail": detail, "count": counts[kind, tool, detail], "runs": runs[key]}
        for key in first
        for kind, tool, detail in [key]
    ]
    return {**{how: hows[how] for how in _HOWS}, "adaptations": listed}


def _wanted(record: TemplateRecord) -> list[_Wanted]:
    """The template's steps that can be read; a file may hold anything."""
    found: list[_Wanted] = []
    for place, step in enumerate(record.procedure[:MAX_WANTED]):
        tool = step.get("tool") if isinstance(step, dict) else None
        if not isinstance(tool, str) or not is_tool_name(tool):
            continue
        agent, given = step.get("agent"), step.get("arguments")
        arguments = {
            name: source
            for name, source in (given.items() if isinstance(given, dict) else ())
            if isinstance(name, str) and _ARGUMENT.fullmatch(name) and isinstance(source, dict)
        }
        flags = step.get("optional") is True, step.get("repeated") is True
        after = step.get("after")
        numbers = [number for number in after if isinstance(number, int)] if isinstance(after, list) else None
        plain = None if numbers is None or len(found) != place else tuple(numbers)  # a step left out shifts numbers
        found.append(_Wanted(tool, agent if isinstance(agent, str) else None, *flags, arguments, plain))
    return found


def _is_before(steps: Sequence[_Wanted], first: int, second: int) -> bool:
    """Whether the template says that one step comes before another; one that does not say which do means its list."""
    waiting, seen = [second], {second}
    while waiting:
        after = steps[waiting.pop()].after
        if after is None or first in after:
            return True
        waiting += [number for number in after if number not in seen and 0 <= number < len(steps)]
        seen.update(after)
    return False


def _marks(trace: Trace, sketch: Sketch | None) -> Sequence[Mark]:
    """The run's steps with the origins of their arguments; a sketch of another trace is of no use."""
    if sketch is None or [mark.tool for mark in sketch.marks] != [step.tool for step in trace.steps]:
        sketch = sketch_of(msgspec.structs.replace(trace, success=bool(trace.success)))
    return sketch.marks


def _plain(name: str | None) -> str:
    return name if name is not None and is_tool_name(name) else ""


def _assigned(steps: Sequence[_Wanted], calls: Sequence[tuple[int, str]]) -> list[list[int]]:
    """For each step, the places of the calls that do it; of every call one step.

    A tool's stretches are its steps, in order, where there are as many. Where there are not, because one was left out
    or a step between two of them was, the longest row of calls in the template's order says which call is which; a
    stretch without a call in it takes the next step of its tool that nothing did, if there is one there, else it
    belongs to its neighbour.
    """
    of_tool: dict[str, list[int]] = defaultdict(list)
    for number, step in enumerate(steps):
        of_tool[step.tool].append(number)
    pairs = [(call, number) for call, (_, tool) in enumerate(calls) for number in reversed(of_tool[tool])]
    row = longest_rising([number for _, number in pairs])  # a call's steps fall, so that it stands in the row once
    anchors = dict(pairs[place] for place in row)
    stretches: dict[str, list[list[int]]] = defaultdict(list)
    for call, (_, tool) in enumerate(calls):
        if call and calls[call - 1][1] == tool:
            stretches[tool][-1].append(call)
        else:
            stretches[tool].append([call])
    assigned: list[list[int]] = [[] for _ in steps]
    for tool, found in stretches.items():
        numbers = of_tool[tool]
        if len(found) == len(numbers):
            placed = [(call, number) for stretch, number in zip(found, numbers, strict=True) for call in stretch]
        else:
            placed = _spread(numbers, found, anchors)
        for call, number in placed:
            assigned[number].append(calls[call][0])
    return assigned


def _spread(
    numbers: Sequence[int], stretches: Sequence[Sequence[int]], anchors: dict[int, int]
) -> Iterable[tuple[int, int]]:
    """The calls of one tool with their steps, neither ever going back."""
    following: list[int] = []  # for each stretch, the place in ``numbers`` of the first anchor after it
    limit = len(numbers)
    for stretch in reversed(stretches):
        following.append(limit)
        limit = next((numbers.index(anchors[call]) for call in stretch if call in anchors), limit)
    at = -1
    for stretch, limit in zip(stretches, reversed(following), strict=True):
        held = [call for call in stretch if call in anchors]
        if held:
            at = numbers.index(anchors[held[0]])
        elif at + 1 < limit:
            at += 1
        for call in stretch:
            at = numbers.index(anchors[call]) if call in anchors else at
            yield call, numbers[max(at, 0)]


def _inversions(steps: Sequence[_Wanted], calls: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Pairs of steps of which the first was done too early: before the second, which the template has before it.

    Steps that stand in no longest row in the template's order are what was moved. One that was moved forward came
    before the last step that it should have waited for; one that was moved back was overtaken by the next step.
    """
    strict = [n for n, step in enumerate(steps) if calls[n] and not step.optional and not step.repeated]
    by_time = sorted(strict, key=lambda number: min(calls[number]))
    kept = set(longest_rising(by_time))
    time = {number: place for place, number in enumerate(by_time)}
    found: list[tuple[int, int]] = []
    for place, number in enumerate(by_time):
        if place in kept:
            continue
        waited = [other for other in strict if other < number and time[other] > place]
        if waited:
            found.append((number, waited[-1]))
        else:
            found.append((next(other for other in strict if other > number and time[other] < place), number))
    return found


def _judge(step: _Wanted, mark: Mark, raw: dict[str, Any], counts: Counter[tuple[Kind, str, str]]) -> None:
    """Count what one call of a step did otherwise."""
    if step.agent and mark.agent and mark.agent != step.agent:
        counts["agent", step.tool, _plain(mark.agent)] += 1
    for given in mark.given:
        source = step.arguments.get(given.name)
        if source is not None and _elsewhere(source, given, raw):
            counts["argument", step.tool, given.name] += 1


def _elsewhere(source: dict[str, Any], given: Given, raw: dict[str, Any]) -> bool:
    """Whether a value came from elsewhere than the template's source says."""
    kind = source.get("source")
    if kind == "constant":
        values = [given.value] if given.value is not None else _values(raw, given.name)
        return "value" in source and any(not _same(value, source["value"]) for value in values)
    if kind not in ("slot", "result") or _untold(given, raw):
        return False
    if kind == "slot":
        return all(origin[0] != "slot" for origin in given.origins)
    wanted = ("result", source.get("tool"), source.get("path"))
    return wanted not in given.origins and len(given.origins) < MAX_ORIGINS


def _same(value: Any, constant: Any) -> bool:
    return type(value) is type(constant) and value == constant  # True is not 1


def _untold(given: Given, raw: dict[str, Any]) -> bool:
    """Whether a value is so common that finding it somewhere says nothing (see :mod:`.sources`)."""
    values = [given.value] if given.value is not None else _values(raw, given.name)
    return any(isinstance(value, bool) or len(normalised(value)) < 2 for value in values)


def _values(arguments: dict[str, Any], name: str) -> list[Any]:
    """The plain values of an argument that a sketch names by its path; they are compared and never kept."""
    found: list[Any] = [arguments]
    for part in name.split("."):
        key = part.replace("[*]", "")
        inner = [_opened(value) for value in found]
        found = [value[key] for value in inner if isinstance(value, dict) and key in value]
        while any(isinstance(value, list) for value in found):
            found = [one for value in found for one in (value if isinstance(value, list) else [value])]
    return [value for value in found if isinstance(value, (str, int, float))]


def _opened(value: Any) -> Any:
    return parsed(value) if isinstance(value, str) else value
