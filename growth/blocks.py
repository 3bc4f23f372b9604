"""What an agent's experience says in its prompt: the sections "abilities", "strengths" and "personality".

The words are those of the growth specification. Nothing here changes from run to run unless its meaning does,
because response caches and providers' prefix caches are keyed on the prompt: no ids, no times, no counts, rates
rounded to 10%, and an order that follows from levels and names, not from the points in between. The exact figures
stand in each section's ``why``, which people see and models do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..instrumentation.records import Section
from .attributes import MODIFIERS, TRAITS
from .profiles import by_rank

if TYPE_CHECKING:
    from .abilities import AbilityTable
    from .rules import Rules
    from .skills import Profile, Skill

ABILITIES_HEADING = "YOUR CURRENT ABILITIES (earned through experience):"
STRENGTHS_HEADING = "YOUR STRENGTHS (highest skills):"
PERSONALITY_HEADING = "YOUR PERSONALITY (developed through experience):"
ABILITIES_PRIORITY = 10
STRENGTHS_PRIORITY = 20
PERSONALITY_PRIORITY = 30


class Line(NamedTuple):
    """A line of a section and what it is about: a skill, with the level and the sentence of an ability, or a trait."""

    text: str
    why: str
    skill: str = ""
    level: int = 0
    ability: str = ""
    trait: str = ""


def sections(profile: Profile, rules: Rules, abilities: AbilityTable) -> tuple[Section, ...]:
    """The sections of one agent; none for an agent without any experience."""
    found: list[Section] = []
    for name, heading, priority, lines in (
        ("abilities", ABILITIES_HEADING, ABILITIES_PRIORITY, ability_lines(profile, rules, abilities)),
        ("strengths", STRENGTHS_HEADING, STRENGTHS_PRIORITY, strength_lines(profile, rules)),
        ("personality", PERSONALITY_HEADING, PERSONALITY_PRIORITY, personality_lines(profile, rules)),
    ):
        if lines:
            text = "\n".join((heading, *(line.text for line in lines)))
            why = "; ".join(dict.fromkeys(line.why for line in lines))
            found.append(Section(name, text, why, priority))
    return tuple(found)


def ability_lines(profile: Profile, rules: Rules, abilities: AbilityTable) -> list[Line]:
    """What the levels of the agent's skills have unlocked, the highest skills first."""
    lines: list[Line] = []
    for skill in sorted(profile.skills.values(), key=lambda skill: (-skill.level, skill.skill)):
        room = rules.abilities_shown - len(lines)
        if room <= 0:
            break
        # Of a skill with more sentences than there is room for, those of its highest levels are kept.
        for level, text in abilities.by_level(skill.skill, skill.level)[-room:]:
            lines.append(Line(f"- {skill.skill} L{skill.level}: {text}", _why(skill), skill.skill, level, text))
    return lines


def strength_lines(profile: Profile, rules: Rules) -> list[Line]:
    """The highest skills. A skill counts as a strength from :attr:`Rules.strength_level`, or once it has succeeded."""
    known = [
        skill for skill in profile.skills.values() if skill.level >= rules.strength_level or skill.times_succeeded > 0
    ]
    # Chosen by points where levels are equal, but shown by level and name: overtaking alone changes no line.
    chosen = sorted(by_rank(known)[: rules.strengths_shown], key=lambda skill: (-skill.level, skill.name, skill.skill))
    return [
        Line(f"- {skill.name}: Level {skill.level}{_rate(skill)}", _why(skill), skill.skill, skill.level)
        for skill in chosen
    ]


def personality_lines(profile: Profile, rules: Rules) -> list[Line]:
    """The traits that have become strong, in their fixed order: overtaking one another changes nothing."""
    return [
        Line(f"- {MODIFIERS[trait]}", f"{trait} is {value:g}, above {rules.trait_shown:g}", trait=trait)
        for trait in TRAITS
        if (value := profile.attributes[trait]) > rules.trait_shown
    ]


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
