"""A ledger on a database of its own, and runs for it, as the tests of the ledger think of them."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from sqlalchemy import create_engine, delete, insert, select, update

from seasoned.growth import ledger
from seasoned.growth.abilities import AbilityTable
from seasoned.growth.achievements import BUILT_IN
from seasoned.growth.facts import Facts
from seasoned.growth.ledger import Book
from seasoned.growth.roster import roster_from
from seasoned.growth.rules import Rules
from seasoned.growth.skills import Contribution, Use
from seasoned.growth.slugs import title_of
from seasoned.growth.tables import (
    achievements,
    agent_attributes,
    agent_groups,
    agent_profiles,
    agent_skills,
    contributions,
    skill_events,
)
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.reading import RunRecord
from seasoned.instrumentation.records import Achievement
from seasoned.instrumentation.schema import metadata, runs

TABLES = (
    agent_profiles, agent_skills, agent_attributes, agent_groups, skill_events, contributions, achievements,
)  # fmt: skip
STEPPED = (0, 10, 25, 40, 60, 90, 130, 180, 240, 320)
RULES = Rules(thresholds=STEPPED, roster_title_xp=30)
RETURNING = Rules(
    thresholds=STEPPED, attribute_return=0.004, no_escalation_every=2, resilience_after=1, fast_least=1,
    user_negative=40,
)  # fmt: skip
"""Where much happens within few runs, and every run moves every trait."""
ROSTER = roster_from({
    "agents": {
        "ann": {
            "title": "Starter",
            "attributes": {"caution": 0.005, "independence": 0.995},
            "skills": {
                "alpha": {"domain": "one", "level": 4, "xp": 30},
                "unused": {"domain": "two", "level": 2},
            },
        }
    },
    "abilities": {
        "alpha": {"3": ["Alpha at three"], "5": ["Alpha at five", "Alpha again"]},
        "beta": {"1": ["Beta at one"], "2": ["Beta at two"]},
    },
})  # fmt: skip


class Spec(NamedTuple):
    """A run as the test thinks of it; ``works`` are (agent, weight, ((skill, weight), ...)), ``facts`` those of all
    agents, and ``own`` what differs for some."""

    run_id: str
    finished_ns: int
    success: bool
    complexity: str
    namespace: str
    works: tuple
    facts: Facts = Facts()
    own: tuple = ()


def record(spec):
    return RunRecord(run_id=spec.run_id, session_id="s", namespace=spec.namespace)


def contributed(spec):
    return [
        Contribution(
            spec.run_id, agent, spec.namespace, weight,
            tuple(Use(name, part, title_of(name), "one" if name < "c" else "two") for name, part in skills),
            spec.finished_ns, spec.success, spec.complexity, "one",
            facts=msgspec.structs.replace(spec.facts, **dict(spec.own).get(agent, {})),
        )
        for agent, weight, skills in spec.works
    ]  # fmt: skip


def odd(profile, _run):
    return profile["runs"] == 3


def book(rules):
    return Book(rules, ROSTER, AbilityTable(roster=ROSTER.abilities), (*BUILT_IN, Achievement("odd", "Odd", "", odd)))


BOOK = book(RULES)


class Database:
    """A database with the package's tables, and what a service would do to it."""

    def __init__(self, url, book=BOOK):
        self.engine = create_engine(url)
        metadata.create_all(self.engine)
        self.book = book
        self.guard = Guard()

    def learn(self, spec):
        with self.engine.begin() as connection:
            values = {"namespace": spec.namespace, "finished_at": spec.finished_ns, "success": spec.success}
            done = connection.execute(update(runs).where(runs.c.run_id == spec.run_id).values(values))
            if not done.rowcount:
                connection.execute(insert(runs).values(run_id=spec.run_id, started_at=0, status="finished", **values))
            ledger.learn(connection, self.book, self.guard, record(spec), contributed(spec))

    def forget(self, run_ids):
        with self.engine.begin() as connection:
            ledger.unlearn(connection, self.book, self.guard, run_ids)
            connection.execute(delete(runs).where(runs.c.run_id.in_(run_ids)))

    def dump(self):
        with self.engine.connect() as connection:
            return {
                table.name: sorted(tuple(row) for row in connection.execute(select(table)).all()) for table in TABLES
            }

    def one(self, table, **where):
        with self.engine.connect() as connection:
            return connection.execute(select(table).filter_by(**where)).all()


def simple(number, *, success=True, agent="bob", at=None, namespace="app", complexity="medium", **facts):
    works = ((agent, 1, (("beta", 1),)),)
    facts = Facts(**{"group": "kind", **facts})
    return Spec(f"r{number:04}", number if at is None else at, success, complexity, namespace, works, facts)
