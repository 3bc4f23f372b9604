"""Finding the few entries worth a closer look among very many: an inverted list over a task's word patterns.

What is listed is more than words. A template shows itself in how words stand together, so an entry is found by its
plain words and pairs of words, and by the pairs, skips and beginnings of its *masked* tokens (:mod:`.masking`), in
which a value by form is only "some quote" or "some number". Every such term is a 64-bit number made from hashes of
its words: no vocabulary to keep, save or hold in memory, and the same in every process.

Adding is cheap and never rebuilds everything: new entries go into a small dictionary, which becomes a sorted segment
when it is full; segments of like size are merged, so that an entry is moved a logarithmic number of times. Scores
depend on what the lists hold, not on the order in which it came.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from .masking import END, MARK, START

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .masking import Reading

    Keys = NDArray[np.uint64]

WORD, PAIR, STEP, OPENING, SKIP = range(5)
"""Families of terms: a plain word, two plain words in a row, two masked tokens in a row, the first two or three
masked tokens, two masked tokens with one between them."""

FRESH = 1_024
"""Entries that wait in the dictionary before they become a segment: few enough to look through, enough to sort."""

VISITS = 1_500_000
"""Postings that one search reads at most, the rarest terms first: about 5 ms. Only terms that most entries share are
ever left out, and those tell nothing apart."""

_SHIFT = np.uint64(3)
_FIRST, _SECOND, _THIRD = (np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))


@lru_cache(maxsize=200_000)
def _hash(token: str) -> int:
    return int.from_bytes(blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _mixed(family: int, *parts: Keys) -> Keys:
    """One number for each row of ``parts``, its top three bits the family."""
    mixed = np.zeros(len(parts[0]), np.uint64)
    for part, odd in zip(parts, (_FIRST, _SECOND, _THIRD), strict=False):
        mixed = (mixed ^ part) * odd
        mixed ^= mixed >> np.uint64(29)
    return (mixed >> _SHIFT) | np.uint64(family << 61)


def family_of(keys: Keys) -> Keys:
    """Which family each term is of."""
    return keys >> np.uint64(61)


def hashes(tokens: Iterable[str]) -> Keys:
    """The hashes that terms are made from, one for each token."""
    return np.fromiter(map(_hash, tokens), np.uint64)


def word_keys(words: Iterable[str]) -> Keys:
    """The terms of single plain words, in their order."""
    return _mixed(WORD, hashes(words))


def steps(reading: Reading) -> Keys:
    """The terms of two masked tokens in a row, in their order, from the task's beginning to its end.

    The n-th token that is no punctuation stands in the n-th of them and in the next.
    """
    masked = hashes([START, *shown(reading), END])
    return _mixed(STEP, masked[:-1], masked[1:])


def shown(reading: Reading) -> list[str]:
    """The masked tokens without punctuation."""
    return [token for token, kind in zip(reading.tokens, reading.kinds, strict=True) if kind != MARK]


def terms(reading: Reading) -> Keys:
    """Every term of a task once, sorted."""
    words = hashes(reading.words)
    masked = hashes([START, *shown(reading), END])
    if len(masked) == 2:  # nothing but punctuation, or nothing at all
        return np.unique(_mixed(WORD, words))
    found = [_mixed(WORD, words), _mixed(STEP, masked[:-1], masked[1:]), _mixed(SKIP, masked[:-2], masked[2:])]
    if len(words) > 1:
        found.append(_mixed(PAIR, words[:-1], words[1:]))
    if len(masked) > 3:
        found.append(_mixed(OPENING, masked[1:2], masked[2:3]))
        found.append(_mixed(OPENING, masked[1:2], masked[2:3], masked[3:4]))
    return np.unique(np.concatenate(found))


class _Segment:
    """Sorted terms, and for each the slots of the entries that hold it."""

    __slots__ = ("count", "keys", "slots", "starts")

    def __init__(self, keys: Keys, slots: NDArray[np.int32], count: int) -> None:
        order = np.lexsort((slots, keys))
        ordered = keys[order]
        self.slots = slots[order]
        first = (
            np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if len(ordered) else np.zeros(0, int)
        )
        self.keys = ordered[first]
        self.starts = np.append(first, len(ordered)).astype(np.int64)
        self.count = count

    def spread(self) -> Keys:
        return np.repeat(self.keys, np.diff(self.starts))

    def places(self, keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the postings of each term begin and end."""
        at = np.searchsorted(self.keys, keys)
        here = np.minimum(at, max(0, len(self.keys) - 1))
        known = (self.keys[here] == keys) if len(self.keys) else np.zeros(len(keys), bool)
        return np.where(known, self.starts[here], 0), np.where(
            known, self.starts[np.minimum(here + 1, len(self.starts) - 1)], 0
        )


