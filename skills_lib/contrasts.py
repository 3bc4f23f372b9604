"""What successful runs of one kind do and failing ones do not: checks and pitfalls, with a test against chance.

Many things differ between any two handfuls of runs. So every difference is tested exactly (Fisher), and all that were
looked at are paid for (Holm), including those that turned out not to differ. What is told is what is left, as data:
names of tools and arguments, counts, a probability; and in sentences of a fixed vocabulary into which nothing but
those names is put.

Runs of one task resemble each other, which the test does not know. So each run counts only for its part: a task's runs
of one verdict weigh together at most as much as :data:`PER_TASK` of them.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from .sketches import lot

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .sketches import Mark, Sketch

LEVEL = 0.05
"""The probability, over all differences looked at, that chance alone shows any."""

PER_TASK = 4
"""Runs of one task and verdict that are counted, so that one task run a hundred times does not speak for its kind."""

LEAST = 3
"""Runs of each verdict without which nothing is compared."""

MAX_TOOLS = 40
"""Tools that are compared, the most common first; orders are compared between these only."""


class Feature(NamedTuple):
    """Something that a run shows or does not.

    ``kind`` is ``present`` (the tool answered), ``repeated`` (it was asked more than once), ``order`` (``tool`` first
    came before ``other``), ``source`` (the argument came from ``other``: ``slot``, ``result`` or ``own``) or
    ``unresolved`` (the tool's last answer was an error).
    """

    kind: str
    tool: str
    other: str = ""
    argument: str = ""


class Contrast(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between successes and failures that chance does not explain.

    Attributes:
        kind, tool, other, argument: what differs, as in :class:`Feature`.
        helps: whether successes show it more often.
        solved_with, solved: successful runs that show it, of those in which it could be seen.
        failed_with, failed: the same for failed runs.
        p: the exact probability of a difference as large by chance.
        p_adjusted: the same, for the number of differences looked at.
    """

    kind: str
    tool: str
    other: str = ""
    argument: str = ""
    helps: bool
    solved_with: int
    solved: int
    failed_with: int
    failed: int
    p: float
    p_adjusted: float

    @property
    def text(self) -> str:
        """The difference as a short sentence to an agent."""
        return _SENTENCES[self.kind, self.helps].format(tool=self.tool, other=self.other, argument=self.argument)


_SENTENCES = {
    ("present", True): "Call {tool}.",
    ("present", False): "Avoid {tool} unless the task asks for it.",
    ("repeated", True): "Call {tool} as often as the task needs it, once is seldom enough.",
    ("repeated", False): "Call {tool} only once.",
    ("order", True): "Call {tool} before {other}.",
    ("order", False): "Do not call {tool} before {other}.",
    ("source", True): "Take {argument} of {tool} from {other}.",
    ("source", False): "Do not take {argument} of {tool} from {other}.",
    ("unresolved", True): "An error of {tool} may be left standing.",
    ("unresolved", False): "Do not leave an error of {tool} unresolved.",
}
_ORIGIN_WORDS = {"slot": "what the user said", "result": "an earlier result", "own": "your own words"}

_TOOL, _ARGUMENT = r"[\w.:/-]{1,64}", r"[\w.*\[\]-]{1,120}"
_FORMS = [
    re.escape(sentence)
    .replace(r"\{tool\}", _TOOL)
    .replace(r"\{argument\}", _ARGUMENT)
    .replace(r"\{other\}", "|".join(["(?:" + _TOOL, *map(re.escape, _ORIGIN_WORDS.values())]) + ")")
    for sentence in _SENTENCES.values()
]
_SENTENCE = re.compile("|".join(_FORMS), re.ASCII)


def is_sentence(text: str) -> bool:
    """Whether a check or pitfall is one of the sentences that are written here, about whichever tool."""
    return _SENTENCE.fullmatch(text) is not None


def contrasts(sketches: Iterable[Sketch], level: float = LEVEL) -> list[Contrast]:
    """The differences between the successes and failures among these runs, the surest first.

    Args:
        sketches: runs of one kind, of both verdicts.
        level: how likely any false difference may be.
    """
    solved, failed = _sampled(sketches)
    if min(len(solved), len(failed)) < LEAST:
        return []
    tools = _tools([*solved, *failed])
    shown: dict[Feature, list[int]] = defaultdict(lambda: [0, 0, 0, 0])  # solved with, solved, failed with, failed
    for column, group in ((0, solved), (2, failed)):
        for sketch in group:
            for feature, holds in _features(sketch, tools).items():
                shown[feature][column] += holds
                shown[feature][column + 1] += 1
    tested: list[tuple[float, Feature, tuple[int, int, int, int]]] = []
    for feature, (with_success, successes, with_failure, failures) in shown.items():
        if min(successes, failures) >= LEAST and 0 < with_success + with_failure < successes + failures:
            counts = (with_success, successes, with_failure, failures)
            tested.append((fisher(*counts), feature, counts))
    tested.sort()
    found: list[Contrast] = []
    adjusted = 0.0
    for rank, (p, feature, counts) in enumerate(tested):
        adjusted = max(adjusted, min(1.0, p * (len(tested) - rank)))
        if adjusted > level:
            break
        found.append(_contrast(feature, counts, p, adjusted))
    return found


def fisher(with_first: int, first: int, with_second: int, second: int) -> float:
    """Fisher's exact test, two-sided: the probability of tables no likelier than this one, their margins given.

    Args:
        with_first: members of the first group that show it.
        first: members of the first group.
        with_second: members of the second group that show it.
        second: members of the second group.
    """
    total, shown = first + second, with_first + with_second
    whole = _log_choose(total, shown)

    def probability(count: int) -> float:
        return math.exp(_log_choose(first, count) + _log_choose(second, shown - count) - whole)

    limit = probability(with_first) * (1 + 1e-7)
    possible = range(max(0, shown - second), min(first, shown) + 1)
    return min(1.0, sum(value for count in possible if (value := probability(count)) <= limit))


def _log_choose(total: int, count: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)


def _sampled(sketches: Iterable[Sketch]) -> tuple[list[Sketch], list[Sketch]]:
    groups: dict[tuple[str, bool], list[Sketch]] = defaultdict(list)
    for sketch in sketches:
        groups[sketch.task, sketch.success].append(sketch)
    taken: dict[bool, list[Sketch]] = {True: [], False: []}
    for (_, success), group in sorted(groups.items()):
        taken[success].extend(sorted(group, key=lambda one: lot(one.run_id))[:PER_TASK])
    return taken[True], taken[False]


def _tools(sketches: Sequence[Sketch]) -> list[str]:
    runs = Counter(tool for sketch in sketches for tool in {mark.tool for mark in sketch.marks})
    return sorted(runs, key=lambda tool: (-runs[tool], tool))[:MAX_TOOLS]


def _features(sketch: Sketch, tools: Sequence[str]) -> dict[Feature, bool]:
    """What can be seen in a run: present features with True, absent ones with False. What cannot be judged in it, such
    as an order of two steps of which it has one, is left out."""
    marks: dict[str, list[Mark]] = defaultdict(list)
    first: dict[str, int] = {}
    for place, mark in enumerate(sketch.marks):
        marks[mark.tool].append(mark)
        if not mark.failed:
            first.setdefault(mark.tool, place)
    found: dict[Feature, bool] = {}
    for tool in tools:
        found[Feature("present", tool)] = tool in first
        calls = marks.get(tool)
        if not calls:
            continue
        found[Feature("repeated", tool)] = len(calls) > 1
        found[Feature("unresolved", tool)] = calls[-1].failed
        for other in tools:
            if tool < other and tool in first and other in first:
                found[Feature("order", tool, other)] = first[tool] < first[other]
        _sources(tool, calls, found)
    return found


def _sources(tool: str, calls: Sequence[Mark], found: dict[Feature, bool]) -> None:
    """Whether all values of an argument may come from one kind of origin."""
    origins: dict[str, list[set[str]]] = defaultdict(list)
    for mark in calls:
        for given in mark.given:
            origins[given.name].append({origin[0] for origin in given.origins})
    for argument, seen in origins.items():
        for source in _ORIGIN_WORDS:
            found[Feature("source", tool, source, argument)] = all(source in one for one in seen)


def _contrast(feature: Feature, counts: tuple[int, int, int, int], p: float, adjusted: float) -> Contrast:
    solved_with, solved, failed_with, failed = counts
    helps = solved_with * failed > failed_with * solved
    tool, other = feature.tool, feature.other
    if feature.kind == "order" and not helps:  # the other way round it is what successes do
        tool, other = other, tool
        solved_with, failed_with, helps = solved - solved_with, failed - failed_with, True
    if feature.kind == "source":
        other = _ORIGIN_WORDS[other]
    return Contrast(
        kind=feature.kind, tool=tool, other=other, argument=feature.argument, helps=helps, solved_with=solved_with,
        solved=solved, failed_with=failed_with, failed=failed, p=p, p_adjusted=adjusted,
    )  # fmt: skip


def checks(found: Iterable[Contrast]) -> list[Contrast]:
    """What to make sure of: what successes do more often."""
    return [one for one in found if one.helps]


def pitfalls(found: Iterable[Contrast]) -> list[Contrast]:
    """What to keep from: what failures do more often."""
    return [one for one in found if not one.helps]
