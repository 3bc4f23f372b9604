"""The table of supported frameworks, made from what the adapters say of themselves.

::

    python -m seasoned.plugin.support [--write README.md]

It stands in the README between two marks; a test compares the two, so that the README cannot promise what no adapter
declares.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..instrumentation.tap import Adapter

START, END = "<!-- support: python -m seasoned.plugin.support -->", "<!-- /support -->"


def table(adapters: Iterable[Adapter]) -> str:
    """The table in Markdown."""
    lines = ["| framework | versions tested | recorded | not recorded, and why |", "|---|---|---|---|"]
    for adapter in adapters:
        spans = [f"`{name}` {' to '.join(dict.fromkeys(span))}" for name, span in adapter.tested.items()]
        lacks = [f"{what}: {why}" for what, why in adapter.support.lacks]
        cells = (adapter.support.title, "<br>".join(spans), "; ".join(adapter.support.records), "; ".join(lacks) or "-")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def built_in() -> list[Adapter]:
    """The adapters that come with the package."""
    from .builtin import Adapters

    return list(Adapters().register_adapters())


def placed(text: str, adapters: Iterable[Adapter]) -> str:
    """A document with the table between its marks.

    Raises:
        ValueError: the marks are not there.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"the marks {START} and {END} are missing")
    return f"{before}{START}\n{table(adapters)}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Print the table, or write it into a document."""
    if not arguments:
        sys.stdout.write(table(built_in()) + "\n")
        return 0
    if len(arguments) != 2 or arguments[0] != "--write":
        sys.stderr.write("usage: python -m seasoned.plugin.support [--write FILE]\n")
        return 2
    path = Path(arguments[1])
    path.write_text(placed(path.read_text(encoding="utf-8"), built_in()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
