"""How the turns of two runs are put side by side, and what is told to differ."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seasoned.instrumentation import comparing
from seasoned.instrumentation.comparing import Sketch, aligned, compare
from seasoned.instrumentation.events import Event
from seasoned.instrumentation.steps import Step


class Turn:
    """A turn that stands in memory: what :func:`compare` asks of one."""

    def __init__(self, number: int, *events: tuple[str, str | None, dict[str, Any]]) -> None:
        self.number = number
        self.steps = [
            Step(Event(run_id="r", writer="w", seq=seq, kind=kind, at=0, turn=number, agent=agent, payload=payload))
            for seq, (kind, agent, payload) in enumerate(events)
        ]
        self.with_prompts = self.steps


def said(agent: str, text: Any) -> tuple[str, str, dict[str, Any]]:
    return "message", agent, {"content": text}


def used(agent: str, tool: str, result: str = "ok", **arguments: Any) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        ("tool_call", agent, {"tool": tool, "arguments": arguments}),
        ("tool_result", agent, {"tool": tool, "ok": True, "content": result}),
    ]


def run(*turns: Any) -> Any:
    return [Turn(number, *(turn if isinstance(turn, list) else [turn])) for number, turn in enumerate(turns)]


def places(left: Any, right: Any) -> list[tuple[int | None, int | None]]:
    return [
        (pair.left.number if pair.left else None, pair.right.number if pair.right else None)
        for pair in compare(left, right).pairs
    ]


def test_one_more_attempt_is_a_turn_in_between():
    left = run(said("ada", "look"), used("ada", "find", n=1), said("ben", "thanks"))
    right = run(said("ada", "look"), used("ada", "search"), used("ada", "find", n=1), said("ben", "thanks"))
    assert places(left, right) == [(0, 0), (None, 1), (1, 2), (2, 3)]


def test_the_same_tools_are_put_side_by_side_whatever_was_said_around_them():
    left = run(
        said("u", "hello there"), used("a", "user"), used("a", "flights", x=1), used("a", "book"), said("u", "bye")
    )
    right = run(
        said("u", "good day"), used("a", "flights", x=2), used("a", "user"), used("a", "book"), said("u", "bye")
    )
    found = places(left, right)
    assert (2, 1) in found or (1, 2) in found
    assert (3, 3) in found
    assert (4, 4) in found


def test_a_turn_that_is_equal_by_chance_does_not_tear_the_rest_apart():
    """A call that came early in one run and late in the other, among many that came in the same order."""
    tools = ["direct", "onestop", "price", "seats", "book"]
    left = run(used("a", "user"), *(used("a", tool, result=f"left {tool}") for tool in tools))
    right = run(*(used("a", tool, result=f"right {tool}") for tool in tools), used("a", "user"))
    assert [pair for pair in places(left, right) if None not in pair] == [(at + 1, at) for at in range(5)]


def test_similar_words_are_put_side_by_side():
    left = run(
        said("u", "begin"), said("a", "your order is on its way"), said("a", "anything else today"), said("u", "no")
    )
    right = run(said("u", "begin"), said("a", "is there anything else today"), said("u", "no"))
    assert places(left, right) == [(0, 0), (1, None), (2, 1), (3, 2)]


def test_another_speaker_at_the_same_place():
    left = run(said("u", "go"), said("ada", "I do it"), said("u", "good"))
    right = run(said("u", "go"), said("ben", "me"), said("u", "good"))
    found = compare(left, right)
    assert found.parting is found.pairs[1]
    assert found.pairs[1].changes[0] == ("agent", "", "agent", "ada", "ben")


def test_what_differs_within_a_turn():
    left = run([*used("ada", "find", result="one", n=1), said("ada", "done")])
    right = run([*used("ada", "find", result="two", n=2), said("ada", "done")])
    changes = compare(left, right).pairs[0].changes
    assert [(change.kind, change.name, change.key) for change in changes] == [
        ("tool_call", "find", "arguments"), ("tool_result", "find", "content"),
    ]  # fmt: skip
    assert changes[1].lines()[1:] == ["-one", "+two"]


def test_prompts_message_by_message_and_what_was_injected():
    def asked(*texts: str, block: str | None = None) -> Any:
        prompt = [{"role": "user", "content": text} for text in texts]
        return run(("model_call", "ada", {"model": "m", "response": "x", "prompt": prompt, "injected": block}))

    changes = compare(asked("a", "b", "c"), asked("a", "x", "c", block="be kind")).pairs[0].changes
    assert [(change.key, change.left, change.right) for change in changes] == [
        ("message 1", "b", "x"), ("injected", None, "be kind"),
    ]  # fmt: skip


def test_outcomes_are_apart_from_the_turns():
    left = run(said("a", "x"), [said("b", "y"), ("outcome", None, {"success": True, "quality": 1.0})])
    right = run(said("a", "x"), [said("b", "y"), ("outcome", None, {"success": False, "quality": 1.0})])
    found = compare(left, right)
    assert found.parting is None
    assert [change.key for change in found.outcome] == ["success"]
    assert found
    assert not found.identical


def test_beyond_what_can_be_aligned_turns_are_compared_one_by_one(monkeypatch):
    monkeypatch.setattr(comparing, "CELLS", 3)
    left = run(said("a", "same"), said("a", "x"), said("b", "y"), said("a", "end"))
    right = run(said("a", "same"), said("b", "y"), said("a", "end"))
    assert places(left, right) == [(0, 0), (1, None), (2, 1), (3, 2)]  # the ends are the same
    right = run(said("a", "same"), said("b", "z"), said("c", "w"), said("a", "other"))
    assert places(left, right) == [(0, 0), (1, 1), (2, 2), (3, 3)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("message"), st.sampled_from(["a", "b", None]),
                  st.fixed_dictionaries({"content": st.sampled_from(["", "x", "x y", "y", None])})),
        st.tuples(st.just("tool_call"), st.sampled_from(["a", "b"]),
                  st.fixed_dictionaries({"tool": st.sampled_from(["t", "s", ["x"]]), "arguments": st.integers(0, 1)})),
        st.tuples(st.just("tool_result"), st.just("a"),
                  st.fixed_dictionaries({"tool": st.sampled_from(["t", "s"]), "content": st.sampled_from(["1", "2"])})),
        st.tuples(st.just("outcome"), st.none(), st.fixed_dictionaries({"success": st.booleans()})),
    ),
    max_size=3,
)  # fmt: skip
RUNS = st.lists(STEPS, max_size=8).map(lambda turns: run(*turns))


@given(RUNS)
def test_nothing_differs_from_itself(one):
    found = compare(one, one)
    assert found.identical
    assert list(found.changes()) == []
    assert all(pair.left is pair.right for pair in found.pairs)


@settings(deadline=None)
@given(RUNS, RUNS)
def test_every_turn_once_and_in_order_and_the_same_both_ways_round(one, other):
    found, back = compare(one, other), compare(other, one)
    assert [pair.left for pair in found.pairs if pair.left is not None] == one
    assert [pair.right for pair in found.pairs if pair.right is not None] == other
    assert all(pair.left is not None or pair.right is not None for pair in found.pairs)
    same = [(pair.left, pair.right) for pair in found.pairs if pair.same]
    assert same == [(pair.right, pair.left) for pair in back.pairs if pair.same]
    assert found.identical == back.identical


@given(st.lists(st.integers(0, 4), max_size=12), st.lists(st.integers(0, 4), max_size=12))
def test_what_only_one_run_has_leaves_the_rest_side_by_side(one, extra):
    """A run with turns put in between is aligned with all of the other."""
    sketches = [Sketch(bytes([1, n]), "a", (f"tool {n}",), frozenset()) for n in one]
    strange = [Sketch(bytes([2, n]), "b", (f"other {n}",), frozenset()) for n in extra]
    middle = len(sketches) // 2
    longer = [*sketches[:middle], *strange, *sketches[middle:]]
    found = aligned(sketches, longer)
    assert [pair for pair in found if None not in pair] == [
        (at, at if at < middle else at + len(strange)) for at in range(len(sketches))
    ]


@pytest.mark.parametrize("value", [None, 3, ["a"], {"b": 1}])
def test_values_that_are_no_text(value):
    found = compare(run(said("a", value)), run(said("a", "words")))
    assert found.parting is not None
    assert compare(run(said("a", value)), run(said("a", value))).identical
