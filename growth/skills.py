"""An agent's experience as plain data: its skills, its profile, and how a run changes them.

Nothing here touches a database or a clock: the state after some runs is a pure function of what they were, in
their order. The ledger keeps states between runs and rolls them back for a run that arrives late; both rest on
:func:`apply_run` doing the same whenever it is called.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from .credit import split

if TYPE_CHECKING:
    from .abilities import AbilityTable
    from .roster import Roster
    from .rules import Rules

LAST_RUNS = 3
"""How many of its newest runs a skill remembers by their id, to say where a line in the prompt comes from."""

GENERAL = "general"
"""The skill, and the domain, of work about which nothing more is known."""

_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_WORD = re.compile(r"[\W_]+")
_SLUG_LIMIT = 64


def slug(text: str) -> str:
    """The identity of a skill or domain: lower case, words joined by underscores; empty where there are none.

    ``getUserDetails``, ``get-user-details`` and ``Get user details`` are the same one. What comes out can be put
    in a prompt: letters, digits and underscores, at most 64 of them.
    """
    return _NOT_WORD.sub("_", _BREAK.sub(" ", text)).strip("_").lower()[:_SLUG_LIMIT].strip("_")


def title_of(skill: str) -> str:
    """How a slug is shown: ``failure_analysis`` is "Failure Analysis"."""
    return " ".join(word[:1].upper() + word[1:] for word in skill.split("_") if word)


class Skill(msgspec.Struct):
    """One skill of one agent.

    Attributes:
        skill: its slug.
        name: how it is shown.
        domain: the domain that it belongs to.
        level: 1 to 10: the higher of ``starting_level`` and the level that ``xp`` reaches.
        xp: experience points, ``starting_xp`` among them.
        starting_level, starting_xp: what the roster gave; 1 and 0 for a skill that emerged.
        success_xp: the part of ``xp`` that successful runs earned.
        times_used, times_succeeded, times_failed: runs in which it was exercised.
        last_used: end of the newest of them, in nanoseconds since the epoch; None before the first.
        last_runs: the ids of the newest three, the newest first.
        abilities: sentences that its level has unlocked, in the order in which it did.
    """

    skill: str
    name: str
    domain: str
    level: int = 1
    xp: int = 0
    starting_level: int = 1
    starting_xp: int = 0
    success_xp: int = 0
    times_used: int = 0
    times_succeeded: int = 0
    times_failed: int = 0
    last_used: int | None = None
    last_runs: list[str] = []
    abilities: list[str] = []

    @property
    def success_rate(self) -> float:
        """Successful runs as a part of those that used it, 0 to 1; 0 before the first."""
        return self.times_succeeded / self.times_used if self.times_used else 0.0


class Profile(msgspec.Struct):
    """One agent: its skills, and what follows from them.

    Attributes:
        namespace, agent: who it is.
        total_xp: what it has earned in runs; starting XP is left out.
        agent_level: the level that ``total_xp`` reaches on the same thresholds.
        specialization: the domain of most successful work, or what the roster says, or None.
        title: likewise; empty for an agent that has none yet.
        runs, runs_succeeded: judged runs that it contributed to.
        success_streak: how many of the newest of them succeeded in a row.
        events: how many skill events it has.
        updated_ns, last_run_id: end and id of the newest of its runs; 0 and empty before the first.
        skills: by slug.
    """

    namespace: str
    agent: str
    total_xp: int = 0
    agent_level: int = 1
    specialization: str | None = None
    title: str = ""
    runs: int = 0
    runs_succeeded: int = 0
    success_streak: int = 0
    events: int = 0
    updated_ns: int = 0
    last_run_id: str = ""
    skills: dict[str, Skill] = {}


class Use(msgspec.Struct, frozen=True, array_like=True):
    """One skill exercised in a run, with its part of the work; stored as [skill, weight, name, domain]."""

    skill: str
    weight: int | float  # both: as a float alone, a stored 1 would come back as 1.0, and be stored so again
    name: str
    domain: str


class Contribution(msgspec.Struct, frozen=True):
    """What one agent did in one judged run: all that its experience is computed from.

    Attributes:
        weight: pieces of work, compared with those of the others in the run; at least 1.
        skills: what it exercised.
        finished_ns: when the run ended, in nanoseconds since the epoch.
        before: the agent's figures before the run, as :func:`apply_run` returned them; empty for a new one.
    """

    run_id: str
    agent: str
    namespace: str
    weight: int
    skills: tuple[Use, ...]
    finished_ns: int
    success: bool
    complexity: str
    domain: str | None = None
    before: str = ""

    @property
    def key(self) -> tuple[int, str]:
        """Its place in the canonical order of runs."""
        return self.finished_ns, self.run_id

    def same_facts(self, other: Contribution) -> bool:
        """Whether both say the same, whatever came before them."""
        return msgspec.structs.replace(self, before="") == msgspec.structs.replace(other, before="")


class SkillEvent(msgspec.Struct, frozen=True):
    """A row of the table ``skill_events``, without its id."""

    skill: str
    event: str
    run_id: str
    rule: str
    at: int
    xp: int | None = None
    new_level: int | None = None
    ability: str | None = None


def new_profile(namespace: str, agent: str, roster: Roster, rules: Rules, abilities: AbilityTable) -> Profile:
    """An agent before its first run: empty, or as the roster has it, with the abilities of its starting levels."""
    profile = Profile(namespace, agent)
    entry = roster.agents.get(agent)
    if entry is not None:
        profile.title, profile.specialization = entry.title, entry.specialization
        for name in entry.skills:
            add_roster_skill(profile, name, roster, rules, abilities)
    return profile


def add_roster_skill(profile: Profile, name: str, roster: Roster, rules: Rules, abilities: AbilityTable) -> Skill:
    """Give the agent a skill that the roster says it starts with."""
    start = roster.agents[profile.agent].skills[name]
    level = max(start.level, rules.level(start.xp))
    skill = Skill(
        name, start.name, start.domain, level, start.xp, start.level, start.xp, abilities=abilities.up_to(name, level)
    )
    profile.skills[name] = skill
    return skill


# -- a run ---------------------------------------------------------------------------------------------------------

_encode = msgspec.json.encode


def apply_run(
    profile: Profile, work: Contribution, part: int, rules: Rules, abilities: AbilityTable, roster: Roster
) -> tuple[list[SkillEvent], str]:
    """Change ``profile`` by one run, of whose award ``part`` (in XP) is the agent's.

    Returns:
        What happened, in order, and what :func:`roll_back` needs to undo it.
    """
    before = _figures(profile, work)
    events: list[SkillEvent] = []
    shares = split(part, {use.skill: use.weight for use in work.skills})
    base_rule = "task_completed" if work.success else "task_failed"
    for use in work.skills:
        skill = profile.skills.get(use.skill)
        if skill is None:
            skill = profile.skills[use.skill] = Skill(use.skill, use.name, use.domain)
            events.extend(_unlock(skill, work, abilities))
        gains = [(base_rule, shares[use.skill])]
        if work.success and skill.times_succeeded == 0:
            gains.append(("first_time_solve", rules.first_time_solve))
        for rule, xp in gains:
            if xp:
                events.append(SkillEvent(skill.skill, "xp_gain", work.run_id, rule, work.finished_ns, xp=xp))
        gained = sum(xp for _, xp in gains)
        skill.xp += gained
        profile.total_xp += gained
        skill.times_used += 1
        if work.success:
            skill.success_xp += gained
            skill.times_succeeded += 1
        else:
            skill.times_failed += 1
        skill.last_used = work.finished_ns
        skill.last_runs = [work.run_id, *skill.last_runs][:LAST_RUNS]
        events.extend(_level_up(skill, work, rules, abilities))
    profile.runs += 1
    profile.runs_succeeded += work.success
    profile.success_streak = profile.success_streak + 1 if work.success else 0
    profile.agent_level = rules.level(profile.total_xp)
    profile.specialization, profile.title = specialize(profile, rules, roster)
    profile.updated_ns, profile.last_run_id = work.finished_ns, work.run_id
    profile.events += len(events)
    return events, before


def _level_up(skill: Skill, work: Contribution, rules: Rules, abilities: AbilityTable) -> list[SkillEvent]:
    """Bring the level up to the XP, one event for each level that was crossed and each ability on it."""
    events: list[SkillEvent] = []
    while skill.level < rules.level(skill.xp):
        skill.level += 1
        events.append(
            SkillEvent(
                skill.skill, "level_up", work.run_id, "level_thresholds", work.finished_ns, new_level=skill.level
            )
        )
        events.extend(_unlock(skill, work, abilities))
    return events


def _unlock(skill: Skill, work: Contribution, abilities: AbilityTable) -> list[SkillEvent]:
    """Give the skill the abilities of the level that it has just reached."""
    texts = abilities.at(skill.skill, skill.level)
    skill.abilities = [*skill.abilities, *texts]
    return [
        SkillEvent(
            skill.skill,
            "ability_unlock",
            work.run_id,
            "abilities",
            work.finished_ns,
            new_level=skill.level,
            ability=text,
        )
        for text in texts
    ]


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
    levels = [skill.level for skill in profile.skills.values() if skill.domain == domain]
    return domain, rules.title(sum(levels) / len(levels), title_of(slug(domain)) or domain)


# -- undoing one ---------------------------------------------------------------------------------------------------

_PROFILE_FIELDS = (
    "total_xp", "agent_level", "specialization", "title", "runs", "runs_succeeded", "success_streak", "events",
    "updated_ns", "last_run_id",
)  # fmt: skip
_SKILL_FIELDS = (
    "level", "xp", "success_xp", "times_used", "times_succeeded", "times_failed", "last_used", "last_runs",
)  # fmt: skip


def _figures(profile: Profile, work: Contribution) -> str:
    """What a run may change, as it is now: the profile's figures, and those of the skills in the run."""
    skills: dict[str, Any] = {}
    for use in work.skills:
        skill = profile.skills.get(use.skill)
        skills[use.skill] = (
            None if skill is None else [*(getattr(skill, field) for field in _SKILL_FIELDS), len(skill.abilities)]
        )
    return _encode([[getattr(profile, field) for field in _PROFILE_FIELDS], skills]).decode()


def roll_back(profile: Profile, before: str) -> set[str]:
    """Put ``profile`` back to before a run; runs are undone from the newest. Returns the skills that changed."""
    figures, skills = msgspec.json.decode(before)
    for field, value in zip(_PROFILE_FIELDS, figures, strict=False):
        setattr(profile, field, value)
    for name, values in skills.items():
        if values is None:
            profile.skills.pop(name, None)
            continue
        skill = profile.skills[name]
        for field, value in zip(_SKILL_FIELDS, values, strict=False):
            setattr(skill, field, value)
        skill.abilities = skill.abilities[: values[len(_SKILL_FIELDS)]]
    return set(skills)
