"""Learns the weights of template induction (`skills_lib/slot_weights.py`) and tells how well they carry over.

    PYTHONPATH=. python tests/bench/train_induction.py FILE.jsonl.gz...            # cross-validation only
    PYTHONPATH=. python tests/bench/train_induction.py --write FILE.jsonl.gz...    # and write the weights

The files hold tasks with their true template (`template_group`, `intent`, `intent_template`). Draws of 2, 3 and 5
texts of one template are aligned; the true template says which reading of each run of shared words is right, and a
softmax over the readings with a quadratic penalty is fitted to that. How far a text of the library is to be trusted
is a logistic regression on whether it is of the same template. Every template weighs the same. Cross-validation has
whole templates in one fold, and the trust is learned anew in each. numpy is needed here and nowhere in the package.
"""

from __future__ import annotations

import argparse
import collections
import random
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from bench_induction import SLOT, Group, draws, groups, shape, tasks

from seasoned.skills_lib import slots
from seasoned.skills_lib.known_texts import KnownTexts
from seasoned.skills_lib.slot_features import Evidence, Reading, Run, features
from seasoned.skills_lib.tokens import tokenise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

FOLDS = 5
DRAWS = 4
PENALTY = 3.0
TRUST_PENALTY = 1.0
WEIGHTS = Path(__file__).parents[2] / "skills_lib" / "slot_weights.py"
HEAD = '''"""Learned weights of template induction; written by ``tests/bench/train_induction.py``, not by hand.

``ALONE`` and ``WITH_LIBRARY`` weigh the features of :mod:`.slot_features`, ``TRUST`` what :mod:`.known_texts` sees of
a text that looks like a template. They are the coefficients of log-linear models: 1 more makes a reading e times as
likely. Features that are not named weigh nothing.
"""

from __future__ import annotations
'''

Choice = tuple[list[Reading], list[dict[str, float]], "int | None"]


class Draw(NamedTuple):
    """Some texts of one template."""

    file: str
    group: Group
    texts: tuple[str, ...]
    known: KnownTexts | None

    @property
    def fold(self) -> int:
        """Which part of the cross-validation it belongs to, by its template."""
        return zlib.crc32(f"{self.file} {self.group.name}".encode()) % FOLDS


def literal_numbers(template: str, text: str) -> dict[int, int] | None:
    """For each token of a text that is a literal of its template: the number of that literal."""
    spelled = "(.*?)".join(f"({re.escape(part)})" for part in SLOT.split(template))
    found = re.fullmatch(spelled, text, re.DOTALL | re.IGNORECASE)
    if not found:
        return None
    spans = [found.span(number) for number in range(1, found.re.groups + 1, 2)]
    inside = [
        number
        for number, token in enumerate(tokenise(text))
        if any(start <= token.start and token.end <= end for start, end in spans)
    ]
    return {number: literal for literal, number in enumerate(inside)}


def right_columns(draw: Draw, evidence: Evidence) -> set[int] | None:
    """The columns that are literals of the true template, as far as the draw's own texts tell."""
    numbers = [literal_numbers(draw.group.template, text) for text in draw.texts]
    known = [mapping for mapping in numbers if mapping is not None]
    if len(known) < len(numbers):
        return None
    right = set[int]()
    for number, column in enumerate(evidence.columns):
        literal = {mapping.get(place) for mapping, place in zip(known, column.places, strict=False)}
        if len(literal) == 1 and None not in literal:
            right.add(number)
    return right


def choices(draw: Draw, evidence: Evidence) -> list[Choice]:
    """Each run's readings, their features and which is right (None: none of them, or unknown)."""
    right = right_columns(draw, evidence)
    found: list[Choice] = []
    for run in slots.runs(evidence.columns, [len(row) for row in evidence.tokens]):
        options = list(slots.readings(evidence, run))
        said = [features(evidence, run, option) for option in options]
        found.append((options, said, _right(run, options, right)))
    return found


def _right(run: Run, options: Sequence[Reading], right: set[int] | None) -> int | None:
    if right is None:
        return None
    wanted = [number for number in range(run.first, run.last) if number in right]
    return next((place for place, option in enumerate(options) if list(option.stays()) == wanted), None)


