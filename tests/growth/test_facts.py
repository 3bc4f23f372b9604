"""What a run was for an agent: what the outcome's flags say, and what is derived where they say nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seasoned.growth.facts import Facts, facts_of, flag, praised
from seasoned.growth.roster import RosterAgent
from seasoned.growth.rules import Rules
from seasoned.instrumentation.events import Event
from seasoned.instrumentation.reading import RunRecord

RULES = Rules()
SECOND = 10**9


def run(flags=None, **more):
    return RunRecord(run_id="r1", session_id="s", namespace="app", flags=flags or {}, **more)


def events(*given):
    """Events from (kind, agent, payload), numbered."""
    return [
        Event(run_id="r1", writer="w", seq=number, kind=kind, at=number, turn=1, agent=agent, payload=payload)
        for number, (kind, agent, payload) in enumerate(given)
    ]


def calls(tool: object, caller: str | None = "tess", agent="executor", **more):
    return ("tool_call", agent, {"tool": tool, "caller": caller, **more})


def facts(record=None, recorded=(), entry=None, agent="tess", rules=RULES, fault=None, praise=None):
    return facts_of(record or run(), agent, recorded, entry, rules, fault=fault, praise=praise or {})


def test_nothing_is_known_of_an_empty_run():
    assert facts() == Facts()


def test_flags_are_taken_as_they_are_given():
    for value in (True, False):
        names = ("escalated", "cross_department", "cached", "fast_completion", "novel_problem", "bold")
        found = facts(run(dict.fromkeys(names, value)), events(calls("escalate")), RosterAgent(core_domains=("x",)))
        assert (found.escalated, found.cross, found.cached, found.fast, found.novel, found.bold) == (value,) * 6


@pytest.mark.parametrize("value", [1, 0, "true", "", None, [True], {"a": 1}, 1.0])
def test_what_is_no_truth_value_says_nothing(value):
    names = ("escalated", "cross_department", "cached", "cache_worthy", "fast_completion", "novel_problem", "bold")
    assert facts(run(dict.fromkeys(names, value))) == Facts()
    assert flag({"bold": value}, "bold") is None
    handed_over = facts(run({"escalated": value}), events(calls("escalate")))
    assert handed_over.escalated  # so it is derived


@pytest.mark.parametrize(
    ("flags", "cached"),
    [({"cached": True}, True), ({"cache_worthy": True}, True), ({"cached": False, "cache_worthy": True}, False),
     ({"cached": True, "cache_worthy": False}, True), ({"cached": "yes", "cache_worthy": True}, True), ({}, False)],
)  # fmt: skip
def test_an_answer_worth_keeping_is_only_what_the_application_says(flags, cached):
    assert facts(run(flags)).cached is cached


@pytest.mark.parametrize(
    ("call", "escalated"),
    [
        (calls("transfer_to_human_agents"), True), (calls("transferToHuman"), True), (calls("Escalate-Case"), True),
        (calls("hand_off_to_human"), True), (calls("transfer_to_robot"), False), (calls("de_escalate"), False),
        (calls("escalate", caller="ann"), False), (calls("escalate", caller=None, agent="tess"), True),
        (calls("escalate", caller=None, agent="ann"), False), (calls("escalate", internal=True), False),
        (calls(None), False), (calls(["escalate"]), False),
        (("tool_result", "tess", {"tool": "escalate", "caller": "tess"}), False),
        (("message", "tess", {"content": "I escalate this", "role": "assistant"}), False),
    ],
)  # fmt: skip
def test_escalating_is_calling_a_tool_that_hands_the_task_to_a_person(call, escalated):
    assert facts(recorded=events(calls("search"), call)).escalated is escalated


def test_which_tools_those_are_can_be_changed():
    rules = Rules(escalation_tools=("page_someone",))
    assert facts(recorded=events(calls("pageSomeone")), rules=rules).escalated
    assert not facts(recorded=events(calls("escalate")), rules=rules).escalated
    assert not facts(recorded=events(calls("escalate")), rules=Rules(escalation_tools=())).escalated


@pytest.mark.parametrize(
    ("core", "domain", "task_type", "cross"),
    [
        (("testing",), "testing", None, False), (("testing",), "Testing!", None, False),
        (("testing",), "cooking", None, True), (("testing",), "cooking", "testing", False),
        (("testing",), None, "planning", True), (("testing",), None, None, False),
        (("testing",), "!!", None, True), ((), "cooking", "planning", False),
        (("code review", "testing"), "code_review", "planning", False),
    ],
)  # fmt: skip
def test_another_department_is_a_domain_or_type_that_is_not_among_the_agents_own(core, domain, task_type, cross):
    record = run(domain=domain, task_type=task_type)
    assert facts(record, entry=RosterAgent(core_domains=core)).cross is cross
    assert facts(record).cross is False  # an agent that the roster does not know


@pytest.mark.parametrize(
    ("started", "finished", "duration"),
    [(0, 5 * SECOND, 5000), (SECOND, SECOND + 999_999, 0), (5 * SECOND, SECOND, 0), (5 * SECOND, None, 0)],
)
def test_how_long_it_took(started, finished, duration):
    assert facts(run(started_ns=started, finished_ns=finished)).duration_ms == duration


def test_kind_fault_and_praise_are_handed_on():
    found = facts(run(task_group="g"), fault=False, praise={None: 1, "tess": -1, "ann": 1})
    assert (found.group, found.fault, found.praise, found.own_praise) == ("g", False, 1, -1)
    assert facts(praise={"ann": 1}).own_praise == 0


# -- feedback ------------------------------------------------------------------------------------------------------


def said(positive: object, source: object = "user", about: str | None = None):
    return ("feedback", about, {"source": source, "positive": positive})


def of(*words, working=("tess", "ann")):
    return praised(events(*words), working)


def test_nobody_said_anything():
    assert of() == {}
    assert of(said(None), ("message", "tess", {"positive": True, "source": "x"})) == {}


def test_the_last_word_of_a_source_counts_and_once():
    assert of(said(True), said(True), said(True)) == {None: 1}
    assert of(said(True), said(False)) == {None: -1}
    assert of(said(False), said(None), said(True)) == {None: 1}
    assert of(said(False), said(None)) == {None: -1}


def test_the_majority_of_sources_counts_and_a_tie_is_nothing():
    assert of(said(True, "a"), said(False, "b")) == {None: 0}
    assert of(said(True, "a"), said(False, "b"), said(True, "c")) == {None: 1}
    assert of(said(True, "a"), said(True, "b"), said(True, "c")) == {None: 1}
    assert of(said(True, "a"), said(False, "b"), said(False, "a")) == {None: -1}


def test_what_is_said_of_an_agent_is_told_apart_from_what_is_said_of_the_run():
    assert of(said(True), said(False, about="tess")) == {None: 1, "tess": -1}
    assert of(said(True, "a", "tess"), said(False, "b", "tess"), said(True, "a", "ann")) == {"tess": 0, "ann": 1}


def test_about_somebody_who_did_no_work_it_is_about_the_run():
    assert of(said(True, about="boss")) == {None: 1}
    assert of(said(True), said(False, about="boss")) == {None: -1}  # the last word of the same source


@pytest.mark.parametrize("odd", [1, 0, "yes", [], {}])
def test_a_word_that_is_neither_praise_nor_complaint(odd):
    assert of(said(odd), said(True, "b")) == {None: 1}


def test_sources_of_any_type_are_told_apart():
    assert of(said(True, None), said(False, ["x"])) == {None: 0}
    assert of(said(True, {"a": 1}), said(True, 5)) == {None: 1}


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from("abc"), st.sampled_from([None, "tess", "ann", "boss"])), max_size=12
    )
)
def test_praise_is_one_word_about_each(words):
    found = of(*(said(*word) for word in words))
    assert set(found) <= {None, "tess", "ann"}
    assert set(found.values()) <= {-1, 0, 1}
    assert of(*(said(*word) for word in words), *(said(*word) for word in words)) == found
