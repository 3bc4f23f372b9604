"""How fast the journal becomes rows, alone and beside a thread that computes, and whether memory stays flat.

The baseline writes the same facts with ``sqlite3`` and ``executemany``, 1000 rows a transaction, into one plain table
that repeats every text: no runs, no redaction, no journal to read. Beside a computing thread it offers the interpreter
at every row, and how often it loses it, for 5 ms, depends on the machine; the single statement for each batch is made
against that. Each figure is from a process of its own: ``bench_ingest.py WHAT EVENTS FOLDER``. The CPU time of the
ingester's thread is shown too, because other programs do not change it as they change events a second.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import folder, machine, median, resident_mb, table, texts

from seasoned.instrumentation import home as home_folder
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.ingest import Ingester
from seasoned.instrumentation.journal import Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor
from seasoned.instrumentation.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = 100_000
PATIENCE = 10.0
"""Seconds after which the baseline stops, beside a computing thread: it has been seen to manage 200 rows in one."""
RUN_LENGTH = 2_000
REPEATS = 3
BATCH = 1_000
LONG = 200_000
SAMPLES = 10


def record(home: Path, count: int) -> None:
    """Write ``count`` messages of 320 B, in runs of 2,000, as a process that is then gone."""
    recorder = Recorder(Writer(home), Redactor(), Guard(), namespace="bench")
    contents = texts(count, 320)
    for first in range(0, count, RUN_LENGTH):
        run = recorder.begin("Book a later flight for the customer", framework="bench")
        for text in contents[first : first + RUN_LENGTH]:
            payload = {"recipients": ["max"], "role": "assistant", "content": text}
            recorder.record(run, "message", "tess", payload)
        recorder.finish(run, "done")
    recorder.writer.close()


@contextlib.contextmanager
def computing(wanted: bool) -> Iterator[None]:
    """A thread that never lets go of the interpreter by itself, for the length of the block."""
    stop = threading.Event()

    def work() -> None:
        total = 0
        while not stop.is_set():
            for number in range(10_000):
                total += number * number % 7

    thread = threading.Thread(target=work, daemon=True)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if wanted:
            thread.join()


def open_ingester(home: Path) -> tuple[Store, Ingester]:
    """The store and ingester that a background thread would use."""
    home_folder.prepare(home)
    store = Store(home_folder.database_url(home))
    store.prepare()
    return store, Ingester(store, home, None, Guard())


def drain(ingester: Ingester) -> int:
    """Step until nothing is left; returns how many events came in."""
    total = 0
    while True:
        events = ingester.step().events
        if not events:
            return total
        total += events


def ingest(home: Path, count: int, busy: bool) -> list[float]:
    """Events a second through the ingester, and microseconds of its thread's CPU time for each."""
    record(home, count)
    store, ingester = open_ingester(home)
    with computing(busy):
        start, own = time.perf_counter(), time.thread_time()
        total = drain(ingester)
        elapsed, own = time.perf_counter() - start, time.thread_time() - own
    store.dispose()
    if total < count:
        raise RuntimeError(f"{total} of {count} events came in")
    return [total / elapsed, own / total * 1e6]


def executemany(home: Path, count: int, busy: bool) -> list[float]:
    """The same of the baseline."""
    home.mkdir()
    rows = [
        (1, number, number // RUN_LENGTH, number, "message", time.time_ns(), "tess", text)
        for number, text in enumerate(texts(count, 320))
    ]
    database = sqlite3.connect(home / "plain.db")
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.execute("CREATE TABLE events (journal, offset, run, seq, kind, at, agent, payload)")
    database.commit()
    with computing(busy):
        start, own, done = time.perf_counter(), time.thread_time(), 0
        while done < count and time.perf_counter() - start < PATIENCE:
            database.executemany("INSERT INTO events VALUES (?,?,?,?,?,?,?,?)", rows[done : done + BATCH])
            database.commit()
            done += BATCH
        elapsed, own = time.perf_counter() - start, time.thread_time() - own
    database.close()
    return [done / elapsed, own / done * 1e6]


def memory(home: Path, count: int, _busy: bool) -> list[float]:
    """Resident megabytes while one run of ``count`` events is recorded and ingested, sampled in equal steps."""
    recorder = Recorder(Writer(home), Redactor(), Guard(), namespace="bench")
    store, ingester = open_ingester(home)
    run = recorder.begin("Book a later flight for the customer", framework="bench")
    samples: list[float] = []
    each = count // SAMPLES
    for sample in range(SAMPLES):
        for first in range(0, each, 2_000):
            for text in texts(2_000, 320, seed=sample * each + first):
                payload = {"recipients": ["max"], "role": "assistant", "content": text}
                recorder.record(run, "message", "tess", payload)
            drain(ingester)
        samples.append(resident_mb())
    store.dispose()
    recorder.writer.close()
    return samples


WORK = {"ingest": ingest, "executemany": executemany, "memory": memory}


def measure(what: str, count: int, *, busy: bool = False) -> Any:
    """One figure, from a process of its own."""
    with folder() as place:
        arguments = [sys.executable, __file__, what, str(count), place, "busy" if busy else "idle"]
        return json.loads(subprocess.run(arguments, stdout=subprocess.PIPE, check=True).stdout)


def main() -> None:
    """Print both tables."""
    print(machine("sqlalchemy", "msgspec"), f"SQLite {sqlite3.sqlite_version}", sep=", ")
    rows: list[list[Any]] = []
    for name, busy, count, budget in (
        ("host idle", False, EVENTS, 40_000),
        ("beside a computing thread", True, EVENTS // 2, 10_000),
    ):
        ours: list[list[float]] = []
        theirs: list[list[float]] = []
        for _ in range(REPEATS):
            ours.append(measure("ingest", count, busy=busy))
            theirs.append(measure("executemany", count, busy=busy))
        rate, base = median(speed for speed, _ in ours), median(speed for speed, _ in theirs)
        best, own = max(speed for speed, _ in ours), median(cpu for _, cpu in ours)
        rows.append([name, rate, best, own, base, median(cpu for _, cpu in theirs), rate / base, budget])
    table(
        "Ingest into SQLite (events a second)",
        ["", "ingester", "best", "CPU us/event", "sqlite3 executemany", "CPU us/row", "ratio", "budget"],
        rows,
        f"messages of 320 B, every text different, runs of {RUN_LENGTH:,}; medians of {REPEATS}",
    )
    samples = measure("memory", LONG)
    table(
        f"Resident memory while one run of {LONG:,} events is recorded and ingested (MB)",
        ["events", "MB"],
        [[f"{LONG // SAMPLES * (number + 1):,}", value] for number, value in enumerate(samples)],
        f"growth from {LONG // SAMPLES * 2:,} events on: {samples[-1] - samples[1]:+.1f} MB",
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        _what, _count, _place, _busy = sys.argv[1:]
        print(json.dumps(WORK[_what](Path(_place) / "home", int(_count), _busy == "busy")))
    else:
        main()
