"""Giving procedures: what matching and injection add to a reply, and whether the quick match finds the same.

::

    python tests/bench/bench_giving.py [--data DIR] [--runs N]

A reply pays for the block when its agent's first block in a run is composed; that one waits for the match, which a
thread began when the task became known. The baseline is the same composition without the part that gives procedures.
The second table compares the few candidates that giving looks at with the many of ``seasoned similar``, where every
task asks all others (leave one out).
"""

from __future__ import annotations

import argparse
import gc
import time
from typing import TYPE_CHECKING

import numpy as np
from bench_matching import synthetic
from common import folder, machine, table
from learn_matching import DATA, auroc, tasks

from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace
from seasoned.skills_lib import index, shelf
from seasoned.skills_lib.template_record import TemplateRecord

if TYPE_CHECKING:
    from pathlib import Path

BUDGET_MS = 2.0
REPLIES = 12
"""Model replies in a run of the recorded retail conversations, on average."""


def stocked(workspace: Workspace, texts: list[str], templates: int) -> None:
    """Put a library of so many ready templates onto the shelf, with these tasks."""
    held = shelf.Shelf(workspace.config.namespace)
    for number, text in enumerate(texts):
        name = str(number)
        pool = str(number % templates)
        held._index.add(name, text, None, None)  # pyright: ignore[reportPrivateUsage]  what update() does
        held._known[name] = (pool, None)  # pyright: ignore[reportPrivateUsage]
    held.templates = {str(number): record(number) for number in range(templates)}
    giving = workspace.hooks.get_plugin("procedures")
    if giving is not None:
        giving._shelves[workspace.config.namespace] = held  # pyright: ignore[reportPrivateUsage]


def record(number: int) -> TemplateRecord:
    source = {"source": "slot", "name": "order_id", "type": "id", "outlines": ["#A9"]}
    steps = [
        {"tool": tool, "agent": "desk", "writes": tool.startswith("set"), "optional": False, "repeated": False,
         "support": 5, "arguments": {"order_id": source}}
        for tool in ("get_user", "get_order", "get_product", "set_status", "set_note")
    ]  # fmt: skip
    return TemplateRecord(
        template_id=f"{number:016x}", version=1, name=f"template-{number}", description="", when_not="",
        task_template="", procedure=steps, tasks=3, solved=5, state="ready",
    )  # fmt: skip


def added(texts: list[str], asked: list[str], *, gives: bool) -> tuple[list[float], int]:
    """Milliseconds of composing the first block of each run, and how many runs were given a procedure."""
    with folder() as home:
        block = [] if gives else ["procedures"]
        workspace = Workspace(Config(home=home, namespace="bench", block=block, summary=False))
        recorder, hook = workspace.recorder, workspace.hooks.hook
        recorder.on_task = lambda run: hook.task_named(run=run)
        stocked(workspace, texts, max(1, len(texts) // 6))
        took: list[float] = []
        given = 0
        gc.collect()
        for text in asked:
            run = recorder.begin(agents=["user", "desk"])
            recorder.message(run, "user", ["desk"], "user", text, by_user=True)
            start = time.perf_counter()
            block_text = workspace.composer.block(run, "desk")
            took.append((time.perf_counter() - start) * 1e3)
            given += "A PROCEDURE" in block_text
        workspace.close(flush=False)
    return took, given


def rows(sets: dict[str, list[str]], runs: int) -> list[list[object]]:
    out: list[list[object]] = []
    for name, texts in sets.items():
        for size in (100, 1_000, 2_000):
            if len(texts) < size + 50:
                continue
            asked = texts[size : size + runs]
            plain, _ = added(texts[:size], asked, gives=False)
            took, given = added(texts[:size], asked, gives=True)
            first = np.asarray(took) - np.median(plain)
            every = np.concatenate([first, np.zeros(len(first) * (REPLIES - 1))])
            figures = [float(np.percentile(first, part)) for part in (50, 95, 99)]
            out.append([f"{name}, {size:,} tasks", len(took), given, float(np.median(plain)), *figures,
                        float(np.percentile(every, 95))])  # fmt: skip
    return out


def agreement(data: Path) -> list[list[object]]:
    """Leave one out: the right template first, and knowing that nothing fits, with few and with many candidates."""
    out: list[list[object]] = []
    for name in ("tasks_webarena", "tasks_visualwebarena"):
        if not (data / f"{name}.jsonl.gz").exists():
            print(f"NOT MEASURED: {name} is not in {data}")
            continue
        held = tasks(data, name)
        for candidates in (shelf.CANDIDATES, index.POOL):
            known = index.TaskIndex(candidates=candidates)
            for one in held:
                known.add(one.id, one.text)
            hits, sure, right = 0, 0, 0
            fitting: list[float] = []
            strange: list[float] = []
            template = {one.id: one.template for one in held}
            others = {one.id: [two for two in held if two.template == one.template] for one in held}
            for one in held:
                if len(others[one.id]) < 2:
                    continue
                known.remove(one.id)
                confidence, matches = known.weigh(one.text, 1)
                hit = bool(matches) and template[str(matches[0].id)] == one.template
                hits += hit
                fitting.append(confidence)
                if matches and confidence >= shelf.SURE and matches[0].score >= shelf.SURE:
                    sure += 1
                    right += hit
                for two in others[one.id]:
                    known.remove(two.id)
                strange.append(known.confidence(one.text))
                for two in others[one.id]:
                    known.add(two.id, two.text)
            count = len(fitting)
            value = auroc(fitting, strange)
            out.append([f"{name}, {candidates}", count, hits / count, value, sure / count, right / max(1, sure)])
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=type(DATA), default=DATA)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--latency-only", action="store_true")
    options = parser.parse_args()
    print(machine("numpy"))
    sets = {"made up": synthetic(2_500)}
    if (options.data / "tasks_webarena.jsonl.gz").exists():
        sets["WebArena"] = [one.text for one in tasks(options.data, "tasks_webarena")]
    table(
        f"Added to the first reply of a run, ms (budget {BUDGET_MS:g} at p95)",
        ("library", "runs", "given", "plain", "p50", "p95", "p99", f"p95 of all {REPLIES} replies"),
        rows(sets, options.runs),
    )
    if not options.latency_only:
        table(
            "The same found with few candidates",
            ("tasks, candidates", "asked", "hit@1", "AUROC", "sure", "right where sure"),
            agreement(options.data),
        )


if __name__ == "__main__":
    main()
