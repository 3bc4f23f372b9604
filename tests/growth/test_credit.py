"""Who contributed to a run, and how an award is divided."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.growth.credit import blamed, split, tools_used, work_by_agent
from seasoned.instrumentation.events import Event

WEIGHTS = st.dictionaries(
    st.text(max_size=8),
    st.one_of(st.integers(1, 10**6), st.floats(1e-3, 1e6, allow_nan=False)),
    min_size=1,
    max_size=8,
)


@given(st.integers(0, 10_000), WEIGHTS)
def test_a_split_loses_and_makes_nothing(amount, weights):
    parts = split(amount, weights)
    assert parts.keys() == weights.keys()
    assert sum(parts.values()) == amount
    assert all(part >= 0 for part in parts.values())


@given(st.integers(0, 10_000), WEIGHTS)
def test_a_part_is_its_quota_rounded_up_or_down(amount, weights):
    total = sum(weights.values())
    for name, part in split(amount, weights).items():
        assert abs(part - amount * weights[name] / total) < 1 + 1e-6


@given(st.integers(0, 1000), st.dictionaries(st.text(max_size=4), st.integers(1, 50), min_size=1, max_size=6))
def test_a_split_depends_on_names_and_weights_alone(amount, weights):
    assert split(amount, weights) == split(amount, dict(reversed(weights.items())))


def test_the_largest_fractions_get_the_rest_and_names_break_ties():
    assert split(10, {"b": 1, "a": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert split(5, {"a": 3, "b": 3, "c": 1}) == {"a": 2, "b": 2, "c": 1}
    assert split(7, {"x": 0.5, "y": 0.25, "z": 0.25}) == {"x": 3, "y": 2, "z": 2}
    assert split(100, {}) == {}


def events(*given):
    """Events from (kind, agent, turn, payload), numbered."""
    return [
        Event(run_id=payload.pop("run", "r1"), writer="w", seq=number, kind=kind, at=number, turn=turn, agent=agent,
              payload=payload)
        for number, (kind, agent, turn, payload) in enumerate(given)
    ]  # fmt: skip


def says(agent, turn, content: str | None = "Let me see.", role="assistant", **more):
    return ("message", agent, turn, {"content": content, "role": role, **more})


def thinks(agent, turn, *, internal=False):
    return ("model_call", agent, turn, {"internal": internal})


def calls(tool, caller, turn, call_id=None, executor="executor", **more):
    return ("tool_call", executor, turn, {"tool": tool, "caller": caller, "call_id": call_id, **more})


def answers(tool, call_id=None, *, ok=True, executor="executor", **more):
    return ("tool_result", executor, 0, {"tool": tool, "call_id": call_id, "ok": ok, **more})


def test_replies_of_their_own_and_tool_calls_count_one_each():
    run = events(
        says("user", 0, "Fix it.", "user", task=True),
        thinks("coder", 1),
        says("coder", 1, None),
        calls("search", "coder", 2),
        answers("search"),
        says("executor", 2, "found", "tool"),
        thinks("coder", 3),
        says("coder", 3),
        thinks("critic", 4),
        says("critic", 4),
        says("user", 5, "thanks", "user"),
    )
    assert work_by_agent(run) == {"coder": 2, "critic": 1}


def test_a_message_without_recorded_content_still_counts():
    run = events(says("user", 0, None, "user", content_chars=9), says("coder", 1, None, content_chars=12))
    assert work_by_agent(run) == {"coder": 1}


def test_relays_people_managers_and_the_task_itself_do_not_count():
    run = events(
        says("chat_manager", 0, "Hello everyone.", "assistant"),
        says("starter", 0, "Solve this.", "assistant", task=True),
        thinks("speaker_selection_agent", 1, internal=True),
        says("speaker_selection_agent", 1),
        thinks("boss", 1, internal=True),
        says("boss", 1, "Next is coder"),
        thinks("coder", 1),
        says("coder", 1, "```python\nprint(1)\n```"),
        ("code_execution", "runner", 2, {"exit_code": 0}),
        says("runner", 2, "exitcode: 0 (execution succeeded)\nCode output: 1"),
        says("other_runner", 3, "exitcode: 1 (execution failed)\nCode output: no"),
        ("human_input", "person", 4, {"content": "go on"}),
        says("person", 4, "go on"),
        ("human_input", "helped", 5, {"content": ""}),
        thinks("helped", 5),
        says("helped", 5),
    )
    assert work_by_agent(run) == {"coder": 1, "helped": 1}


def test_whoever_the_verdict_rests_on_earns_nothing():
    run = events(thinks("coder", 1), says("coder", 1), thinks("judge", 2), says("judge", 2))
    assert work_by_agent(run, ["judge"]) == {"coder": 1}
    assert work_by_agent(run, ["judge", "coder"]) == {}


def test_where_nobody_judged_everybody_who_replied_shares():
    run = events(
        says("user", 0, "Do it.", "user"),
        says("first", 1, "one", "user"),
        says("second", 2, "two", "tool"),
        says("second", 3, "three", "user"),
        says("chat_manager", 4, "done", "user"),
    )
    assert work_by_agent(run) == {"first": 1, "second": 1}  # what a tool answered is nobody's
    assert work_by_agent(events(says("user", 0, "Do it.", "user"))) == {}


def test_where_the_only_one_who_worked_judged_nobody_else_steps_in():
    run = events(
        thinks("judge", 1), says("judge", 1), says("runner", 2, "exitcode: 0 (execution succeeded)\n4", "user"),
        says("customer", 3, "Thanks.", "user"),
    )  # fmt: skip
    assert work_by_agent(run, ["judge"]) == {}
    assert work_by_agent(run) == {"judge": 1}


def test_work_of_child_runs_counts():
    run = events(
        thinks("writer", 1),
        says("writer", 1, run="child"),
        thinks("writer", 1),
        says("writer", 1),
        calls("look", "writer", 1, run="child"),
    )
    assert work_by_agent(run) == {"writer": 3}


def test_a_log_from_one_side_says_nothing_by_its_roles():
    imported = ("run_started", None, 0, {"source": "import"})
    talk = (
        says("proxy", 0, "Solve it.", "assistant"),
        says("solver", 1, "```python\nprint(2)\n```", "user"),
        says("proxy", 2, "2", "assistant"),
        says("solver", 3, "It is 2.", "user"),
    )
    assert work_by_agent(events(imported, *copy.deepcopy(talk))) == {"solver": 2}
    assert work_by_agent(events(*talk)) == {"proxy": 1}  # recorded here, roles say who has a model
    group = events(
        imported,
        says("verifier", 0, "Solve it.", "assistant"),
        says("chat_manager", 0, "Hello everyone.", "user"),
        says("solver", 1, "Think.", "user"),
        says("coder", 2, "exitcode: 0 (execution succeeded)\n2", "user"),
        says("verifier", 3, "Right.", "assistant"),
    )
    assert work_by_agent(group) == {"solver": 1, "verifier": 1}


def test_only_calls_that_were_answered_without_error_exercise_a_tool():
    run = events(
        calls("search", "coder", 1, "a"),
        answers("search", "a"),
        calls("search", "coder", 2, "a"),
        answers("search", "a", ok=False),
        calls("write", "critic", 3),
        answers("write"),
        calls("never", "coder", 4, "b"),
        answers("unknown", "z"),
        ("tool_call", "lone", 5, {"tool": "own"}),
        answers("own", executor="lone"),
    )
    assert tools_used(run) == {"coder": {"search": 1}, "critic": {"write": 1}, "lone": {"own": 1}}


def test_results_go_to_the_nearest_unanswered_call_although_ids_repeat():
    run = events(
        calls("get", "first", 1, "id"),
        calls("get", "second", 2, "id"),
        answers("get", "id"),
        calls("get", "second", 3, "other"),
        answers("get", "id"),
    )
    assert tools_used(run) == {"second": {"get": 1}, "first": {"get": 1}}


def test_whoever_caused_a_failure_has_half_of_its_pieces_counted_where_others_worked():
    pieces = {"coder": 3, "critic": 1, "tester": 2}
    assert blamed(pieces, {"coder"}, 50) == {"coder": 150, "critic": 100, "tester": 200}
    assert blamed(pieces, {"coder", "critic"}, 25) == {"coder": 75, "critic": 25, "tester": 200}
    assert blamed(pieces, set(), 50) == pieces
    assert blamed(pieces, pieces, 50) == pieces  # everybody: nothing to tell apart
    assert blamed(pieces, {"somebody else"}, 50) == {"coder": 300, "critic": 100, "tester": 200}
    assert split(15, blamed({"a": 1, "b": 1}, {"a"}, 0)) == {"a": 0, "b": 15}
    assert blamed({}, {"coder"}, 50) == {}


MATHCHAT = Path(__file__).resolve().parents[3] / "shared" / "data" / "runs_ag2_mathchat.jsonl.gz"


@pytest.mark.skipif(not MATHCHAT.exists(), reason="the AG2 logs may not be copied into the project")
def test_in_real_two_agent_logs_the_solver_gets_the_credit():
    with gzip.open(MATHCHAT, "rt") as lines:
        records = [json.loads(line) for line, _ in zip(lines, range(300), strict=False)]
    checked = 0
    for record in records:
        if sorted(record["agents"]) == ["assistant", "mathproxyagent"] and len(record["messages"]) > 1:
            run = events(
                *(says(m["agent"], min(i, 1), m["content"], m["role"]) for i, m in enumerate(record["messages"]))
            )
            assert list(work_by_agent(run)) == ["assistant"]
            checked += 1
        elif "chat_manager" in record["agents"]:
            run = events(
                *(says(m["agent"], min(i, 1), m["content"], m["role"]) for i, m in enumerate(record["messages"]))
            )
            assert "chat_manager" not in work_by_agent(run)
            checked += 1
    assert checked > 200
