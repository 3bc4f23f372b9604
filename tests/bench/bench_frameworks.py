"""What recording adds to a conversation of AutoGen AgentChat and of LangGraph, and what it keeps.

``python bench_frameworks.py [--rounds 5] [--messages 400]``. Each figure is from a process of its own; the variants
take turns in every round, and what a variant adds is its CPU time (all threads, while the conversation lasts) less that
of the plain conversation of the same round. Shown are medians over the rounds. A framework or peer that is not
installed is left out, loudly.
"""

from __future__ import annotations

import argparse
from typing import Any

from common import installed, machine, measured, median, table
from framework_variant import CASES, INSTRUMENTORS, VARIANTS

BUDGET_US, BUDGET_BYTES = 60, 2_000
NEEDS = {"agentchat": "autogen_agentchat", "langgraph": "langgraph"}


def compare(case: str, rounds: int, messages: int) -> None:
    """Measure all variants of a case and print the table."""
    names = [name for name in VARIANTS if not name.startswith("Open") or installed(INSTRUMENTORS[case][0])]
    if len(names) < len(VARIANTS):
        print(f"NOT MEASURED: {INSTRUMENTORS[case][0]} is not installed")
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    added: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        base: dict[str, Any] = {}
        for name in names:
            figures = measured("framework_variant.py", name, case, messages)
            base = figures if name == "plain" else base
            results[name].append(figures)
            added[name].append(figures["cpu_us"] - base["cpu_us"])
    rows: list[list[Any]] = []
    for name in names:
        mine = results[name]
        middle = {key: median(figures[key] for figures in mine) for key in ("us", "cpu_us", "settle_s", "bytes")}
        extra = None if name == "plain" else median(added[name])
        kept = None if name == "plain" else round(middle["bytes"])
        rows.append([name, middle["us"], middle["cpu_us"], extra, middle["settle_s"], kept, mine[-1]["recorded"]])
    table(
        f"{case}: three agents in a round robin, {messages:,} messages of 320 B, a scripted model",
        ("variant", "us/msg", "CPU us/msg", "added", "settle s", "bytes/msg", "recorded"),
        rows,
        f"budget for seasoned: {BUDGET_US} us added and {BUDGET_BYTES:,} bytes for each message",
    )


def main() -> None:
    """Measure both frameworks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=400)
    parser.add_argument("--case", choices=list(CASES), action="append")
    given = parser.parse_args()
    print(machine("autogen-agentchat", "langgraph", "langchain-core"))
    for case in given.case or CASES:
        if installed(NEEDS[case]):
            compare(case, given.rounds, given.messages)
        else:
            print(f"NOT MEASURED: {NEEDS[case]} is not installed")


if __name__ == "__main__":
    main()
