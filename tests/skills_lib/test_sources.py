"""Where arguments come from."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from procedure_kit import cancelling

from seasoned.skills_lib.sources import (
    Origin,
    Words,
    kind_of,
    may_be_constant,
    normalised,
    shape_of,
    trace_sources,
)
from seasoned.skills_lib.steps import Step, Trace

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


def origins(trace):
    return [{one.name: set(one.origins) for one in step} for step in trace_sources(trace)]


def test_what_was_said_what_was_answered_and_what_is_the_agents_own():
    find, get, cancel = origins(cancelling(1))
    assert find["email"] == {Origin("slot")}
    assert get["order_id"] == {Origin("slot")}
    # The order's own answer repeats the question: it is not where the number comes from.
    assert cancel["order_id"] == {Origin("slot")}
    assert cancel["card"] == {Origin("result", "get_order", "payment.id")}
    assert cancel["reason"] == {Origin("own")}


def test_places_in_lists_and_odd_keys_are_generalised():
    first = Step(tool="get", ok=True, result={"variants": {"4711": {"id": "v-4711"}}, "orders": ["#W77", "#W78"]})
    second = Step(tool="use", arguments={"a": "W78", "b": ["v-4711"], "c": {"deep": [{"x": "#W77"}]}, "d": "4711"})
    _, found = origins(Trace(run_id="r", steps=(first, second)))
    assert found["a"] == {Origin("result", "get", "orders[*]")}
    assert found["b"] == {Origin("result", "get", "variants.*.id")}
    assert found["c.deep[*].x"] == {Origin("result", "get", "orders[*]")}
    assert found["d"] == {Origin("result", "get", "variants.keys[*]")}


def test_what_was_said_later_is_no_source():
    step = Step(tool="use", arguments={"name": "Ann Smith"}, heard=0)
    trace = Trace(
        run_id="r", steps=(step, Step(tool="use", arguments={"name": "Ann Smith"}, heard=1)), said=("ann smith",)
    )
    assert [found["name"] for found in origins(trace)] == [{Origin("own")}, {Origin("slot")}]


def test_failed_answers_are_no_source_but_their_values_are_not_the_agents_own():
    steps = (
        Step(tool="get", ok=False, result={"error": "not now", "hint": "evil_4711"}),
        Step(tool="use", arguments={"to": "evil_4711"}),
    )
    assert origins(Trace(run_id="r", steps=steps))[1]["to"] == set()
    assert trace_sources(Trace(run_id="r", steps=steps))[1][0].value is None


@pytest.mark.parametrize(
    ("value", "name", "kind"),
    [
        ("a@b.co", "email", "email"), ("19122", "zip", "zip"), ("19122", "amount", "number"),
        ("19122", "order_id", "id"), ("#W12", "order", "id"), ("2024-05-01", "day", "date"), (True, "x", "flag"),
        ("https://x.org/a", "link", "url"), ("Yusuf Rossi", "who", "name"), ("src/app.py", "file", "path"),
        ("it is a longer text, you see", "why", "text"),
    ],
)  # fmt: skip
def test_types(value, name, kind):
    assert kind_of(value, name) == kind


def test_whole_words_only():
    words = Words()
    words.add("Order #W123 costs $45.00")
    assert words.holds("w123")
    assert words.holds("45.00")
    assert not words.holds("w12")
    assert not words.holds("")
    assert normalised(" #W123. ") == "w123"
    assert normalised(5.0) == normalised("5")


def test_outlines():
    assert shape_of("#W2378156") == "#A9"
    assert shape_of("credit_card_9513926") == "a_a_9"
    assert shape_of("plain words") == ""
    assert shape_of(True) == ""
    assert shape_of("drop 5 tables now") == ""


@pytest.mark.parametrize(
    "value", ["a\nb", "x" * 41, "one two three four five", "<b>", "\u202eabc", None, [1], float("nan")]
)
def test_what_is_no_constant(value):
    assert not may_be_constant(value)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), json_values, max_size=5), json_values, st.text())
def test_any_arguments_and_results_are_traced(arguments, result, said):
    steps = (Step(tool="a", ok=True, result=result), Step(tool="b", arguments=arguments, heard=1))
    for step in trace_sources(Trace(run_id="r", task=said, steps=steps, said=(said,))):
        for one in step:
            for origin in one.origins:
                assert origin.source in ("slot", "result", "own")
                assert set(origin.path) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-[]*")


def test_huge_and_deep_arguments_are_bounded():
    deep = {"x": 1}
    for _ in range(2_000):
        deep = {"x": deep}
    huge = {"list": list(range(100_000)), "text": "x " * 500_000}
    steps = (
        Step(tool="a", result=huge),
        Step(tool="b", arguments={"deep": deep, **huge, "json": json.dumps(huge)[:900]}),
    )
    found = trace_sources(Trace(run_id="r", steps=steps))
    assert len(found[1]) <= 32
