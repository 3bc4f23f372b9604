"""Growth's state in the database: each table is read and written with one statement.

Rows travel as one JSON value where the database can do that, because SQLite's driver gives up the interpreter at
every row, and beside a busy host gets it back only milliseconds later.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Integer, bindparam, delete, func, select, text, tuple_

from ..instrumentation.bulk import SQLITE_LEAST
from .skills import Contribution, Profile, Skill, Use
from .tables import achievements, agent_profiles, agent_skills, contributions, skill_events

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import Connection, Table, TextClause
    from sqlalchemy.types import TypeEngine

    from .skills import SkillEvent

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(list[list[Any]]).decode
_uses = msgspec.json.Decoder(tuple[Use, ...]).decode
_strings = msgspec.json.Decoder(list[str]).decode

CHUNK = 500
"""How many ids one statement names at most; databases limit the parameters of a statement."""

LOCK = 0x5EA50BED
"""The advisory lock under which PostgreSQL lets one process at a time learn. (SQLite has one writer anyway.)"""


def lock(connection: Connection) -> None:
    """Keep other processes from learning until the transaction ends: an agent's figures are read, then written."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


# -- reading -------------------------------------------------------------------------------------------------------


class _Query:
    """A query whose rows come as one JSON value where the database can do that, else as rows."""

    def __init__(self, columns: Iterable[Any], *where: Any, joined: Any = None) -> None:
        columns = tuple(columns)
        plain = select(*columns)
        packed = select(func.json_group_array(func.json_array(*columns)))
        if joined is not None:
            plain, packed = plain.select_from(joined), packed.select_from(joined)
        self._plain, self._packed = plain.where(*where), packed.where(*where)

    def rows(self, connection: Connection, **named: Any) -> Sequence[Sequence[Any]]:
        if _has_json(connection):
            return _decode(connection.execute(self._packed, named).scalar_one())
        return [tuple(row) for row in connection.execute(self._plain, named)]


def _has_json(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite" and sqlite3.sqlite_version_info >= SQLITE_LEAST


class Earned(msgspec.Struct, frozen=True):
    """An achievement of an agent; a row of the table ``achievements``."""

    namespace: str
    agent: str
    slug: str
    run_id: str
    at: int


def _of_agents(table: Table) -> _Query:
    return _Query(
        table.columns,
        table.c.namespace == bindparam("namespace"),
        table.c.agent.in_(bindparam("agents", expanding=True)),
    )


def _of_namespace(table: Table) -> _Query:
    return _Query(table.columns, table.c.namespace == bindparam("namespace"))


_PROFILES, _SKILLS, _ACHIEVEMENTS = (_of_agents(table) for table in (agent_profiles, agent_skills, achievements))
_ALL_PROFILES, _ALL_SKILLS = _Query(agent_profiles.columns), _Query(agent_skills.columns)
_NAMESPACE_PROFILES, _NAMESPACE_SKILLS = _of_namespace(agent_profiles), _of_namespace(agent_skills)
_OF_RUNS = _Query(contributions.columns, contributions.c.run_id.in_(bindparam("run_ids", expanding=True)))
_OF_AGENT = _Query(
    contributions.columns,
    contributions.c.namespace == bindparam("namespace"),
    contributions.c.agent == bindparam("agent"),
    contributions.c.finished_ns >= bindparam("start"),
)
_mine = contributions.alias()
_WEIGHTS = _Query(
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
    out = {(row[0], row[1]): Profile(*row, skills={}) for row in profile_rows}
    for row in sorted(skill_rows, key=lambda row: row[2]):
        profile = out.get((row[0], row[1]))
        if profile is not None:
            skill = Skill(*row[2:])
            skill.last_runs, skill.abilities = _strings(row[-2]), _strings(row[-1])
            profile.skills[skill.skill] = skill
    return out


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
    run_id, agent, namespace, weight, skills, finished_ns, success, complexity, domain, before = row
    return Contribution(
        run_id, agent, namespace, weight, _uses(skills), finished_ns, bool(success), complexity, domain, before
    )


# -- writing -------------------------------------------------------------------------------------------------------


def save_profiles(connection: Connection, profiles: Iterable[Profile]) -> None:
    """Write the profiles' own rows, without their skills."""
    fields = [column.name for column in agent_profiles.columns]
    put(connection, agent_profiles, [[getattr(profile, field) for field in fields] for profile in profiles])


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
                event.run_id, event.rule, event.at,
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


def remove_agent(connection: Connection, namespace: str, agent: str) -> None:
    """Remove all that is known of an agent but what it did in runs."""
    for table in (agent_profiles, agent_skills, skill_events, achievements):
        connection.execute(delete(table).where(table.c.namespace == namespace, table.c.agent == agent))


def remove_namespaces(connection: Connection, namespaces: Collection[str]) -> None:
    """Remove everything that growth knows in these namespaces."""
    for table in (agent_profiles, agent_skills, skill_events, achievements, contributions):
        connection.execute(delete(table).where(table.c.namespace.in_(list(namespaces))))


_statements: dict[tuple[str, str], TextClause] = {}


def put(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows, or replace those with the same primary key; values in the order of the table's columns."""
    if not rows:
        return
    dialect = connection.dialect.name
    if dialect != "postgresql" and not _has_json(connection):
        _put_plainly(connection, table, rows)
        return
    statement = _statements.get((table.name, dialect))
    if statement is None:
        statement = _statements[table.name, dialect] = text(_upsert(table, dialect))
    connection.execute(statement, {"rows": _encode(rows).decode()})


def _upsert(table: Table, dialect: str) -> str:
    columns = list(table.columns)
    names = ", ".join(f'"{column.name}"' for column in columns)
    if dialect == "sqlite":
        values = ", ".join(f"json_extract(value, '$[{number}]')" for number in range(len(columns)))
        source = "json_each(:rows) WHERE true"  # without a WHERE, SQLite takes ON for a join's
    else:
        values = ", ".join(
            f"CAST(value ->> {number} AS {_postgres_type(column.type)})" for number, column in enumerate(columns)
        )
        source = "jsonb_array_elements(CAST(:rows AS jsonb)) AS given(value)"
    key = ", ".join(f'"{column.name}"' for column in columns if column.primary_key)
    changes = ", ".join(f'"{column.name}" = excluded."{column.name}"' for column in columns if not column.primary_key)
    return (
        f'INSERT INTO "{table.name}" ({names}) SELECT {values} FROM {source} '  # noqa: S608  names of our own
        f"ON CONFLICT ({key}) DO UPDATE SET {changes}"
    )


def _postgres_type(kind: TypeEngine[Any]) -> str:
    if isinstance(kind, Boolean):
        return "boolean"
    if isinstance(kind, BigInteger):
        return "bigint"
    return "integer" if isinstance(kind, Integer) else "text"


def _put_plainly(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """For databases whose JSON statements we do not know: row by row through SQLAlchemy."""
    names = [column.name for column in table.columns]
    key = [column for column in table.columns if column.primary_key]
    places = [names.index(column.name) for column in key]
    same = [column == bindparam(f"key_{column.name}") for column in key]
    keys = [{f"key_{names[place]}": row[place] for place in places} for row in rows]
    connection.execute(delete(table).where(*same), keys)
    connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
