"""How a run changes an agent, and how that is undone.

The ledger keeps states between runs and rolls them back for a run that arrives late; both rest on :func:`apply_run`
doing the same whenever it is called, from nothing but its arguments, and on :func:`roll_back` being its inverse.
"""

from __future__ import annotations

from statistics import median_low
from typing import TYPE_CHECKING, Any

import msgspec

from .attributes import HARD, TRAITS, Task, drift
from .awards import Shares, gains, over_skills
from .skills import LAST_RUNS, Contribution, GroupRecord, Profile, Skill, SkillEvent
from .titles import specialize

if TYPE_CHECKING:
    from .abilities import AbilityTable
    from .roster import Roster
    from .rules import Rules

DURATIONS_KEPT = 9
"""How many of an agent's newest successes on a kind of task tell what is fast for it: enough that one run which sat
overnight does not move their median."""

_encode = msgspec.json.encode


def apply_run(
    profile: Profile, work: Contribution, mine: Shares, rules: Rules, abilities: AbilityTable, roster: Roster
) -> tuple[list[SkillEvent], str]:
    """Change ``profile`` by one run, of whose awards ``mine`` are the agent's parts.

    ``profile.groups`` must hold the kind of task that the run belongs to, if the agent has met it before.

    Returns:
        What happened, in order, and what :func:`roll_back` needs to undo it.
    """
    before = _figures(profile, work)
    task = _task(profile, work, rules)
    events: list[SkillEvent] = []
    gained = over_skills(gains(profile, work, mine, rules), {use.skill: use.weight for use in work.skills})
    for use in work.skills:
        skill = profile.skills.get(use.skill)
        if skill is None:
            skill = profile.skills[use.skill] = Skill(use.skill, use.name, use.domain)
            events.extend(_unlock(skill, work, abilities))
        for rule, xp in gained[use.skill]:
            events.append(_event(work, "xp_gain", rule, skill.skill, xp=xp))
        events.extend(_exercise(skill, work, sum(xp for _, xp in gained[use.skill]), rules, abilities))
    events.extend(_advance(profile, work, sum(event.xp or 0 for event in events), rules, roster))
    _remember(profile, work)
    events.extend(
        _event(work, "attribute_change", change.rule, attribute=change.trait, value=change.value)
        for change in drift(profile.attributes, task, rules)
    )
    profile.updated_ns, profile.last_run_id = work.finished_ns, work.run_id
    profile.events += len(events)
    return events, before


def _event(work: Contribution, event: str, rule: str, skill: str = "", **what: Any) -> SkillEvent:
    return SkillEvent(skill, event, work.run_id, rule, work.finished_ns, **what)


def _task(profile: Profile, work: Contribution, rules: Rules) -> Task:
    """The run as the traits see it: what the outcome does not say is told by the agent's own history."""
    facts = work.facts
    known = profile.groups.get(facts.group) if facts.group is not None else None
    fast, novel, bold = facts.fast, facts.novel, facts.bold
    if fast is None:
        usual = median_low(known.durations) if known and len(known.durations) >= rules.fast_least else 0
        fast = 0 < facts.duration_ms * 100 <= rules.fast_percent * usual
    if novel is None:
        novel = facts.group is not None and known is None
    if bold is None:
        bold = novel and work.complexity in HARD
    return Task(
        success=work.success,
        failed=not work.success and facts.fault is not False,
        complexity=work.complexity,
        fast=fast,
        escalated=facts.escalated,
        cross=facts.cross,
        novel=novel,
        bold=bold,
        failures=profile.failure_streak,
    )


def _exercise(skill: Skill, work: Contribution, gained: int, rules: Rules, abilities: AbilityTable) -> list[SkillEvent]:
    skill.xp += gained
    skill.times_used += 1
    if work.success:
        skill.success_xp += gained
        skill.times_succeeded += 1
    else:
        skill.times_failed += 1
    skill.last_used = work.finished_ns
    skill.last_runs = [work.run_id, *skill.last_runs][:LAST_RUNS]
    return _level_up(skill, work, rules, abilities)


def _level_up(skill: Skill, work: Contribution, rules: Rules, abilities: AbilityTable) -> list[SkillEvent]:
    """Bring the level up to the XP, one event for each level that was crossed and each ability on it."""
    events: list[SkillEvent] = []
    while skill.level < rules.level(skill.xp):
        skill.level += 1
        events.append(_event(work, "level_up", "level_thresholds", skill.skill, new_level=skill.level))
        events.extend(_unlock(skill, work, abilities))
    return events


