"""Growth's state in the database: each table is read and written with one statement (:mod:`.packed`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, delete, text, tuple_

from .attributes import TRAITS
from .facts import Facts
from .packed import Query, put
from .skills import Contribution, GroupRecord, Profile, Skill, Use
from .tables import (
    achievements,
    agent_attributes,
    agent_groups,
    agent_profiles,
    agent_skills,
    contributions,
    skill_events,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection, Table

    from .skills import SkillEvent

_encode = msgspec.json.encode
_uses = msgspec.json.Decoder(tuple[Use, ...]).decode
_strings = msgspec.json.Decoder(list[str]).decode
_numbers = msgspec.json.Decoder(list[int]).decode
_facts = msgspec.json.Decoder(Facts).decode

CHUNK = 500
"""How many ids one statement names at most; databases limit the parameters of a statement."""

LOCK = 0x5EA50BED
"""The advisory lock under which PostgreSQL lets one process at a time learn. (SQLite has one writer anyway.)"""


def lock(connection: Connection) -> None:
    """Keep other processes from learning until the transaction ends: an agent's figures are read, then written."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


# -- reading -------------------------------------------------------------------------------------------------------


class Earned(msgspec.Struct, frozen=True):
    """An achievement of an agent; a row of the table ``achievements``."""

    namespace: str
    agent: str
    slug: str
    run_id: str
    at: int


def _of_agents(table: Table) -> Query:
    return Query(
        table.columns,
        table.c.namespace == bindparam("namespace"),
        table.c.agent.in_(bindparam("agents", expanding=True)),
    )


def _of_namespace(table: Table) -> Query:
    return Query(table.columns, table.c.namespace == bindparam("namespace"))


_PROFILE_AND_TRAITS = (*agent_profiles.columns, *(agent_attributes.c[trait] for trait in TRAITS))
_WITH_TRAITS = agent_profiles.join(
    agent_attributes,
    (agent_attributes.c.namespace == agent_profiles.c.namespace) & (agent_attributes.c.agent == agent_profiles.c.agent),
)
_OWN = agent_profiles.c.namespace == bindparam("namespace")
_THESE = agent_profiles.c.agent.in_(bindparam("agents", expanding=True))
_ALL_PROFILES = Query(_PROFILE_AND_TRAITS, joined=_WITH_TRAITS)
_NAMESPACE_PROFILES = Query(_PROFILE_AND_TRAITS, _OWN, joined=_WITH_TRAITS)
_PROFILES = Query(_PROFILE_AND_TRAITS, _OWN, _THESE, joined=_WITH_TRAITS)
_ALL_SKILLS, _NAMESPACE_SKILLS = Query(agent_skills.columns), _of_namespace(agent_skills)
_SKILLS, _ACHIEVEMENTS = _of_agents(agent_skills), _of_agents(achievements)
_GROUPS = Query(
    agent_groups.columns,
    agent_groups.c.namespace == bindparam("namespace"),
    agent_groups.c.agent.in_(bindparam("agents", expanding=True)),
    agent_groups.c.task_group.in_(bindparam("groups", expanding=True)),
)
_OF_RUNS = Query(contributions.columns, contributions.c.run_id.in_(bindparam("run_ids", expanding=True)))
_OF_AGENT = Query(
    contributions.columns,
    contributions.c.namespace == bindparam("namespace"),
    contributions.c.agent == bindparam("agent"),
    contributions.c.finished_ns >= bindparam("start"),
)
_mine = contributions.alias()
_WEIGHTS = Query(
    (contributions.c.run_id, contributions.c.agent, contributions.c.weight),
    _mine.c.namespace == bindparam("namespace"),
    _mine.c.agent == bindparam("agent"),
    _mine.c.finished_ns >= bindparam("start"),
    joined=contributions.join(_mine, _mine.c.run_id == contributions.c.run_id),
)


