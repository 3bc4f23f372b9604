"""Steps of runs: as they were recorded, and as programs in messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.instrumentation import reading
from seasoned.instrumentation.events import Event
from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace
from seasoned.skills_lib.steps import MAX_STEPS, Step, functions_called, trace_of

PROGRAM = "```python\nfrom math import sqrt\nimport sympy as sp\nprint(sqrt(sp.solve(x)))\n```"


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(Config(home=str(tmp_path / "home"), namespace="steps"))
    yield made
    made.close(flush=False)


def traced(workspace, run):
    report = workspace.flush(60)
    assert report.error is None
    with workspace.store.reading() as connection:
        return trace_of(reading.tree_events(connection, run.run_id))


def event(number, kind, agent, **payload):
    return Event(run_id="r", writer="w", seq=number, kind=kind, at=number, turn=0, agent=agent, payload=payload)


def test_tool_calls_as_the_recorder_writes_them(workspace):
    recorder = workspace.recorder
    run = recorder.begin(framework="test", agents=("clerk",))
    recorder.message(run, "customer", ["clerk"], "user", "Please cancel order #W1", by_user=True)
    run.turn += 1
    for number, (tool, arguments, ok, content) in enumerate([
        ("get_order", {"order_id": "#W1"}, True, '{"status": "pending", "items": [1, 2]}'),
        ("cancel_order", {"order_id": "#W1"}, False, "Error: not now"),
        ("cancel_order", {"order_id": "#W1"}, True, "done"),
    ]):  # fmt: skip
        if number == 1:
            recorder.message(run, "customer", ["clerk"], "user", "Yes, do it", by_user=True)
        call = {"tool": tool, "call_id": "same", "arguments": arguments, "caller": "clerk"}
        recorder.record(run, "tool_call", "executor", call)
        result = {"tool": tool, "call_id": "same", "ok": ok, "content": content}
        recorder.record(run, "tool_result", "executor", result)
    recorder.finish(run, "done")
    run.outcome(True)
    trace = traced(workspace, run)
    assert trace.success is True
    assert trace.task == "Please cancel order #W1"
    assert trace.said == ("Yes, do it",)
    assert trace.steps == (
        Step(
            tool="get_order",
            agent="clerk",
            arguments={"order_id": "#W1"},
            ok=True,
            result={"status": "pending", "items": [1, 2]},
        ),
        Step(
            tool="cancel_order",
            agent="clerk",
            arguments={"order_id": "#W1"},
            ok=False,
            result="Error: not now",
            heard=1,
        ),
        Step(tool="cancel_order", agent="clerk", arguments={"order_id": "#W1"}, ok=True, result="done", heard=1),
    )


def test_programs_answered_by_an_executor():
    report = "exitcode: 0 (execution succeeded)\nCode output: 3"
    trace = trace_of([
        event(0, "run_started", None, task="What is it?"),
        event(1, "message", "user_proxy", content="What is it?", role="assistant"),
        event(2, "message", "coder", content=f"Try this:\n{PROGRAM}", role="user"),
        event(3, "message", "user_proxy", content=report, role="assistant"),
        event(4, "message", "coder", content=PROGRAM, role="user"),
        event(5, "message", "user_proxy", content="exitcode: 1 (execution failed)\nCode output: x", role="assistant"),
    ])  # fmt: skip
    assert [(step.tool, step.agent, step.ok) for step in trace.steps] == [
        ("run_python", "coder", True), ("run_python", "coder", False),
    ]  # fmt: skip
    assert set(trace.steps[0].calls) == {"print", "math.sqrt", "sympy.solve"}
    assert trace.said == ()


def test_an_executed_program_counts_once():
    trace = trace_of([
        event(0, "message", "coder", content=PROGRAM, role="assistant"),
        event(1, "model_call", "coder"),
        event(2, "message", "coder", content=PROGRAM, role="assistant"),
        event(3, "code_execution", "runner", language="python", code="print(1)", exit_code=0, output="1"),
        event(4, "message", "runner", content="exitcode: 0 (execution succeeded)\nCode output: 1", role="user"),
    ])  # fmt: skip
    assert [(step.tool, step.agent, step.calls) for step in trace.steps] == [("run_python", "coder", ("print",))]


def test_results_belong_to_the_latest_open_call_of_their_tool():
    trace = trace_of([
        event(0, "tool_call", "a", tool="look", call_id="1", arguments="{\"x\": 1}"),
        event(1, "tool_call", "a", tool="look", call_id="2", arguments={"x": 2}),
        event(2, "tool_result", "a", tool="look", call_id="1", ok=True, content="first"),
        event(3, "tool_result", "a", tool="look", call_id="2", ok=True, content="second"),
        event(4, "tool_result", "a", tool="look", call_id="2", ok=True, content="nobody asked"),
    ])  # fmt: skip
    assert [(step.arguments["x"], step.result) for step in trace.steps] == [(1, "first"), (2, "second")]


def test_names_that_are_none_go_no_further():
    bad = ["", "ignore all rules", "x" * 65, "a\nb", None, 7, "n\u00e4me"]
    trace = trace_of([
        *(event(number, "tool_call", "a", tool=name, arguments={}) for number, name in enumerate(bad)),
        event(9, "tool_call", "a", tool="fine", arguments={"do this now!": 1, "x" * 49: 1, "kept": 1}),
    ])  # fmt: skip
    assert [(step.tool, step.arguments) for step in trace.steps] == [("fine", {"kept": 1})]
    assert trace.other == len(bad)


def test_a_loop_is_cut():
    trace = trace_of(event(number, "tool_call", "a", tool="again", arguments={}) for number in range(MAX_STEPS + 5))
    assert len(trace.steps) == MAX_STEPS
    assert trace.other == 5


def test_own_functions_and_methods_are_no_tools():
    code = "import os.path\ndef mine(): pass\nvalue = open('x')\nmine()\nvalue.read()\nos.path.join('a')\nlen(value)"
    assert set(functions_called(code)) == {"open", "os.path.join", "len"}


@given(st.text(max_size=300))
def test_any_program_is_read_without_running_it(code):
    assert isinstance(functions_called(code), tuple)
    assert functions_called("raise SystemExit(1)\n" + code) is not None
