"""What is new in a database: each event once, whoever brings it in, on every kind of database."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from seasoned.instrumentation.following import Follower

if TYPE_CHECKING:
    from seasoned.instrumentation.events import Event


def talk(recorder, messages: int = 3, **given):
    run = recorder.begin(framework="x", agents=["ada"], explicit=True, **given)
    for number in range(messages):
        recorder.message(run, "ada", ["all"], "assistant", f"words {number}")
    recorder.finish(run, "done")
    return run.run_id


def places(events: list[Event]) -> list[tuple[str, int]]:
    return [(event.run_id, event.seq) for event in events]


def taken(recording, follower: Follower, most: int = 500) -> list[Event]:
    found: list[Event] = []
    more = True
    while more:
        with recording.store.reading() as connection:
            part, more = follower.new(connection, most)
        found += part
    return found


def begun(recording, last: int = 0, **options) -> tuple[Follower, list[Event]]:
    follower = Follower(**options)
    with recording.store.reading() as connection:
        return follower, follower.begin(connection, last)


def test_the_last_events_and_then_only_new_ones(anywhere):
    recorder = anywhere.recorder()
    for _ in range(3):
        talk(recorder)
    anywhere.ingest()
    follower, last = begun(anywhere, 4)
    _, every = begun(anywhere, 1_000)
    assert len(every) == 15
    assert places(last) == places(every[-4:])
    assert last[-2].payload["content"] == "words 2"
    assert taken(anywhere, follower) == []
    run_id = talk(recorder)
    assert taken(anywhere, follower) == []
    anywhere.ingest()
    assert places(taken(anywhere, follower)) == [(run_id, seq) for seq in range(5)]
    assert taken(anywhere, follower) == []


def test_from_the_beginning_of_an_empty_database(anywhere):
    anywhere.store.prepare()
    follower, last = begun(anywhere, 10)
    assert last == []
    run_id = talk(anywhere.recorder())
    anywhere.ingest()
    assert places(taken(anywhere, follower)) == [(run_id, seq) for seq in range(5)]


def test_each_once_however_little_is_taken_at_a_time(recording):
    """Several journals of several segments, brought in bit by bit, and deleted in between."""
    chance = random.Random(7)
    recording.store.prepare()
    follower, _ = begun(recording)
    recorders = [recording.recorder(segment=400) for _ in range(3)]
    runs, found = [], []
    for _ in range(12):
        runs.append(talk(chance.choice(recorders), chance.randrange(6)))
        recording.ingester.step(max_bytes=chance.choice([300, 3_000, 30_000]))
        with recording.store.reading() as connection:
            found += follower.new(connection, chance.choice([1, 2, 5]))[0]
    recording.ingest()
    found += taken(recording, follower, 2)
    expected = [(event.run_id, event.seq) for run in runs for event in recording.events(run)]
    assert sorted(places(found)) == sorted(expected)
    for run in runs:  # the events of a run come in their order
        assert [seq for run_id, seq in places(found) if run_id == run] == sorted(
            seq for run_id, seq in expected if run_id == run
        )


def test_filters(recording):
    recorder = recording.recorder()
    outer = recorder.begin(framework="x", agents=["ada"], explicit=True)
    inner = recorder.begin(framework="x", agents=["ben"], parent=outer, explicit=True)
    innermost = recorder.begin(framework="x", agents=["ben"], parent=inner, explicit=True)
    recorder.message(innermost, "ben", ["all"], "assistant", "deep inside")
    talk(recorder)
    recording.ingest()
    assert [event.run_id for event in begun(recording, 9, runs=[inner.run_id])[1]] == [
        inner.run_id, innermost.run_id, innermost.run_id,
    ]  # fmt: skip
    follower, _ = begun(recording, runs=[outer.run_id])
    recorder.message(innermost, "ben", ["all"], "assistant", "and again")
    talk(recorder)
    recording.ingest()
    assert [event.payload["content"] for event in taken(recording, follower)] == ["and again"]
    assert {event.agent for event in begun(recording, 99, agents=["ben"])[1]} == {"ben"}
    assert {event.kind for event in begun(recording, 99, kinds=["run_finished"])[1]} == {"run_finished"}


def test_the_command_on_a_server_beside_a_program_that_ingests(tmp_path, new_postgres_database):
    home, url = tmp_path / "home", new_postgres_database()
    home.mkdir()
    script = (
        "import sys, time\n"
        "from seasoned.plugin import runtime\n"
        "from seasoned.plugin.config import load_config\n"
        "made = runtime.enable(load_config(home=sys.argv[1], db=sys.argv[2], enabled=True, summary=False))\n"
        "run = made.recorder.begin('a task', framework='x', agents=['ada'], explicit=True)\n"
        "for number in range(40):\n"
        "    made.recorder.message(run, 'ada', ['all'], 'assistant', f'words {number}')\n"
        "    time.sleep(0.02)\n"
        "    number % 10 or made.flush()\n"
        "made.recorder.finish(run, 'done')\n"
        "runtime.disable()\n"
    )
    command = [sys.executable, "-m", "seasoned", "tail", "--home", str(home), "--db", url, "-n", "40"]
    command += ["--kind", "message"]
    place = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=place) as process:
        assert process.stdout is not None
        limit = threading.Timer(60, process.kill)
        limit.start()
        subprocess.run([sys.executable, "-c", script, str(home), url], check=True, env=place)
        lines = [process.stdout.readline().split(": ")[-1].strip() for _ in range(40)]
        limit.cancel()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert lines == [f"words {number}" for number in range(40)]
    assert (process.returncode, rest) == (0, "")
