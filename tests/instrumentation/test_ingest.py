"""From the journal into the database: everything once, in every kind of database, whatever the journals look like."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seasoned.instrumentation import reading
from seasoned.instrumentation.errors import StoreUnavailable
from seasoned.instrumentation.events import KIND_NUMBER, encode, text_ref
from seasoned.instrumentation.journal import VERSION, Writer, segments
from seasoned.instrumentation.runrows import RunRow
from seasoned.instrumentation.schema import runs as runs_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from seasoned.instrumentation.events import Event
    from tests.instrumentation.conftest import Recording


def events_of(recording: Recording, run_id: str, **options: Any) -> list[Event]:
    with recording.store.reading() as connection:
        return list(reading.events(connection, run_id, **options))


def record_of(recording: Recording, run_id: str) -> reading.RunRecord:
    with recording.store.reading() as connection:
        return reading.find(connection, run_id)


def line(
    run_id: str, seq: int, kind: str, payload: dict[str, Any], texts: tuple[str, ...] = (), **changes: Any
) -> bytes:
    """A journal line, written by hand."""
    parts = {"at": 1_000 + seq, "turn": 0, "agent": "ann", **changes}
    refs = {text_ref(text): text for text in texts}
    return encode([run_id, seq, kind, parts["at"], parts["turn"], parts["agent"], payload, refs]) + b"\n"


def message(run_id: str, seq: int, text: str, **changes: Any) -> bytes:
    return line(run_id, seq, "message", {"content": text_ref(text)}, (text,), **changes)


def header(writer: str = "wdead", segment: int = 0, version: int = VERSION) -> bytes:
    return json.dumps({"seasoned_journal": version, "writer": writer, "segment": segment}).encode() + b"\n"


def dead_journal(home: Path, data: bytes, *, writer: str = "wdead", number: int = 0) -> Path:
    """The journal of a process that is gone."""
    folder = home / "journal" / writer
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lock").touch()
    path = folder / f"{number:06d}.jsonl"
    path.write_bytes(data)
    return path


# -- everything, once ----------------------------------------------------------------------------------------------


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
    events = events_of(anywhere, run.run_id, prompts=True)

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

    record = record_of(anywhere, run.run_id)
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
    early = line("r1", 0, "message", {"content": text_ref("said earlier")}, at=5)
    dead_journal(anywhere.home, header("wa") + early, writer="wa")
    anywhere.ingest()
    assert events_of(anywhere, "r1")[0].payload["content"] is None
    dead_journal(anywhere.home, header("wb") + message("r1", 0, "said earlier", at=4), writer="wb")
    anywhere.ingest()
    assert [event.payload["content"] for event in events_of(anywhere, "r1")] == ["said earlier"] * 2
    assert anywhere.scalar("SELECT count(*) FROM texts") == 1


def test_an_event_may_come_before_its_run(anywhere: Recording) -> None:
    dead_journal(anywhere.home, header("wa") + message("r1", 0, "from a child", at=50), writer="wa")
    anywhere.ingest()
    assert record_of(anywhere, "r1").namespace == ""
    started = {"task": text_ref("the task"), "session": "s1", "namespace": "shop", "agents": ["zoe"]}
    dead_journal(anywhere.home, header("wb") + line("r1", 0, "run_started", started, ("the task",), at=40), writer="wb")
    anywhere.ingest()
    record = record_of(anywhere, "r1")
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
    recorder = recording.recorder()
    run = recorder.begin("Anything at all")
    for text, value in said:
        recorder.record(run, "tool_call", "ann", {"tool": text, "arguments": value, "more": value})
        recorder.record(run, "tool_result", "ann", {"content": text, "error": value})
    recording.ingest()
    calls = events_of(recording, run.run_id, kinds=["tool_call"])
    results = events_of(recording, run.run_id, kinds=["tool_result"])
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


# -- how runs end and are judged -----------------------------------------------------------------------------------


def test_a_run_that_goes_on_is_running_again(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("A conversation with a break")
    recorder.finish(run, "first")
    anywhere.ingest()
    with anywhere.store.writing() as connection:
        connection.execute(runs_table.update().values(judged=True))
    recorder.resume(run)
    anywhere.ingest()
    again = record_of(anywhere, run.run_id)
    assert (again.status, again.finished_ns, again.end_reason) == ("running", None, None)
    assert again.judged
    recorder.finish(run, "second")
    anywhere.ingest()
    ended = record_of(anywhere, run.run_id)
    assert (ended.status, ended.end_reason, ended.finished_ns) == ("finished", "second", run.finished)
    assert not ended.judged


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 3, 0, 1), (1, 3, 2, 0)])
def test_the_order_between_journals_does_not_count(anywhere: Recording, order: tuple[int, ...]) -> None:
    lines = [
        line("r1", 0, "run_started", {"session": "s", "namespace": "n"}, at=10),
        line("r1", 1, "run_finished", {"reason": "first"}, at=20),
        line("r1", 2, "run_started", {"session": "s", "namespace": "n", "resumed": True}, at=30),
        line("r1", 3, "run_finished", {"reason": "second"}, at=40),
    ]
    for number in order:
        dead_journal(anywhere.home, header(f"w{number}") + lines[number], writer=f"w{number}")
        anywhere.ingest()
    record = record_of(anywhere, "r1")
    assert (record.status, record.started_ns, record.finished_ns, record.end_reason) == ("finished", 10, 40, "second")


@pytest.mark.parametrize("batches", ["at once", "one by one"])
def test_who_is_trusted_more_has_the_last_word(anywhere: Recording, batches: str) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("Something to judge")
    said = [
        ("exception", False, None, False),
        ("rule:exit_code", True, None, True),
        ("exception", False, None, True),
        ("user", True, 0.5, True),
        ("evaluator", False, 0.1, True),
        ("user", False, 0.2, False),
    ]
    for source, success, quality, expected in said:
        run.outcome(success, quality=quality, source=source)
        if batches == "one by one":
            anywhere.ingest()
            assert record_of(anywhere, run.run_id).success is expected
    anywhere.ingest()
    record = record_of(anywhere, run.run_id)
    assert (record.success, record.quality, record.outcome_source) == (False, 0.2, "user")


def test_of_two_equally_trusted_the_later_counts_whichever_comes_first(anywhere: Recording) -> None:
    for writer, at, success in (("wa", 20, True), ("wb", 10, False)):
        outcome = line("r1", 0, "outcome", {"success": success, "source": "user"}, at=at)
        dead_journal(anywhere.home, header(writer) + outcome, writer=writer)
        anywhere.ingest()
    assert record_of(anywhere, "r1").success is True


def test_a_changed_verdict_is_learned_again_and_the_same_is_not(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("Something to learn from")
    run.outcome(True, quality=1 / 3, flags={"escalated": True})
    anywhere.ingest()

    def learn_then(*args: Any, **outcome: Any) -> int | None:
        with anywhere.store.writing() as connection:
            connection.execute(runs_table.update().values(learned=1))
        run.outcome(*args, **outcome)
        anywhere.ingest()
        return record_of(anywhere, run.run_id).learned

    assert learn_then(True, quality=1 / 3, flags={"escalated": True}) == 1
    assert learn_then(False, quality=1 / 3, flags={"escalated": True}) is None
    assert learn_then(False, quality=0.5, flags={"escalated": True}) is None
    assert learn_then(False, quality=0.5) is None
    assert learn_then(False, quality=0.5, complexity="high") is None
    assert learn_then(False, quality=0.5) == 1  # a complexity that is not named again stays
    assert learn_then(True, source="exception") == 1  # trusted less: not heard


def test_an_outcomes_cost_replaces_the_sum(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("Something with a price")
    assert record_cost(anywhere, run.run_id) is None
    recorder.model_call(run, "ann", [], {"model": "m"})
    assert record_cost(anywhere, run.run_id) is None
    recorder.model_call(run, "ann", [], {"model": "m", "cost_usd": 0.25})
    assert record_cost(anywhere, run.run_id) == 0.25
    run.outcome(True, cost_usd=2.0)
    recorder.model_call(run, "ann", [], {"model": "m", "cost_usd": 0.25})
    assert record_cost(anywhere, run.run_id) == 2.0


def record_cost(recording: Recording, run_id: str) -> float | None:
    recording.ingest()
    return record_of(recording, run_id).cost_usd


def test_what_makes_no_sense_in_a_payload_is_passed_over(anywhere: Recording) -> None:
    lines = [
        line("r1", 0, "run_started", {"session": 5, "namespace": ["x"], "agents": [1, "bob", None], "domain": {}}),
        line("r1", 1, "model_call", {"usage": [1, 2], "cost_usd": "much", "prompt": "a text", "model": 7}),
        line("r1", 2, "model_call", {"usage": {"input_tokens": -5}, "prompt": {"new": [], "base": "x", "keep": None}}),
        line("r1", 3, "outcome", {"success": "yes", "source": "user"}),
        line("r1", 4, "gap", {"lost": "all"}),
    ]
    dead_journal(anywhere.home, header() + b"".join(lines))
    assert anywhere.ingest().events == 5
    record = record_of(anywhere, "r1")
    assert (record.agents, record.input_tokens, record.cost_usd, record.success, record.lost) == (
        ("bob",),
        0,
        None,
        None,
        0,
    )
    assert len(events_of(anywhere, "r1", prompts=True)) == 5


# -- damaged journals ----------------------------------------------------------------------------------------------

BAD_LINES = [
    b"{not json\n",
    b"[1,2,3]\n",
    b'["r1",5,"message"]\n',
    b"\xff\xfe\x00garbage\n",
    b"[" * 5_000 + b"\n",
    line("r1", 5, "dance", {}),
    line("r1", 5, "message", {"content": "no reference"}),
    line("r1", 5, "message", {"content": {"a": 1}}),
    line("r1", 5, "model_call", {"prompt": {"new": [["user"]]}}),
    line("r1", 5, "message", {}, at=2**70),
    line("r1", 5, "message", {}, at=-1),
    line("r1", 2**40, "message", {}),
    line("", 5, "message", {}),
    line("x" * 201, 5, "message", {}),
    line("r1", 5, "message", {}, agent="a\x00b"),
    encode(["r1", 5, "message", 1, 0, None, {}, {text_ref("one thing"): "another thing"}]) + b"\n",
]


@pytest.mark.parametrize("bad", BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_bad_line_is_told_of_and_its_neighbours_are_kept(recording: Recording, bad: bytes) -> None:
    data = header() + message("r1", 0, "before")
    offset = len(data)
    path = dead_journal(recording.home, data + bad + message("r1", 1, "after"))
    recording.ingest()
    assert [event.payload["content"] for event in events_of(recording, "r1")] == ["before", "after"]
    [problem] = recording.ingester.problems
    assert f"{path}, line 3 (byte {offset})" in problem
    with recording.store.reading() as connection:
        assert reading.problems(connection) == [problem]
    assert not path.parent.exists()


def test_blank_lines_are_nothing(recording: Recording) -> None:
    dead_journal(recording.home, header() + b"\n   \n" + message("r1", 0, "kept") + b"\n\n")
    assert recording.ingest().events == 1
    assert recording.ingester.problems == []


def test_thousands_of_bad_lines_are_counted_not_listed(recording: Recording) -> None:
    dead_journal(recording.home, header() + b"garbage\n" * 5_000 + message("r1", 0, "kept"))
    assert recording.ingest().events == 1
    assert len(recording.ingester.problems) < 50
    assert "more lines" in recording.ingester.problems[-1]


def test_a_segment_without_a_header_is_still_read(recording: Recording) -> None:
    dead_journal(recording.home, message("r1", 0, "first") + message("r1", 1, "second"))
    assert recording.ingest().events == 2
    [problem] = recording.ingester.problems
    assert "line 1" in problem
    assert "header" in problem


def test_a_segment_with_a_garbled_header_is_still_read(recording: Recording) -> None:
    dead_journal(recording.home, b'{"seasoned_jou\xff\n' + message("r1", 0, "first"))
    assert recording.ingest().events == 1
    assert len(recording.ingester.problems) == 1


def test_a_journal_of_another_version_is_left_alone(recording: Recording) -> None:
    data = header(version=99) + message("r1", 0, "from the future")
    path = dead_journal(recording.home, data)
    dead_journal(recording.home, header("wnow") + message("r2", 0, "from now"), writer="wnow")
    assert recording.ingest().events == 1
    assert recording.ingest(recording.another_ingester()).events == 0
    assert path.read_bytes() == data
    [problem] = recording.ingester.problems
    assert str(path) in problem
    assert "format 99" in problem
    assert "pip install" in problem
    assert recording.ingester.backlog() == 0


def test_the_last_line_of_a_dead_writer_is_torn(recording: Recording) -> None:
    data = header() + message("r1", 0, "whole")
    path = dead_journal(recording.home, data + message("r1", 1, "cut off")[:-20])
    assert recording.ingest().events == 1
    [problem] = recording.ingester.problems
    assert f"{path}, line 3 (byte {len(data)})" in problem
    assert "end" in problem
    assert not path.exists()


def test_a_last_line_that_lacks_only_its_end_is_kept(recording: Recording) -> None:
    dead_journal(recording.home, header() + message("r1", 0, "whole")[:-1])
    assert recording.ingest().events == 1
    assert recording.ingester.problems == []


def test_the_last_line_of_a_living_writer_is_waited_for(recording: Recording) -> None:
    recorder = recording.recorder()
    recorder.begin("Something under way")
    [segment] = segments(recording.home)
    rest = message("r1", 0, "written in two parts")
    with segment.path.open("ab", buffering=0) as file:
        file.write(rest[:30])
        assert recording.ingest().events == 1
        assert recording.ingester.backlog() == 30
        file.write(rest[30:])
    assert recording.ingest().events == 1
    assert recording.ingester.problems == []
    assert events_of(recording, "r1")[0].payload["content"] == "written in two parts"


def test_a_line_longer_than_a_step_is_read(recording: Recording) -> None:
    recorder = recording.recorder()
    run = recorder.begin("A long text")
    long = "0123456789" * 20_000
    recorder.message(run, "ann", ["bob"], "user", long)
    while recording.ingester.step(max_bytes=1_000).bytes:
        pass
    assert events_of(recording, run.run_id)[1].payload["content"] == long


def test_what_the_database_refuses_is_skipped_alone(anywhere: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a number too large for a column would be, if the reader let it through."""
    monkeypatch.setattr("seasoned.instrumentation.tail._INT", 1 << 80)
    lines = [message("r1", 0, "before"), line("r1", 1, "message", {}, turn=2**70), message("r1", 2, "after")]
    dead_journal(anywhere.home, header() + b"".join(lines))
    anywhere.ingest()
    contents = [event.payload["content"] for event in events_of(anywhere, "r1")]
    assert contents[0] == "before"
    assert contents[-1] == "after"
    assert anywhere.scalar("SELECT count(*) FROM events WHERE turn = 0") == 2
    if anywhere.store.dialect == "postgresql":
        assert len(contents) == 2
        assert "the database refuses it" in anywhere.ingester.problems[0]


