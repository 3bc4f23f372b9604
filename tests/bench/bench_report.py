"""What a report of ten thousand runs costs: to write, in memory, in bytes, and to open in a browser.

The runs are the recorded ones that come with the package, taken again and again under other ids and at other times
over two years, and learned from. Each report is written by the command in a process of its own, whose highest resident
memory the kernel tells. Chromium, without a window, opens the file as a double click does; its own navigation timing
says when the page was there (the list of runs is filled by then), and a clock in the page how long a search and the
opening of a run took. The baseline is the same page of a hundred runs. Last comes one run of 300,000 events.

``BENCH_RUNS`` sets another number of runs; ``BENCH_LONG_HOME`` a home whose last run is the long one
(it is only read), else it is recorded here.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from common import folder, machine, table

sys.path.append(str(Path(__file__).parents[1] / "plugin"))
from browser_kit import CHROMIUM, browser  # pyright: ignore[reportMissingImports]  it stands with the tests

from seasoned.adapters.recorded_events import write_run
from seasoned.plugin.config import Config
from seasoned.plugin.demo import bundled_runs
from seasoned.plugin.runtime import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence

RUNS = int(os.environ.get("BENCH_RUNS", "10000"))
FEW = 100
EVENTS = 300_000
START = 1_735_689_600.0
"""The first run's time: the beginning of 2025, in seconds since the epoch."""
STEP = 6_300.0
"""Seconds from one run to the next."""
OPENED = """
(() => { const t = performance.getEntriesByType("navigation")[0];
  return [t.domInteractive, t.domContentLoadedEventEnd, t.loadEventEnd, document.querySelectorAll("*").length]; })()
"""
SEARCH = """
new Promise((done) => { const box = document.forms[0].elements.search, count = document.getElementById("run-count");
  const before = count.textContent, start = performance.now();
  new MutationObserver(() => requestAnimationFrame(() => done(performance.now() - start))).observe(count,
    { childList: true, characterData: true, subtree: true });
  box.value = "exchange laptop"; box.dispatchEvent(new Event("input", { bubbles: true })); })
"""
RUN = """
new Promise((done) => { const panel = document.getElementById("one-run"), start = performance.now();
  new MutationObserver(() => { if (panel.querySelector(".turns")) done(performance.now() - start); }).observe(panel,
    { childList: true, subtree: true });
  document.querySelector("#run-rows a").click(); })
"""


def fill(home: Path, number: int) -> float:
    """Import so many runs into a home and learn from them; returns the seconds."""
    begun = time.perf_counter()
    workspace = Workspace(Config(home=str(home), namespace="bench"))
    records = list(bundled_runs())
    for at, record in zip(range(number), itertools.cycle(records), strict=False):
        again = msgspec.structs.replace(record, run_id=f"{record.run_id}-{at:05d}", started_at=START + STEP * at)
        write_run(workspace.recorder, again)
        if at % 500 == 499:
            flush(workspace)
    flush(workspace)
    workspace.close(flush=False)
    return time.perf_counter() - begun


def flush(workspace: Workspace) -> None:
    """Bring in what was written."""
    report = workspace.flush(900)
    if report.error:
        raise RuntimeError(report.error)


