"""What becomes known of a run after it was learned from: its agents then have what a rebuild would give them."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from seasoned.instrumentation import learning
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor


@pytest.fixture
def app(desk):
    """Somebody with three runs behind them, all learned from."""
    made = desk()
    made.first = made.solve("Look at the log", agents=("tess", "ann"))
    made.second = made.fail("Read the trace")
    made.third = made.solve("Look at the log", complexity="critical")
    assert made.flush() == 3
    assert made.flush() == 0  # and not again without a reason
    return made


def speak(app, run, agent, recorder=None):
    (recorder or app.space.recorder).record(
        run, "message", agent, {"sender": agent, "role": "assistant", "content": "One more thing."}
    )


def test_late_words_of_another_process_change_the_parts_of_all(app):
    before = app.xp(), app.xp("ann")
    writer = Writer(app.home)
    speak(app, app.first, "ann", Recorder(writer, Redactor(), Guard(), namespace="app"))
    writer.close()
    assert app.flush() == 1
    assert app.gains(app.first)["task_completed"] == 8  # a third of 25 now, no longer the half
    assert app.gains(app.first, "ann")["task_completed"] == 17
    assert app.xp() + app.xp("ann") == sum(before)
    app.assert_live_is_rebuilt()


def test_a_late_tool_call_is_work_and_a_skill(app):
    call = {"tool": "grep_log", "call_id": "c", "arguments": {}, "caller": "ann"}
    app.space.recorder.record(app.first, "tool_call", "executor", call)
    app.space.recorder.record(
        app.first, "tool_result", "executor", {"tool": "grep_log", "call_id": "c", "ok": True, "content": "x"}
    )
    assert app.flush() == 1
    assert "grep_log" in {skill["slug"] for skill in app.profile("ann")["skills"]}
    app.assert_live_is_rebuilt()


def test_a_late_hand_over_to_a_person_ends_the_calm(app):
    assert app.profile()["calm_streak"] == 2
    app.space.recorder.record(app.third, "tool_call", "executor", {"tool": "transferToHumanAgents", "caller": "tess"})
    assert app.flush() == 1
    assert app.profile()["calm_streak"] == 0
    app.assert_live_is_rebuilt()


def test_events_of_a_run_inside_count_for_the_outer_one(app):
    inner = app.record("Look at a part", parent=app.second, agents=("ann",), at=app.starts[app.second.run_id])
    assert app.flush() == 1
    assert app.gains(app.second, "ann") == {"task_failed": 3}
    assert app.gains(app.second) == {"task_failed": 2}
    speak(app, inner, "ann")
    speak(app, inner, "ann")
    assert app.flush() == 1
    assert app.gains(app.second, "ann") == {"task_failed": 4}
    app.assert_live_is_rebuilt()
    assert app.space.service.forget(run_ids=[inner.run_id]).runs == 1
    assert app.gains(app.second) == {"task_failed": 5}
    app.assert_live_is_rebuilt()


def test_a_run_inside_with_an_outcome_of_its_own_counts_by_itself_as_well(app):
    inner = app.solve("Look at a part", parent=app.second, agents=("ann",), at=app.starts[app.second.run_id])
    assert app.flush() == 2
    assert app.gains(inner, "ann") == {"task_completed": 25, "first_time_solve": 20}
    assert app.gains(app.second, "ann") == {"task_failed": 3}
    app.assert_live_is_rebuilt()


def test_feedback_is_followed_whenever_it_comes(app):
    before = app.xp()
    app.first.feedback("well done", positive=True)
    assert app.flush() == 1
    assert (app.xp(), app.gains(app.first)["user_positive"]) == (before + 15, 15)
    app.first.feedback("on second thoughts, no", positive=False)
    assert app.flush() == 1
    assert (app.xp(), app.gains(app.first)["user_negative"]) == (before - 5, -5)
    app.third.feedback(positive=True, agent="tess")
    assert app.gains(app.third)["user_positive"] == 30
    app.assert_live_is_rebuilt()


def test_words_without_a_verdict_change_nothing(app):
    before = app.dump()
    app.first.feedback("I see")
    assert app.flush() == 1
    assert app.dump() == before


def test_changed_outcomes_complexities_and_flags_are_followed(app):
    for change in (
        {"success": False, "complexity": "critical"},
        {"success": True, "complexity": "low", "escalated": True},
        {"success": True, "complexity": "low", "cached": True, "cross_department": True},
        {"success": True, "complexity": "high", "novel_problem": False, "fast_completion": True, "bold": True},
    ):
        app.judge(app.first, **change)
        assert app.flush() == 1
        assert app.flush() == 0
        live = app.dump()
        app.space.service.rebuild()
        assert app.dump() == live
    assert app.gains(app.third)["repeat_solve"] == 5
    app.judge(app.first, False)
    assert app.gains(app.third)["first_time_solve"] == 20  # now that is the first success of its kind


def test_flags_that_are_no_truth_values_do_not_count(app):
    before = app.dump()["agent_profiles"], app.dump()["agent_attributes"]
    app.judge(app.first, escalated="true", cached=1, cross_department=[True], bold={"a": 1}, fast_completion="yes")
    assert app.flush() == 1
    assert (app.dump()["agent_profiles"], app.dump()["agent_attributes"]) == before


def test_a_run_that_arrives_late_takes_its_place(app):
    late = app.solve("Look at the log", agents=("tess",), at=app.starts[app.first.run_id] - 1)
    assert app.gains(late)["first_time_solve"] == 20
    assert app.gains(app.first)["repeat_solve"] == 2  # 2 of 5 are its part, of which nine tenths, rounded up
    assert [event.run_id for event in app.events("xp_gain")][:2] == [late.run_id] * 2
    app.assert_live_is_rebuilt()


def test_a_forgotten_run_leaves_no_trace(app):
    app.space.service.forget(run_ids=[app.first.run_id])
    assert app.gains(app.third)["first_time_solve"] == 20
    assert not any(app.first.run_id in str(row) for rows in app.dump().values() for row in rows)
    app.assert_live_is_rebuilt()


def test_work_that_shifts_keeps_its_history(app):
    for number in range(3):
        app.solve(f"Paint wall {number}", domain="painting", complexity="critical")
    told = [(event.skill, event.title, event.run_id) for event in app.events("specialization")]
    assert [domain for domain, _, _ in told] == ["debugging", "debugging", "painting"]
    assert told[0][2] == app.first.run_id
    assert app.profile()["title"] == told[-1][1]
    app.assert_live_is_rebuilt()


def test_the_queue_is_read_from_its_own_index_however_many_runs_were_learned(app):
    asked: list[tuple[str, tuple[object, ...]]] = []

    def listen(_connection, _cursor, statement, parameters, *_):
        asked.append((statement, parameters))

    store = app.space.store
    event.listen(store.engine, "before_cursor_execute", listen)
    with store.reading() as connection:
        assert learning.unlearned(connection, {"app"}) == []
        statement, parameters = asked[-1]
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    assert "runs_waiting" in str(plan)
