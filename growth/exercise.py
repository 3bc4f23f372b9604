"""Which skills an agent exercised in a run: those of the roster that fit, else skills that emerge.

The rule, as ``docs/growth.md`` has it. *Topics* are what the run is about (its domain, its task type, words of
its task), *tools* what the agent called with success. Where a run shows both, the tools' skills share
:attr:`.rules.Rules.tool_percent` of the agent's work in proportion to the calls, and the topics' skills the rest
equally; where it shows one of them, that one has all.

Weights come out as whole numbers, so that dividing by them is exact.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from ..instrumentation.records import SkillUse
from .skills import Use
from .slugs import GENERAL, slug, title_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..instrumentation.reading import RunRecord
    from .roster import RosterAgent, RosterSkill
    from .rules import Rules

NAME_LIMIT = 80
"""Characters of a skill's shown name that are kept: it goes into prompts."""


def exercised(
    run: RunRecord, tools: Mapping[str, int], entry: RosterAgent | None, rules: Rules
) -> tuple[SkillUse, ...]:
    """The skills that an agent exercised in a run, given how often it called each ``tools`` with success and what
    the roster says of it (None where it is not there)."""
    if entry is not None and entry.skills:
        fitting = _from_roster(run, tools, entry, rules)
        if fitting:
            return fitting
    return _emerging(run, tools, rules)


def _from_roster(run: RunRecord, tools: Mapping[str, int], entry: RosterAgent, rules: Rules) -> tuple[SkillUse, ...]:
    topics = [name for name, skill in entry.skills.items() if _fits(run, skill)]
    named: Counter[str] = Counter()
    for tool, calls in tools.items():
        named[slug(tool) or tool] += calls
    called: dict[str, int] = {}
    for name, skill in entry.skills.items():
        calls = sum(named[tool] for tool in {slug(tool) or tool for tool in skill.tools})
        if calls:
            called[name] = calls
    weights = weigh(topics, called, rules.tool_percent)
    return tuple(
        SkillUse(name, weight, entry.skills[name].name, entry.skills[name].domain) for name, weight in weights.items()
    )


def _fits(run: RunRecord, skill: RosterSkill) -> bool:
    if slug(skill.domain) in {slug(text) for text in (run.domain, run.task_type) if text}:
        return True
    task = run.task
    return bool(task) and any(_says(task, keyword) for keyword in skill.keywords)


def _says(task: str, keyword: str) -> bool:
    """Whether the task holds the keyword as whole words, in any case."""
    return re.search(rf"(?<!\w){re.escape(keyword)}(?!\w)", task, re.IGNORECASE) is not None


def _emerging(run: RunRecord, tools: Mapping[str, int], rules: Rules) -> tuple[SkillUse, ...]:
    topics = [found for text in (run.domain, run.task_type) if text and (found := slug(text))]
    called: dict[str, int] = {}
    for tool, calls in tools.items():
        name = slug(tool)
        if name and calls > 0:
            called[name] = called.get(name, 0) + calls
    weights = weigh(topics, called, rules.tool_percent) or {GENERAL: 1}
    domain = slug(run.domain or "") or GENERAL
    return tuple(SkillUse(name, weight, title_of(name), domain) for name, weight in weights.items())


def weigh(topics: Iterable[str], calls: Mapping[str, int], tool_percent: int) -> dict[str, int]:
    """Whole-numbered weights of the skills of the run's topics and of the tools called; see the module's docstring.

    A skill that is both gets both parts.
    """
    topics = dict.fromkeys(topics)
    total = sum(calls.values())
    weights: dict[str, int] = {}
    for name in topics:
        weights[name] = (100 - tool_percent) * total if total else 1
    for name, count in calls.items():
        weights[name] = weights.get(name, 0) + (tool_percent * count * len(topics) if topics else count)
    return {name: weight for name, weight in weights.items() if weight > 0}


def accepted(uses: Iterable[object], domain: str | None) -> tuple[Use, ...]:
    """What a plugin (or the rule above) answered, made fit to keep: proper slugs, one-line names, weights that are
    positive and finite; one entry for each skill, in the order of their names. What is no skill use is left out."""
    out: dict[str, Use] = {}
    for use in uses:
        if not isinstance(use, SkillUse):
            continue
        name = slug(use.skill)
        weight = use.weight
        if not name or isinstance(weight, bool) or not isinstance(weight, (int, float)):
            continue
        if not math.isfinite(weight) or weight <= 0:
            continue
        if name in out:
            weight += out[name].weight
        shown = _one_line(use.name) or title_of(name)
        home = slug(use.domain) or slug(domain or "") or GENERAL
        out[name] = Use(name, weight, shown, home)
    return tuple(out[name] for name in sorted(out))


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:NAME_LIMIT]
