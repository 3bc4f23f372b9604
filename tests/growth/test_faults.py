"""Who caused a failure, where the record shows it: by calls and exit codes, never by words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.growth.faults import at_fault
from seasoned.instrumentation.events import Event

ALL = ("ann", "bob", "cy")


def events(*given):
    """Events from (kind, agent, payload), numbered."""
    return [
        Event(run_id=payload.pop("run", "r1"), writer="w", seq=number, kind=kind, at=number, turn=1, agent=agent,
              payload=payload)
        for number, (kind, agent, payload) in enumerate(given)
    ]  # fmt: skip


def tried(tool, caller, *, ok, run="r1"):
    """A tool call and its answer."""
    return (
        ("tool_call", "executor", {"tool": tool, "caller": caller, "call_id": "c", "run": run}),
        ("tool_result", "executor", {"tool": tool, "call_id": "c", "ok": ok, "run": run}),
    )


def says(agent, run="r1", **more):
    return ("message", agent, {"role": "assistant", "content": "Let me see.", "run": run, **more})


def ran(code, agent="executor", run="r1"):
    return ("code_execution", agent, {"exit_code": code, "run": run})


def raised(agent):
    return ("error", agent, {"error_type": "ValueError", "error": "no"})


def fault(*given, working=ALL):
    return at_fault(events(*given), working)


def test_nobody_is_known():
    assert fault() == frozenset()
    assert fault(says("ann"), says("bob", content="It is all my fault, I failed.")) == frozenset()
    assert fault(*tried("a", "ann", ok=True), *tried("b", "bob", ok=None)) == frozenset()


def test_a_call_that_failed_and_was_never_put_right_is_its_callers():
    assert fault(*tried("a", "ann", ok=False)) == {"ann"}
    assert fault(*tried("a", "ann", ok=True), *tried("a", "ann", ok=False)) == {"ann"}
    assert fault(*tried("a", "ann", ok=False), *tried("b", "bob", ok=True)) == {"ann"}  # another tool
    assert fault(*tried("a", "ann", ok=False), *tried("b", "bob", ok=False)) == {"ann", "bob"}
    assert fault(*tried("a", "ann", ok=False), *tried("a", "bob", ok=False)) == {"ann", "bob"}


def test_one_that_was_put_right_is_nobodys_but_the_failed_end_rests_on_the_correction():
    assert fault(*tried("a", "ann", ok=False), *tried("a", "ann", ok=True)) == {"ann"}
    assert fault(*tried("a", "ann", ok=False), *tried("a", "bob", ok=True)) == {"bob"}
    assert fault(
        *tried("a", "ann", ok=False), *tried("a", "bob", ok=True), *tried("b", "bob", ok=False),
        *tried("b", "cy", ok=True), *tried("a", "ann", ok=True),
    ) == {"cy"}  # fmt: skip  # ann's last call put nothing right
    assert fault(*tried("a", "ann", ok=False), *tried("a", "bob", ok=True), *tried("b", "cy", ok=False)) == {"cy"}
    assert fault(
        *tried("a", "ann", ok=False), *tried("a", "ann", ok=False), *tried("a", "bob", ok=True)
    ) == {"bob"}  # fmt: skip
    assert fault(*tried("a", "ann", ok=False), *tried("a", "bob", ok=True), *tried("a", "cy", ok=False)) == {"cy"}


def test_it_is_put_right_in_the_same_run_only():
    inner = tried("a", "bob", ok=True, run="inner")
    assert fault(*tried("a", "ann", ok=False), *inner) == {"ann"}


def test_a_result_without_a_call_shows_nobody():
    assert fault(tried("a", "ann", ok=False)[1]) == frozenset()
    assert fault(("tool_result", "executor", {"tool": None, "ok": False})) == frozenset()


def test_a_program_is_by_whoever_spoke_last_before_it_was_run():
    assert fault(says("ann"), ran(1)) == {"ann"}
    assert fault(says("ann"), ran(1), says("executor", content="exitcode: 1"), says("bob"), ran(0)) == {"bob"}
    assert fault(says("ann"), says("bob"), ran(2), says("bob"), ran(0), says("cy"), ran(-9)) == {"cy"}
    assert fault(says("ann"), says("executor", role="tool"), ran(1)) == {"ann"}
    assert fault(says("ann"), says("picker", internal=True), ran(1)) == {"ann"}
    assert fault(("model_call", "ann", {}), ran(1)) == {"ann"}
    assert fault(says("ann", run="other"), ran(1)) == frozenset()
    assert fault(ran(1)) == frozenset()


def test_a_program_and_a_tool_are_different_things():
    assert fault(says("ann"), ran(1), *tried("run_code", "bob", ok=True)) == {"ann"}


@pytest.mark.parametrize("code", [None, "1", [], {}])
def test_a_program_that_was_not_run_shows_nothing_either_way(code):
    assert fault(says("ann"), ran(code)) == frozenset()
    assert fault(says("ann"), ran(1), says("bob"), ran(code)) == {"ann"}


def test_an_exception_is_that_agents_out_of_whose_reply_it_came():
    assert fault(raised("ann")) == {"ann"}
    assert fault(raised(None)) == frozenset()
    assert fault(raised("ann"), *tried("a", "bob", ok=False)) == {"ann", "bob"}
    assert fault(raised("ann"), *tried("a", "bob", ok=False), *tried("a", "cy", ok=True)) == {"ann"}


def test_whoever_did_no_work_or_gave_the_verdict_is_not_blamed_but_may_put_things_right():
    two = ("ann", "bob")
    assert fault(*tried("a", "cy", ok=False), working=two) == frozenset()
    assert fault(raised("chat_manager"), *tried("a", "ann", ok=False), working=two) == {"ann"}
    assert fault(*tried("a", "ann", ok=False), *tried("a", "cy", ok=True), working=two) == frozenset()
    assert fault(*tried("a", "cy", ok=False), *tried("a", "ann", ok=True), working=two) == {"ann"}
    assert fault(*tried("a", "ann", ok=False), working=()) == frozenset()


ATTEMPTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from("ab"), st.sampled_from(ALL), st.booleans()).map(
            lambda given: tried(given[0], given[1], ok=given[2])
        ),
        st.builds(lambda agent, code: (says(agent), ran(code)), st.sampled_from(ALL), st.sampled_from([0, 1, None])),
        st.sampled_from(ALL).map(lambda agent: (raised(agent),)),
    ),
    max_size=8,
)  # fmt: skip


@given(ATTEMPTS, st.sets(st.sampled_from(ALL)))
def test_only_those_who_worked_are_blamed_and_repairs_take_the_blame_away(parts, working):
    def history():
        return [(kind, agent, dict(payload)) for part in parts for kind, agent, payload in part]

    assert at_fault(events(*history()), working) <= working
    again = [*history(), *tried("z", "ann", ok=False)]
    assert "ann" in at_fault(events(*again), ALL)
    again = [event for event in (*history(), *tried("z", "ann", ok=False)) if event[0] != "error"]
    repairs = [*(event for tool in "abz" for event in tried(tool, "dora", ok=True)), says("dora"), ran(0)]
    assert at_fault(events(*again, *repairs), ALL) == frozenset()