class Postings:
    """Which entries (by slot, a small number) hold which terms.

    ``fresh`` entries wait in a dictionary before they become a segment.
    """

    def __init__(self, fresh: int = FRESH) -> None:
        self._limit = fresh
        self._fresh: dict[int, list[int]] = {}
        self._waiting: dict[int, Keys] = {}
        self._segments: list[_Segment] = []
        self._gone: dict[int, int] = {}
        self.entries = 0

    def add(self, slot: int, keys: Keys) -> None:
        """List an entry. A slot is used once: after :meth:`remove` it stays empty."""
        for key in keys.tolist():
            self._fresh.setdefault(key, []).append(slot)
        self._waiting[slot] = keys
        self.entries += 1
        if len(self._waiting) >= self._limit:
            self._settle()

    def remove(self, slot: int, keys: Keys) -> None:
        """Take an entry off the lists; in a segment it is only counted out, for the caller knows which slots live."""
        self.entries -= 1
        if self._waiting.pop(slot, None) is not None:
            for key in keys.tolist():
                held = self._fresh[key]
                held.remove(slot)
                if not held:
                    del self._fresh[key]
            return
        for key in keys.tolist():
            self._gone[key] = self._gone.get(key, 0) + 1

    def holders(self, keys: Keys) -> NDArray[np.float64]:
        """How many living entries hold each term."""
        counts = np.zeros(len(keys))
        for segment in self._segments:
            begin, end = segment.places(keys)
            counts += end - begin
        if self._fresh:
            fresh = self._fresh
            counts += [len(fresh[key]) if key in fresh else 0 for key in keys.tolist()]
        if self._gone:
            counts -= [self._gone.get(key, 0) for key in keys.tolist()]
        return counts

    def overlap(
        self, keys: Keys, weights: NDArray[np.float64], holders: NDArray[np.float64], slots: int
    ) -> NDArray[np.float32]:
        """For each of ``slots`` slots the summed weight of the terms it shares; the rarest terms are read first."""
        scores = np.zeros(slots, np.float32)
        order = np.argsort(holders, kind="stable")
        if len(order) and holders.sum() > VISITS:
            order = order[: max(1, int(np.searchsorted(np.cumsum(holders[order]), VISITS)))]
        keys, shares = keys[order], weights[order].astype(np.float32)
        for segment in self._segments:
            begin, end = segment.places(keys)
            for at in np.flatnonzero(end > begin).tolist():
                scores[segment.slots[begin[at] : end[at]]] += shares[at]
        for key, weight in zip(keys.tolist(), shares.tolist(), strict=True):
            held = self._fresh.get(key)
            if held:
                scores[held] += weight
        return scores

    def _settle(self) -> None:
        """Make a segment of what waits, and merge segments until each is over twice the next."""
        keys = np.concatenate([np.zeros(0, np.uint64), *self._waiting.values()])
        sizes = [len(held) for held in self._waiting.values()]
        slots = np.repeat(np.fromiter(self._waiting, np.int32, len(sizes)), sizes)
        self._segments.append(_Segment(keys, slots, len(sizes)))
        self._fresh, self._waiting = {}, {}
        while len(self._segments) > 1 and self._segments[-2].count < 2 * self._segments[-1].count:
            last, before = self._segments.pop(), self._segments.pop()
            self._segments.append(
                _Segment(
                    np.concatenate([before.spread(), last.spread()]),
                    np.concatenate([before.slots, last.slots]),
                    before.count + last.count,
                )
            )
