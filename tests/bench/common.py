"""What the benchmarks share: texts, figures, tables.

A benchmark prints what it measured beside a baseline from the same run, because absolute figures drift from machine
to machine. Nothing here fails because a machine is slow.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

SENTENCE = (
    "the customer asked whether a later flight can be booked with credit from an earlier trip and we have checked that "
    "both bags are included in this fare so please confirm before payment is taken from your account on file because "
    "changes made within two days of departure need approval by someone at another desk who knows how refunds work"
)
WORDS = SENTENCE.split()


def texts(count: int, size: int, seed: int = 7) -> list[str]:
    """``count`` different texts of ``size`` ASCII characters: words, an order number, no secrets."""
    rng = random.Random(seed)
    return list(_texts(rng, count, size))


def _texts(rng: random.Random, count: int, size: int) -> Iterator[str]:
    for number in range(count):
        parts = [f"Order {rng.randrange(10**6):06d}-{number}:"]
        length = len(parts[0])
        while length < size:
            word = rng.choice(WORDS)
            parts.append(word)
            length += len(word) + 1
        yield " ".join(parts)[:size]


def folder() -> tempfile.TemporaryDirectory[str]:
    """An empty folder that vanishes after the ``with`` block; under SEASONED_BENCH_DIR where that is set."""
    return tempfile.TemporaryDirectory(prefix="seasoned-bench-", dir=os.environ.get("SEASONED_BENCH_DIR"))


def bytes_below(path: Path) -> int:
    """The size of all files below ``path``."""
    return sum(entry.stat().st_size for entry in path.rglob("*") if entry.is_file())


def measured(script: str, variant: str, case: str, messages: int) -> dict[str, Any]:
    """What a script beside this file prints of one measurement, made in a process of its own; raises RuntimeError with
    what it printed where it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SEASONED_")}
    path = str(Path(__file__).with_name(script))
    with folder() as place:
        done = subprocess.run(
            [sys.executable, path, variant, case, str(messages), place],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{variant}, {case}: {done.stderr.strip()[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def installed(module: str) -> bool:
    """Whether a module can be imported, without importing its parents' worlds."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which ``part`` of ``values`` lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def median(values: Iterable[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def resident_mb() -> float:
    """Resident memory of this process in megabytes (Linux); 0 where it cannot be told."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cell(value: Any) -> str:
    """How a table shows a value."""
    if value is None:
        return "-"
    if isinstance(value, float):
        if abs(value) >= 1000:
            return f"{value:,.0f}"
        return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]], *notes: str) -> None:
    """Print a table: the first column to the left, figures to the right, notes below."""
    lines = [list(head), *([cell(value) for value in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    print(f"\n## {title}")
    for number, line in enumerate(lines):
        first, *rest = (
            text.ljust(width) if column == 0 else text.rjust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        print("  ".join([first, *rest]))
        if number == 0:
            print("  ".join("-" * width for width in widths))
    for note in notes:
        print(f"  {note}")
    print(flush=True)


def machine(*distributions: str) -> str:
    """One line about where this was measured."""
    versions = [f"Python {platform.python_version()}", f"{os.cpu_count()} cores", platform.system()]
    for name in distributions:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {name}")
    return ", ".join(versions)