def _unlock(skill: Skill, work: Contribution, abilities: AbilityTable) -> list[SkillEvent]:
    """Give the skill the abilities of the level that it has just reached."""
    texts = abilities.at(skill.skill, skill.level)
    skill.abilities = [*skill.abilities, *texts]
    return [
        _event(work, "ability_unlock", "abilities", skill.skill, new_level=skill.level, ability=text) for text in texts
    ]


def _advance(profile: Profile, work: Contribution, gained: int, rules: Rules, roster: Roster) -> list[SkillEvent]:
    """Bring the agent's own figures up to date."""
    events: list[SkillEvent] = []
    profile.total_xp += gained
    profile.runs += 1
    profile.runs_succeeded += work.success
    profile.success_streak = profile.success_streak + 1 if work.success else 0
    if work.success:
        profile.failure_streak = 0
        profile.calm_streak = 0 if work.facts.escalated else profile.calm_streak + 1
    else:
        profile.failure_streak += work.facts.fault is not False
        profile.calm_streak = 0 if work.facts.escalated else profile.calm_streak
    while profile.agent_level < rules.level(profile.total_xp):
        profile.agent_level += 1
        events.append(_event(work, "agent_level_up", "level_thresholds", new_level=profile.agent_level))
    was = (profile.specialization, profile.title)
    profile.specialization, profile.title = now = specialize(profile, rules, roster)
    if now != was:
        events.append(_event(work, "specialization", "specialization", now[0] or "", title=now[1]))
    return events


def _remember(profile: Profile, work: Contribution) -> None:
    """Count the run with its kind of task. Records are replaced, not changed: the old one may be somebody's."""
    group = work.facts.group
    if group is None:
        return
    known = profile.groups.get(group) or GroupRecord()
    durations = known.durations
    if work.success and work.facts.duration_ms > 0:
        durations = [*durations, work.facts.duration_ms][-DURATIONS_KEPT:]
    profile.groups[group] = GroupRecord(known.tried + 1, known.succeeded + work.success, durations)


# -- undoing one ---------------------------------------------------------------------------------------------------

_PROFILE_FIELDS = (
    "total_xp", "agent_level", "specialization", "title", "runs", "runs_succeeded", "success_streak", "events",
    "updated_ns", "last_run_id", "failure_streak", "calm_streak",
)  # fmt: skip
_SKILL_FIELDS = (
    "level", "xp", "success_xp", "times_used", "times_succeeded", "times_failed", "last_used", "last_runs",
)  # fmt: skip


def _figures(profile: Profile, work: Contribution) -> str:
    """What a run may change, as it is now: the profile's figures and traits, its skills, and its kind of task."""
    skills: dict[str, Any] = {}
    for use in work.skills:
        skill = profile.skills.get(use.skill)
        skills[use.skill] = (
            None if skill is None else [*(getattr(skill, field) for field in _SKILL_FIELDS), len(skill.abilities)]
        )
    group = work.facts.group
    return _encode([
        [getattr(profile, field) for field in _PROFILE_FIELDS],
        skills,
        [profile.attributes[trait] for trait in TRAITS],
        None if group is None else [group, profile.groups.get(group)],
    ]).decode()  # fmt: skip


def roll_back(profile: Profile, before: str) -> set[str]:
    """Put ``profile`` back to before a run; runs are undone from the newest. Returns the skills that changed."""
    figures, skills, traits, group = msgspec.json.decode(before)
    for field, value in zip(_PROFILE_FIELDS, figures, strict=True):
        setattr(profile, field, value)
    for trait, value in zip(TRAITS, traits, strict=True):
        profile.attributes[trait] = float(value)
    if group is not None:
        name, record = group
        if record is None:
            profile.groups.pop(name, None)
        else:
            profile.groups[name] = GroupRecord(*record)
    for name, values in skills.items():
        if values is None:
            profile.skills.pop(name, None)
            continue
        skill = profile.skills[name]
        for field, value in zip(_SKILL_FIELDS, values, strict=False):
            setattr(skill, field, value)
        skill.abilities = skill.abilities[: values[len(_SKILL_FIELDS)]]
    return set(skills)
