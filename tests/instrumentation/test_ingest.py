"""From the journal into the database: everything once, in every kind of database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seasoned.instrumentation.events import KIND_NUMBER, encode, text_ref
from seasoned.instrumentation.runrows import RunRow
from seasoned.instrumentation.schema import runs as runs_table

if TYPE_CHECKING:
    from tests.instrumentation.conftest import Recording


def test_every_kind_of_event_lands_and_reads_back(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("Change the seat, please", framework="autogen", domain="airline", agents=["ann"])
    run.turn = 3
    recorder.message(run, "ann", ["bob"], "user", 'Hello\n"there" Ümläut ☃ 🚀')
    recorder.message(run, "bob", ["ann"], "assistant", [{"type": "text", "text": "a part"}])
    recorder.model_call(
        run, "bob", [{"role": "system", "content": "You are Bob"}, {"role": "user", "content": "Hi", "name": "ann"}],
        {"model": "gpt", "usage": {"input_tokens": 7, "output_tokens": 3}, "cost_usd": 0.25, "duration_ms": 1.5},
        response="Hello", reasoning={"steps": [1, 2]}, block="<experience/>",
    )  # fmt: skip
    recorder.record(run, "tool_call", "bob", {"tool": "find", "call_id": "c1", "arguments": {"q": '\x00"x" 10**3'}})
    recorder.record(run, "tool_result", "bob", {"tool": "find", "call_id": "c1", "ok": True, "content": {"found": 2}})
    recorder.record(run, "code_execution", "bob", {"language": "sh", "code": "ls", "exit_code": 1, "output": "no"})
    recorder.record(run, "transition", "bob", {"to_agent": "ann", "reason": "round_robin"})
    recorder.record(run, "human_input", "ann", {"content": "yes"})
    recorder.record(run, "artifact", "bob", {"path": "out/x", "content": "data"})
    recorder.record(run, "context_snapshot", "bob", {"content": {"a": 1}, "reason": "reset"})
    recorder.record(
        run, "injection", "bob", {"text": "<experience/>", "tokens": 4, "sections": [{"name": "abilities"}]}
    )
    recorder.error(run, "bob", ValueError("broken"))
    run.feedback("well done", positive=True)
    run.outcome(True, quality=0.9, flags={"escalated": False})
    recorder.finish(run, "done")
    recorder.record(run, "gap", None, {"lost": 2, "reason": "disk full"})

    result = anywhere.ingest()
    events = anywhere.events(run.run_id, prompts=True)

    assert result.events == len(events) == 17
    assert result.runs == result.finished == {run.run_id}
    assert {event.kind for event in events} == set(KIND_NUMBER)
    assert [event.seq for event in events] == list(range(17))
    assert {event.writer for event in events} == {anywhere.writers[0].writer_id}
    by_kind = {event.kind: event.payload for event in events}
    assert events[1].payload["content"] == 'Hello\n"there" Ümläut ☃ 🚀'
    assert events[2].payload["content"] == [{"type": "text", "text": "a part"}]
    assert by_kind["model_call"]["prompt"] == [
        {"role": "system", "content": "You are Bob\n\n<experience/>"},
        {"role": "user", "content": "Hi", "name": "ann"},
    ]
    assert by_kind["model_call"]["reasoning"] == {"steps": [1, 2]}
    assert by_kind["model_call"]["usage"] == {"input_tokens": 7, "output_tokens": 3}
    assert by_kind["tool_call"]["arguments"] == {"q": '\x00"x" 10**3'}
    assert by_kind["tool_result"]["content"] == {"found": 2}
    assert by_kind["injection"]["sections"] == [{"name": "abilities"}]
    assert by_kind["error"]["error_type"] == "ValueError"
    assert by_kind["outcome"]["flags"] == {"escalated": False}
    assert events[3].turn == 3
    assert anywhere.ingester.backlog() == 0
    assert anywhere.ingester.problems == []


def test_the_runs_row_sums_up_its_events(anywhere: Recording) -> None:
    recorder = anywhere.recorder(namespace="shop")
    run = recorder.begin(framework="autogen", domain="retail", task_type="refund", session_id="s1", source="file:3")
    recorder.message(run, "ann", ["bob"], "user", "Please refund the order W1", by_user=True)
    for number in range(3):
        run.turn = number + 1
        recorder.model_call(
            run, "bob", [], {"model": "gpt", "usage": {"input_tokens": 10, "output_tokens": 2}, "cost_usd": 0.1}
        )
    recorder.model_call(run, "bob", [], {"model": "gpt", "error": "down", "error_type": "APIError"})
    recorder.record(run, "tool_call", "bob", {"tool": "t", "call_id": "1", "arguments": {}})
    recorder.record(run, "tool_result", "bob", {"tool": "t", "call_id": "1", "ok": False, "error": "no such order"})
    recorder.error(run, "bob", RuntimeError("x"))
    recorder.finish(run, "terminated")
    anywhere.ingest()

    record = anywhere.record(run.run_id)
    assert record.task == "Please refund the order W1"
    assert (record.namespace, record.session_id, record.framework, record.source) == ("shop", "s1", "autogen", "file:3")
    assert (record.domain, record.task_type, record.model) == ("retail", "refund", "gpt")
    assert (record.messages, record.model_calls, record.tool_calls, record.errors, record.turns) == (1, 4, 1, 3, 3)
    assert (record.input_tokens, record.output_tokens) == (30, 6)
    assert record.cost_usd == pytest.approx(0.3)
    assert (record.status, record.end_reason) == ("finished", "terminated")
    assert record.agents == ("ann",)  # the others neither spoke nor were named
    assert record.started_ns == run.started
    assert record.finished_ns == run.finished
    assert record.success is None


def test_the_second_time_nothing_lands(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("Do something useful")
    recorder.message(run, "ann", ["bob"], "user", "now")
    assert anywhere.ingest().events == 2
    assert anywhere.ingest().events == 0
    assert anywhere.ingest(anywhere.another_ingester()).events == 0
    assert anywhere.scalar("SELECT count(*) FROM events") == 2


def test_texts_are_stored_once(anywhere: Recording) -> None:
    for _ in range(2):
        recorder = anywhere.recorder()
        run = recorder.begin("The very same task")
        for _ in range(3):
            recorder.message(run, "ann", ["bob"], "user", "The very same words")
        recorder.message(run, "ann", ["bob"], "user", "")
    anywhere.ingest()
    assert anywhere.scalar("SELECT count(*) FROM texts") == 3


def test_a_text_may_come_after_what_refers_to_it(anywhere: Recording) -> None:
    early = anywhere.line("r1", 0, "message", {"content": text_ref("said earlier")}, at=5)
    anywhere.left_behind(early, writer="wa")
    anywhere.ingest()
    assert anywhere.events("r1")[0].payload["content"] is None
    anywhere.left_behind(anywhere.message("r1", 0, "said earlier", at=4), writer="wb")
    anywhere.ingest()
    assert [event.payload["content"] for event in anywhere.events("r1")] == ["said earlier"] * 2
    assert anywhere.scalar("SELECT count(*) FROM texts") == 1


def test_an_event_may_come_before_its_run(anywhere: Recording) -> None:
    anywhere.left_behind(anywhere.message("r1", 0, "from a child", at=50), writer="wa")
    anywhere.ingest()
    assert anywhere.record("r1").namespace == ""
    started = {"task": text_ref("the task"), "session": "s1", "namespace": "shop", "agents": ["zoe"]}
    anywhere.left_behind(anywhere.line("r1", 0, "run_started", started, ("the task",), at=40), writer="wb")
    anywhere.ingest()
    record = anywhere.record("r1")
    assert (record.namespace, record.session_id, record.task, record.started_ns) == ("shop", "s1", "the task", 40)
    assert record.agents == ("ann", "zoe")
    assert record.messages == 1


def test_many_runs_and_refs_in_one_batch(anywhere: Recording) -> None:
    """More of each than fits into one IN list."""
    recorder = anywhere.recorder()
    for number in range(1_200):
        run = recorder.begin(f"Task number {number}")
        recorder.finish(run, "done")
    result = anywhere.ingest()
    assert len(result.finished) == 1_200
    assert anywhere.scalar("SELECT count(*) FROM texts") == 1_200
    assert anywhere.scalar("SELECT count(*) FROM runs WHERE status = 'finished'") == 1_200


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(st.lists(st.tuples(st.text(max_size=40), values), min_size=1, max_size=20))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_recorded_reads_back(recording: Recording, said: list[tuple[str, Any]]) -> None:
    recorder = recording.recorder(redact=False)  # made-up keys may look like those of secrets
    run = recorder.begin("Anything at all")
    for text, value in said:
        recorder.record(run, "tool_call", "ann", {"tool": text, "arguments": value, "more": value})
        recorder.record(run, "tool_result", "ann", {"content": text, "error": value})
    recording.ingest()
    calls = recording.events(run.run_id, kinds=["tool_call"])
    results = recording.events(run.run_id, kinds=["tool_result"])
    for event in calls:
        assert event.payload["arguments"] == event.payload["more"]
    told = msgspec.json.decode(encode([list(pair) for pair in said])) if encodable(said) else None
    if told is not None:
        assert [[event.payload["tool"], event.payload["arguments"]] for event in calls] == told
        shown = [[text.replace("\x00", "\\x00"), value] for text, value in told]
        assert [[event.payload["content"], event.payload["error"]] for event in results] == shown
    assert len(calls) == len(results) == len(said)


def encodable(value: Any) -> bool:
    try:
        encode(value)
    except UnicodeEncodeError:  # lone surrogates: the recorder shows them in another way
        return False
    return True


def test_the_row_has_the_tables_columns() -> None:
    """The rows travel as arrays: the order counts."""
    assert [field.name for field in msgspec.structs.fields(RunRow)] == [column.name for column in runs_table.columns]
