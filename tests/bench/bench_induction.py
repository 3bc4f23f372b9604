"""How often the induced template is exactly the true one, beside a plain alignment with difflib.

For each template of a file with at least k different texts, k of them are drawn (several times, seeded), a template
is induced and compared with the true one after folding case and space, whatever the slots' names. Three libraries:
none; the tasks of all other templates; all other tasks of the file, whatever their template. A run of adjacent slots
in the true template counts as it is written: one slot is not two.
"""

from __future__ import annotations

import collections
import difflib
import gzip
import json
import os
import random
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from common import machine, table

from seasoned.skills_lib.induction import induce_template
from seasoned.skills_lib.known_texts import KnownTexts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DATA = Path(os.environ.get("SEASONED_BENCH_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
FILES = ("tasks_webarena.jsonl.gz", "tasks_visualwebarena.jsonl.gz")
SIZES = (2, 3, 5)
DRAWS = 2

SLOT = re.compile(r"\{\{.*?\}\}")
_TOKEN = re.compile(r"\{\{\}\}|\w+|[^\w\s]")


class Group(NamedTuple):
    """A template and the different texts that it renders to."""

    name: str
    template: str
    texts: tuple[str, ...]


def tasks(path: Path) -> list[dict[str, Any]]:
    """The records of a file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def groups(rows: Sequence[dict[str, Any]]) -> list[Group]:
    """The templates with a slot that render to their texts; of several wordings of one, the one with most texts."""
    wordings: dict[str, dict[str, dict[str, None]]] = {}
    for row in rows:
        if row.get("template_renders_to_intent"):
            wording = wordings.setdefault(str(row["template_group"]), {}).setdefault(row["intent_template"], {})
            wording[row["intent"]] = None
    found: list[Group] = []
    for name, by_template in wordings.items():
        template, texts = max(by_template.items(), key=lambda item: len(item[1]))
        if SLOT.search(template):
            found.append(Group(name, template, tuple(texts)))
    return found


def draws(group: Group, size: int, number: int, chance: random.Random) -> Iterator[tuple[str, ...]]:
    """Different texts of one template, ``number`` times."""
    if len(group.texts) >= size:
        for _ in range(number):
            yield tuple(chance.sample(group.texts, size))


def shape(template: str) -> list[str]:
    """A template as what is compared: its words and marks in lower case, and ``{{}}`` for every slot."""
    return _TOKEN.findall(SLOT.sub("{{}}", template).casefold())


def by_difflib(texts: Sequence[str]) -> list[str]:
    """The baseline: what difflib finds equal in the first text and each following one."""
    found = shape(texts[0])
    for text in texts[1:]:
        other = shape(text)
        merged: list[str] = []
        for kind, start, end, _, _ in difflib.SequenceMatcher(None, found, other, autojunk=False).get_opcodes():
            if kind == "equal":
                merged.extend(found[start:end])
            elif merged[-1:] != ["{{}}"]:
                merged.append("{{}}")
        found = [word for place, word in enumerate(merged) if word != "{{}}" or merged[place - 1 : place] != ["{{}}"]]
    return found


def measure(path: Path) -> list[list[Any]]:
    """The rows of one file."""
    rows = tasks(path)
    everything = [row["intent"] for row in rows]
    lines: list[list[Any]] = []
    for size in SIZES:
        right: collections.Counter[str] = collections.Counter()
        total = 0
        spent = 0.0
        for group in groups(rows):
            others = KnownTexts(row["intent"] for row in rows if str(row["template_group"]) != group.name)
            for texts in draws(group, size, DRAWS, random.Random(f"bench {group.name} {size}")):
                total += 1
                true = shape(group.template)
                right["difflib"] += by_difflib(texts) == true
                started = time.perf_counter()
                right["alone"] += shape(induce_template(texts).text) == true
                spent += time.perf_counter() - started
                right["others"] += shape(induce_template(texts, library=others).text) == true
                rest = KnownTexts(text for text in everything if text not in texts)
                right["all"] += shape(induce_template(texts, library=rest).text) == true
        if total:
            shares = [right[name] / total for name in ("difflib", "alone", "others", "all")]
            ratio = shares[1] / shares[0] if shares[0] else None
            lines.append([f"{path.name.split('.')[0]} k={size}", total, *shares, ratio, 1000 * spent / total])
    return lines


def main() -> None:
    """Print the table, or say loudly why not."""
    files = [DATA / name for name in FILES if (DATA / name).exists()]
    if not files:
        print(f"## Template induction: LEFT OUT, no data in {DATA} (set SEASONED_BENCH_DATA)", file=sys.stderr)
        return
    table(
        "Template induction: share of exact templates",
        ["file", "draws", "difflib", "alone", "other templates", "all other tasks", "alone / difflib", "ms"],
        [line for path in files for line in measure(path)],
        machine(),
        "The weights were learned from this half of the data; train_induction.py gives cross-validated figures.",
    )


if __name__ == "__main__":
    main()
