"""Why a line stands in an agent's prompt: the exact figures, and the events that they go back to.

Growth is tracked, not made up, and this is where somebody who doubts a line can check that: each leads to rows of
``skill_events``, and each of those to a run that can be looked at. Only asked for by a person, so it may read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from ..instrumentation.records import Reason
from .blocks import Line, ability_lines, personality_lines, strength_lines
from .tables import skill_events

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from .abilities import AbilityTable
    from .rules import Rules
    from .skills import Profile

NEWEST = 3
"""How many of the newest events are named where many have added up."""

_KEYS = ("id", "event", "skill", "xp", "new_level", "attribute", "value", "rule", "run_id", "at")


def reasons(connection: Connection, profile: Profile, rules: Rules, abilities: AbilityTable) -> dict[str, Reason]:
    """The reason for each line of the agent's sections, by the line."""
    found: dict[str, Reason] = {}
    for line in ability_lines(profile, rules, abilities):
        found[line.text] = _ability(connection, profile, line)
    for line in strength_lines(profile, rules):
        found[line.text] = _strength(connection, profile, line)
    for line in personality_lines(profile, rules):
        found[line.text] = _trait(connection, profile, line, rules)
    return found


def _ability(connection: Connection, profile: Profile, line: Line) -> Reason:
    skill = profile.skills[line.skill]
    if line.level <= skill.starting_level:
        return Reason(f"level {line.level} unlocks it, and the roster starts the skill at {skill.starting_level}")
    reached = _events(
        connection,
        profile,
        skill_events.c.event == "level_up",
        skill_events.c.skill == line.skill,
        skill_events.c.new_level == line.level,
    )
    return Reason(f"reaching level {line.level} unlocks it; now {line.why}", reached)


def _strength(connection: Connection, profile: Profile, line: Line) -> Reason:
    mine = skill_events.c.skill == line.skill
    levels = _events(connection, profile, mine, skill_events.c.event == "level_up", limit=1)
    gains = _events(connection, profile, mine, skill_events.c.event == "xp_gain", limit=NEWEST)
    return Reason(line.why, tuple(sorted(levels + gains, key=lambda event: event["id"])))


def _trait(connection: Connection, profile: Profile, line: Line, rules: Rules) -> Reason:
    """What brought the trait above the threshold, and how often which rule has moved it."""
    mine = (skill_events.c.event == "attribute_change", skill_events.c.attribute == line.trait)
    own = (skill_events.c.namespace == profile.namespace, skill_events.c.agent == profile.agent)
    counts = connection.execute(
        select(skill_events.c.rule, func.count()).where(*own, *mine).group_by(skill_events.c.rule)
    ).all()
    if not counts:
        return Reason(f"{line.why}; the roster starts it there")
    below = select(func.max(skill_events.c.id)).where(*own, *mine, skill_events.c.value <= rules.trait_shown)
    last_below = connection.execute(below).scalar() or 0
    crossing = _events(connection, profile, *mine, skill_events.c.id > last_below, oldest=True, limit=1)
    newest = _events(connection, profile, *mine, limit=1)
    moved = ", ".join(f"{rule} {count} times" for rule, count in sorted(map(tuple, counts)))
    unique = {event["id"]: event for event in (*crossing, *newest)}
    return Reason(f"{line.why}; moved by {moved}", tuple(unique[number] for number in sorted(unique)))


def _events(
    connection: Connection,
    profile: Profile,
    *where: ColumnElement[bool],
    oldest: bool = False,
    limit: int = NEWEST,
) -> tuple[dict[str, Any], ...]:
    """Skill events of the agent, the newest (or the oldest) few of those that fit, in their order."""
    columns = skill_events.c
    query = select(*(columns[key] for key in _KEYS)).where(
        columns.namespace == profile.namespace, columns.agent == profile.agent, *where
    )
    query = query.order_by(columns.id if oldest else columns.id.desc()).limit(limit)
    found = [
        {key: value for key, value in zip(_KEYS, row, strict=True) if value is not None}
        for row in connection.execute(query)
    ]
    return tuple(sorted(found, key=lambda event: event["id"]))
