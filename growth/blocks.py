"""What an agent's experience says in its prompt: the sections "abilities" and "strengths".

The words are those of the growth specification. Nothing here changes from run to run unless its meaning does,
because response caches and providers' prefix caches are keyed on the prompt: no ids, no times, no counts, rates
rounded to 10%, and an order that follows from levels and names, not from the points in between. The exact figures
stand in each section's ``why``, which people see and models do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..instrumentation.records import Section
from .profiles import by_rank

if TYPE_CHECKING:
    from .abilities import AbilityTable
    from .rules import Rules
    from .skills import Profile, Skill

ABILITIES_HEADING = "YOUR CURRENT ABILITIES (earned through experience):"
STRENGTHS_HEADING = "YOUR STRENGTHS (highest skills):"
ABILITIES_PRIORITY = 10
STRENGTHS_PRIORITY = 20


def sections(profile: Profile, rules: Rules, abilities: AbilityTable) -> tuple[Section, ...]:
    """The sections of one agent; none for an agent without any experience."""
    return tuple(
        section
        for section in (_abilities(profile, rules, abilities), _strengths(profile, rules))
        if section is not None
    )


def _abilities(profile: Profile, rules: Rules, abilities: AbilityTable) -> Section | None:
    lines: list[str] = []
    why: list[str] = []
    for skill in sorted(profile.skills.values(), key=lambda skill: (-skill.level, skill.skill)):
        texts = abilities.up_to(skill.skill, skill.level)
        room = rules.abilities_shown - len(lines)
        if not texts or room <= 0:
            continue
        # Of a skill with more sentences than there is room for, those of its highest levels are kept.
        lines.extend(f"- {skill.skill} L{skill.level}: {text}" for text in texts[-room:])
        why.append(_why(skill))
    if not lines:
        return None
    return Section("abilities", "\n".join((ABILITIES_HEADING, *lines)), "; ".join(why), ABILITIES_PRIORITY)


def _strengths(profile: Profile, rules: Rules) -> Section | None:
    """The highest skills. A skill counts as a strength from :attr:`Rules.strength_level`, or once it has succeeded."""
    known = [
        skill for skill in profile.skills.values() if skill.level >= rules.strength_level or skill.times_succeeded > 0
    ]
    # Chosen by points where levels are equal, but shown by level and name: overtaking alone changes no line.
    chosen = sorted(by_rank(known)[: rules.strengths_shown], key=lambda skill: (-skill.level, skill.name, skill.skill))
    if not chosen:
        return None
    lines = [f"- {skill.name}: Level {skill.level}{_rate(skill)}" for skill in chosen]
    why = "; ".join(_why(skill) for skill in chosen)
    return Section("strengths", "\n".join((STRENGTHS_HEADING, *lines)), why, STRENGTHS_PRIORITY)


def _rate(skill: Skill) -> str:
    if not skill.times_used:
        return ""
    tenths = (20 * skill.times_succeeded + skill.times_used) // (2 * skill.times_used)  # rounded half up, exactly
    return f" (about {tenths * 10}% success)"


def _why(skill: Skill) -> str:
    """The exact figures behind a line."""
    parts = [f"{skill.skill}: level {skill.level} with {skill.xp} XP"]
    if skill.starting_xp or skill.starting_level > 1:
        parts.append(f"started by the roster at level {skill.starting_level} with {skill.starting_xp} XP")
    if skill.times_used:
        parts.append(f"{skill.times_succeeded} of {skill.times_used} runs succeeded")
        parts.append(f"last runs {', '.join(skill.last_runs)}")
    else:
        parts.append("not used yet")
    return ", ".join(parts)
