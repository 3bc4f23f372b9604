"""The calls of the solved tasks that read most like a new one: the way that needs nothing but words.

Tasks are compared by the words that tell them apart (TF-IDF over stemmed words and pairs). Of the sequences of the
nearest ones not the commonest is taken but the one that is closest to all of them, weighted by how near they are: the
choice that loses least if any of them is right (minimum Bayes risk).
"""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from .clauses import split, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NEAREST = 10
"""Solved tasks that have a say."""

SHARPNESS = 4
"""The power to which similarity is raised before it is a weight. With 5 to 30 neighbours and powers from 2 to 8
the edit similarity on public retail tasks stays within 0.01."""

Calls = tuple[str, ...]


class Neighbours:
    """Solved tasks, found by their words."""

    def __init__(self, solved: Sequence[tuple[str, Calls]]) -> None:
        self._calls = [calls for _, calls in solved]
        counts = [_terms(text) for text, _ in solved]
        self._tasks = len(solved)
        self._spread = Counter(term for one in counts for term in one)
        self._found: dict[str, list[tuple[int, float]]] = {}
        for number, one in enumerate(counts):
            for term, weight in self._vector(one).items():
                self._found.setdefault(term, []).append((number, weight))

    def nearest(self, text: str, limit: int = NEAREST) -> list[tuple[int, float]]:
        """The numbers of the solved tasks most like this one, with their similarity above 0 and up to 1."""
        scores: Counter[int] = Counter()
        for term, weight in self._vector(_terms(text)).items():
            for number, other in self._found.get(term, ()):
                scores[number] += weight * other  # type: ignore[assignment]  # a Counter of floats
        ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        return [(number, min(1.0, float(score))) for number, score in ranked[:limit] if score > 0]

    def sequences(self, text: str) -> dict[Calls, float]:
        """The sequences of the nearest tasks, with weights that sum to 1; empty where none is like it."""
        weights: dict[Calls, float] = {}
        for number, score in self.nearest(text):
            calls = self._calls[number]
            weights[calls] = weights.get(calls, 0.0) + score**SHARPNESS
        total = sum(weights.values())
        return {calls: weight / total for calls, weight in weights.items()} if total else {}

    def _vector(self, terms: Mapping[str, int]) -> dict[str, float]:
        weights = {
            term: (1 + math.log(count)) * math.log((self._tasks + 1) / max(1, self._spread[term]))
            for term, count in terms.items()
        }
        length = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        return {term: weight / length for term, weight in weights.items()}


def _terms(text: str) -> Counter[str]:
    words = [word for clause in split(text) for word in words_of(clause)]
    return Counter([*words, *(f"{left} {right}" for left, right in pairwise(words))])


def likeliest(sequences: Mapping[Calls, float], limit: int = 25) -> tuple[Calls, float]:
    """The sequence with the highest expected edit similarity to the others, and that expectation (0 to 1)."""
    top = sorted(sequences.items(), key=lambda item: (-item[1], item[0]))[:limit]
    total = sum(weight for _, weight in top)
    if not total:
        return (), 0.0
    best = max(top, key=lambda item: _expected(item[0], top))
    return best[0], _expected(best[0], top) / total


def _expected(calls: Calls, others: Iterable[tuple[Calls, float]]) -> float:
    return sum(weight * similarity(calls, other) for other, weight in others)


def similarity(left: Sequence[str], right: Sequence[str]) -> float:
    """Edit similarity of two sequences: 1 less the Levenshtein distance as part of the longer one's length."""
    longest = max(len(left), len(right))
    if not longest:
        return 1.0
    row = list(range(len(right) + 1))
    for number, one in enumerate(left, 1):
        above, row[0] = row[0], number
        for place, other in enumerate(right, 1):
            above, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, above + (one != other))
    return 1 - row[-1] / longest