def fit(samples: Sequence[tuple[str, list[Choice]]], penalty: float = PENALTY) -> dict[str, float]:
    """The weights of a softmax over readings, by Newton's method; ``samples``: template and choices."""
    names: dict[str, int] = {}
    counts = collections.Counter(template for template, _ in samples)
    rows: list[Mapping[str, float]] = []
    sizes: list[int] = []
    right: list[int] = []
    share: list[float] = []
    for template, found in samples:
        for options, said, answer in found:
            if answer is None or len(options) < 2:
                continue
            right.append(len(rows) + answer)
            rows.extend(said)
            sizes.append(len(options))
            share.append(3 * DRAWS / counts[template])
    for row in rows:
        for name in row:
            names.setdefault(name, len(names))
    table = np.zeros((len(rows), len(names)))
    for number, row in enumerate(rows):
        for name, value in row.items():
            table[number, names[name]] = value
    starts = np.cumsum([0, *sizes[:-1]])
    choice = np.repeat(np.arange(len(sizes)), sizes)
    weight = np.array(share)

    def loss(guess: np.ndarray) -> tuple[float, np.ndarray]:
        scores = table @ guess
        scores -= np.maximum.reduceat(scores, starts)[choice]
        powers = np.exp(scores)
        sums = np.add.reduceat(powers, starts)
        return float(weight @ (np.log(sums) - scores[right]) + penalty / 2 * guess @ guess), powers / sums[choice]

    guess = np.zeros(len(names))
    now, chances = loss(guess)
    for _ in range(20):
        spread = table - np.add.reduceat(table * chances[:, None], starts, axis=0)[choice]
        scaled = chances * weight[choice]
        slope = table.T @ scaled - table[right].T @ weight + penalty * guess
        step = np.linalg.solve(spread.T @ (spread * scaled[:, None]) + penalty * np.eye(len(names)), slope)
        size, before = 1.0, now
        while (now := (result := loss(guess - size * step))[0]) > before and size > 1e-3:
            size /= 2
        guess, chances = guess - size * step, result[1]
        if before - now < 1e-3:
            break
    return {name: float(guess[place]) for name, place in names.items()}


def fit_trust(samples: Sequence[tuple[Mapping[str, float], bool]]) -> dict[str, float]:
    """The weights of a logistic regression: is it of the same template?"""
    names = sorted(samples[0][0])
    table = np.array([[signs[name] for name in names] for signs, _ in samples])
    right = np.array([float(same) for _, same in samples])
    guess = np.zeros(len(names))
    for _ in range(25):
        chances = 1 / (1 + np.exp(-table @ guess))
        slope = table.T @ (chances - right) + TRUST_PENALTY * guess
        bend = table.T @ (table * (chances * (1 - chances))[:, None]) + TRUST_PENALTY * np.eye(len(names))
        guess -= np.linalg.solve(bend, slope)
    return dict(zip(names, map(float, guess), strict=True))


def trust_samples(draw: Draw, same: set[tuple[str, str, str]]) -> list[tuple[Mapping[str, float], bool]]:
    """What is seen of the relatives of a draw before any has joined, and whether they are its siblings."""
    if draw.known is None:
        return []
    columns = slots.gather(draw.texts, None).columns
    relatives = draw.known.relatives(columns, draw.texts, {})
    return [(relative.signs, (draw.file, draw.group.name, relative.text) in same) for relative in relatives]


def induced(draw: Draw, evidence: Evidence, weights: Mapping[str, float], trust: Mapping[str, float]) -> list[str]:
    """The template in the form of :func:`bench_induction.shape`, made with these weights."""
    columns = slots.literals(evidence, weights, trust)
    found: list[str] = []
    for run in slots.runs(columns, [len(row) for row in evidence.tokens]):
        if run.opens and found[-1:] != ["{{}}"]:
            found.append("{{}}")
        found.extend(column.key for column in columns[run.first : run.last])
        if run.closes:
            found.append("{{}}")
    return found or ["{{}}"]