def test_what_is_no_lines_fault_skips_no_line(recording: Recording) -> None:
    recorder = recording.recorder()
    recorder.begin("Something precious")
    recording.store.prepare()
    with recording.store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE events RENAME TO hidden")
    with pytest.raises(Exception, match="no such table"):
        recording.ingester.step()
    with recording.store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO events")
    assert recording.ingest().events == 1


# -- files ---------------------------------------------------------------------------------------------------------


def test_a_dead_writers_folder_goes(recording: Recording) -> None:
    recorder = recording.recorder()
    recorder.begin("Something short")
    recorder.writer.close()
    recording.ingest()
    assert list((recording.home / "journal").iterdir()) == []


def test_finished_segments_go_and_the_current_one_stays(recording: Recording) -> None:
    recorder = recording.recorder(segment=5_000)
    run = recorder.begin("Something long")
    for number in range(100):
        recorder.message(run, "ann", ["bob"], "user", f"message {number} " * 20)
    assert len(list(segments(recording.home))) > 5
    recording.ingest()
    [left] = segments(recording.home)
    assert left.number == recorder.writer.segment
    assert recording.scalar("SELECT count(*) FROM events") == 101
    assert recording.scalar("SELECT count(*) FROM journals WHERE done") == left.number


def test_a_segment_that_a_thread_may_still_write_to_stays(recording: Recording) -> None:
    """A thread may have the old file in its hands when another goes on to the next."""
    recorder = recording.recorder()
    writer = recorder.writer
    run = recorder.begin("Something with a slow thread")
    held = writer._file  # what such a thread holds
    assert held is not None
    assert writer.rotate()
    recording.ingest()
    assert [segment.number for segment in segments(recording.home)] == [0, 1]
    os.write(held.fd, message(run.run_id, 1, "late"))
    assert recording.ingest().events == 1
    del held
    recording.ingest()
    assert [segment.number for segment in segments(recording.home)] == [1]


