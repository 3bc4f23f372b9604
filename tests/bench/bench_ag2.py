"""What each recorder adds to a group chat of AG2, and what it keeps.

``python bench_ag2.py [--rounds 5] [--messages 2000]``. Each figure is from a process of its own; the variants take
turns in every round, and what a variant adds is its time less that of the plain chat of the same round. Shown are
medians over the rounds. Slow variants run in fewer rounds.

``own`` is the CPU time of the application's thread alone, which a busy machine does not change as it does the time on
the clock. ``settle`` is the time after the chat until everything is on disk (``flush()`` and a checkpoint here,
``force_flush`` for OpenInference); ``all CPU`` includes it, and all threads. ``recorded`` tells how many of the chat's
messages (replies, for OpenInference) are there afterwards.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from typing import Any

from ag2_variant import PEER, VARIANTS
from common import installed, machine, measured, median, table

KEYS = ("us", "own_us", "cpu_us", "settle_s", "bytes")
BUDGET = {"replies": 25, "model": 60}
TITLES = {
    "replies": "with registered replies, no model",
    "model": "with a scripted client behind OpenAIWrapper",
}
HEAD = [
    "variant", "us/msg", "added", "of plain", "added/ours", "own added", "all CPU us", "settle s", "bytes/msg",
    "recorded", "n",
]  # fmt: skip
MOST_ROUNDS = {("replies", "runtime_logging, sqlite"): 2, ("model", "runtime_logging, sqlite"): 1,
               ("model", "runtime_logging, file"): 1}  # fmt: skip
"""These take from ten seconds to minutes for one chat: the framework's logger stores every prompt in full."""
SPACE = 4_000_000_000
"""Free bytes that the framework's logger may need for 2,000 model calls, with room to spare."""


def compare(case: str, rounds: int, messages: int) -> None:
    """Measure all variants of a case and print the table."""
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in VARIANTS}
    added: dict[str, list[float]] = {name: [] for name in VARIANTS}
    own: dict[str, list[float]] = {name: [] for name in VARIANTS}
    notes: list[str] = []
    names = list(VARIANTS)
    if case == "model" and shutil.disk_usage(tempfile.gettempdir()).free < SPACE:
        names = [name for name in names if not name.startswith("runtime_logging")]
        notes.append("runtime_logging is left out for want of disk space")
    if not installed(PEER):
        names = [name for name in names if not name.startswith("OpenInference")]
        notes.append(f"OpenInference is left out: {PEER} is not installed")
    for number in range(rounds):
        base: dict[str, Any] = {}
        for name in names:
            if number >= MOST_ROUNDS.get((case, name), rounds):
                continue
            print(f"  round {number + 1} of {rounds}: {name} ...", file=sys.stderr, flush=True)
            figures = measured("ag2_variant.py", name, case, messages)
            base = figures if name == "plain" else base
            results[name].append(figures)
            added[name].append(figures["us"] - base["us"])
            own[name].append(figures["own_us"] - base["own_us"])
    plain = median(figures["us"] for figures in results["plain"])
    ours = median(added["seasoned"])
    files = ", ".join(f"{name} {size:,}" for name, size in results["seasoned"][-1]["files"].items())
    rows: list[list[Any]] = []
    for name in names:
        mine = results[name]
        middle = {key: median(figures[key] for figures in mine) for key in KEYS}
        row: list[Any] = [
            name,
            middle["us"],
            None,
            middle["us"] / plain,
            None,
            None,
            middle["cpu_us"],
            middle["settle_s"],
        ]
        if name == "plain":
            row += [None, None, len(mine)]
        else:
            extra = median(added[name])
            row[2], row[4], row[5] = extra, extra / ours, median(own[name])
            row += [round(middle["bytes"]), min(figures["recorded"] for figures in mine), len(mine)]
        rows.append(row)
    table(
        f"AG2, three agents in a round robin, {messages:,} messages of 320 B, {TITLES[case]}",
        HEAD,
        rows,
        f"budget for seasoned: {BUDGET[case]} us added and 900 bytes for each message",
        f"files of seasoned: {files}",
        *notes,
    )


def main() -> None:
    """Measure both cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--case", choices=list(TITLES), action="append")
    given = parser.parse_args()
    print(machine("ag2", "autogen", "openinference-instrumentation-ag2"))
    for case in given.case or TITLES:
        compare(case, given.rounds, given.messages)


if __name__ == "__main__":
    main()