def long_home(home: Path) -> Path:
    """A home with one long run: three agents in turns, each asking a model and a tool."""
    workspace = Workspace(Config(home=str(home), namespace="bench", block=["growth"]))
    recorder = workspace.recorder
    run = recorder.begin("Check every order", framework="bench", agents=["user", "ada", "ben", "cleo"], explicit=True)
    names = ("ada", "ben", "cleo")
    heard: dict[str, list[dict[str, Any]]] = {
        name: [{"role": "system", "content": f"You are {name}."}] for name in names
    }
    for at in range(EVENTS // 5):
        name = names[at % 3]
        run.turn += 1
        text = f"Message {at} of {name}: " + f"order line {at * 7} is in place. " * 6
        heard[name].append({"role": "user", "content": f"Go on with {at}"})
        del heard[name][1:-40]
        call = {
            "model": "gpt-4o",
            "usage": {"input_tokens": 300, "output_tokens": 60},
            "cost_usd": 0.001,
            "duration_ms": 3,
        }
        recorder.model_call(run, name, list(heard[name]), call, response=text)
        recorder.record(run, "tool_call", name, {"tool": "look_up", "call_id": str(at), "arguments": {"order": at}})
        result = {
            "tool": "look_up",
            "call_id": str(at),
            "ok": at % 97 != 0,
            "content": f"found {at}",
            "duration_ms": 1.5,
        }
        recorder.record(run, "tool_result", name, result)
        recorder.message(run, name, [names[(at + 1) % 3]], "assistant", text)
        recorder.transition(run, name, names[(at + 1) % 3], "round robin")
    recorder.finish(run, "done")
    flush(workspace)
    workspace.close(flush=False)
    return home


def write(home: Path, out: Path, *arguments: str) -> list[Any]:
    """Write a report; returns its seconds, highest resident megabytes, and the file's megabytes."""
    command = [
        sys.executable,
        "-m",
        "seasoned",
        "report",
        *arguments,
        "--no-flush",
        "--home",
        str(home),
        "--out",
        str(out),
    ]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if status:
        raise RuntimeError(f"{command} ended with {status}")
    return [seconds, usage.ru_maxrss / 1e3, out.stat().st_size / 1e6]


def opened(paths: Sequence[Path]) -> dict[Path, list[Any]]:
    """Of each page: milliseconds until it was parsed, ready and loaded, its elements, a search, and a run opened."""
    found: dict[Path, list[Any]] = {}
    if CHROMIUM is None:
        return found
    with browser() as tab:
        tab.size(1300)
        for path in paths:
            tab.open(path)  # once to have the file in the system's cache, as it is right after it was written
            tab.open(path)
            times = tab.evaluate(OPENED)
            listed = tab.evaluate("Boolean(document.forms[0])")
            search = tab.evaluate(SEARCH) if listed else None
            tab.open(path)
            found[path] = [*times, search, tab.evaluate(RUN) if listed else None]
    return found


def main() -> None:
    """Print what reports cost."""
    print(machine("sqlalchemy", "jinja2"))
    with folder() as place:
        root = Path(place)
        wanted = [(f"{FEW} runs", root / "few", FEW, ()), (f"{RUNS:,} runs", root / "many", RUNS, ()),
                  (f"{RUNS:,} runs, details of 1,000", root / "many", 0, ("--runs", "1000"))]  # fmt: skip
        rows: dict[str, list[Any]] = {}
        pages: dict[str, Path] = {}
        for name, home, number, arguments in wanted:
            if number:
                print(f"{name}: imported and learned in {fill(home, number):.0f} s", flush=True)
            pages[name] = root / f"{len(pages)}.html"
            rows[name] = write(home, pages[name], *arguments)
        given = os.environ.get("BENCH_LONG_HOME")
        home = Path(given) if given else long_home(root / "long")
        pages["one run of 300,000 events"] = root / "long.html"
        rows["one run of 300,000 events"] = write(home, root / "long.html", "last")
        times = opened(list(pages.values()))
    table(
        "A report",
        ["", "write s", "resident MB", "file MB"],
        [[name, *row] for name, row in rows.items()],
        "The process alone, imports of Python among it; of the long run 4,000 events are in the page.",
    )
    table(
        "Opened in Chromium",
        ["", "parsed ms", "ready ms", "loaded ms", "elements", "search ms", "a run ms"],
        [[name, *times.get(path, [None] * 6)] for name, path in pages.items()],
        "Ready: the list is filled. A search waits 120 ms for the next key before it begins.",
    )


if __name__ == "__main__":
    main()
