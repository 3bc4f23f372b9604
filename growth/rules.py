"""Every number that growth follows, in one object, so that none is hidden in code.

The defaults are those of the growth specification unless the attribute says otherwise; ``docs/growth.md`` lists
them with what they do. Replace them with a table ``[rules]`` in the roster, with a file (setting ``rules``) or
from a plugin (hook ``growth_rules``); ``seasoned rebuild`` then gives the history under the new rules.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..instrumentation.errors import ConfigError
from ..instrumentation.runs import COMPLEXITIES
from .slugs import slug
from .toml_checks import Place, parse_toml

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LEVEL = 10
DEFAULT_COMPLEXITY = "medium"
"""What a run counts as whose complexity nobody knows (the specification's fallback awards, 25 and 5)."""


_PARTS = frozenset(("drift", "attribute_return", "trait_shown"))
_PERCENTS = frozenset(("tool_percent", "diminishing_step", "diminishing_floor", "fault_percent", "fast_percent"))
_AT_LEAST_ONE = frozenset(("no_escalation_every", "resilience_after", "fast_least"))


class TitleRange(msgspec.Struct, frozen=True):
    """A title for an average level of at least ``at_least`` (0 to 10); ``{domain}`` in it is the domain's name."""

    at_least: float
    title: str


def _completed() -> dict[str, int]:
    return {"low": 10, "medium": 25, "high": 50, "critical": 100}


def _failed() -> dict[str, int]:
    return {"low": 2, "medium": 5, "high": 10, "critical": 15}


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The constants of growth. Amounts are experience points (XP), whole numbers from 0.

    Attributes:
        completed: award of a solved task by complexity (specification: 10, 25, 50, 100).
        failed: award of a failed task by complexity: one learns from failure, just less (2, 5, 10, 15).
        first_time_solve: for an agent's first success on a kind of task (20).
        repeat_solve: for solving the same kind of task again (5), diminishing like the award itself.
        diminishing_step: by how many percent of the award each earlier success on the same kind of task lowers the
            next one (ours: 10; the specification names the rule and no number).
        diminishing_floor: the percent of the award below which it never falls (ours: 40).
        helped_another_dept: for solving a task outside the agent's own domains (15).
        no_escalation_streak: for every ``no_escalation_every`` tasks solved without escalating one (10).
        no_escalation_every: see there (10).
        cache_worthy: for an answer good enough to be kept, where the outcome says so (5).
        user_positive: for praise from the user (30).
        user_negative: what a complaint takes back, at most what the run earned (ours: 10).
        fault_percent: of its pieces of work in a failed run, the percent that counts for an agent that the record
            shows to have caused the failure, where others worked with it (ours: half).
        escalation_tools: beginnings of the names of tools that hand a task to a person (ours).
        thresholds: XP from which a skill, or an agent on its total, has level 1, 2, … 10.
        titles: titles by the average level of the skills in the specialization's domain (weighted by use),
            ascending. The last one reaches to level 10, where the specification leaves a gap.
        roster_title_xp: how much a roster's agent must have earned by successful work before its title and
            specialization follow its work rather than the roster (ours: a starting title lasts for the first
            level's worth of work).
        tool_percent: the part of an agent's work that counts for the tools it used, where a run has both tools
            and a domain or task type (ours: half).
        drift: how far a trait moves for one task (0.01), of a range from 0 to 1.
        resilience_after: after how many failures in a row a success shows resilience (3: "more than two").
        resilience_factor: how many drifts that is worth (3).
        attribute_return: how far a trait that a task did not exercise goes back toward the middle (ours: 0, off).
        fast_percent: a success is fast if it took at most this percent of the median of the agent's own last
            successes on the same kind of task (ours: 75).
        fast_least: how many of those there must be (ours: 3); the last nine count.
        trait_shown: above which value a trait speaks in the prompt (0.7).
        strength_level: from which level a skill is a strength before it was ever used (ours: 2).
        strengths_shown: how many strengths the prompt names (3).
        abilities_shown: how many abilities the prompt names, those of the highest skills first (ours: 12).
    """

    completed: dict[str, int] = msgspec.field(default_factory=_completed)
    failed: dict[str, int] = msgspec.field(default_factory=_failed)
    first_time_solve: int = 20
    repeat_solve: int = 5
    diminishing_step: int = 10
    diminishing_floor: int = 40
    helped_another_dept: int = 15
    no_escalation_streak: int = 10
    no_escalation_every: int = 10
    cache_worthy: int = 5
    user_positive: int = 30
    user_negative: int = 10
    fault_percent: int = 50
    escalation_tools: tuple[str, ...] = ("transfer_to_human", "escalate", "hand_off_to_human")
    thresholds: tuple[int, ...] = (0, 100, 250, 500, 1000, 2000, 4000, 7000, 11000, 16000)
    titles: tuple[TitleRange, ...] = (
        TitleRange(0, "Junior {domain} Specialist"),
        TitleRange(2, "{domain} Specialist"),
        TitleRange(4, "Senior {domain} Specialist"),
        TitleRange(6, "{domain} Expert"),
        TitleRange(8, "Master {domain} Engineer"),
    )
    roster_title_xp: int = 100
    tool_percent: int = 50
    drift: float = 0.01
    resilience_after: int = 3
    resilience_factor: int = 3
    attribute_return: float = 0.0
    fast_percent: int = 75
    fast_least: int = 3
    trait_shown: float = 0.7
    strength_level: int = 2
    strengths_shown: int = 3
    abilities_shown: int = 12

    def award(self, *, success: bool, complexity: str | None) -> int:
        """The award of a run, before it is divided among those who contributed."""
        table = self.completed if success else self.failed
        return table.get(complexity or DEFAULT_COMPLEXITY, table[DEFAULT_COMPLEXITY])

    def diminished(self, amount: int, solved: int) -> int:
        """What is left of ``amount`` XP for a success on a kind of task that was solved ``solved`` times before:
        rounded up, so that it never vanishes by being divided small."""
        percent = max(self.diminishing_floor, 100 - self.diminishing_step * solved)
        return -(-amount * percent // 100)

    def level(self, xp: int) -> int:
        """The level that ``xp`` alone reaches, 1 to 10."""
        level = 1
        for number, threshold in enumerate(self.thresholds, 1):
            if xp >= threshold:
                level = number
        return level

    def xp_to_next(self, level: int, xp: int) -> int:
        """XP still missing to the level after ``level``; 0 at level 10."""
        return 0 if level >= MAX_LEVEL else max(0, self.thresholds[level] - xp)

    def title(self, average_level: float, domain_name: str) -> str:
        """The title of somebody whose skills in the domain have this average level."""
        found = self.titles[0].title
        for step in self.titles:
            if average_level >= step.at_least:
                found = step.title
        return found.replace("{domain}", domain_name)


def load_rules(path: str | Path) -> Rules:
    """Rules from a TOML file: the keys are the attributes of :class:`Rules`; what is left out keeps its default.

    Raises:
        ConfigError: for a file that cannot be read, an unknown key or a value that cannot be.
    """
    path = Path(path)
    table = parse_toml(path, ConfigError, "name a TOML file of growth rules")
    return rules_from(table, Place(str(path)))


def rules_from(table: dict[str, Any], place: Place) -> Rules:
    """Rules from a parsed table; raises the place's error for what cannot be used."""
    place.keys(table, Rules.__struct_fields__)
    values: dict[str, Any] = {}
    for key, value in table.items():
        here = place.at(key)
        if key in ("completed", "failed"):
            values[key] = {**(_completed() if key == "completed" else _failed()), **_awards(here.table(value), here)}
        elif key == "thresholds":
            values[key] = _thresholds(here.typed(value, list), here)
        elif key == "titles":
            values[key] = _titles(here.typed(value, list), here)
        elif key == "escalation_tools":
            values[key] = tuple(filter(None, map(slug, here.lines(value, 64))))
        elif key in _PARTS:
            values[key] = here.part(value)
        elif key in _PERCENTS:
            values[key] = here.whole(value, 0, 100)
        else:
            values[key] = here.whole(value, 1 if key in _AT_LEAST_ONE else 0)
    return Rules(**values)


def _awards(table: dict[str, Any], place: Place) -> dict[str, int]:
    place.keys(table, COMPLEXITIES)
    return {key: place.at(key).whole(value, 0) for key, value in table.items()}


def _thresholds(values: Sequence[Any], place: Place) -> tuple[int, ...]:
    numbers = tuple(place.at(str(number)).whole(value, 0) for number, value in enumerate(values))
    if len(numbers) != MAX_LEVEL or numbers[0] != 0 or list(numbers) != sorted(set(numbers)):
        raise place.wrong(f"must be {MAX_LEVEL} rising numbers, one for each level, the first of them 0")
    return numbers


def _titles(values: Sequence[Any], place: Place) -> tuple[TitleRange, ...]:
    out: list[TitleRange] = []
    for number, value in enumerate(values):
        here = place.at(str(number))
        table = here.table(value)
        here.keys(table, ("at_least", "title"))
        if len(table) != 2:
            raise here.wrong('must have both keys, as in { at_least = 2, title = "{domain} Specialist" }')
        at_least = here.at("at_least").typed(table["at_least"], float)
        out.append(TitleRange(at_least, here.at("title").line(table["title"], 80)))
    if not out or out[0].at_least != 0 or any(b.at_least <= a.at_least for a, b in pairwise(out)):
        raise place.wrong("must start at_least = 0 and rise from there, so that every level has one title")
    return tuple(out)
