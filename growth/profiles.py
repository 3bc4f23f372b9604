"""A profile as the world sees it: what ``seasoned growth --json`` prints and what achievements are tested on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..instrumentation.records import Achievement
    from .abilities import AbilityTable
    from .rows import Earned
    from .rules import Rules
    from .skills import Profile, Skill


def by_rank(skills: Sequence[Skill]) -> list[Skill]:
    """Skills from the highest: by level, then XP, then name."""
    return sorted(skills, key=lambda skill: (-skill.level, -skill.xp, skill.name, skill.skill))


def public(
    profile: Profile, rules: Rules, abilities: AbilityTable | None = None, achievements: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """The profile, with ``achievements`` already earned, as plain data.

    With ``abilities``, today's table, what a level unlocks is shown as it reads now; without, as it read when the
    level was reached.
    """
    return {
        "agent": profile.agent,
        "title": profile.title,
        "agent_level": profile.agent_level,
        "total_xp": profile.total_xp,
        "specialization": profile.specialization,
        "skills": [skill_public(skill, rules, abilities) for skill in by_rank(list(profile.skills.values()))],
        "attributes": dict(profile.attributes),
        "achievements": list(achievements),
        "namespace": profile.namespace,
        "runs": profile.runs,
        "runs_succeeded": profile.runs_succeeded,
        "success_streak": profile.success_streak,
        "failure_streak": profile.failure_streak,
        "calm_streak": profile.calm_streak,
    }


def skill_public(skill: Skill, rules: Rules, abilities: AbilityTable | None = None) -> dict[str, Any]:
    """One skill of :func:`public`. ``success_rate`` is rounded to four places; None before the first use."""
    texts = skill.abilities if abilities is None else abilities.up_to(skill.skill, skill.level)
    return {
        "name": skill.name,
        "slug": skill.skill,
        "domain": skill.domain,
        "level": skill.level,
        "xp": skill.xp,
        "xp_to_next": rules.xp_to_next(skill.level, skill.xp),
        "times_used": skill.times_used,
        "times_succeeded": skill.times_succeeded,
        "success_rate": round(skill.success_rate, 4) if skill.times_used else None,
        "abilities": list(texts),
        "times_failed": skill.times_failed,
        "starting_level": skill.starting_level,
        "starting_xp": skill.starting_xp,
    }


def achieved_public(earned: Earned, known: Sequence[Achievement]) -> dict[str, Any]:
    """An achievement as :func:`public` shows it; by its slug where nobody registers it any more."""
    definition = next((achievement for achievement in known if achievement.slug == earned.slug), None)
    return {
        "slug": earned.slug,
        "title": definition.title if definition is not None else earned.slug,
        "description": definition.description if definition is not None else "",
        "run_id": earned.run_id,
        "at": earned.at,
    }