def load_profiles(
    connection: Connection, namespace: str | None = None, agents: Collection[str] | None = None
) -> dict[tuple[str, str], Profile]:
    """Profiles with their skills, by namespace and agent; all of them where a filter is None."""
    if namespace is None:
        profile_rows, skill_rows = _ALL_PROFILES.rows(connection), _ALL_SKILLS.rows(connection)
    elif agents is None:
        profile_rows = _NAMESPACE_PROFILES.rows(connection, namespace=namespace)
        skill_rows = _NAMESPACE_SKILLS.rows(connection, namespace=namespace)
    else:
        profile_rows = _PROFILES.rows(connection, namespace=namespace, agents=list(agents))
        skill_rows = _SKILLS.rows(connection, namespace=namespace, agents=list(agents))
    figures = len(agent_profiles.columns)
    out: dict[tuple[str, str], Profile] = {}
    for row in profile_rows:
        traits = dict(zip(TRAITS, map(float, row[figures:]), strict=True))
        out[row[0], row[1]] = Profile(*row[:figures], skills={}, attributes=traits)
    for row in sorted(skill_rows, key=lambda row: row[2]):
        profile = out.get((row[0], row[1]))
        if profile is not None:
            skill = Skill(*row[2:])
            skill.last_runs, skill.abilities = _strings(row[-2]), _strings(row[-1])
            profile.skills[skill.skill] = skill
    return out


def load_groups(
    connection: Connection, namespace: str, wanted: Mapping[str, Collection[str]]
) -> dict[str, dict[str, GroupRecord]]:
    """What agents did of the kinds of task named for each; those that an agent never met are missing."""
    found: dict[str, dict[str, GroupRecord]] = {agent: {} for agent in wanted}
    names = sorted(set().union(*wanted.values()))
    for start in range(0, len(names), CHUNK):
        part = names[start : start + CHUNK]
        for row in _GROUPS.rows(connection, namespace=namespace, agents=list(wanted), groups=part):
            found[row[1]][row[2]] = GroupRecord(row[3], row[4], _numbers(row[5]))
    return found


def load_achievements(connection: Connection, namespace: str, agents: Collection[str]) -> dict[str, list[Earned]]:
    """The achievements of these agents, in the order in which they were earned."""
    out: dict[str, list[Earned]] = {}
    found = [Earned(*row) for row in _ACHIEVEMENTS.rows(connection, namespace=namespace, agents=list(agents))]
    for earned in sorted(found, key=lambda earned: (earned.at, earned.run_id, earned.slug)):
        out.setdefault(earned.agent, []).append(earned)
    return out


def load_contributions(connection: Connection, run_ids: Collection[str]) -> list[Contribution]:
    """What these runs' agents did, as it was learned."""
    ids = list(run_ids)
    out: list[Contribution] = []
    for start in range(0, len(ids), CHUNK):
        out.extend(map(_contribution, _OF_RUNS.rows(connection, run_ids=ids[start : start + CHUNK])))
    return out


def load_since(
    connection: Connection, namespace: str, agent: str, start: tuple[int, str]
) -> tuple[list[Contribution], dict[str, dict[str, int]]]:
    """The agent's contributions from ``start`` on in their canonical order, and everybody's weights in those runs."""
    rows = map(_contribution, _OF_AGENT.rows(connection, namespace=namespace, agent=agent, start=start[0]))
    weights: dict[str, dict[str, int]] = {}
    for run_id, name, weight in _WEIGHTS.rows(connection, namespace=namespace, agent=agent, start=start[0]):
        weights.setdefault(run_id, {})[name] = weight
    return sorted((row for row in rows if row.key >= start), key=lambda row: row.key), weights


def _contribution(row: Sequence[Any]) -> Contribution:
    run_id, agent, namespace, weight, skills, finished_ns, success, complexity, domain, before, facts = row
    return Contribution(
        run_id, agent, namespace, weight, _uses(skills), finished_ns, bool(success), complexity, domain, before,
        _facts(facts),
    )  # fmt: skip


# -- writing -------------------------------------------------------------------------------------------------------


def save_profiles(connection: Connection, profiles: Iterable[Profile]) -> None:
    """Write the profiles' own rows and their traits, without their skills and kinds of task."""
    profiles = list(profiles)
    fields = [column.name for column in agent_profiles.columns]
    put(connection, agent_profiles, [[getattr(profile, field) for field in fields] for profile in profiles])
    put(
        connection,
        agent_attributes,
        [[profile.namespace, profile.agent, *(profile.attributes[trait] for trait in TRAITS)] for profile in profiles],
    )


def save_groups(connection: Connection, groups: Iterable[tuple[Profile, str]]) -> None:
    """Write what profiles did of kinds of task."""
    rows: list[list[Any]] = []
    for profile, group in groups:
        record = profile.groups[group]
        durations = _encode(record.durations).decode()
        rows.append([profile.namespace, profile.agent, group, record.tried, record.succeeded, durations])
    put(connection, agent_groups, rows)


