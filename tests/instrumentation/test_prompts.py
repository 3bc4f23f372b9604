"""Prompts kept as what is new in them: found again exactly, whatever the host does to its history."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seasoned.instrumentation.prompts import (
    EXACT,
    FIRST,
    RECENT,
    WINDOW,
    PromptState,
    contents_of,
    describe,
    with_block,
)
from seasoned.instrumentation.texts import TextCache

TEXTS = st.sampled_from(["a", "b", "c", None, ["part"], [{"type": "text", "text": "x"}]])
MESSAGES = st.builds(
    lambda role, content, extra: {"role": role, "content": content, **extra},
    st.sampled_from(["user", "assistant", "tool"]),
    TEXTS,
    st.sampled_from([{}, {"name": "n"}, {"tool_calls": [{"id": "1"}]}]),
)
CHANGES = st.sampled_from(["append", "content", "inside", "key", "copy", "drop last", "drop first", "replace", "none"])


def read_back(stored: list[dict[str, Any]], texts: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """The prompt of a call, put together as a reader does it."""
    prompt = stored[number]
    kept = read_back(stored, texts, prompt["base"])[: prompt["keep"]] if prompt["base"] is not None else []
    for role, name, content, rest in prompt["new"]:
        message = {"role": role, "content": texts[content] if content is not None else None}
        if name is not None:
            message["name"] = name
        kept.append({**message, **(texts[rest] if rest is not None else {})})
    return kept


@settings(max_examples=300)
@given(st.lists(st.tuples(CHANGES, st.integers(0, 30), MESSAGES), max_size=25))
def test_every_prompt_is_found_again_whatever_the_host_does_to_its_history(
    steps: list[tuple[str, int, dict[str, Any]]],
) -> None:
    history: list[dict[str, Any]] = [{"role": "system", "content": "You are one."}]
    last: PromptState | None = None
    stored: list[dict[str, Any]] = []
    texts: dict[str, Any] = {}

    def refer(value: Any) -> str | None:
        if value is None:
            return None
        texts[repr(value)] = copy.deepcopy(value)
        return repr(value)

    for number, (change, where, message) in enumerate(steps):
        place = where % len(history) if history else 0
        if change == "append" or not history:
            history.append(copy.deepcopy(message))
        elif change == "content":
            history[place]["content"] = copy.deepcopy(message["content"])
        elif change == "inside" and isinstance(history[place]["content"], list):
            history[place]["content"].append("more")
        elif change == "key" and place >= len(history) - RECENT:
            history[place]["name"] = "late"
        elif change == "copy":
            history = copy.deepcopy(history)
        elif change == "drop last":
            history.pop()
        elif change == "drop first":
            history = history[1:]
        elif change == "replace":
            history[place] = copy.deepcopy(message)
        stored.append(describe(last, history, refer))
        last = last or PromptState(object())
        last.take(number, history, stored[-1]["keep"])
        assert read_back(stored, texts, number) == history


def state_of(history: list[dict[str, Any]], seq: int = 7) -> PromptState:
    state = PromptState(object())
    state.take(seq, history, 0)
    return state


def test_an_unchanged_history_is_kept_whole_and_only_the_new_is_new() -> None:
    history = [{"role": "user", "content": f"message {number}"} for number in range(1000)]
    prompt = describe(state_of(history), [*history, {"role": "user", "content": "new"}], str)
    assert (prompt["base"], prompt["keep"], len(prompt["new"])) == (7, 1000, 1)


@pytest.mark.parametrize("place", [0, 1, 5, EXACT - 20, EXACT - 1])
def test_a_content_changed_in_place_is_seen_at_once_in_a_prompt_of_usual_length(place: int) -> None:
    history = [{"role": "user", "content": f"message {number}"} for number in range(EXACT)]
    state = state_of(history)
    history[place]["content"] = "changed in place"
    assert state.unchanged(history) == place


def test_in_a_very_long_prompt_it_is_seen_at_the_ends_at_once_and_elsewhere_after_a_round() -> None:
    history = [{"role": "user", "content": f"message {number}"} for number in range(1000)]
    for place in (0, FIRST - 1, 999, 1000 - RECENT):
        state = state_of(copy.deepcopy(history))
        now = state.messages[:-1]
        now[place]["content"] = "changed in place"
        assert state.unchanged(now) == place
    state = state_of(history)
    history[500]["content"] = "changed in place"
    found = [state.unchanged(history) for _ in range(1000 // WINDOW + 1)]
    assert 500 in found


def test_the_block_changes_nothing_that_is_given() -> None:
    history = [{"role": "user", "content": "q"}, {"role": "system", "content": "s"}]
    before = copy.deepcopy(history)
    out = with_block(history, "B")
    assert out == [{"role": "user", "content": "q"}, {"role": "system", "content": "s\n\nB"}]
    assert out[0] is history[0]
    assert history == before
    assert with_block([{"role": "user", "content": "q"}], "B")[0] == {"role": "system", "content": "B"}


class Proud(dict[str, Any]):
    """A message that says it comes before and after every other."""

    def __le__(self, other: object) -> bool:
        return True

    __ge__ = __le__


def test_a_message_that_has_an_order_of_its_own_is_not_taken_for_another() -> None:
    history: list[dict[str, Any]] = [Proud(role="user", content=str(number)) for number in range(20)]
    state = state_of(history)
    now = [*history[:7], Proud(role="user", content="another"), *history[8:], {"role": "user", "content": "new"}]
    assert state.unchanged(now) == 7
    assert state.unchanged([*history, *now]) == 20


@pytest.mark.parametrize("count", [0, 1, 19, 20])
def test_a_prompt_that_is_no_longer_than_the_last_is_kept_as_far_as_it_goes(count: int) -> None:
    history = [{"role": "user", "content": str(number)} for number in range(20)]
    assert state_of(history).unchanged(history[:count]) == count
    assert state_of(history).unchanged(copy.deepcopy(history[:count])) == count


class Array:
    """A value that, like an array of numbers, refuses to say whether it equals another."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("the truth value is ambiguous")

    __hash__ = None  # type: ignore[assignment]


def test_where_messages_cannot_be_compared_all_of_them_are_new() -> None:
    history = [{"role": "user", "content": "see this", "data": Array()} for _ in range(3)]
    prompt = describe(state_of(history), [{**message, "data": Array()} for message in history], str)
    assert (prompt["base"], prompt["keep"], len(prompt["new"])) == (None, 0, 3)


def test_the_cache_of_texts_forgets_all_but_two_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seasoned.instrumentation.texts.GENERATION", 100)
    cache = TextCache()
    for number in range(1000):
        text = f"text {number:05d}"
        assert cache[text] is None
        cache.update({text: str(number)})
        assert cache["text 00000"] in ("0", None)
    known = cache.by_reference()
    assert known["999"] == "text 00999"
    assert len(known) <= 2 * (100 // len("text 00000") + 2)
    early = "text 00990"
    assert cache[early] == "990"
    cache.clear()
    assert cache[early] is None
    assert cache.by_reference() == {}


def test_a_message_that_makes_up_what_it_lacks_is_not_changed_by_being_looked_at():
    message: dict[str, Any] = defaultdict(list, role="assistant")
    assert contents_of([message, {"role": "user", "content": "hi"}]) == [None, "hi"]
    assert dict(message) == {"role": "assistant"}
