"""The ledger: what a run, a change or a gap in what was learned does to the tables of those who took part."""

from __future__ import annotations

import pytest
from ledger_kit import BOOK, ROSTER, RULES, TABLES, Database, Spec, contributed, odd, record, simple
from sqlalchemy import update

from seasoned.growth import ledger, packed, rows
from seasoned.growth.abilities import AbilityTable
from seasoned.growth.facts import Facts
from seasoned.growth.ledger import Book
from seasoned.growth.roster import Roster, roster_from
from seasoned.growth.rules import Rules
from seasoned.growth.tables import (
    achievements,
    agent_groups,
    agent_profiles,
    agent_skills,
    contributions,
    skill_events,
)
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.records import Achievement


@pytest.fixture
def database(tmp_path):
    made = Database(f"sqlite:///{tmp_path / 'growth.db'}")
    yield made
    made.engine.dispose()


def _broken(profile, run):
    raise RuntimeError("an achievement of somebody's")


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
    assert (profile.total_xp, profile.runs_succeeded, profile.success_streak) == (45 + 28, 2, 2)
    gains = [(e.run_id, e.rule, e.xp) for e in database.one(skill_events, event="xp_gain")]
    assert gains == [
        ("r0001", "task_completed", 25),
        ("r0001", "first_time_solve", 20),
        ("r0002", "task_completed", 25),
        ("r0002", "diminishing_returns", -2),
        ("r0002", "repeat_solve", 5),
    ]


def test_events_are_numbered_and_sum_up_to_the_figures(database):
    for number in range(1, 9):
        database.learn(simple(number, success=number % 3 > 0))
    events = database.one(skill_events)
    assert [event.id for event in sorted(events, key=lambda event: event.id)] == list(range(1, len(events) + 1))
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


def test_praise_and_fault_come_from_the_weights_of_the_run_as_it_is_now(database):
    """What one agent gets rests on what the others did: when that changes, everybody's part does."""
    works = (("bob", 1, (("beta", 1),)), ("cy", 1, (("beta", 1),)))
    run = Spec("r1", 1, success=False, complexity="critical", namespace="app", works=works, facts=Facts(praise=1))
    database.learn(run)
    assert {row.agent: row.total_xp for row in database.one(agent_profiles)} == {"bob": 8 + 15, "cy": 7 + 15}
    blamed = (("bob", 50, (("beta", 1),)), ("cy", 100, (("beta", 1),)))
    database.learn(run._replace(works=blamed))
    assert {row.agent: row.total_xp for row in database.one(agent_profiles)} == {"bob": 5 + 10, "cy": 10 + 20}
    assert database.one(agent_groups) == []


def test_a_kind_of_task_that_nothing_is_left_of_is_gone(database):
    for number, group in ((1, "a"), (2, "b"), (3, "a")):
        database.learn(simple(number, group=group, duration_ms=number))
    kinds = [(row.task_group, row.tried, row.succeeded, row.durations) for row in database.one(agent_groups)]
    assert sorted(kinds) == [("a", 2, 2, "[1,3]"), ("b", 1, 1, "[2]")]
    database.learn(simple(2, group="a", duration_ms=2, success=False))
    kinds = [(row.task_group, row.tried, row.succeeded, row.durations) for row in database.one(agent_groups)]
    assert kinds == [("a", 3, 2, "[1,3]")]
    database.learn(simple(1, group=None))
    database.forget(["r0003"])
    kinds = [(row.task_group, row.tried, row.succeeded, row.durations) for row in database.one(agent_groups)]
    assert kinds == [("a", 1, 0, "[]")]


@pytest.mark.parametrize("before", [[], [simple(0, group=None)], [simple(0, group="other")]])
def test_a_late_first_solve_makes_the_other_a_repeated_one(database, before):
    for spec in (*before, simple(2), simple(1)):
        database.learn(spec)
    rules = {(event.run_id, event.rule) for event in database.one(skill_events, event="xp_gain")}
    assert ("r0001", "first_time_solve") in rules
    assert ("r0002", "repeat_solve") in rules
    assert ("r0002", "first_time_solve") not in rules


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
    for table in TABLES:
        assert {row.namespace for row in database.one(table)} == {"other"}


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
    added = (Achievement("broken", "Broken", "", _broken), Achievement("odd", "Odd", "", odd))
    database.book = Book(RULES, ROSTER, AbilityTable(), added)
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
        patch.setattr(packed, "has_json", lambda _connection: False)
        for spec in specs:
            plain.learn(spec)
        plain.forget(["r0002"])
    quick.forget(["r0002"])
    assert quick.dump() == plain.dump()
    quick.engine.dispose()
    plain.engine.dispose()


def test_an_empty_roster_is_enough(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'plain.db'}", Book(Rules(), Roster(), AbilityTable()))
    database.learn(simple(1))
    profile = database.one(agent_profiles)[0]
    assert (profile.total_xp, profile.title) == (45, "Junior One Specialist")
    database.engine.dispose()
