"""How well procedures and plans are learned from solved tasks, beside the simple ways.

Two rows. The sequence of state-changing calls of a retail task, planned from the solved tasks of *other* users, beside
the sequence of the most similar solved task by shared words (Jaccard) and by TF-IDF, and beside the best that any
single solved task could give (the oracle). And the share of groups of three or more successful runs of one task that
yield a procedure. The data is public (tau-bench), beside a checkout and not part of it; without it nothing is measured.

Users are dealt into folds, and a task is planned by a library that holds none of its user's. Only the true calls of the
tasks and the verdicts of the runs are used for judging; what is learned from is what a library would be given.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import machine, table

from seasoned.adapters.recorded import arguments_of, exchanges, parse, visible_task
from seasoned.skills_lib.neighbours import Neighbours, likeliest, similarity
from seasoned.skills_lib.planning import Planner, SolvedTask
from seasoned.skills_lib.procedure import induce
from seasoned.skills_lib.sketches import sketch_of
from seasoned.skills_lib.steps import Step, Trace, parsed
from seasoned.skills_lib.writes import effects

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDS = 5
STATE_CHANGING = ("cancel_", "modify_", "return_", "exchange_")
"""How the tools begin that change the shop's records, as its documentation lists them: for judging only."""

Calls = tuple[str, ...]


