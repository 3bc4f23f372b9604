"""Which skills a run exercises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from seasoned.growth.exercise import accepted, exercised, weigh
from seasoned.growth.roster import roster_from
from seasoned.growth.rules import Rules
from seasoned.growth.skills import Use
from seasoned.instrumentation.reading import RunRecord
from seasoned.instrumentation.records import SkillUse

RULES = Rules()
TESS = roster_from({
    "agents": {
        "tess": {
            "skills": {
                "pytest": {"domain": "testing", "tools": ["run_pytest", "coverage"]},
                "flaky": {"name": "Flaky Fixing", "domain": "debugging", "keywords": ["flaky", "now and then"]},
                "reports": {"domain": "writing", "tools": ["run_pytest"]},
            }
        }
    }
}).agents["tess"]  # fmt: skip


def run(domain=None, task_type=None, task=None):
    return RunRecord(run_id="r", session_id="s", namespace="app", domain=domain, task_type=task_type, task=task)


def weights(uses):
    return {use.skill: use.weight for use in uses}


def test_skills_emerge_half_from_the_topic_and_half_from_the_tools():
    uses = exercised(run("airline", "booking"), {"get_user_details": 3, "bookFlight": 1}, None, RULES)
    total = sum(use.weight for use in uses)
    assert {use.skill: use.weight / total for use in uses} == {
        "airline": 0.25, "booking": 0.25, "get_user_details": 0.375, "book_flight": 0.125,
    }  # fmt: skip
    assert {use.domain for use in uses} == {"airline"}
    assert [use.name for use in uses] == ["Airline", "Booking", "Get User Details", "Book Flight"]


def test_what_is_missing_leaves_all_to_the_rest():
    assert weights(exercised(run("airline"), {}, None, RULES)) == {"airline": 1}
    assert weights(exercised(run(), {"a": 2, "b": 1}, None, RULES)) == {"a": 2, "b": 1}
    assert {use.domain for use in exercised(run(), {"a": 2}, None, RULES)} == {"general"}
    nothing = exercised(run(), {}, None, RULES)
    assert weights(nothing) == {"general": 1}
    assert (nothing[0].name, nothing[0].domain) == ("General", "general")
    assert weights(exercised(run("!!", "??"), {"--": 3}, None, RULES)) == {"general": 1}


def test_a_topic_that_is_also_a_tool_or_a_type_is_one_skill():
    assert weights(exercised(run("search", "search"), {"search": 2}, None, RULES)) == {"search": 200}


def test_the_part_of_the_tools_can_be_changed():
    uses = exercised(run("airline"), {"book": 1}, None, Rules(tool_percent=0))
    assert weights(uses) == {"airline": 100}
    uses = exercised(run("airline"), {"book": 1}, None, Rules(tool_percent=100))
    assert weights(uses) == {"book": 100}


def test_the_rosters_skills_fit_by_domain_type_word_and_tool():
    assert weights(exercised(run("testing"), {}, TESS, RULES)) == {"pytest": 1}
    assert weights(exercised(run("other", "Debugging"), {}, TESS, RULES)) == {"flaky": 1}
    assert weights(exercised(run(task="It fails now and then."), {}, TESS, RULES)) == {"flaky": 1}
    assert weights(exercised(run(), {"run_pytest": 2, "coverage": 1}, TESS, RULES)) == {"pytest": 3, "reports": 2}
    both = exercised(run("debugging"), {"run_pytest": 1}, TESS, RULES)
    assert weights(both) == {"flaky": 100, "pytest": 50, "reports": 50}
    assert [use.name for use in both] == ["Flaky Fixing", "Pytest", "Reports"]
    assert [use.domain for use in both] == ["debugging", "testing", "writing"]


def test_skills_emerge_where_nothing_of_the_roster_fits():
    assert weights(exercised(run("cooking", task="unflaky pastry"), {"oven": 1}, TESS, RULES)) == {
        "cooking": 50, "oven": 50,
    }  # fmt: skip


@given(
    st.lists(st.text("abc", min_size=1, max_size=2), max_size=4),
    st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(1, 50), max_size=4),
    st.integers(0, 100),
)
def test_weights_give_tools_exactly_their_part(topics, calls, percent):
    weighed = weigh(topics, calls, percent)
    assert all(weight > 0 for weight in weighed.values())
    if topics and calls and not set(topics) & calls.keys():
        total = sum(weighed.values())
        assert 100 * sum(weighed.get(name, 0) for name in calls) == percent * total


def test_what_plugins_answer_is_made_fit_or_left_out():
    uses = accepted(
        [
            SkillUse("Late Night", 2.0, "Two\nlines \x1b[31m", "Ops"), SkillUse("late-night", 1, "", ""),
            SkillUse("zero", 0), SkillUse("minus", -1), SkillUse("nan", float("nan")), SkillUse("inf", float("inf")),
            SkillUse("!!", 1), "no skill use", None, SkillUse("alpha"),
        ],
        "Shop",
    )  # fmt: skip
    assert uses == (Use("alpha", 1.0, "Alpha", "shop"), Use("late_night", 3.0, "Late Night", "shop"))


def test_a_rosters_tools_are_found_however_they_are_spelled():
    called = exercised(run(), {"runPytest": 2, "Coverage": 1}, TESS, RULES)
    assert weights(called) == {"pytest": 3, "reports": 2}
