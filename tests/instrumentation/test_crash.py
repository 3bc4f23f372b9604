"""Killed at any moment, by two at once, or forked: nothing that was recorded is lost or doubled. Real processes."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

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
    from tests.instrumentation.conftest import Recording

KILLS = 50
ADOPTIONS = 10

WRITER = """
import mmap, sys, time
from pathlib import Path
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor

home, counter, pause, first = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
recorder = Recorder(Writer(home, segment=40_000), Redactor(), Guard(), namespace="tests")
with open(counter, "r+b") as file:
    done = mmap.mmap(file.fileno(), 8)
run = recorder.begin("Something until the end", run_id=f"run{first}")
number = 0
while True:
    recorder.message(run, "ann", ["bob"], "user", f"{number} " + "words " * (number % 60))
    number += 1
    done[:] = number.to_bytes(8, "little")  # said only after record() has returned
    if pause:
        time.sleep(pause)
"""

INGESTER = """
import sys
from pathlib import Path
from seasoned.instrumentation import home as home_folder
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.ingest import Ingester
from seasoned.instrumentation.store import Store

home, once = Path(sys.argv[1]), len(sys.argv) > 2
ingester = Ingester(Store(home_folder.database_url(home)), home, None, Guard())
print("ready", flush=True)
if once:
    sys.stdin.readline()
while True:
    if not ingester.step(max_bytes=20_000).bytes and once:
        break
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def numbers_of(recording: Recording, run_id: str) -> list[int]:
    with recording.store.reading() as connection:
        events = reading.events(connection, run_id, kinds=["message"])
        return [int(event.payload["content"].split()[0]) for event in events]


@pytest.mark.parametrize("pause", [0.0, 0.001], ids=["flat out", "paced"])
def test_a_killed_writer_loses_and_doubles_nothing(recording: Recording, pause: float) -> None:
    rng = random.Random(20_240)
    lost = doubled = total = 0
    ingester = start(INGESTER, recording.home)  # follows while they write, and is killed itself now and then
    assert ingester.stdout is not None
    ingester.stdout.readline()
    try:
        for attempt in range(KILLS // 2):
            counter = recording.home / f"counter{attempt}"
            counter.write_bytes(bytes(8))
            writer = start(WRITER, recording.home, counter, pause, attempt)
            try:
                while int.from_bytes(counter.read_bytes(), "little") < 1:
                    assert writer.poll() is None
                    time.sleep(0.002)
                time.sleep(rng.uniform(0.0, 0.05))
            finally:
                kill(writer)
            if attempt % 5 == 4:
                kill(ingester)
                ingester = start(INGESTER, recording.home)
    finally:
        kill(ingester)
    recording.ingest()
    for attempt in range(KILLS // 2):
        returned = int.from_bytes((recording.home / f"counter{attempt}").read_bytes(), "little")
        found = numbers_of(recording, f"run{attempt}")
        lost += len(set(range(returned)) - set(found))
        doubled += len(found) - len(set(found))
        assert found == sorted(found)
        assert len(found) <= returned + 1  # one more may have been written than was said
        total += returned
    assert (lost, doubled) == (0, 0)
    assert total >= KILLS // 2
    assert list(segments(recording.home)) == []
    with recording.store.reading() as connection:
        assert reading.gaps(connection) == []


def test_two_that_adopt_the_same_journals_double_and_lose_nothing(tmp_path: Path, record_into: object) -> None:
    for attempt in range(ADOPTIONS):
        home = home_folder.prepare(tmp_path / str(attempt)).parent
        for _ in range(4):
            recorder = Recorder(Writer(home, segment=30_000), Redactor(), Guard(), namespace="tests")
            run = recorder.begin("Something for two")
            for number in range(250):
                recorder.message(run, "ann", ["bob"], "user", f"{number} words")
            recorder.writer.close()
        both = [start(INGESTER, home, "once") for _ in range(2)]
        for process in both:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in both:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in both:
            process.communicate(timeout=60)
            assert process.returncode == 0
        assert callable(record_into)
        recording: Recording = record_into(home, home_folder.database_url(home))
        recording.ingest()
        with recording.store.reading() as connection:
            found = reading.runs(connection)
            assert len(found) == 4
            for run in found:
                assert run.messages == 250
                assert numbers_of(recording, run.run_id) == list(range(250))
        assert list((home / "journal").iterdir()) == []


def test_an_ingester_killed_in_the_middle_leaves_all_or_nothing(recording: Recording) -> None:
    recorder = recording.recorder(segment=200_000)
    run = recorder.begin("Something to be read in parts")
    for number in range(20_000):
        recorder.message(run, "ann", ["bob"], "user", f"{number} words")
    rng = random.Random(7)
    for _ in range(8):
        process = start(INGESTER, recording.home)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.uniform(0.0, 0.06))
        kill(process)
    recording.ingest()
    assert numbers_of(recording, run.run_id) == list(range(20_000))
    with recording.store.reading() as connection:
        assert reading.find(connection, run.run_id).messages == 20_000


def _in_child(home: Path, url: str, store: Store, pipe: object) -> None:
    """What a forked server process does: its own journal, its own ingester, and the store that it inherited."""
    recorder = Recorder(Writer(home), Redactor(), Guard(), namespace="tests")
    run = recorder.begin("Something in a child")
    for number in range(50):
        recorder.message(run, "ann", ["bob"], "user", f"{number} words")
    ingester = Ingester(store, home, None, Guard(), everyone=False)
    while ingester.step().bytes:
        pass
    with store.reading() as connection:
        found = reading.find(connection, run.run_id).messages
    pipe.send((run.run_id, found))  # type: ignore[attr-defined]
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_children_share_the_store_and_nothing_else(recording: Recording) -> None:
    recorder = recording.recorder()
    parent = recorder.begin("Something in the parent")
    recording.ingest()
    context = multiprocessing.get_context("fork")
    children = []
    with recording.store.reading() as connection:  # open while the process forks
        for _ in range(5):
            ours, theirs = context.Pipe()
            child = context.Process(target=_in_child, args=(recording.home, recording.url, recording.store, theirs))
            child.start()
            children.append((child, ours))
        assert reading.find(connection, parent.run_id).status == "running"
    for child, ours in children:
        assert ours.poll(60)
        run_id, messages = ours.recv()
        child.join(60)
        assert messages == 50
        assert numbers_of(recording, run_id) == list(range(50))
    recorder.message(parent, "ann", ["bob"], "user", "0 words")
    recording.ingest()
    assert recording.scalar("SELECT count(*) FROM events") == 5 * 51 + 2
    assert recording.scalar("PRAGMA integrity_check") == "ok"
