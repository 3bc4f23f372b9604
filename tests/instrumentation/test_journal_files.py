"""Which journal files are read, and when they are deleted."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from seasoned.instrumentation.journal import segments

if TYPE_CHECKING:
    from tests.instrumentation.conftest import Recording


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
    os.write(held.fd, recording.message(run.run_id, 1, "late"))
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
    recording.left_behind(recording.message("r1", 0, "left behind"))
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
    path = recording.left_behind(recording.message("r1", 0, "copied from elsewhere"))
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
    read = anywhere.events(run.run_id)[2:]
    assert told == read
    assert told[0].payload["content"] == "the same words"
    assert told[1].payload["response"] == {"a": 1}


def test_the_writer_goes_on_whatever_the_ingester_does(recording: Recording) -> None:
    """A journal under the ingester's hands is never blocked or damaged."""
    recorder = recording.recorder(segment=3_000)
    run = recorder.begin("Something that goes on")
    for number in range(300):
        recorder.message(run, "ann", ["bob"], "user", f"message {number}")
        if number % 7 == 0:
            recording.ingester.step(max_bytes=500)
    recording.ingest()
    assert [event.seq for event in recording.events(run.run_id)] == list(range(301))
    assert recorder.writer.lost == 0