def prepared(files: Sequence[Path], kinds: Iterable[str]) -> tuple[dict[str, list[Draw]], set[tuple[str, str, str]]]:
    """Draws by the kind of library: none, other templates only, or all other tasks."""
    found: dict[str, list[Draw]] = {kind: [] for kind in kinds}
    same = set[tuple[str, str, str]]()
    for path in files:
        rows = tasks(path)
        same.update((path.name, str(row["template_group"]), row["intent"]) for row in rows)
        everything = KnownTexts(row["intent"] for row in rows)
        for group in groups(rows):
            others = KnownTexts(row["intent"] for row in rows if str(row["template_group"]) != group.name)
            library = {"none": None, "other": others, "all": everything}
            for size in (2, 3, 5):
                for texts in draws(group, size, DRAWS, random.Random(f"{group.name} {size}")):
                    for kind, draw_list in found.items():
                        draw_list.append(Draw(path.name, group, texts, library[kind]))
    return found, same


def tally(title: str, results: Iterable[tuple[Draw, list[str]]]) -> None:
    """Print the share of exact templates by file and number of texts."""
    counts: dict[tuple[str, int], list[int]] = collections.defaultdict(list)
    for draw, found in results:
        counts[draw.file, len(draw.texts)].append(found == shape(draw.group.template))
    for (file, size), right in sorted(counts.items()):
        print(f"{title:>16}  {file:34} k={size}  {sum(right) / len(right):.3f}  ({len(right)} draws)", flush=True)


def learn(
    draws_of: Mapping[str, list[Draw]], same: set[tuple[str, str, str]], leave_out: int | None, penalty: float
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Weights alone, weights with a library, and trust; without the templates of one fold."""

    def taken(kind: str) -> list[Draw]:
        return [draw for draw in draws_of[kind] if draw.fold != leave_out]

    alone = fit([(_key(draw), choices(draw, slots.gather(draw.texts, None))) for draw in taken("none")], penalty)
    trust = fit_trust([sample for draw in taken("all") for sample in trust_samples(draw, same)])
    known: list[tuple[str, list[Choice]]] = []
    for draw in (*taken("all"), *taken("other")):
        evidence = slots.gather(draw.texts, draw.known, trust)
        if evidence.known is not None:
            known.append((_key(draw), choices(draw, evidence)))
    return alone, fit(known, penalty), trust


def _key(draw: Draw) -> str:
    return f"{draw.file} {draw.group.name}"


def cross_validate(draws_of: Mapping[str, list[Draw]], same: set[tuple[str, str, str]], penalty: float) -> None:
    """Print what each kind of library reaches on templates that were not learned from."""
    results: dict[str, list[tuple[Draw, list[str]]]] = {kind: [] for kind in draws_of}
    for fold in range(FOLDS):
        alone, known, trust = learn(draws_of, same, fold, penalty)
        for kind, found in draws_of.items():
            for draw in found:
                if draw.fold == fold:
                    evidence = slots.gather(draw.texts, draw.known, trust)
                    weights = alone if evidence.known is None else known
                    results[kind].append((draw, induced(draw, evidence, weights, trust)))
    for kind, found in results.items():
        tally(f"library: {kind}", found)


def written(tables: Mapping[str, Mapping[str, float]]) -> str:
    """The weights as a module."""
    lines = [HEAD]
    for name, table in tables.items():
        lines.append(f"{name}: dict[str, float] = {{")
        lines.extend(f'    "{key}": {table[key]:.3f},' for key in sorted(table) if abs(table[key]) >= 0.0005)
        lines.append("}\n")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Cross-validate, and write the weights if told to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="learn from everything and write the weights")
    parser.add_argument("--no-check", action="store_true", help="leave the cross-validation out")
    parser.add_argument("--penalty", type=float, default=PENALTY)
    options: Any = parser.parse_args(arguments)
    draws_of, same = prepared(options.files, ("none", "other", "all"))
    if not options.no_check:
        cross_validate(draws_of, same, options.penalty)
    if options.write:
        alone, known, trust = learn(draws_of, same, None, options.penalty)
        text = written({"ALONE": alone, "WITH_LIBRARY": known, "TRUST": trust})
        WEIGHTS.write_text(text, encoding="utf-8")
        print(f"wrote {WEIGHTS}: {len(alone)} + {len(known)} + {len(trust)} weights")


if __name__ == "__main__":
    main()
