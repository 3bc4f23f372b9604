"""Fair XP: what a run gives each agent, by which rule.

Whatever a run gives is one number and is divided among those who worked on it, so that a team earns for a task what one
agent would, and the parts add up. Whether an agent gets its part of a bonus is its own affair: it may have solved this
kind of task before while another has not. Only what is about an agent and not about the run (a streak, praise that
names it) is given whole. Every amount is told with its rule, so that the sum of an agent's ``xp_gain`` events is its
total and each can be followed.

No run takes away what was earned before: deductions (diminishing returns, a complaint) reach at most down to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .credit import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .rules import Rules
    from .skills import Contribution, Profile


class Shares(NamedTuple):
    """An agent's parts, in XP, of what a run may give: the award, the bonuses, and praise and complaint."""

    award: int
    first: int = 0
    repeat: int = 0
    helped: int = 0
    cached: int = 0
    praise: int = 0
    complaint: int = 0


def shares(work: Contribution, weights: Mapping[str, int], rules: Rules) -> Shares:
    """The parts of ``work.agent``, given everybody's weights in the run."""

    def part(amount: int) -> int:
        return split(amount, weights)[work.agent] if amount else 0

    facts = work.facts
    praise = part(rules.user_positive) if facts.praise > 0 else 0
    complaint = part(rules.user_negative) if facts.praise < 0 else 0
    return Shares(
        award=part(rules.award(success=work.success, complexity=work.complexity)),
        first=part(rules.first_time_solve),
        repeat=part(rules.repeat_solve),
        helped=part(rules.helped_another_dept) if facts.cross else 0,
        cached=part(rules.cache_worthy) if facts.cached else 0,
        praise=praise + (rules.user_positive if facts.own_praise > 0 else 0),
        complaint=complaint + (rules.user_negative if facts.own_praise < 0 else 0),
    )


def gains(profile: Profile, work: Contribution, mine: Shares, rules: Rules) -> list[tuple[str, int]]:
    """What the run gives an agent whose state before it is ``profile``: rules with their XP, in order. Only
    ``diminishing_returns`` and ``user_negative`` are below zero, and never take more than stands before them."""
    found: list[tuple[str, int]] = []
    facts = work.facts
    if not work.success:
        found.append(("task_failed", mine.award))
    else:
        found.append(("task_completed", mine.award))
        if facts.group is not None:
            group = profile.groups.get(facts.group)
            solved = group.succeeded if group is not None else 0
            if solved:
                found.append(("diminishing_returns", rules.diminished(mine.award, solved) - mine.award))
                found.append(("repeat_solve", rules.diminished(mine.repeat, solved)))
            else:
                found.append(("first_time_solve", mine.first))
        found.append(("helped_another_dept", mine.helped))
        if not facts.escalated and (profile.calm_streak + 1) % rules.no_escalation_every == 0:
            found.append(("no_escalation_streak", rules.no_escalation_streak))
        found.append(("cache_worthy", mine.cached))
    found.append(("user_positive", mine.praise))
    found.append(("user_negative", -min(mine.complaint, sum(xp for _, xp in found))))
    return [(rule, xp) for rule, xp in found if xp]


def over_skills(gained: list[tuple[str, int]], weights: Mapping[str, float]) -> dict[str, list[tuple[str, int]]]:
    """Divide an agent's gains over the skills that it exercised, each amount by their weights. What is taken back is
    taken in proportion to what each skill has got by then, so that none falls below what it had."""
    out: dict[str, list[tuple[str, int]]] = {skill: [] for skill in weights}
    net = dict.fromkeys(weights, 0)
    for rule, xp in gained:
        if xp > 0:
            parts = split(xp, weights)
        else:
            parts = {s: -part for s, part in split(-xp, {s: got for s, got in net.items() if got > 0}).items()}
        for skill, part in parts.items():
            net[skill] += part
            if part:
                out[skill].append((rule, part))
    return out
