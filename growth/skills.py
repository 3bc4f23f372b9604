"""An agent's experience as plain data: its skills, its profile, what it did in a run, and what came of it.

Nothing here touches a database or a clock: the state after some runs is a pure function of what they were, in
their order (:mod:`.applying`), and these are the state and the runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .attributes import starting
from .facts import Facts

if TYPE_CHECKING:
    from .abilities import AbilityTable
    from .roster import Roster
    from .rules import Rules

LAST_RUNS = 3
"""How many of its newest runs a skill remembers by their id, to say where a line in the prompt comes from."""


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


class GroupRecord(msgspec.Struct, array_like=True):
    """What an agent did of one kind of task: runs, successful ones, and how long the newest of those took, in
    milliseconds, the oldest first."""

    tried: int = 0
    succeeded: int = 0
    durations: list[int] = []


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
        failure_streak: how many of its newest runs failed in a row on its account.
        calm_streak: tasks solved since it last escalated one.
        skills: by slug.
        attributes: its traits, each from 0 to 1.
        groups: what it did of each kind of task, as far as that was loaded.
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
    failure_streak: int = 0
    calm_streak: int = 0
    skills: dict[str, Skill] = {}
    attributes: dict[str, float] = msgspec.field(default_factory=starting)
    groups: dict[str, GroupRecord] = {}


class Use(msgspec.Struct, frozen=True, array_like=True):
    """One skill exercised in a run, with its part of the work; stored as [skill, weight, name, domain]."""

    skill: str
    weight: int | float  # both: as a float alone, a stored 1 would come back as 1.0, and be stored so again
    name: str
    domain: str


class Contribution(msgspec.Struct, frozen=True):
    """What one agent did in one judged run: all that its experience is computed from.

    Attributes:
        weight: its part in the award, compared with those of the others in the run: pieces of work, at least 1;
            in a failed run that somebody caused a hundred for each, or less for whoever did.
        skills: what it exercised.
        finished_ns: when the run ended, in nanoseconds since the epoch.
        before: the agent's figures before the run, as :func:`.applying.apply_run` returned them; empty for a new one.
        facts: what else is known of the run.
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
    facts: Facts = msgspec.field(default_factory=Facts)

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
    attribute: str | None = None
    value: float | None = None
    title: str | None = None


def new_profile(namespace: str, agent: str, roster: Roster, rules: Rules, abilities: AbilityTable) -> Profile:
    """An agent before its first run: empty, or as the roster has it, with the abilities of its starting levels."""
    profile = Profile(namespace, agent)
    entry = roster.agents.get(agent)
    if entry is not None:
        profile.title, profile.specialization = entry.title, entry.specialization
        profile.attributes = starting(entry.attributes)
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
