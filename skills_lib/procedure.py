"""The procedure that runs of one kind have in common.

Successful runs of one kind differ: one looks a thing up twice, another asks in a different order, a third tries what
does not work. What they share is found by pooling, never from one run. A step of the procedure is a tool and its
*stage*: where nearly all runs that use a tool use it in the same number of separate stretches, each stretch is a step
of its own; where the number varies it is one step that may be repeated, which is how "for each order" looks.
One step comes before another only where the runs show it; the list's order between the others is how they mostly went.

A procedure holds names of tools and arguments, paths, types, and constants that were the agents' own in every run. It
holds no word of a user or a tool: see :mod:`.sources`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from .sketches import origins_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .sketches import Given, Mark, Sketch
    from .sources import Origin

ALWAYS = 0.9
"""A step that this part of the runs have is not optional; an order that this part of them show is one. So much room is
left for the odd run that gets there in another way."""

LEAST = 0.25
"""A step that fewer of the runs have is left out."""

MOSTLY = 0.6
"""Part of an argument's observations that its source must explain; else it is free."""

NEARLY = 0.95
"""A source that explains this part of what the best one explains is as good."""

REPEATED = 1 / 3
"""Part of the runs with a step that do it more than once, from which on it counts as repeated."""

USUAL = 0.2
"""Part of an argument's values that an outline must have to be expected again."""

OUTLINED = frozenset({"id", "number", "zip"})
"""Types of values of which the outline is kept: the others are recognised by their form alone."""

MAX_STEPS = 40

Source = dict[str, Any]


class ProcedureStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step that the runs have in common.

    Attributes:
        tool: the tool that is called.
        agent: who mostly calls it.
        writes: whether it changes something.
        optional: whether some runs succeed without.
        repeated: whether it is often done more than once.
        support: successful runs that have it.
        calls: how often it was called in them, all together.
        arguments: each with its ``source`` (``slot``, ``result``, ``constant`` or ``free``) and what belongs to it.
        after: numbers of the steps that come before it wherever runs have both.
    """

    tool: str
    agent: str | None = None
    writes: bool = False
    optional: bool = False
    repeated: bool = False
    support: int = 0
    calls: int = 0
    arguments: dict[str, Source] = {}
    after: tuple[int, ...] = ()

    def public(self) -> dict[str, Any]:
        """As commands print it."""
        return {
            "tool": self.tool,
            "agent": self.agent,
            "writes": self.writes,
            "optional": self.optional,
            "repeated": self.repeated,
            "support": self.support,
            "after": list(self.after),
            "arguments": self.arguments,
        }


class Procedure(msgspec.Struct, frozen=True, kw_only=True):
    """What successful runs of one kind of task have in common.

    Attributes:
        steps: in the order in which they are mostly done.
        runs: successful runs that it rests on.
        tasks: different tasks among them.
        dropped: calls in those runs that are in no step.
    """

    steps: tuple[ProcedureStep, ...] = ()
    runs: int = 0
    tasks: int = 0
    dropped: int = 0

    def public(self) -> list[dict[str, Any]]:
        """The steps as commands print them."""
        return [step.public() for step in self.steps]


def induce(sketches: Iterable[Sketch], writes: Callable[[str], bool]) -> Procedure:
    """The procedure of these successful runs; the same for the same runs in any order.

    Args:
        sketches: of runs of one kind; failed ones among them are passed over.
        writes: says of a tool whether it changes something, as :class:`.writes.Effects` does.
    """
    solved = sorted((one for one in sketches if one.success), key=lambda one: one.run_id)
    if not solved:
        return Procedure()
    placed, total = _placed(solved)
    wanted = max(LEAST * len(solved), min(2, len(solved)))
    kept = {node: runs for node, runs in placed.items() if len(runs) >= wanted}
    before = _precedence(kept)
    order = _ordered(kept, before)[:MAX_STEPS]
    tasks = len({one.task for one in solved})
    steps = tuple(_step(node, kept[node], solved, writes, order, before) for node in order)
    dropped = total - sum(step.calls for step in steps)
    return Procedure(steps=steps, runs=len(solved), tasks=tasks, dropped=dropped)


_Node = tuple[str, int]  # tool and stage
_Places = dict[_Node, dict[int, list[int]]]  # node -> number of the run -> places of its calls


def _placed(solved: Sequence[Sketch]) -> tuple[_Places, int]:
    """Which calls of which runs belong to which step. Calls that failed belong to none."""
    stretches: list[dict[str, list[list[int]]]] = []
    total = 0
    for sketch in solved:
        total += len(sketch.marks) + sketch.other
        of_tool: dict[str, list[list[int]]] = defaultdict(list)
        last: str | None = None
        for place, mark in enumerate(sketch.marks):
            if mark.failed:
                continue
            if mark.tool == last:
                of_tool[mark.tool][-1].append(place)
            else:
                of_tool[mark.tool].append([place])
            last = mark.tool
        stretches.append(of_tool)
    placed: _Places = {}
    for tool in sorted({tool for of_tool in stretches for tool in of_tool}):
        stages = _stages([len(of_tool[tool]) for of_tool in stretches if tool in of_tool])
        for number, of_tool in enumerate(stretches):
            for stage, places in enumerate(of_tool.get(tool, ())):
                node = (tool, min(stage, stages - 1))
                placed.setdefault(node, {}).setdefault(number, []).extend(places)
    return placed, total


def _stages(counts: Sequence[int]) -> int:
    """In how many steps a tool's stretches are told apart: as many as nearly all runs have, else one."""
    number, runs = Counter(counts).most_common(1)[0]
    return number if number > 1 and len(counts) > 1 and runs >= ALWAYS * len(counts) else 1


