"""Runs every benchmark, each in a process of its own: ``make bench``, or with names: ``run_all.py record ag2``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ORDER = (
    "import",
    "record",
    "ingest",
    "growth",
    "ag2",
    "matching",
    "induction",
    "procedures",
    "giving",
    "frameworks",
    "replay",
    "report",
)


def main(names: list[str]) -> int:
    """Run the benchmarks named, or all; returns 1 if one could not be run."""
    unknown = set(names) - set(ORDER)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(ORDER)}", file=sys.stderr)
        return 2
    failed = [
        name
        for name in ORDER
        if name in (names or ORDER)
        and subprocess.run([sys.executable, str(Path(__file__).with_name(f"bench_{name}.py"))], check=False).returncode
    ]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
