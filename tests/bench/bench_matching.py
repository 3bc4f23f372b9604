"""Matching: does the index find the task of the same template, and does it know when there is none; and how quickly.

::

    python tests/bench/bench_matching.py [--data DIR] [--semantic] [--latency-only]

Beside it, on the same protocol, the simple ways: TF-IDF of words and pairs of words, BM25, overlap of key words, and
all-MiniLM-L6-v2 where it is installed. The shipped weights were learned from these very tasks, so here they look a
little better than on others: ``learn_matching.py`` prints the cross-validated figures. A row of tasks without the data
is left out, loudly.
"""

from __future__ import annotations

import argparse
import random
import re
import statistics
import time
from collections import Counter
from itertools import pairwise
from math import log, sqrt
from typing import TYPE_CHECKING, Protocol

import numpy as np
from learn_matching import DATA, ROWS, Task, auroc, embedded, tasks

from seasoned.skills_lib import embedder, index
from seasoned.skills_lib.masking import _FUNCTION_WORDS  # pyright: ignore[reportPrivateUsage]

if TYPE_CHECKING:
    from pathlib import Path

SIZES = (10_000, 100_000)
BUDGET_MS = {10_000: 10, 100_000: 30}


class Way(Protocol):
    """A way to compare: the likeness of a task with each of the others."""

    def __call__(self, task: str, others: list[str]) -> np.ndarray: ...


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _grams(text: str) -> Counter[str]:
    words = _words(text)
    return Counter([*words, *(" ".join(pair) for pair in pairwise(words))])


def tfidf(task: str, others: list[str]) -> np.ndarray:
    held = [_CACHE.setdefault(text, _grams(text)) for text in others]
    spread = Counter(gram for grams in held for gram in grams)
    rarity = {gram: log((1 + len(held)) / (1 + count)) + 1 for gram, count in spread.items()}
    mine = {g: (1 + log(c)) * rarity.get(g, 0.0) for g, c in _grams(task).items()}
    out = []
    for grams in held:
        theirs = {g: (1 + log(c)) * rarity[g] for g, c in grams.items()}
        size = sqrt(sum(v * v for v in theirs.values()) * sum(v * v for v in mine.values()))
        out.append(sum(v * mine.get(g, 0.0) for g, v in theirs.items()) / (size or 1))
    return np.array(out)


def bm25(task: str, others: list[str]) -> np.ndarray:
    held = [Counter(_words(text)) for text in others]
    spread = Counter(word for words in held for word in words)
    mean = statistics.fmean(sum(words.values()) for words in held)
    out = []
    for words in held:
        length = 0.25 + 0.75 * sum(words.values()) / mean
        out.append(
            sum(
                log(1 + (len(held) - spread[w] + 0.5) / (spread[w] + 0.5)) * words[w] * 2.5 / (words[w] + 1.5 * length)
                for w in _words(task)
                if w in words
            )
        )
    return np.array(out)


def keywords(task: str, others: list[str]) -> np.ndarray:
    mine = set(_words(task)) - _FUNCTION_WORDS
    found = [set(_words(text)) - _FUNCTION_WORDS for text in others]
    return np.array([len(mine & theirs) / (len(mine | theirs) or 1) for theirs in found])


_CACHE: dict[str, Counter[str]] = {}


def simple(way: Way, asked: list[Task], known: list[Task]) -> tuple[float, float]:
    """Hit@1 and AUROC of a simple way."""
    hits, inside, outside = [], [], []
    for task in asked:
        others = [other for other in known if other.id != task.id]
        right = np.array([other.template == task.template for other in others])
        if not right.any():
            continue
        likeness = way(task.text, [other.text for other in others])
        hits.append(bool(right[likeness.argmax()]))
        inside.append(float(likeness.max()))
        strangers = [other.text for other in others if other.template != task.template]
        outside.append(float(way(task.text, strangers).max()))
    return float(np.mean(hits)), auroc(inside, outside)


def ours(asked: list[Task], known: list[Task], encoder: embedder.Encoder | None = None) -> tuple[float, float, float]:
    """Hit@1, AUROC and the share of right decisions to abstain or not, through the public surface."""
    found = index.TaskIndex(encoder=encoder)
    template = {task.id: task.template for task in known}
    for task in known:
        found.add(task.id, task.text)
    if found.vectors is not None:
        found.vectors.settle(600)
    hits, inside, outside = [], [], []
    for task in asked:
        partners = [other for other in known if other.template == task.template]
        if not any(other.id != task.id for other in partners):
            continue
        gone = [other for other in partners if other.id == task.id]
        for held in (True, False):
            away = gone if held else partners
            for other in away:
                found.remove(other.id)
            if held:
                hits.append(template[str(found.search(task.text, limit=1)[0].id)] == task.template)
            (inside if held else outside).append(found.confidence(task.text))
            for other in away:
                found.add(other.id, other.text)
            if found.vectors is not None:
                found.vectors.settle(60)
    decided = [sure >= found.threshold for sure in inside] + [sure < found.threshold for sure in outside]
    return float(np.mean(hits)), auroc(inside, outside), float(np.mean(decided))


