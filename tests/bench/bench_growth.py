"""What it costs to learn from a run, and to learn everything again.

Ten thousand recorded runs of three agents in a group, with tools, failures and repeated kinds of task, go through the
real journal and database. The newest finished run is timed when nine thousand are known already, and again when it
arrives late, a hundred runs before the newest. The baseline is what no learner can go below: one transaction of SQLite
that writes one row and is committed.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from pathlib import Path
from typing import Any

from common import folder, machine, median, quantile, table

from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace

RUNS = 10_000
NEWEST = 300
LATE = 30
BEHIND = 100
SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND

AGENTS = ("planner", "coder", "tester")
TASKS = (
    "Fix the crash in the parser of order {n}",
    "Write unit tests for the cart of customer {n}",
    "Refactor the module that prints invoice {n}",
    "Deploy release {n} to the staging server",
    "Calculate the refund for return {n}",
)
COMPLEXITIES = ("low", "medium", "high", "critical")
TOOLS = ("run_tests", "search_code", "deploy", "read_file")


def write(workspace: Workspace, number: int, at: int) -> None:
    """Record one run of three agents that ended at ``at``, with its outcome: 19 events."""
    recorder = workspace.recorder
    run = recorder.begin(framework="bench", domain=("shop", "tools")[number % 2], agents=AGENTS, at=at - 30 * SECOND)
    task = TASKS[number % len(TASKS)].format(n=number)
    recorder.message(run, "customer", ["planner"], "user", task, by_user=True)
    for place, agent in enumerate(AGENTS):
        run.turn += 1
        tool = TOOLS[(number + place) % len(TOOLS)]
        ok = (number + place) % 7 != 0
        recorder.record(run, "tool_call", agent, {"tool": tool, "call_id": str(place), "arguments": {"n": number}})
        result = {"tool": tool, "call_id": str(place), "ok": ok, "content": f"result {number} {place}"}
        recorder.record(run, "tool_result", agent, result)
        for step in range(2):
            recorder.message(run, agent, ["customer"], "assistant", f"Step {step} of {agent} for {number}.")
    recorder.finish(run, "done", at=at)
    run.outcome(number % 3 > 0, complexity=COMPLEXITIES[number % 4])


def learn_one(workspace: Workspace) -> float:
    """Milliseconds from the finished run in the database to what it taught, for the one run that waits."""
    from seasoned.instrumentation import learning

    service = workspace.service
    while service.ingester.step().bytes:
        pass
    namespaces = service.lessons.namespaces
    start = time.perf_counter()
    with service.store.reading() as connection:
        waiting = learning.unlearned(connection, namespaces)
    (run_id,) = waiting
    with service.store.writing() as connection:
        run = learning.claim(connection, run_id)
        if run is not None:
            service.lessons.learn_one(run, connection)
    return (time.perf_counter() - start) * 1e3


def _watch(workspace: Workspace) -> list[float]:
    """Milliseconds of each call of the growth plugin's ``learn`` from now on."""
    times: list[float] = []
    (caller,) = [one for one in workspace.hooks.hook.learn.get_hookimpls() if one.plugin_name == "growth"]
    inner = vars(caller.function)["unguarded"]

    def timed(*arguments: Any) -> Any:
        start = time.perf_counter()
        try:
            return inner(*arguments)
        finally:
            times.append((time.perf_counter() - start) * 1e3)

    vars(caller.function)["unguarded"] = timed
    return times


def bare_transaction(place: Path) -> list[float]:
    """Milliseconds for each of some hundred transactions of one row."""
    database = sqlite3.connect(place / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.execute("CREATE TABLE figures (agent TEXT PRIMARY KEY, xp INTEGER)")
    times: list[float] = []
    for number in range(NEWEST):
        start = time.perf_counter()
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT OR REPLACE INTO figures VALUES ('tess', ?)", (number,))
        database.execute("COMMIT")
        times.append((time.perf_counter() - start) * 1e3)
    database.close()
    return times


def main() -> None:
    """Print what learning costs beside the bare transaction."""
    print(machine("sqlalchemy"), f"SQLite {sqlite3.sqlite_version}", sep=", ")
    with folder() as place:
        workspace = Workspace(Config(home=str(Path(place) / "home"), namespace="bench"))
        numbers = itertools.count()
        first = RUNS - NEWEST - LATE
        for number in itertools.islice(numbers, first):
            write(workspace, number, START + number * 60 * SECOND)
        begun = time.perf_counter()
        report = workspace.flush(600)
        if report.error or report.learned != first:
            raise RuntimeError(f"learned from {report.learned} of {first} runs: {report.error}")
        flushed = time.perf_counter() - begun
        newest: list[float] = []
        own = _watch(workspace)
        late: list[float] = []
        for number in itertools.islice(numbers, NEWEST):
            write(workspace, number, START + number * 60 * SECOND)
            newest.append(learn_one(workspace))
        of_growth = list(own)
        for number in itertools.islice(numbers, LATE):
            write(workspace, number, START + (number - BEHIND) * 60 * SECOND + 1)
            late.append(learn_one(workspace))
        before = _dump(Path(place))
        begun = time.perf_counter()
        done = workspace.service.rebuild()
        rebuilt = time.perf_counter() - begun
        same = _dump(Path(place)) == before
        workspace.close(flush=False)
        bare = bare_transaction(Path(place))
    base = median(bare)
    table(
        "Learning from one run of three agents (ms)",
        ["", "median", "p95", "ratio", "budget"],
        [
            ["a bare transaction of one row", base, quantile(bare, 0.95), 1.0, None],
            [
                "growth's own part, newest run",
                median(of_growth),
                quantile(of_growth, 0.95),
                median(of_growth) / base,
                5,
            ],
            ["all of it, newest run", median(newest), quantile(newest, 0.95), median(newest) / base, None],
            [f"a run {BEHIND} behind the newest", median(late), quantile(late, 0.95), median(late) / base, None],
        ],
        f"{first:,} runs are known before; ingesting is not counted",
    )
    table(
        "Learning everything again (s)",
        ["", "runs", "seconds", "ms a run", "budget"],
        [
            ["ingest and learn the first time", first, flushed, flushed / first * 1e3, None],
            ["seasoned rebuild", done, rebuilt, rebuilt / done * 1e3, 60],
        ],
        f"the rebuilt tables equal the live ones: {'yes' if same else 'NO'}",
    )


def _dump(place: Path) -> dict[str, list[tuple[Any, ...]]]:
    database = sqlite3.connect(place / "home" / "seasoned.db")
    names = (
        "agent_profiles", "agent_skills", "agent_attributes", "agent_groups", "skill_events", "contributions",
        "achievements",
    )  # fmt: skip
    dump = {name: sorted(database.execute(f"SELECT * FROM {name}"), key=repr) for name in names}  # noqa: S608
    database.close()
    return dump


if __name__ == "__main__":
    main()
