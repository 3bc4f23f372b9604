"""Killed at any moment, by two at once, or forked: nothing that was recorded is lost or doubled. Real processes."""

from __future__ import annotations

import mmap
import os
import random
import signal
import time
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from seasoned.instrumentation import home as home_folder
from seasoned.instrumentation import reading
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.ingest import Ingester
from seasoned.instrumentation.journal import Writer, segments
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor
from seasoned.instrumentation.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.instrumentation.conftest import Recording

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

KILLS = 50
ADOPTIONS = 10


class Child:
    """A forked process that runs one function and then ends, or is killed."""

    def __init__(self, function: Callable[..., None], *arguments: Any) -> None:
        self.pid = os.fork()
        if self.pid == 0:
            try:
                function(*arguments)
            except BaseException:  # noqa: BLE001  it must not go on as a second test run
                traceback.print_exc()
                os._exit(1)
            os._exit(0)

    def wait(self) -> int:
        """Its exit code, or minus the signal that ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self) -> None:
        """SIGKILL, at once."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL  # it had not failed before


def write(home: Path, counter: mmap.mmap, pause: float, run_id: str) -> None:
    """Record without end, and say after each event that ``record()`` has returned."""
    recorder = Recorder(Writer(home, segment=40_000), Redactor(), Guard(), namespace="tests")
    run = recorder.begin("Something until the end", run_id=run_id)
    number = 0
    while True:
        recorder.message(run, "ann", ["bob"], "user", f"{number} " + "words " * (number % 60))
        number += 1
        counter[:] = number.to_bytes(8, "little")
        if pause:
            time.sleep(pause)


def ingest(home: Path, *, until_done: bool = False, begin: mmap.mmap | None = None) -> None:
    """Ingest without end, or until nothing is left."""
    ingester = Ingester(Store(home_folder.database_url(home)), home, None, Guard())
    while begin is not None and not begin[0]:
        time.sleep(0.001)
    while ingester.step(max_bytes=20_000).bytes or not until_done:
        pass


def numbers_of(recording: Recording, run_id: str) -> list[int]:
    with recording.store.reading() as connection:
        events = reading.events(connection, run_id, kinds=["message"])
        return [int(event.payload["content"].split()[0]) for event in events]


@pytest.mark.parametrize("pause", [0.0, 0.001], ids=["flat out", "paced"])
def test_a_killed_writer_loses_and_doubles_nothing(recording: Recording, pause: float) -> None:
    rng = random.Random(20_240)
    counters = [mmap.mmap(-1, 8) for _ in range(KILLS)]
    ingester = Child(ingest, recording.home)  # follows while they write, and is killed itself now and then
    try:
        for attempt, counter in enumerate(counters):
            writer = Child(write, recording.home, counter, pause, f"run{attempt}")
            while not any(counter[:]):
                time.sleep(0.001)
            time.sleep(rng.uniform(0.0, 0.04))
            writer.kill()
            if attempt % 10 == 9:
                ingester.kill()
                ingester = Child(ingest, recording.home)
    finally:
        ingester.kill()
    recording.ingest()
    lost = doubled = 0
    for attempt, counter in enumerate(counters):
        returned = int.from_bytes(counter[:], "little")
        found = numbers_of(recording, f"run{attempt}")
        lost += len(set(range(returned)) - set(found))
        doubled += len(found) - len(set(found))
        assert found == sorted(found)
        assert len(found) <= returned + 1  # one more may have been written than was said
    assert (lost, doubled) == (0, 0)
    assert list(segments(recording.home)) == []
    with recording.store.reading() as connection:
        assert reading.gaps(connection) == []


def test_two_that_adopt_the_same_journals_double_and_lose_nothing(
    tmp_path: Path, record_into: Callable[[Path, str], Recording]
) -> None:
    for attempt in range(ADOPTIONS):
        home = home_folder.prepare(tmp_path / str(attempt)).parent
        for _ in range(4):
            recorder = Recorder(Writer(home, segment=30_000), Redactor(), Guard(), namespace="tests")
            run = recorder.begin("Something for two")
            for number in range(250):
                recorder.message(run, "ann", ["bob"], "user", f"{number} words")
            recorder.writer.close()
        begin = mmap.mmap(-1, 1)
        both = [Child(lambda: ingest(home, until_done=True, begin=begin)) for _ in range(2)]  # noqa: B023
        begin[0] = 1
        assert [child.wait() for child in both] == [0, 0]
        recording = record_into(home, home_folder.database_url(home))
        recording.ingest()
        with recording.store.reading() as connection:
            found = reading.runs(connection)
        assert [run.messages for run in found] == [250] * 4
        for run in found:
            assert numbers_of(recording, run.run_id) == list(range(250))
        assert list((home / "journal").iterdir()) == []


def test_an_ingester_killed_in_the_middle_leaves_all_or_nothing(recording: Recording) -> None:
    recorder = recording.recorder(segment=200_000)
    run = recorder.begin("Something to be read in parts")
    for number in range(10_000):
        recorder.message(run, "ann", ["bob"], "user", f"{number} words")
    rng = random.Random(7)
    for _ in range(12):
        child = Child(ingest, recording.home)
        time.sleep(rng.uniform(0.0, 0.06))
        child.kill()
    recording.ingest()
    assert numbers_of(recording, run.run_id) == list(range(10_000))
    with recording.store.reading() as connection:
        assert reading.find(connection, run.run_id).messages == 10_000


def serve(recording: Recording, run_id: str) -> None:
    """What a forked server process does: its own journal and ingester, and the store that it inherited."""
    recorder = Recorder(Writer(recording.home), Redactor(), Guard(), namespace="tests")
    run = recorder.begin("Something in a child", run_id=run_id)
    for number in range(50):
        recorder.message(run, "ann", ["bob"], "user", f"{number} words")
    ingester = Ingester(recording.store, recording.home, None, Guard(), everyone=False)
    while ingester.step().bytes:
        pass
    assert numbers_of(recording, run_id) == list(range(50))


def test_forked_children_share_the_store_and_nothing_else(recording: Recording) -> None:
    recorder = recording.recorder()
    parent = recorder.begin("Something in the parent")
    recording.ingest()
    with recording.store.reading() as connection:  # open while the process forks
        children = [Child(serve, recording, f"run{number}") for number in range(5)]
        assert reading.find(connection, parent.run_id).status == "running"
    assert [child.wait() for child in children] == [0] * 5
    recorder.message(parent, "ann", ["bob"], "user", "0 words")
    recording.ingest()
    assert recording.scalar("SELECT count(*) FROM events") == 5 * 51 + 2
    assert recording.scalar("PRAGMA integrity_check") == "ok"
