"""Opening a run of 300,000 events, and playing applications again with recorded answers.

``python bench_replay.py [--events 300000] [--runs 100]``. Opening is measured in a process of its own, from the import
to the first turn on the screen, beside reading all events of the run as ``seasoned show --json`` does. The applications
are those of ``tests/plugin/desk_apps.py``, played as the bundled runs went, then again with nobody to ask; the baseline
is the first time, with a scripted model.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import importlib.util
import inspect
import io
import itertools
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import folder, machine, median, table

TESTS = Path(__file__).parents[1] / "plugin"
AGENTS = ("ada", "ben", "cleo")

OPENING = """
import sys, time
began = time.perf_counter()
from seasoned import replay
run = replay.load("last", home=sys.argv[1], update=False)
first = [step.title for step in run[0]]
shown = time.perf_counter()
middle, last = run[len(run) // 2].steps, run[-1].text
found = time.perf_counter()
def most():  # not getrusage: its highest is that of the parent, before this program began
    with open("/proc/self/status") as facts:
        return next(int(line.split()[1]) for line in facts if line.startswith("VmHWM"))
opened = most()
count = sum(1 for _ in run.steps()) if sys.argv[2] == "all" else 0
print(shown - began, found - shown, opened, time.perf_counter() - found,
      most(), count)
"""


def write(home: str, events: int) -> None:
    """A run of three agents who ask a model, use a tool and speak in turn."""
    from seasoned.plugin.config import load_config
    from seasoned.plugin.runtime import Workspace

    opened = Workspace(load_config(home=home, namespace="bench"))
    recorder = opened.recorder
    run = recorder.begin("Check every order", framework="autogen", agents=AGENTS, explicit=True)
    heard: list[dict[str, Any]] = [{"role": "system", "content": "You check orders."}]
    for number in range(events // 5):
        agent = AGENTS[number % 3]
        run.turn += 1
        words = f"Order {number} is in place. " * 8
        call = {"tool": "look_up", "call_id": f"c{number}"}
        used = {"input_tokens": 300, "output_tokens": 60}
        recorder.model_call(run, agent, list(heard), {"model": "m", "usage": used}, response=words)
        recorder.record(run, "tool_call", agent, {**call, "arguments": {"order": number}})
        recorder.record(run, "tool_result", agent, {**call, "ok": True, "content": f"found {number}"})
        recorder.message(run, agent, ["ada"], "assistant", words)
        recorder.transition(run, agent, AGENTS[(number + 1) % 3], "round robin")
        heard.append({"role": "assistant", "content": words})
        if len(heard) > 40:
            del heard[1:20]
    recorder.finish(run, "done")
    opened.flush(600)
    opened.close()


def opening(events: int, rounds: int) -> None:
    """Measure and print how a long run opens, beside one of a hundredth of its length."""
    rows: list[list[Any]] = []
    for size in (events // 100, events):
        with folder() as home:
            write(home, size)
            results = [
                [float(word) for word in subprocess.run(
                    [sys.executable, "-c", OPENING, home, "all" if number == 0 else "no"],
                    check=True, capture_output=True, text=True).stdout.split()]
                for number in range(rounds)
            ]  # fmt: skip
        shown, found, opened = (median(row[at] for row in results[1:]) for at in range(3))
        everything, most = results[0][3], results[0][4]
        rows.append([f"{size:,}", shown, found, opened / 1024, everything, most / 1024])
    table(
        "Opening a run: seconds from the import to the first turn, then to a turn in the middle and the last",
        ("events", "first view s", "middle, last s", "MB", "all events s", "MB after them"),
        rows,
        "the first view includes importing the package and finding the turns",
    )


def again(count: int) -> None:
    """Measure and print how recorded applications play again."""
    sys.path.insert(0, str(TESTS))

    import seasoned
    from seasoned import replay
    from seasoned.plugin.demo import bundled_runs

    apps: Any = importlib.import_module("desk_apps")

    def play(app: Any, world: Any) -> None:
        made = app(world)
        if inspect.iscoroutine(made):
            asyncio.run(made)

    rows: list[list[Any]] = []
    for framework, app in apps.APPLICATIONS.items():
        if importlib.util.find_spec(framework) is None:
            print(f"NOT MEASURED: {framework} is not installed")
            continue
        same = caught = served = 0
        first: list[float] = []
        second: list[float] = []
        for run in itertools.islice(bundled_runs(), 80, 80 + count):
            with folder() as home, contextlib.redirect_stdout(io.StringIO()):
                began = time.perf_counter()
                seasoned.enable(home=home, namespace="bench", inject=False)
                play(app, apps.World(run))
                seasoned.disable()
                first.append(time.perf_counter() - began)
                with replay.load("last", home=home) as original:
                    began = time.perf_counter()
                    execution = original.execute(lambda app=app, run=run: app(apps.Untouchable(run)))
                    second.append(time.perf_counter() - began)
                    same += execution.identical and not execution.prompt_changes and not execution.left
                    served += execution.served
                    caught += _caught(app, run, original, apps.World)
        rows.append([framework, count, same, served, caught, median(first), median(second)])
    table(
        "Applications played again with recorded answers, nobody to ask",
        ("framework", "runs", "identical", "answers", "changes caught", "first time s", "again s"),
        rows,
        "changes caught: a tool that answers otherwise, told in its very turn (runs without tools count as told)",
    )


def _caught(app: Any, run: Any, original: Any, world: Any) -> bool:
    """Whether a changed tool is told in its turn."""
    results = list(original.steps(kinds=("tool_result",)))
    if not results:
        return True
    which = len(results) // 2

    class Changed(world):
        done = -1

        def work(self, tool: str) -> str:
            self.done += 1
            return super().work(tool) + (" (changed)" if self.done == which else "")

    return original.execute(lambda: app(Changed(run)), live_tools=True).turn == results[which].turn


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args()
    print(machine("autogen", "autogen-agentchat", "langgraph"))
    opening(given.events, given.rounds)
    again(given.runs)


if __name__ == "__main__":
    main()
