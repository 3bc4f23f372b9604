"""What switching on costs a program that has not imported any framework yet.

Every measurement is a Python process of its own, with and without the package in turn. The process with it also tells
which frameworks it has loaded, which must be none.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

from common import folder, machine, median, table

REPEATS = 15
FRAMEWORKS = (
    "ag2", "agent_framework", "autogen", "autogen_agentchat", "autogen_core", "autogen_ext", "langchain",
    "langchain_core", "langgraph", "openai",
)  # fmt: skip
HEAVY = ("alembic", "jinja2", "numpy", "pydantic", "rich", "sqlalchemy", "typer")

PROGRAM = """
import sys, time
start = time.perf_counter()
import seasoned
imported = time.perf_counter()
seasoned.enable(home=sys.argv[1])
enabled = time.perf_counter()
loaded = sorted({name.partition(".")[0] for name in sys.modules})
print((imported - start) * 1e3, (enabled - start) * 1e3, ",".join(loaded))
"""


def run(program: str, *arguments: str) -> tuple[float, str]:
    """Milliseconds of a Python process that runs ``program``, and what it printed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SEASONED_")}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, stdout=subprocess.PIPE, check=True
    )
    return (time.perf_counter() - start) * 1000, done.stdout.decode()


def main() -> None:
    """Print the table."""
    print(machine("msgspec", "pluggy", "wrapt"))
    bare: list[float] = []
    whole: list[float] = []
    imported: list[float] = []
    enabled: list[float] = []
    loaded: set[str] = set()
    with folder() as place:
        for _ in range(REPEATS + 1):  # the first is left out: it may have to compile
            bare.append(run("")[0])
            elapsed, out = run(PROGRAM, os.path.join(place, "home"))  # noqa: PTH118
            whole.append(elapsed)
            first, second, names = out.split()
            imported.append(float(first))
            enabled.append(float(second))
            loaded.update(names.split(","))
    base = median(bare[1:])
    rows: list[list[Any]] = [
        ["python -c ''", base, min(bare[1:]), 1.0, None],
        ["... with import seasoned; enable()", median(whole[1:]), min(whole[1:]), median(whole[1:]) / base, None],
        ["import seasoned", median(imported[1:]), min(imported[1:]), median(imported[1:]) / base, None],
        ["import seasoned; seasoned.enable()", median(enabled[1:]), min(enabled[1:]), median(enabled[1:]) / base, 150],
    ]
    table(
        f"Import and enable (milliseconds, {REPEATS} processes each)",
        ["what", "median", "least", "of bare Python", "budget"],
        rows,
        f"frameworks loaded: {', '.join(loaded.intersection(FRAMEWORKS)) or 'none'}",
        f"heavy parts of our own loaded: {', '.join(sorted(loaded.intersection(HEAVY))) or 'none'}",
    )
    if loaded.intersection(FRAMEWORKS):
        sys.exit("a framework was imported")


if __name__ == "__main__":
    main()
