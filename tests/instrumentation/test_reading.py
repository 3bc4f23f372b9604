"""Reading runs, events and prompts back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seasoned.instrumentation import reading
from seasoned.instrumentation.errors import Ambiguous, NotFound
from seasoned.instrumentation.prompts import with_block
from seasoned.instrumentation.schema import events as events_table

if TYPE_CHECKING:
    from seasoned.instrumentation.recorder import Recorder
    from seasoned.instrumentation.runs import Run
    from tests.instrumentation.conftest import Recording


def found(recording: Recording, **filters: Any) -> list[str]:
    recording.ingest()
    with recording.store.reading() as connection:
        return [record.run_id for record in reading.runs(connection, **filters)]


def prompts_of(recording: Recording, run: Run) -> list[Any]:
    recording.ingest()
    with recording.store.reading() as connection:
        events = reading.events(connection, run.run_id, prompts=True, kinds=["model_call"])
        return [event.payload["prompt"] for event in events]


@pytest.fixture
def three(anywhere: Recording) -> Recording:
    """Three runs, one inside another, and one of another namespace."""
    shop = anywhere.recorder(namespace="shop")
    first = shop.begin("Refund the order W1", run_id="raaa1", domain="retail", agents=["ann"], at=1_000)
    shop.message(first, "ann", ["bob"], "user", "Where is my MÖBEL?")
    shop.record(first, "tool_call", "ann", {"tool": "find", "arguments": {"name": 'Quote"Needle'}})
    first.outcome(True, quality=1.0)
    inner = shop.begin("Look it up", run_id="raaa2", parent=first, agents=["cid"], at=2_000)
    inner.outcome(False)
    other = anywhere.recorder(namespace="bank").begin("Transfer some money", run_id="rbbb", agents=["ann"], at=3_000)
    assert other.run_id == "rbbb"
    return anywhere


# -- runs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["rbbb", "raaa2", "raaa1"]),
        ({"newest_first": False}, ["raaa1", "raaa2", "rbbb"]),
        ({"limit": 1}, ["rbbb"]),
        ({"limit": 0}, []),
        ({"namespace": "shop"}, ["raaa2", "raaa1"]),
        ({"agent": "ann"}, ["rbbb", "raaa1"]),
        ({"agent": "ann", "limit": 1}, ["rbbb"]),
        ({"agent": "an"}, []),
        ({"domain": "retail"}, ["raaa2", "raaa1"]),
        ({"success": True}, ["raaa1"]),
        ({"success": False}, ["raaa2"]),
        ({"success": None}, ["rbbb"]),
        ({"since_ns": 2_000}, ["rbbb", "raaa2"]),
        ({"text": "möbel"}, ["raaa1"]),
        ({"text": "order w1"}, ["raaa1"]),
        ({"text": 'quote"needle'}, ["raaa1"]),
        ({"text": "100%"}, []),
        ({"text": "_"}, []),
        ({"text": "order w1", "success": False}, []),
        ({"run_ids": ["rbbb", "raaa1", "gone"]}, ["rbbb", "raaa1"]),
        ({"run_ids": ["rbbb", "raaa1"], "limit": 1, "newest_first": False}, ["raaa1"]),
        ({"run_ids": []}, []),
        ({"judged": True}, []),
        ({"judged": False, "namespace": "bank"}, ["rbbb"]),
    ],
    ids=str,
)
def test_filters(three: Recording, filters: dict[str, Any], expected: list[str]) -> None:
    assert found(three, **filters) == expected


def test_find(three: Recording) -> None:
    three.ingest()
    with three.store.reading() as connection:
        assert reading.find(connection, "raaa1").run_id == "raaa1"
        assert reading.find(connection, "rb").run_id == "rbbb"
        assert reading.find(connection, "last").run_id == "rbbb"
        with pytest.raises(Ambiguous, match="raaa1, raaa2"):
            reading.find(connection, "raaa")
        for ref in ("", "x", "r%", "RB"):
            with pytest.raises(NotFound, match="seasoned runs"):
                reading.find(connection, ref)


def test_the_last_run_of_an_empty_database(recording: Recording) -> None:
    recording.ingest()
    with recording.store.reading() as connection, pytest.raises(NotFound, match="no run yet"):
        reading.find(connection, "last")


def test_the_public_form_has_the_documented_keys(three: Recording) -> None:
    three.ingest()
    with three.store.reading() as connection:
        public = reading.find(connection, "raaa2").public()
    assert list(public)[:16] == [
        "run_id", "session_id", "namespace", "task", "domain", "framework", "agents", "started_at", "duration_s",
        "messages", "tool_calls", "errors", "success", "quality", "outcome_source", "cost_usd",
    ]  # fmt: skip
    assert public["parent_run_id"] == "raaa1"
    assert public["started_at"] == "1970-01-01T00:00:00.000+00:00"
    assert public["duration_s"] is None
    assert public["success"] is False


# -- events --------------------------------------------------------------------------------------------------------


def test_events_of_a_tree_come_in_one_order(three: Recording) -> None:
    three.ingest()
    with three.store.reading() as connection:
        own = list(reading.events(connection, "raaa1"))
        tree = list(reading.tree_events(connection, "raaa1"))
        assert reading.tree(connection, ["raaa1"]) == ["raaa1", "raaa2"]
    assert {event.run_id for event in own} == {"raaa1"}
    assert {event.run_id for event in tree} == {"raaa1", "raaa2"}
    assert [event.at for event in tree] == sorted(event.at for event in tree)
    assert [event for event in tree if event.run_id == "raaa1"] == own


def test_events_of_no_run(recording: Recording) -> None:
    recording.ingest()
    with recording.store.reading() as connection:
        for read in (reading.events, reading.tree_events):
            with pytest.raises(NotFound, match="no run 'nowhere'"):
                read(connection, "nowhere")


def test_events_can_be_taken_one_at_a_time(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("Something long enough for two blocks")
    for number in range(1_200):
        recorder.message(run, "ann", ["bob"], "user", f"message {number}")
    anywhere.ingest()
    with anywhere.store.reading() as connection:
        events = reading.events(connection, run.run_id, kinds=["message"])
        assert next(events).payload["content"] == "message 0"
        del events
        contents = [event.payload["content"] for event in reading.events(connection, run.run_id, kinds=["message"])]
    assert contents == [f"message {number}" for number in range(1_200)]


def test_gaps_are_told(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("Something with a hole")
    whole = recorder.begin("Something without one")
    recorder.message(run, "ann", ["bob"], "user", "before")
    for _ in range(3):
        run.next_seq(recorder.writer)
    recorder.message(run, "ann", ["bob"], "user", "after")
    recorder.message(whole, "ann", ["bob"], "user", "whole")
    anywhere.ingest()
    with anywhere.store.reading() as connection:
        assert reading.gaps(connection) == [(run.run_id, recorder.writer.writer_id, 3)]


# -- prompts -------------------------------------------------------------------------------------------------------


def call(recorder: Recorder, run: Run, agent: str, messages: list[dict[str, Any]], block: str = "") -> Any:
    """Record a call, and say what the model saw."""
    recorder.model_call(run, agent, messages, {"model": "m"}, block=block, response="ok")
    seen = [{"content": None, **message} for message in messages]
    return with_block(seen, block) if block else seen


def test_prompts_come_back_as_the_model_saw_them(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("Something to talk about")
    ann: list[dict[str, Any]] = [{"role": "system", "content": "You are Ann"}]
    bob: list[dict[str, Any]] = [{"role": "user", "content": [{"type": "text", "text": "Hello"}], "name": "ann"}]
    seen = [call(recorder, run, "ann", ann, "<experience>A</experience>"), call(recorder, run, "bob", bob, "<b/>")]
    ann.append({"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"arguments": "{}"}}]})
    ann.append({"role": "tool", "content": "42", "tool_call_id": "1"})
    seen.append(call(recorder, run, "ann", ann, "<experience>A</experience>"))
    bob[0]["content"][0]["text"] = "Changed in place"
    seen.append(call(recorder, run, "bob", bob))
    del ann[1]
    seen.append(call(recorder, run, "ann", ann))
    seen.append(call(recorder, run, "ann", []))
    seen[1] = [{"role": "system", "content": "<b/>"}, {**bob[0], "content": [{"type": "text", "text": "Hello"}]}]
    assert prompts_of(anywhere, run) == seen


def test_calls_at_once_may_build_on_the_same_one(recording: Recording) -> None:
    recorder = recording.recorder()
    run = recorder.begin("Something in two threads")
    first = [{"role": "user", "content": "Hello"}]
    seen = [call(recorder, run, "ann", first)]
    state = run.prompts["ann"]
    left, right = [*first, {"role": "user", "content": "left"}], [*first, {"role": "user", "content": "right"}]
    seen.append(call(recorder, run, "ann", left))
    run.prompts["ann"] = state  # what the other thread had seen
    seen.append(call(recorder, run, "ann", right))
    seen.append(call(recorder, run, "ann", [*right, {"role": "user", "content": "on"}]))
    assert prompts_of(recording, run) == seen


def test_a_missing_call_leaves_a_hole_of_its_size(recording: Recording) -> None:
    recorder = recording.recorder()
    run = recorder.begin("Something damaged")
    messages = [{"role": "user", "content": "Hello"}, {"role": "user", "content": "there"}]
    call(recorder, run, "ann", messages)
    call(recorder, run, "ann", [*messages, {"role": "user", "content": "new"}])
    recording.ingest()
    with recording.store.writing() as connection:
        connection.execute(events_table.delete().where(events_table.c.seq == 1))
    [prompt] = prompts_of(recording, run)
    assert [message["content"] for message in prompt] == [None, None, "new"]


def test_without_contents_there_are_no_prompts(recording: Recording) -> None:
    recorder = recording.recorder(content=False)
    run = recorder.begin("Something private")
    recorder.message(run, "ann", ["bob"], "user", "secret")
    recorder.model_call(run, "ann", [{"role": "user", "content": "secret"}], {"model": "m"}, response="secret")
    assert prompts_of(recording, run) == [None]
    with recording.store.reading() as connection:
        events = list(reading.events(connection, run.run_id))
    assert "secret" not in repr(events)
    assert events[1].payload["content_chars"] == 6


contents = (
    st.none()
    | st.text(max_size=5)
    | st.lists(st.integers(0, 3), max_size=2)
    | st.dictionaries(st.text(max_size=2), st.booleans(), max_size=2)
)
messages_strategy = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "odd"]), "content": contents},
    optional={"name": st.text(max_size=3), "tool_calls": st.lists(st.integers(0, 9), max_size=2)},
)
edits = st.tuples(st.sampled_from(["add", "cut", "change", "same"]), messages_strategy, st.integers(0, 5))


@given(st.lists(st.tuples(st.sampled_from(["ann", "bob"]), edits, st.sampled_from(["", "<block/>"])), max_size=12))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_host_does_to_its_history(recording: Recording, steps: list[Any]) -> None:
    recorder = recording.recorder(redact=False)
    run = recorder.begin("Something with many prompts")
    histories: dict[str, list[dict[str, Any]]] = {"ann": [], "bob": []}
    seen = []
    for agent, (edit, message, index), block in steps:
        history = histories[agent]
        if edit == "add":
            history.append(dict(message))
        elif edit == "cut":
            del history[index:]
        elif edit == "change" and index < len(history):
            history[index].update(message)
        recorder.model_call(run, agent, history, {"model": "m"}, block=block)
        shown = [
            {key: value.replace("\x00", "\\x00") if isinstance(value, str) and key == "content" else value
             for key, value in message.items()}
            for message in history
        ]  # fmt: skip
        seen.append(with_block(shown, block) if block else shown)
    assert prompts_of(recording, run) == seen
