"""``seasoned tail``: live, each event once, whoever ingests."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP = """
import sys, time
from seasoned.plugin import runtime
from seasoned.plugin.config import load_config
home, ingest, db = sys.argv[1], sys.argv[2], sys.argv[3] or None
made = runtime.enable(load_config(home=home, db=db, ingest=ingest, enabled=True, summary=False))
made.service.start() if ingest == "thread" else None
for number in range(3):
    run = made.recorder.begin(f"task {number}", framework="x", agents=["ada", "ben"], explicit=True)
    for turn in range(20):
        run.turn = turn + 1
        made.recorder.message(run, "ada", ["ben"], "assistant", f"words {number} {turn}")
        time.sleep(0.01)
    made.recorder.finish(run, "done")
if ingest == "thread":
    made.flush()
runtime.disable()
"""
EVENTS = 3 * 22


class Tail:
    """The command, running; what it prints is collected as it comes."""

    def __init__(self, home: Path, surroundings: dict[str, str], *options: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "seasoned", "tail", "--home", str(home), *options],
            env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def wait(self, condition: Any) -> None:
        deadline = time.monotonic() + 60
        while not condition(self.lines):
            assert time.monotonic() < deadline, self.lines
            assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
            time.sleep(0.02)

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Its exit code and stderr."""
        self.process.send_signal(number)
        assert self.process.stderr is not None
        err = self.process.stderr.read()
        code = self.process.wait(timeout=60)
        self._reader.join()
        return code, err

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def tails(home, surroundings) -> Iterator[Any]:
    started: list[Tail] = []

    def start(*options: str) -> Tail:
        started.append(Tail(home, surroundings, *options))
        return started[-1]

    yield start
    for tail in started:
        tail.kill()


def distinct(lines: list[str]) -> set[tuple[str, str, int]]:
    return {(event["run_id"], event["writer"], event["seq"]) for event in map(json.loads, lines)}


@pytest.mark.parametrize("ingest", ["thread", "external"])
def test_each_event_once_while_a_program_records(record, home, tails, surroundings, ingest):
    first = record()
    tail = tails("--json")
    tail.wait(lambda lines: len(lines) == 7)  # it began with what was there
    assert {json.loads(line)["run_id"] for line in tail.lines} == {first}
    app = subprocess.Popen([sys.executable, "-c", APP, str(home), ingest, ""], env=surroundings)
    tail.wait(lambda lines: len(lines) >= 7 + EVENTS)
    assert app.wait(timeout=60) == 0
    time.sleep(0.6)  # one too many would come now
    code, err = tail.stop()
    assert (code, err) == (0, "")
    assert len(tail.lines) == len(distinct(tail.lines)) == 7 + EVENTS
    contents = [event.get("content") for event in map(json.loads, tail.lines)]
    assert [text for text in contents if text and text.startswith("words")] == [
        f"words {number} {turn}" for number in range(3) for turn in range(20)
    ]


def test_two_at_once_and_an_ingester(record, home, tails, surroundings):
    record()
    both = [tails("--json", "-n", "0"), tails("--json", "-n", "0")]
    ingester = subprocess.Popen(
        [sys.executable, "-m", "seasoned", "ingest", "--follow", "--home", str(home)],
        env=surroundings, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        ready = tails("-n", "1")
        ready.wait(lambda lines: len(lines) == 1)
        time.sleep(1)
        subprocess.run([sys.executable, "-c", APP, str(home), "external", ""], env=surroundings, check=True)
        for tail in both:
            tail.wait(lambda lines: len(lines) >= EVENTS)
    finally:
        ingester.terminate()
        ingester.wait()
    for tail in both:
        assert tail.stop() == (0, "")
        assert len(tail.lines) == len(distinct(tail.lines)) == EVENTS


def test_lines_for_people_and_filters(home, record, tails):
    run = record("Refund\n\x1b[31mit\u202e now")
    other = record(tool="cancel_order")
    tail = tails("--kind", "message", "--kind", "tool_call", "--agent", "customer", "--agent", "desk", "--run", run)
    tail.wait(lambda lines: len(lines) == 3)
    assert "customer → desk: Refund it\\u202e now" in tail.lines[0]
    assert 'desk calls refund_order({"order": "W123"})' in tail.lines[1]
    assert run[:12] in tail.lines[0]
    assert not any(other[:12] in line and run[:12] != other[:12] for line in tail.lines)
    assert not set("".join(tail.lines)) & {"\x1b", "\u202e"}
    assert tail.stop(signal.SIGTERM) == (0, "")


def test_runs_inside_the_one_that_is_followed_belong_to_it(home, record, tails):
    recorder = Recorder(Writer(home), Redactor(), Guard(), namespace="shop")
    outer = recorder.begin(framework="x", agents=["desk"], explicit=True)
    record()
    tail = tails(outer.run_id, "--json")
    tail.wait(lambda lines: len(lines) == 1)
    inner = recorder.begin(framework="x", agents=["helper"], explicit=True, parent=outer)
    recorder.message(inner, "helper", ["desk"], "assistant", "inside")
    innermost = recorder.begin(framework="x", agents=["helper"], explicit=True, parent=inner)
    record()
    tail.wait(lambda lines: len(lines) >= 4)
    time.sleep(0.6)
    assert tail.stop() == (0, "")
    assert [json.loads(line)["run_id"] for line in tail.lines] == [
        outer.run_id, inner.run_id, inner.run_id, innermost.run_id,
    ]  # fmt: skip
    recorder.writer.close()


def test_a_reader_that_goes_away_ends_it(home, record, surroundings):
    record()
    command = [sys.executable, "-m", "seasoned", "tail", "--home", str(home)]
    with subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        while process.poll() is None:
            record()
            time.sleep(0.2)
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_latency_is_well_under_a_second(home, record, tails):
    """Not a measurement: a tenth of a second is usual, and the limit leaves room for a busy machine."""
    record()
    tail = tails("--json", "-n", "1")
    tail.wait(lambda lines: len(lines) == 1)
    begun = time.monotonic()
    run = record()
    tail.wait(lambda lines: len(lines) == 8)
    assert time.monotonic() - begun < 10
    assert json.loads(tail.lines[-1])["run_id"] == run