def test_release_leaves_nothing_of_a_committed_journal(recording: Recording) -> None:
    recorder = recording.recorder()
    run = recorder.begin("Something to flush")
    for number in range(200):
        recorder.message(run, "ann", ["bob"], "user", f"message {number} " * 20)
    recording.ingest()
    recording.ingester.release()
    assert sum(segment.path.stat().st_size for segment in segments(recording.home)) < 200
    recorder.message(run, "ann", ["bob"], "user", "and on")
    assert recording.ingest().events == 1


def test_another_process_live_journal_is_read_but_only_old_segments_are_deleted(recording: Recording) -> None:
    recorder = recording.recorder()
    recorder.begin("Somewhere else")
    writer = recorder.writer
    writer._pid = -1  # as if another process had it
    assert writer.rotate()
    assert recording.ingest().events == 1
    assert len(list(segments(recording.home))) == 2
    aged = time.time() - 60
    for segment in segments(recording.home):
        os.utime(segment.path, (aged, aged))
    recording.ingest()
    assert [segment.number for segment in segments(recording.home)] == [1]


def test_an_ingester_may_keep_to_its_own(recording: Recording) -> None:
    mine, other = recording.recorder(), recording.recorder()
    mine.begin("Something of mine")
    other.begin("Something of another process")
    other.writer._pid = -1
    dead_journal(recording.home, header() + message("r1", 0, "left behind"))
    ingester = recording.another_ingester(everyone=False)
    assert recording.ingest(ingester).events == 2
    assert recording.ingest().events == 1