def _precedence(kept: _Places) -> dict[tuple[_Node, _Node], bool]:
    """Pairs of steps of which the first comes before the second wherever runs have both, and two runs at least do
    (one, where there is only one)."""
    before: dict[tuple[_Node, _Node], bool] = {}
    runs = len({number for places in kept.values() for number in places})
    for left in kept:
        for right in kept:
            if left == right:
                continue
            both = kept[left].keys() & kept[right].keys()
            earlier = sum(min(kept[left][number]) < min(kept[right][number]) for number in both)
            before[left, right] = len(both) >= min(2, runs) and earlier >= ALWAYS * len(both)
    return before


def _ordered(kept: _Places, before: dict[tuple[_Node, _Node], bool]) -> list[_Node]:
    """The steps, none before one that precedes it; among those that may come next, the one that mostly comes first."""

    def place(node: _Node) -> tuple[float, _Node]:
        ranks = []
        for number, places in kept[node].items():
            others = [min(kept[other][number]) for other in kept if number in kept[other]]
            ranks.append(sum(other < min(places) for other in others) / len(others))
        return sum(ranks) / len(ranks), node

    waiting = sorted(kept, key=place)
    order: list[_Node] = []
    while waiting:
        free = [node for node in waiting if not any(before[other, node] for other in waiting if other != node)]
        order.append((free or waiting)[0])  # a circle can only come from different runs; the first in place opens it
        waiting.remove(order[-1])
    return order


def _step(
    node: _Node,
    runs: dict[int, list[int]],
    solved: Sequence[Sketch],
    writes: Callable[[str], bool],
    order: Sequence[_Node],
    before: dict[tuple[_Node, _Node], bool],
) -> ProcedureStep:
    marks = [(solved[number], solved[number].marks[place]) for number, places in runs.items() for place in places]
    agents = Counter(mark.agent for _, mark in marks)
    position = order.index(node)
    earlier = [number for number, other in enumerate(order[:position]) if before[other, node]]
    direct = [
        number
        for number in earlier
        if not any(before[order[number], order[later]] for later in earlier if later > number)
    ]
    return ProcedureStep(
        tool=node[0],
        agent=min(agents, key=lambda agent: (-agents[agent], agent or "")),
        writes=writes(node[0]),
        optional=len(runs) < ALWAYS * len(solved),
        repeated=sum(len(places) > 1 for places in runs.values()) >= REPEATED * len(runs),
        support=len(runs),
        calls=len(marks),
        arguments=arguments_of(marks, {other[0] for other in order}),
        after=tuple(direct),
    )