def accuracy(data: Path, *, semantic: bool) -> None:
    ways: dict[str, Way] = {"TF-IDF 1-2-grams": tfidf, "BM25": bm25, "keyword Jaccard": keywords}
    held = {name: tasks(data, name) for name in sorted({name for row in ROWS for name in row})}
    encoder = embedder.Embedder().start() if semantic else None
    if encoder is not None and encoder.wait():
        table = embedded(encoder, {task.text for found in held.values() for task in found})
        ways["MiniLM"] = lambda task, others: np.array([table[text][0] for text in others]) @ table[task][0]
    for asked, known in ROWS:
        print(f"\n{asked}" + (f" -> {known}" if known != asked else ""))
        print(f"  {'':20} hit@1   errors   AUROC   right to abstain or not")
        figures = {name: simple(way, held[asked], held[known]) for name, way in ways.items()}
        floor = figures["TF-IDF 1-2-grams"][0]
        for name, (hit, known_by) in figures.items():
            print(f"  {name:20} {hit:.3f}  {(1 - hit) / (1 - floor):6.2f}x  {known_by:.3f}")
        mine = {"TaskIndex": ours(held[asked], held[known])}
        if encoder is not None and encoder.ready:
            mine["TaskIndex, semantic"] = ours(held[asked], held[known], encoder)
        for name, (hit, known_by, decided) in mine.items():
            print(f"  {name:20} {hit:.3f}  {(1 - hit) / (1 - floor):6.2f}x  {known_by:.3f}   {decided:.3f}", flush=True)


def synthetic(count: int, seed: int = 11) -> list[str]:
    """Made-up tasks: 2,000 templates of words in a natural frequency, with values that are mostly new."""
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices("aeioulnrstdmkp", k=rng.randint(3, 9))) for _ in range(8_000)]
    small = sorted(_FUNCTION_WORDS)
    chances = [1 / (rank + 3) for rank in range(len(vocabulary))]
    templates = []
    for _ in range(2_000):
        words = rng.choices(vocabulary, chances, k=rng.randint(6, 16))
        templates.append([rng.choice(small) if rng.random() < 0.45 else word for word in words])
    found = []
    for _ in range(count):
        words = list(rng.choice(templates))
        for _ in range(rng.randint(1, 3)):
            value = rng.choice(vocabulary).title() if rng.random() < 0.6 else f"#{rng.randrange(10**6)}"
            words[rng.randrange(1, len(words))] = value
        found.append(" ".join(words) + ".")
    return found


def latency() -> None:
    print(f"\n{'entries':>8}  add us   search p50 ms   p95 ms   budget ms   confidence p95 ms")
    for size in SIZES:
        texts = synthetic(size + 300)
        found = index.TaskIndex()
        start = time.perf_counter()
        for number, text in enumerate(texts[:size]):
            found.add(number, text)
        added = (time.perf_counter() - start) / size * 1e6
        took: dict[str, list[float]] = {"search": [], "confidence": []}
        for text in texts[size:]:
            for name, times in took.items():
                start = time.perf_counter()
                getattr(found, name)(text)
                times.append((time.perf_counter() - start) * 1e3)
        p50, p95 = np.percentile(took["search"], [50, 95])
        sure = np.percentile(took["confidence"], 95)
        print(f"{size:>8}  {added:6.0f}   {p50:13.1f}   {p95:6.1f}   {BUDGET_MS[size]:9}   {sure:17.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=type(DATA), default=DATA)
    parser.add_argument("--semantic", action="store_true", help="also with all-MiniLM-L6-v2")
    parser.add_argument("--latency-only", action="store_true")
    options = parser.parse_args()
    if not options.latency_only:
        if all((options.data / f"{name}.jsonl.gz").exists() for row in ROWS for name in row):
            accuracy(options.data, semantic=options.semantic)
        else:
            print(f"NOT MEASURED: accuracy, because the tasks are not in {options.data}")
    latency()


if __name__ == "__main__":
    main()
