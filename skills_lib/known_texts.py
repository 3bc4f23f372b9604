"""What the rest of the library knows about a template: other texts, their words, and those that look like it.

Alignment alone cannot see that the "Quest" of two values is a value, or that a word that all the texts at hand share
would change in the next one. Other texts can: they show which words follow one another all over the library, and some
of them are further instances of the same template, or nearly so. How far each is to be trusted is a
learned sum over what can be seen of it (:data:`.slot_weights.TRUST`), because a text that merely looks alike would
cut a template to pieces; what to do with the trust is left to :mod:`.slots`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from .alignment import Column, pair, together, worth
from .slot_weights import TRUST
from .tokens import FUNCTION_WORDS, tokenise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LONGEST = 4
"""Words of the longest sequence that is counted."""

NEAR = 0.6
"""The least share of a template's words (by worth) that a relative has."""

MAX_WORDS = 400
"""Tokens of a known text, and of a template, that are read: a request stands at the beginning, pasted text after it."""

MAX_RELATIVES = 24
MAX_TRIED = 96
"""How many relatives are kept, and how many candidates are aligned to find them."""


class Relative(NamedTuple):
    """A text of the library that looks like a template."""

    trust: float
    """How likely it is a further instance (0 to 1)."""
    has: frozenset[int]
    """The columns whose word it has, in order."""
    splits: frozenset[int]
    """The columns before which it has words of its own, although the template's texts have none there."""
    signs: Mapping[str, float]
    """What the trust is based on."""
    text: str


class KnownTexts:
    """The texts of a library, prepared once for many inductions."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = sorted(set(texts))
        self.keys = [tuple(token.key for token in tokenise(text[: MAX_WORDS * 20])[:MAX_WORDS]) for text in self.texts]
        self._grams: Counter[tuple[str, ...]] = Counter()
        self._with: dict[str, list[int]] = defaultdict(list)
        for number, keys in enumerate(self.keys):
            grams = {
                keys[place : place + size] for size in range(1, LONGEST + 1) for place in range(len(keys) - size + 1)
            }
            self._grams.update(grams)
            for key in set(keys):
                self._with[key].append(number)

    def __len__(self) -> int:
        return len(self.texts)

    def count(self, words: Sequence[str]) -> int:
        """In how many texts these words stand together (at most :data:`LONGEST` of them count)."""
        return self._grams.get(tuple(words[:LONGEST]), 0)

    def rarity(self, key: str) -> float:
        """How rare a word is in the library: 0 for one that every text has."""
        return math.log((1 + len(self.texts)) / (1 + self.count((key,))))

    def goes_on(self, kept: Sequence[str], given_up: Sequence[str], *, backwards: bool) -> tuple[float, int]:
        """Where the kept words stand in the library, how often the given-up word is next; and in how many texts.

        Both are written from the edge outwards; ``backwards``: the given-up words stand before the kept ones.
        """
        for size in (3, 2, 1):
            context = tuple(kept[:size])
            if len(context) < size:
                continue
            gram = (given_up[0], *context) if backwards else (*context[::-1], given_up[0])
            seen = self.count(context if backwards else context[::-1])
            if seen:
                return self.count(gram) / seen, seen
        return 0.0, 0

    def relatives(
        self, columns: Sequence[Column], without: Iterable[str] = (), weights: Mapping[str, float] = TRUST
    ) -> list[Relative]:
        """The texts that share most of a template's words in its order, the most trusted first.

        ``without``: texts that are left out, because the template was made from them.
        """
        if not columns or len(columns) > MAX_WORDS:
            return []
        keys = [column.key for column in columns]
        found: list[Relative] = []
        sketch = _Sketch(self, columns)
        for number in self._candidates(keys, frozenset(without)):
            place_of = dict(pair(keys, self.keys[number], sketch.breaks))
            share = sum(worth(keys[place]) for place in place_of) / sketch.total
            if share < NEAR:
                continue
            has = frozenset(place_of)
            splits = frozenset(
                place
                for place in has
                if place
                and place not in sketch.breaks
                and place_of[place] - place_of.get(place - 1, place_of[place]) > 1
            )
            signs = sketch.signs(place_of, splits, len(self.keys[number]))
            score = sum(weights.get(name, 0.0) * value for name, value in signs.items())
            found.append(Relative(1 / (1 + math.exp(-score)), has, splits, signs, self.texts[number]))
        found.sort(key=lambda relative: (-relative.trust, relative.text))
        return found[:MAX_RELATIVES]

    def _candidates(self, keys: Sequence[str], without: frozenset[str]) -> list[int]:
        """The texts with enough of the content words, those with most of them first."""
        weights = {key: worth(key) for key in keys if key not in FUNCTION_WORDS and key[0].isalnum()}
        shared: dict[int, float] = defaultdict(float)
        for key, weight in weights.items():
            for number in self._with.get(key, ()):
                shared[number] += weight
        enough = 0.5 * sum(weights.values())
        return sorted(
            (number for number, weight in shared.items() if weight >= enough and self.texts[number] not in without),
            key=lambda number: (-shared[number], len(self.keys[number]), number),
        )[:MAX_TRIED]


class _Sketch:
    """A template as a library sees it: its runs and how rare its words are."""

    def __init__(self, known: KnownTexts, columns: Sequence[Column]) -> None:
        self.columns = columns
        self.breaks = frozenset(
            place for place in range(1, len(columns)) if not together(columns[place - 1], columns[place])
        )
        self.worths = [worth(column.key) for column in columns]
        self.total = sum(self.worths)
        self.rarity = [known.rarity(column.key) for column in columns]
        self.length = sum(last - first + 1 for first, last in zip(columns[0].places, columns[-1].places, strict=True))
        self.length /= len(columns[0].places)

    def signs(self, place_of: Mapping[int, int], splits: frozenset[int], length: int) -> dict[str, float]:
        """What speaks for and against a text with these words at these places, and so many words."""
        size = len(self.columns)
        stretches, inside = self._lacking(place_of)
        longest = now = 0.0
        for place in range(size):
            if place not in place_of or place in self.breaks or place in splits:
                now = 0.0
            if place in place_of:
                now += self.worths[place]
                longest = max(longest, now)
        share = sum(self.worths[place] for place in place_of) / self.total
        rare = sum(self.rarity[place] for place in place_of)
        return {
            "always": 1.0,
            "share": share,
            "share of rare words": rare / (sum(self.rarity) or 1.0),
            "rare words": math.log(1 + rare),
            "lacking": math.log(1 + self.total * (1 - share)),
            "stretches": float(stretches),
            "inside": float(inside),
            "splits": float(len(splits)),
            "longest run": math.log(1 + longest),
            "longest run, share": longest / self.total,
            "begins alike": float(place_of.get(0) == 0 and not any(self.columns[0].places)),
            "begins alike, three words": float(all(place_of.get(place) == place for place in range(min(3, size)))),
            "ends alike": float(place_of.get(size - 1) == length - 1),
            "longer or shorter": abs(math.log((1 + length) / (1 + self.length))),
            "texts": math.log(len(self.columns[0].places)),
            "slots": len(self.breaks) / size,
        }

    def _lacking(self, place_of: Mapping[int, int]) -> tuple[int, int]:
        """How many stretches of words are lacking, and how many of these do not touch a slot."""
        stretches = inside = 0
        size = len(self.columns)
        place = 0
        while place < size:
            if place in place_of:
                place += 1
                continue
            first = place
            while place < size and place not in place_of:
                place += 1
            stretches += 1
            inside += not any(edge in self.breaks for edge in range(first, place + 1))
        return stretches, inside