def save_skills(connection: Connection, skills: Iterable[tuple[Profile, Skill]]) -> None:
    """Write skills of profiles."""
    put(
        connection,
        agent_skills,
        [
            [
                profile.namespace, profile.agent, skill.skill, skill.name, skill.domain, skill.level, skill.xp,
                skill.starting_level, skill.starting_xp, skill.success_xp, skill.times_used, skill.times_succeeded,
                skill.times_failed, skill.last_used, _encode(skill.last_runs).decode(),
                _encode(skill.abilities).decode(),
            ]
            for profile, skill in skills
        ],
    )  # fmt: skip


def save_contributions(connection: Connection, works: Iterable[Contribution]) -> None:
    """Write what agents did in runs."""
    put(
        connection,
        contributions,
        [
            [
                work.run_id, work.agent, work.namespace, work.weight, _encode(work.skills).decode(),
                work.finished_ns, work.success, work.complexity, work.domain, work.before,
                _encode(work.facts).decode(),
            ]
            for work in works
        ],
    )  # fmt: skip


def save_events(connection: Connection, events: Iterable[tuple[str, str, int, SkillEvent]]) -> None:
    """Write skill events, each with its namespace, agent and id."""
    put(
        connection,
        skill_events,
        [
            [
                namespace, agent, number, event.skill, event.event, event.xp, event.new_level, event.ability,
                event.run_id, event.rule, event.at, event.attribute, event.value, event.title,
            ]
            for namespace, agent, number, event in events
        ],
    )  # fmt: skip


def save_achievements(connection: Connection, earned: Iterable[Earned]) -> None:
    """Write achievements."""
    put(connection, achievements, [msgspec.structs.astuple(row) for row in earned])


_ADDED_LATER = delete(skill_events).where(
    skill_events.c.namespace == bindparam("ns"),
    skill_events.c.agent == bindparam("who"),
    skill_events.c.id > bindparam("last"),
)


def cut_events(connection: Connection, namespace: str, agent: str, last: int) -> None:
    """Remove the agent's skill events after number ``last``."""
    connection.execute(_ADDED_LATER, {"ns": namespace, "who": agent, "last": last})


def remove_skills(connection: Connection, namespace: str, agent: str, skills: Collection[str]) -> None:
    """Remove skills of an agent."""
    table = agent_skills.c
    connection.execute(
        delete(agent_skills).where(table.namespace == namespace, table.agent == agent, table.skill.in_(list(skills)))
    )


def remove_groups(connection: Connection, namespace: str, agent: str, groups: Collection[str] | None = None) -> None:
    """Remove what is known of these kinds of task, or of all where None."""
    table = agent_groups.c
    mine = delete(agent_groups).where(table.namespace == namespace, table.agent == agent)
    if groups is None:
        connection.execute(mine)
        return
    names = sorted(groups)
    for start in range(0, len(names), CHUNK):
        connection.execute(mine.where(table.task_group.in_(names[start : start + CHUNK])))


def remove_achievements(connection: Connection, namespace: str, agent: str, slugs: Collection[str]) -> None:
    """Remove achievements of an agent."""
    table = achievements.c
    connection.execute(
        delete(achievements).where(table.namespace == namespace, table.agent == agent, table.slug.in_(list(slugs)))
    )


def remove_contributions(connection: Connection, keys: Collection[tuple[str, str]]) -> None:
    """Remove what agents did in runs; ``keys`` are pairs of run id and agent."""
    pairs = sorted(keys)
    for start in range(0, len(pairs), CHUNK):
        connection.execute(
            delete(contributions).where(
                tuple_(contributions.c.run_id, contributions.c.agent).in_(pairs[start : start + CHUNK])
            )
        )


_OF_ONE_AGENT = (agent_profiles, agent_skills, agent_attributes, agent_groups, skill_events, achievements)


def remove_agent(connection: Connection, namespace: str, agent: str) -> None:
    """Remove all that is known of an agent but what it did in runs."""
    for table in _OF_ONE_AGENT:
        connection.execute(delete(table).where(table.c.namespace == namespace, table.c.agent == agent))


def remove_namespaces(connection: Connection, namespaces: Collection[str]) -> None:
    """Remove everything that growth knows in these namespaces."""
    for table in (*_OF_ONE_AGENT, contributions):
        connection.execute(delete(table).where(table.c.namespace.in_(list(namespaces))))