def test_a_journal_that_is_just_beginning_is_left_alone(recording: Recording) -> None:
    folder = recording.home / "journal" / "wnew"
    folder.mkdir()
    recording.ingest()
    assert folder.is_dir()
    aged = time.time() - 3600
    os.utime(folder, (aged, aged))
    recording.ingest()
    assert not folder.exists()


def test_segments_without_a_lock_are_those_of_a_dead_writer(recording: Recording) -> None:
    path = dead_journal(recording.home, header() + message("r1", 0, "copied from elsewhere"))
    (path.parent / "lock").unlink()
    assert recording.ingest().events == 1
    assert not path.exists()


def test_events_for_sinks_come_in_full(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("Something to tell")
    recorder.message(run, "ann", ["bob"], "user", "the same words")
    anywhere.ingest()
    recorder.message(run, "ann", ["bob"], "user", "the same words")
    recorder.model_call(run, "bob", [{"role": "user", "content": "the same words"}], {"model": "m"}, response={"a": 1})
    told = anywhere.ingester.step(want_events=True).recorded
    read = events_of(anywhere, run.run_id)[2:]
    assert told == read
    assert told[0].payload["content"] == "the same words"
    assert told[1].payload["response"] == {"a": 1}


# -- a database that is away ---------------------------------------------------------------------------------------


def test_a_locked_database_is_waited_out(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seasoned.instrumentation.store.BUSY_SECONDS", 0.05)
    recorder = recording.recorder()
    run = recorder.begin("Something before the lock")
    recording.store.prepare()
    recording.store.dispose()
    with recording.store.writing():
        for _ in range(3):
            recorder.message(run, "ann", ["bob"], "user", "meanwhile")
            with pytest.raises(StoreUnavailable, match=r"seasoned\.db is locked .* To mend it: "):
                recording.another_ingester().step()
    assert recording.ingest().events == 4
    assert recording.scalar("SELECT count(*) FROM events") == 4


def test_a_full_disk_is_waited_out(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recording.recorder()
    run = recorder.begin("Something large")
    recording.ingest()
    pages = recording.scalar("PRAGMA page_count")
    connect = recording.store._connect

    def small() -> Any:
        connection = connect()
        connection.execute(f"PRAGMA max_page_count={pages}")
        return connection

    recording.store.dispose()
    monkeypatch.setattr(recording.store, "_connect", small)
    for number in range(200):
        recorder.message(run, "ann", ["bob"], "user", f"{number} " * 200)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"no space left .* To mend it: free"):
            recording.ingester.step()
    recording.store.dispose()
    monkeypatch.setattr(recording.store, "_connect", connect)
    recording.ingest()
    assert recording.scalar("SELECT count(*) FROM events") == 201


def test_a_database_that_is_away_at_the_start_is_waited_for(
    tmp_path: Path, record_into: Callable[[Path, str], Recording]
) -> None:
    recording = record_into(tmp_path / "home", f"sqlite:///{tmp_path}/mount/runs.db")
    recorder = recording.recorder()
    recorder.begin("Something without a database")
    with pytest.raises(StoreUnavailable, match=r"mount/runs\.db cannot be made .* To mend it: check that the folder"):
        recording.ingester.step()
    assert recording.ingester.backlog() > 0
    (tmp_path / "mount").mkdir()
    assert recording.ingest().events == 1


def test_a_database_that_goes_away_and_comes_back_is_not_made_anew(recording: Recording) -> None:
    recorder = recording.recorder()
    run = recorder.begin("Something on a stick")
    recording.ingest()
    path = recording.store.path
    assert path is not None
    elsewhere = path.with_name("elsewhere.db")
    recording.store.checkpoint()
    path.rename(elsewhere)
    recorder.message(run, "ann", ["bob"], "user", "meanwhile")
    with pytest.raises(StoreUnavailable):
        recording.ingester.step()
    assert not path.exists()
    elsewhere.rename(path)
    assert recording.ingest().events == 1
    assert recording.scalar("SELECT count(*) FROM events") == 2


def test_the_writer_goes_on_whatever_the_ingester_does(recording: Recording) -> None:
    """A journal under the ingester's hands is never blocked or damaged."""
    recorder = recording.recorder(segment=3_000)
    run = recorder.begin("Something that goes on")
    for number in range(300):
        recorder.message(run, "ann", ["bob"], "user", f"message {number}")
        if number % 7 == 0:
            recording.ingester.step(max_bytes=500)
    recording.ingest()
    assert [event.seq for event in events_of(recording, run.run_id)] == list(range(301))
    assert recorder.writer.lost == 0


def test_writer_ids_of_this_process_are_known() -> None:
    from seasoned.instrumentation.journal import writing_here

    assert all(isinstance(writer, Writer) for writer in writing_here().values())
