"""What is forgotten is gone, everywhere; what is shared or of others stays."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy

from seasoned.instrumentation import forget as forget_module
from seasoned.instrumentation import reading
from seasoned.instrumentation.errors import NotFound
from seasoned.instrumentation.forget import ForgetResult, forget
from seasoned.instrumentation.journal import segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seasoned.instrumentation.recorder import Recorder
    from seasoned.instrumentation.runs import Run
    from seasoned.instrumentation.store import Store
    from tests.instrumentation.conftest import Recording

NEEDLE = "Hanna Needle, 12 Haystack Lane"


def forgotten(recording: Recording, **which: Any) -> ForgetResult:
    return forget(recording.store, recording.ingester, hooks_unlearn=lambda ids, connection: None, **which)


def run_with(recorder: Recorder, text: str, **options: Any) -> Run:
    run = recorder.begin(f"Help {text} with it", **options)
    recorder.message(run, "ann", ["bob"], "user", f"I am {text}")
    recorder.message(run, "bob", ["ann"], "user", "Words that everybody says")
    messages = [{"role": "system", "content": "You are Bob"}, {"role": "user", "content": f"It is {text}"}]
    recorder.model_call(run, "bob", messages, {"model": "m"}, response=f"Hello {text}", block="<experience/>")
    recorder.record(run, "tool_call", "bob", {"tool": "find", "call_id": "1", "arguments": {"name": text}})
    recorder.finish(run, "done")
    return run


def left(recording: Recording) -> list[str]:
    with recording.store.reading() as connection:
        return [record.run_id for record in reading.runs(connection, newest_first=False)]


def traces(recording: Recording, needle: str) -> list[str]:
    """Files under the home in which the bytes stand."""
    return sorted(
        str(path.relative_to(recording.home))
        for path in recording.home.rglob("*")
        if path.is_file() and needle.encode() in path.read_bytes()
    )


def test_a_run_goes_and_the_others_stay_as_they_were(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    keep, go = run_with(recorder, "Karl"), run_with(recorder, NEEDLE)
    anywhere.ingest()
    with anywhere.store.reading() as connection:
        before = list(reading.events(connection, keep.run_id, prompts=True))
        record = reading.find(connection, keep.run_id)
    result = forgotten(anywhere, run_ids=[go.run_id])
    assert (result.runs, result.events, result.texts) == (1, 6, 4)
    assert left(anywhere) == [keep.run_id]
    with anywhere.store.reading() as connection:
        assert list(reading.events(connection, keep.run_id, prompts=True)) == before
        assert reading.find(connection, keep.run_id) == record
        assert reading.mentioning(connection, NEEDLE) == set()
    assert anywhere.ingest().events == 0
    assert anywhere.ingest(anywhere.another_ingester()).events == 0
    assert left(anywhere) == [keep.run_id]


def test_nothing_of_it_is_left_in_any_file(recording: Recording) -> None:
    mine = recording.recorder()
    elsewhere = recording.recorder()
    elsewhere.writer._pid = -1  # as if another living process had it
    dead = recording.recorder()
    going = []
    for number in range(60):
        for recorder in (mine, elsewhere, dead):
            run = run_with(recorder, f"{NEEDLE} {number} " + "x" * (number * 37 % 400) if number % 3 else "Karl")
            if number % 3:
                going.append(run.run_id)
        if number % 10 == 0:
            recording.ingest()
    dead.writer.close()
    recording.ingest()
    assert len(traces(recording, NEEDLE)) >= 2
    result = forgotten(recording, run_ids=going)
    assert result.runs == len(going) == 120
    assert traces(recording, NEEDLE) == []
    assert recording.scalar("PRAGMA integrity_check") == "ok"
    # the other process goes on in its journal as if nothing had happened
    late = run_with(elsewhere, "Karl the second")
    assert recording.ingest().events == 6
    with recording.store.reading() as connection:
        assert reading.gaps(connection) == []
        assert [event.seq for event in reading.events(connection, late.run_id)] == list(range(6))
    assert recording.ingester.problems == []


def test_no_remains_are_left_in_half_full_pages(recording: Recording) -> None:
    """Where rows of many sizes come and move, a database leaves copies of them in the free space of its pages."""
    recorder = recording.recorder()
    rng = random.Random(1)
    going = []
    for number in range(150):
        run = recorder.begin(f"Task number {number}")
        goes = number % 7 == 0
        for call in range(30):
            arguments = {"name": (NEEDLE if goes else "Karl") + "x" * rng.randrange(200)}
            recorder.record(run, "tool_call", "bob", {"tool": "find", "call_id": str(call), "arguments": arguments})
        if goes:
            going.append(run.run_id)
        if number % 20 == 0:
            recording.ingest()
    forgotten(recording, run_ids=going)
    assert traces(recording, NEEDLE) == []


def test_what_another_process_writes_meanwhile_is_not_touched(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that are not in the database yet are somebody's to read; and the last of them may be half written."""
    elsewhere = recording.recorder()
    run = run_with(elsewhere, NEEDLE)
    elsewhere.writer._pid = -1
    offsets = forget_module._offsets

    def meanwhile(store: Store) -> Any:
        known = offsets(store)
        elsewhere.message(run, "ann", ["bob"], "user", "a word after the end")
        return known

    monkeypatch.setattr(forget_module, "_offsets", meanwhile)
    forgotten(recording, run_ids=[run.run_id])
    assert traces(recording, NEEDLE) == []
    recording.ingest()
    assert [event.payload["content"] for event in recording.events(run.run_id)] == ["a word after the end"]


