"""Personality: eight traits between 0 and 1 that drift with the work.

The specification's code leaves gaps where its words are clear; the words are followed. Resilience rises when
somebody succeeds after failing again and again (there the code can never get to it), and caution falls after a bold
success (there the code does nothing). What a run was is in its facts (:mod:`.facts`); here stands only what each of
them moves. Values are kept to six decimal places, so that adding and undoing gives the same digits everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .rules import Rules

TRAITS: tuple[str, ...] = (
    "thoroughness", "speed", "independence", "collaboration", "creativity", "resilience", "caution", "curiosity",
)  # fmt: skip
"""Every trait, in the order in which they are stored and shown."""

MIDDLE = 0.5
"""Where every trait starts, unless the roster says otherwise."""

DIGITS = 6
"""Decimal places of a trait."""

MODIFIERS = {
    "thoroughness": "You are meticulous. Double-check your work before responding.",
    "speed": "You value efficiency. Give the most direct answer possible.",
    "independence": "You prefer solving problems yourself before asking for help.",
    "collaboration": "You actively consider how your work affects other departments.",
    "creativity": "You look for novel approaches, not just the obvious solution.",
    "resilience": "When something fails, you try a different approach rather than giving up.",
    "caution": "You err on the side of safety. Flag risks before acting.",
    "curiosity": "You explore the problem space before committing to a solution.",
}
"""What a trait above :attr:`.rules.Rules.trait_shown` puts into the prompt; the wording is the specification's."""

HARD = frozenset(("high", "critical"))
"""Complexities of which the specification calls a task complex."""


class Task(NamedTuple):
    """One task as the traits see it. ``failed`` says whether it failed on this agent's account; ``failures`` is how
    many had failed in a row before it."""

    success: bool
    failed: bool
    complexity: str
    fast: bool
    escalated: bool
    cross: bool
    novel: bool
    bold: bool
    failures: int


class Change(NamedTuple):
    """A trait that was moved: its new value, and the rule that moved it."""

    trait: str
    value: float
    rule: str


def starting(given: dict[str, float] | None = None) -> dict[str, float]:
    """The traits before the first task: in the middle, or as the roster has them."""
    return {trait: (given or {}).get(trait, MIDDLE) for trait in TRAITS}


def moves(task: Task, rules: Rules) -> list[tuple[str, float, str]]:
    """What a task moves: trait, by how much, and the rule's name. ``docs/growth.md`` has the same table."""
    step = rules.drift
    found: list[tuple[str, float, str]] = []
    if task.success:
        if task.complexity in HARD:
            found += [("thoroughness", step, "complex_success"), ("resilience", step, "complex_success")]
        if task.fast:
            found.append(("speed", step, "fast_completion"))
        if not task.escalated:
            found.append(("independence", step, "no_escalation"))
        if task.cross:
            found.append(("collaboration", step, "cross_department"))
        if task.novel:
            found += [("creativity", step, "novel_problem"), ("curiosity", step, "novel_problem")]
        if task.failures >= rules.resilience_after:
            found.append(("resilience", step * rules.resilience_factor, "success_after_failures"))
        if task.bold:
            found.append(("caution", -step, "bold_success"))
    elif task.failed:
        found.append(("caution", step, "failure"))
    return found


def drift(traits: dict[str, float], task: Task, rules: Rules) -> list[Change]:
    """Move ``traits`` by one task; returns what has changed. Traits stay between 0 and 1."""
    changes: list[Change] = []
    exercised: set[str] = set()
    for trait, step, rule in moves(task, rules):
        exercised.add(trait)
        _move(traits, trait, traits[trait] + step, rule, changes)
    if rules.attribute_return:
        for trait in TRAITS:
            if trait not in exercised:
                away = traits[trait] - MIDDLE
                back = min(rules.attribute_return, abs(away))
                _move(traits, trait, traits[trait] - (back if away > 0 else -back), "return", changes)
    return changes


def _move(traits: dict[str, float], trait: str, value: float, rule: str, changes: list[Change]) -> None:
    value = round(min(1.0, max(0.0, value)), DIGITS)
    if value != traits[trait]:
        traits[trait] = value
        changes.append(Change(trait, value, rule))
