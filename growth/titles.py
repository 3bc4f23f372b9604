"""What an agent is called: its specialization and title, as they emerge from its work.

Specialization is not assigned, it follows from what an agent does most with success; so both are worked out anew
after every run, and change when the work does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .slugs import slug, title_of

if TYPE_CHECKING:
    from .roster import Roster
    from .rules import Rules
    from .skills import Profile


def specialize(profile: Profile, rules: Rules, roster: Roster) -> tuple[str | None, str]:
    """The agent's specialization and title.

    The specialization is the domain whose skills have earned most by successful work (of equals the first by
    name); the title follows the average level of all the agent's skills in it. Until there is such work, and for
    an agent of the roster until :attr:`Rules.roster_title_xp` of it, both are what the roster says.
    """
    earned: dict[str, int] = {}
    for skill in profile.skills.values():
        if skill.success_xp:
            earned[skill.domain] = earned.get(skill.domain, 0) + skill.success_xp
    entry = roster.agents.get(profile.agent)
    start = (entry.specialization, entry.title) if entry is not None else (None, "")
    if not earned or (start[1] and sum(earned.values()) < rules.roster_title_xp):
        return start
    domain = min(earned, key=lambda name: (-earned[name], name))
    return domain, rules.title(average_level(profile, domain), title_of(slug(domain)) or domain)


def average_level(profile: Profile, domain: str) -> float:
    """The average level of the agent's skills in a domain, 0 where it has none. Each is weighted by its uses and one
    more: a tool that was called once in five hundred runs says little of somebody, a starting skill something."""
    skills = [skill for skill in profile.skills.values() if skill.domain == domain]
    weight = sum(skill.times_used + 1 for skill in skills)
    return sum(skill.level * (skill.times_used + 1) for skill in skills) / weight if weight else 0.0