def test_a_damaged_line_goes_with_the_run_that_it_names(recording: Recording) -> None:
    elsewhere = recording.recorder()
    run = run_with(elsewhere, NEEDLE)
    elsewhere.writer._pid = -1
    [segment] = segments(recording.home)
    with segment.path.open("ab") as file:
        file.write(f'["{run.run_id}",9,"message",{NEEDLE}\n'.encode())
    forgotten(recording, run_ids=[run.run_id])
    assert traces(recording, NEEDLE) == []


@pytest.mark.parametrize("needle", ["hanna NEEDLE", "Haystack", NEEDLE])
def test_by_a_text_wherever_it_stands(anywhere: Recording, needle: str) -> None:
    recorder = anywhere.recorder()
    keep, go = run_with(recorder, "Karl"), run_with(recorder, NEEDLE)
    quoting = recorder.begin("Something else")
    recorder.record(quoting, "tool_call", "bob", {"tool": "find", "arguments": {"who": [NEEDLE]}})
    named = recorder.begin("Something more")
    recorder.message(named, NEEDLE, ["bob"], "user", "It was me")
    assert forgotten(anywhere, match=needle).runs == 3
    assert left(anywhere) == [keep.run_id]
    assert go.run_id not in left(anywhere)


def test_by_a_date(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run_with(recorder, "Old", at=1_000)
    new = run_with(recorder, "New", at=2_000)
    assert forgotten(anywhere, before_ns=2_000).runs == 1
    assert left(anywhere) == [new.run_id]
    assert forgotten(anywhere, before_ns=2_000) == ForgetResult()


def test_runs_inside_go_along(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    outer = run_with(recorder, "Karl")
    inner = run_with(recorder, "Karla", parent=outer)
    innermost = run_with(recorder, "Karlchen", parent=inner)
    assert innermost.parent is inner
    assert forgotten(anywhere, run_ids=[outer.run_id]).runs == 3
    assert left(anywhere) == []
    assert anywhere.scalar("SELECT count(*) FROM texts") == 0
    assert anywhere.scalar("SELECT count(*) FROM events") == 0


def test_what_was_learned_goes_in_the_same_transaction(anywhere: Recording) -> None:
    run = run_with(anywhere.recorder(), "Karl")
    asked: list[list[str]] = []

    def unlearn(ids: Sequence[str], connection: sqlalchemy.Connection) -> None:
        asked.append(list(ids))
        connection.execute(sqlalchemy.text("INSERT INTO meta VALUES ('unlearned', '1')"))
        raise RuntimeError("the plugin is broken")

    with pytest.raises(RuntimeError, match="the plugin is broken"):
        forget(anywhere.store, anywhere.ingester, run_ids=[run.run_id], hooks_unlearn=unlearn)
    assert asked == [[run.run_id]]
    assert left(anywhere) == [run.run_id]
    assert anywhere.scalar("SELECT count(*) FROM meta") == 0


def test_what_waits_in_the_journal_does_not_come_later(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = run_with(recorder, NEEDLE)
    anywhere.ingest()
    recorder.message(run, "ann", ["bob"], "user", "one more word")
    assert forgotten(anywhere, run_ids=[run.run_id]).events == 7
    assert anywhere.ingest().events == 0
    assert left(anywhere) == []


def test_others_forget_the_numbers_of_forgotten_texts(anywhere: Recording) -> None:
    """Another process remembers which number a text has; after a forgetting that number means nothing."""
    recorder = anywhere.recorder()
    other = anywhere.another_ingester()
    go = run_with(recorder, NEEDLE)
    anywhere.ingest(other)
    forgotten(anywhere, run_ids=[go.run_id])
    again = run_with(anywhere.recorder(), NEEDLE)
    anywhere.ingest(other)
    with anywhere.store.reading() as connection:
        contents = [event.payload["content"] for event in reading.events(connection, again.run_id, kinds=["message"])]
    assert contents == [f"I am {NEEDLE}", "Words that everybody says"]
    assert forgotten(anywhere, run_ids=[again.run_id]).runs == 1


def test_a_run_that_goes_on_after_it_was_forgotten_starts_from_nothing(anywhere: Recording) -> None:
    recorder = anywhere.recorder()
    run = recorder.begin("Something without an end")
    recorder.message(run, "ann", ["bob"], "user", f"I am {NEEDLE}")
    forgotten(anywhere, run_ids=[run.run_id])
    recorder.message(run, "ann", ["bob"], "user", f"I am {NEEDLE}")  # a text that its journal has already
    recorder.message(run, "ann", ["bob"], "user", "new words")
    anywhere.ingest()
    with anywhere.store.reading() as connection:
        assert [event.payload["content"] for event in reading.events(connection, run.run_id)] == [None, "new words"]


@pytest.mark.parametrize("which", [{}, {"match": ""}])
def test_nobody_forgets_everything_by_mistake(recording: Recording, which: dict[str, Any]) -> None:
    run = run_with(recording.recorder(), "Karl")
    with pytest.raises(ValueError, match="say what to forget"):
        forgotten(recording, **which)
    recording.ingest()
    assert left(recording) == [run.run_id]


def test_an_unknown_run_is_named_and_nothing_goes(recording: Recording) -> None:
    run = run_with(recording.recorder(), "Karl")
    with pytest.raises(NotFound, match="no run 'nowhere', so nothing was forgotten"):
        forgotten(recording, run_ids=[run.run_id, "nowhere"])
    assert left(recording) == [run.run_id]


def test_a_journal_that_cannot_be_written_is_told_of(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = recording.recorder()
    run = run_with(elsewhere, NEEDLE)
    elsewhere.writer._pid = -1

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "pwrite", refuse)
    forgotten(recording, run_ids=[run.run_id])
    assert "still holds lines of forgotten runs" in caplog.text
    assert left(recording) == []