def arguments_of(marks: Sequence[tuple[Sketch, Mark]], tools: set[str]) -> dict[str, Source]:
    """The arguments that most of these calls of one tool give, each with its source.

    Args:
        marks: the calls, each with the run that made it.
        tools: the tools whose results may be named as sources.
    """
    seen: dict[str, list[tuple[Sketch, Given]]] = defaultdict(list)
    for sketch, mark in marks:
        for given in mark.given:
            seen[given.name].append((sketch, given))
    found: dict[str, Source] = {}
    for name, observed in sorted(seen.items(), key=lambda item: (-len(item[1]), item[0])):
        if len(observed) >= max(LEAST * len(marks), min(2, len(marks))):
            found[name] = _source(name, observed, tools)
    functions = Counter(call for _, mark in marks for call in mark.calls)
    if any(mark.calls for _, mark in marks):
        common = sorted(call for call, count in functions.items() if count >= max(LEAST * len(marks), 2))
        found["code"] = {"source": "free", "type": "code", "calls": common}
    return found


def _source(name: str, observed: Sequence[tuple[Sketch, Given]], tools: set[str]) -> Source:
    """The source that explains most of an argument's observations. Of nearly equal ones what people said comes first,
    because a value that they gave is also found in every record about them; then a field that is called like the
    argument, then the shorter path, then the first in the alphabet."""
    constant = _constant(observed)
    if constant is not None:
        return constant
    counts: Counter[Origin] = Counter()
    for _, given in observed:
        counts.update(set(origins_of(given)))
    kinds = Counter(given.kind for _, given in observed)
    kind = min(kinds, key=lambda one: (-kinds[one], one))
    many = {"many": True} if 2 * sum(given.many for _, given in observed) > len(observed) else {}
    possible = [one for one in counts if one.source == "slot" or (one.source == "result" and one.tool in tools)]
    if possible:
        field = slot_name(name).removesuffix("s")  # new_item_ids are item_id
        most = NEARLY * max(counts[one] for one in possible)
        best = min(
            (one for one in possible if counts[one] >= most),
            key=lambda one: (one.source != "slot", not _called(one.path, field), len(one.path), one),
        )
        explained = counts[best]
        tasks = {sketch.task for sketch, given in observed if best in origins_of(given)}
        enough = best.source == "slot" or len(tasks) > 1 or len({sketch.task for sketch, _ in observed}) == 1
        if explained >= MOSTLY * len(observed) and enough:
            support = {"support": explained, "of": len(observed)}
            if best.source == "slot":
                outlines = _outlines(given for _, given in observed) if kind in OUTLINED else {}
                return {"source": "slot", "name": slot_name(name), "type": kind, **many, **outlines, **support}
            return {"source": "result", "tool": best.tool, "path": best.path, "type": kind, **many, **support}
    return {"source": "free", "type": kind, **many}


def _outlines(observed: Iterable[Given]) -> dict[str, list[str]]:
    """The outlines that the values of an argument mostly have, by which one is recognised in a new task."""
    counts = Counter(given.shape for given in observed if given.shape)
    usual = sorted(shape for shape, count in counts.items() if count >= USUAL * counts.total())
    return {"outlines": usual} if usual else {}


def _called(path: str, argument: str) -> bool:
    """Whether the field at the end of a path is called like the argument, or like the end of its name."""
    field = slot_name(path).removesuffix("s")
    return bool(field) and (argument == field or argument.endswith(f"_{field}"))


def _constant(observed: Sequence[tuple[Sketch, Given]]) -> Source | None:
    """One value in nearly all runs of different tasks that stands in no text of a user or tool, in none of the runs."""
    own = Counter(
        msgspec.json.encode(given.value) for _, given in observed if given.value is not None and _is_own(given)
    )
    if not own or any(not _is_own(given) for _, given in observed):
        return None
    value, count = min(own.items(), key=lambda item: (-item[1], item[0]))
    tasks = {s.task for s, given in observed if given.value is not None and msgspec.json.encode(given.value) == value}
    if count < ALWAYS * len(observed) or len(tasks) < 2:
        return None
    return {"source": "constant", "value": msgspec.json.decode(value), "support": count, "of": len(observed)}


def _is_own(given: Given) -> bool:
    return any(origin[0] == "own" for origin in given.origins)


def slot_name(argument: str) -> str:
    """What the slot that feeds an argument is called: the last plain part of the argument's name."""
    return argument.replace("[*]", "").rsplit(".", 1)[-1]