def read(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def judged(calls: Sequence[str]) -> Calls:
    return tuple(call for call in calls if call.startswith(STATE_CHANGING))


def trace_of_record(record: dict[str, Any]) -> Trace:
    """A recorded run as its trace, without the detour over a database."""
    run = parse(record)
    said: list[str] = []
    heard: list[int] = []
    for message in run.messages:
        heard.append(len(said))
        if message.role == "user" and message.content:
            said.append(message.content)
    steps = []
    asked = [one for one in exchanges(run) if one.asked is not None and one.call is not None]
    for one in sorted(asked, key=lambda one: one.asked or 0):
        assert one.call is not None
        assert one.asked is not None
        answer = None if one.answered is None else run.messages[one.answered].content
        ok = None if answer is None else not answer.startswith("Error")
        arguments = arguments_of(one.call)
        steps.append(
            Step(
                tool=one.call.name, agent=one.caller, arguments=arguments, ok=ok, result=parsed(answer),
                heard=heard[one.asked],
            )
        )  # fmt: skip
    return Trace(
        run_id=run.run_id,
        task=visible_task(run) or "",
        steps=tuple(steps),
        said=tuple(said),
        success=run.outcome.success,
    )


def jaccard(solved: Sequence[tuple[str, Calls]]) -> Callable[[str], Calls]:
    words = [set(re.findall(r"[a-z0-9]+", text.lower())) for text, _ in solved]

    def nearest(text: str) -> Calls:
        mine = set(re.findall(r"[a-z0-9]+", text.lower()))
        best = max(range(len(solved)), key=lambda number: len(mine & words[number]) / len(mine | words[number]))
        return solved[best][1]

    return nearest


def plans() -> None:
    tasks = [task for task in read("tasks_tau_bench") if task["domain"] == "retail"]
    users = sorted({task["user_id"] for task in tasks})
    random.Random(0).shuffle(users)
    fold = {user: number % FOLDS for number, user in enumerate(users)}
    found: dict[str, list[tuple[Calls, Calls, bool]]] = defaultdict(list)
    fitting: list[float] = []
    planning: list[float] = []
    for number in range(FOLDS):
        known = [task for task in tasks if fold[task["user_id"]] != number]
        records = [
            SolvedTask(
                run_id=f"{task['benchmark_split']}/{task['task_id']}",
                text=task["task"],
                calls=tuple(action["name"] for action in task["ground_truth_actions"]),
                success=True,
            )
            for task in known
        ]
        planner = Planner()
        planner.learn(records)
        start = time.perf_counter()
        planner.prepare()
        fitting.append(time.perf_counter() - start)
        solved = [(record.text, judged(record.calls)) for record in records]
        words, neighbours = jaccard(solved), Neighbours(solved)
        for task in tasks:
            if fold[task["user_id"]] != number:
                continue
            text, by_hand = task["task"], task["benchmark_split"] != "train"
            true = judged([action["name"] for action in task["ground_truth_actions"]])
            start = time.perf_counter()
            plan = planner.plan(text)
            planning.append(time.perf_counter() - start)
            best = neighbours.nearest(text, 1)
            answers = {
                "nearest task, Jaccard": words(text),
                "nearest task, TF-IDF": solved[best[0][0]][1] if best else (),
                "nearest tasks, least risk": likeliest(neighbours.sequences(text))[0],
                "plan": judged([tool for tool, _ in plan.steps]),
                "best single task (oracle)": max((calls for _, calls in solved), key=lambda one: similarity(one, true)),
            }
            for name, answer in answers.items():
                found[name].append((answer, true, by_hand))
    rows = []
    for name, pairs in found.items():
        rows.append([name, *_scores(pairs), *_scores([pair for pair in pairs if pair[2]])])
    table(
        f"State-changing calls of {len(tasks)} retail tasks, planned from other users' tasks ({FOLDS} folds by user)",
        ("way", "edit", "exact", "edit, by hand", "exact, by hand"),
        rows,
        f"by hand: the {sum(pair[2] for pair in found['plan'])} tasks of the benchmark's test and dev splits",
        f"learning took {max(fitting):.1f} s at most, a plan {1e3 * sum(planning) / len(planning):.0f} ms on average",
    )


def _scores(pairs: Sequence[tuple[Calls, Calls, bool]]) -> tuple[str, str]:
    edit = sum(similarity(answer, true) for answer, true, _ in pairs) / len(pairs)
    exact = sum(answer == true for answer, true, _ in pairs) / len(pairs)
    return f"{edit:.3f}", f"{exact:.3f}"


def procedures() -> None:
    rows = []
    for name in ("runs_tau_retail", "runs_tau_airline", "runs_ag2_mathchat"):
        groups: dict[str, list[Trace]] = defaultdict(list)
        every: list[Trace] = []
        for record in read(name):
            in_programs = record["framework"].lower().startswith("ag2")
            trace = programs(record) if in_programs else trace_of_record(record)
            every.append(trace)
            if trace.success:
                groups[record["task_id"]].append(trace)
        evidence = effects(every)
        large = [(task, group) for task, group in groups.items() if len(group) >= 3]
        yielding = 0
        called = 0
        for task, group in large:
            procedure = induce([sketch_of(trace, task) for trace in group], evidence.writes)
            yielding += bool(procedure.steps)
            called += any(trace.steps for trace in group)
        share = f"{100 * yielding / len(large):.0f}%"
        rows.append([name, len(large), yielding, share, called])
    table(
        "Groups of three or more successful runs of one task that yield a procedure",
        ("file", "groups", "with a procedure", "share", "with any call"),
        rows,
    )


def programs(record: dict[str, Any]) -> Trace:
    """A run whose tools are fenced programs, read as its messages would be recorded."""
    from seasoned.instrumentation.events import Event
    from seasoned.skills_lib.steps import trace_of

    events = [
        Event(
            run_id=record["run_id"], writer="w", seq=number, kind="message", at=number, turn=number,
            agent=message["agent"], payload={"role": message["role"], "content": message["content"]},
        )
        for number, message in enumerate(record["messages"])
    ]  # fmt: skip
    return trace_of(events, run_id=record["run_id"], success=bool(record["outcome"]["success"]))


def main() -> None:
    """Print both tables."""
    if not DATA.is_dir():
        print(f"left out: the recorded tasks are not there ({DATA})")
        return
    print(machine("numpy", "scipy"))
    plans()
    procedures()


if __name__ == "__main__":
    main()
