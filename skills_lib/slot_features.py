"""What can be said of a reading of shared words, as named features for a learned sum.

All of it is general: the classes of the words given up and kept at the edges, capitals and numbers that go on across
the edge, quotes and brackets cut in half, how many texts agree, which relatives the reading also fits, and how the
words follow one another in the rest of the library. No feature names a word.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from .alignment import Column, worth
from .slot_types import type_of
from .tokens import CLOSING, OPENING, QUOTES, Token, word_class

if TYPE_CHECKING:
    from .known_texts import KnownTexts, Relative

_LINKS = ("article", "preposition", "conjunction", "determiner")

_LOOSE = frozenset(("text", "name", "code"))

Add = Callable[[str, float], None]


class Run(NamedTuple):
    """Neighbouring columns with nothing between them: from ``first`` to ``last`` (exclusive)."""

    first: int
    last: int
    opens: bool
    """Whether a slot stands before it."""
    closes: bool
    """Whether a slot stands after it."""


class Reading(NamedTuple):
    """One way to read a run: columns ``first`` to ``last`` (exclusive) stay, without ``hole`` to ``until``."""

    first: int
    last: int
    hole: int = 0
    until: int = 0

    def stays(self) -> Iterator[int]:
        """The columns that stay."""
        return (number for number in range(self.first, self.last) if not self.hole <= number < self.until)


class Evidence(NamedTuple):
    """What a decision is based on: the texts, their tokens, the alignment and the library."""

    texts: Sequence[str]
    tokens: Sequence[Sequence[Token]]
    columns: Sequence[Column]
    known: KnownTexts | None = None
    relatives: Sequence[Relative] = ()


class _Neighbour(NamedTuple):
    kind: str
    capital: bool
    joined: bool


def features(evidence: Evidence, run: Run, reading: Reading) -> dict[str, float]:
    """What can be said of a reading, by name. The whole run, kept, says least."""
    found: dict[str, float] = {}

    def add(name: str, value: float = 1.0) -> None:
        found[name] = found.get(name, 0.0) + value

    if reading != (run.first, run.last, 0, 0):
        _relatives(evidence, run, reading, add)
    before, after = _gaps(evidence, run)
    if reading.first == reading.last:
        _dropped(evidence, run, add)
        if before and after:
            add("drop, length of values", math.log((1 + sum(before) + sum(after)) / len(before)))
            if min(before) == 0 or min(after) == 0:
                add("drop beside an empty value", 1.0)
            if min(before) == 0 and min(after) == 0:
                add("drop between empty values", 1.0)
        return found
    if before and reading.first == run.first and min(before) == 0:
        add("empty value before", 1.0)
    if after and reading.last == run.last and min(after) == 0:
        add("empty value after", 1.0)
    if reading.hole < reading.until:
        _hole(evidence, reading, add)
    more = math.log(len(evidence.texts) / 2)
    columns = evidence.columns
    if reading.first > run.first:
        add("left", 1.0)
        add("left, texts", more * (reading.first - run.first))
        _given_up(evidence, range(run.first, reading.first), "left", add)
        _edge(evidence, run.first, reading.first, "left", add)
    if reading.last < run.last:
        add("right", 1.0)
        add("right, texts", more * (run.last - reading.last))
        _given_up(evidence, range(reading.last, run.last), "right", add)
        _edge(evidence, run.last - 1, reading.last - 1, "right", add)
    if run.opens:
        add(f"after slot: {word_class(columns[reading.first].key)}", 1.0)
    if run.closes:
        add(f"before slot: {word_class(columns[reading.last - 1].key)}", 1.0)
    _library(evidence, run, reading, add)
    return found


def _gaps(evidence: Evidence, run: Run) -> tuple[list[int], list[int]]:
    """How many tokens each text has in the slot before a run and in the slot after it; empty where there is none."""
    before: list[int] = []
    after: list[int] = []
    columns = evidence.columns
    if run.opens:
        first = columns[run.first].places
        last = columns[run.first - 1].places if run.first else (-1,) * len(first)
        before = [start - end - 1 for start, end in zip(first, last, strict=True)]
    if run.closes:
        last = columns[run.last - 1].places
        first = columns[run.last].places if run.last < len(columns) else [len(row) for row in evidence.tokens]
        after = [start - end - 1 for start, end in zip(first, last, strict=True)]
    return before, after


def between_kinds(evidence: Evidence, run: Run) -> bool:
    """Whether a run with a word in it parts values of two typed kinds, an id and an address: no value is both."""
    columns = evidence.columns
    if not any(columns[number].key[0].isalnum() for number in range(run.first, run.last)):
        return False
    kinds: list[set[str]] = [set(), set()]
    for number, (text, row) in enumerate(zip(evidence.texts, evidence.tokens, strict=True)):
        start = columns[run.first - 1].places[number] + 1 if run.first else 0
        end = columns[run.last].places[number] if run.last < len(columns) else len(row)
        spans = (start, columns[run.first].places[number]), (columns[run.last - 1].places[number] + 1, end)
        for found, (first, last) in zip(kinds, spans, strict=True):
            found.add(type_of(text[row[first].start : row[last - 1].end]) if first < last <= first + 12 else "text")
    return len(kinds[0]) == 1 == len(kinds[1]) and kinds[0] != kinds[1] and not (kinds[0] | kinds[1]) & _LOOSE


def _inside_quotes(evidence: Evidence, run: Run) -> bool:
    """Whether a quote is open where a run stands: what is quoted is one value."""
    outside = [column.key for column in evidence.columns[: run.first]]
    behind = [column.key for column in evidence.columns[run.last :]]
    return any(outside.count(mark) % 2 and behind.count(mark) % 2 for mark in ('"', "`"))


def _dropped(evidence: Evidence, run: Run, add: Add) -> None:
    size = run.last - run.first
    add(f"drop {min(size, 4)}", 1.0)
    add("drop, texts", math.log(len(evidence.texts) / 2))
    add("drop, worth", sum(worth(column.key) for column in evidence.columns[run.first : run.last]))
    if all(_capital(evidence, number) for number in range(run.first, run.last)):
        add("drop nothing but capitals", 1.0)
    if run.opens and run.closes and _inside_quotes(evidence, run):
        add("drop inside quotes", 1.0)
    add("drop between" if run.opens and run.closes else "drop at an end", 1.0)
    _given_up(evidence, range(run.first, run.last), "drop", add)
    if evidence.known is not None:
        keys = [column.key for column in evidence.columns[run.first : run.last]]
        add("drop, known", math.log(1 + evidence.known.count(keys)))


def _hole(evidence: Evidence, reading: Reading, add: Add) -> None:
    add("hole", 1.0)
    add("hole, texts", math.log(len(evidence.texts) / 2))
    add("hole, words", reading.until - reading.hole)
    _given_up(evidence, range(reading.hole, reading.until), "hole", add)
    add(f"before slot: {word_class(evidence.columns[reading.hole - 1].key)}", 1.0)
    add(f"after slot: {word_class(evidence.columns[reading.until].key)}", 1.0)


def _given_up(evidence: Evidence, numbers: range, name: str, add: Add) -> None:
    """The words that become part of a value: their classes, capitals, and halves of quotes and brackets."""
    level = marks = 0
    for number in numbers:
        key = evidence.columns[number].key
        add(f"{name}: {word_class(key)}", 1.0)
        if _capital(evidence, number):
            add(f"{name}: capital", 1.0)
        level += (key in OPENING) - (key in CLOSING)
        marks += key in QUOTES
    if level:
        add("half a bracket", 1.0)
    if marks % 2:
        add("half a quote", 1.0)


def _capital(evidence: Evidence, number: int) -> bool:
    """Whether a column is written with a capital in every text, not only because a sentence begins."""
    for text, tokens, place in zip(evidence.texts, evidence.tokens, evidence.columns[number].places, strict=True):
        if not text[tokens[place].start].isupper() or place == 0 or word_class(tokens[place - 1].key) == "stop":
            return False
    return True


def _edge(evidence: Evidence, outer: int, inner: int, side: str, add: Add) -> None:
    """Whether the words given up, from ``outer`` up to before ``inner``, go on in kind in the values beside them."""
    step = 1 if inner > outer else -1
    beside: list[_Neighbour] = []
    for number, (text, tokens) in enumerate(zip(evidence.texts, evidence.tokens, strict=True)):
        place = evidence.columns[outer].places[number]
        near = place - step
        bound = evidence.columns[outer - step].places[number] if 0 <= outer - step < len(evidence.columns) else None
        if not 0 <= near < len(tokens) or near == bound:
            add(f"{side}: beside an empty value", 1.0)
            return
        low, high = min(place, near), max(place, near)
        capital = text[tokens[near].start].isupper()
        beside.append(_Neighbour(word_class(tokens[near].key), capital, tokens[low].end == tokens[high].start))
    if all(item.capital for item in beside) and all(_capital(evidence, one) for one in range(outer, inner, step)):
        add(f"{side}: capitals go on", 1.0)
    if all(item.kind == "number" for item in beside):
        add(f"{side}: beside numbers", 1.0)
    if all(item.joined for item in beside):
        add(f"{side}: no space", 1.0)
    if any(item.kind in _LINKS for item in beside):
        add(f"{side}: value would end in a link", 1.0)


def _relatives(evidence: Evidence, run: Run, reading: Reading, add: Add) -> None:
    """How much trust stands behind a reading: the relatives that fit it, and those that fit the whole run, too."""
    whole = Reading(run.first, run.last)
    had = won = lost = top = 0.0
    for relative in evidence.relatives:
        if _fits(relative, whole):
            had += relative.trust
        elif _fits(relative, reading):
            won += relative.trust
            top = max(top, relative.trust)
        else:
            lost += relative.trust
    if won + had + lost:
        add("relatives won", math.log(1 + won))
        add("relatives won, best", top)
        add("relatives won, share", won / (won + had + lost + 0.5))
        add("relatives that had it, some won" if won > 0.05 else "relatives that had it", math.log(1 + had))
        add("relatives lost", math.log(1 + lost))


def _fits(relative: Relative, reading: Reading) -> bool:
    before = -1
    for number in reading.stays():
        if number not in relative.has or (before == number - 1 and number in relative.splits):
            return False
        before = number
    return True


def _library(evidence: Evidence, run: Run, reading: Reading, add: Add) -> None:
    """Where the kept words stand elsewhere: does the given-up word follow there, too, or do others?"""
    known = evidence.known
    if known is None:
        return
    keys = [column.key for column in evidence.columns[run.first : run.last]]
    before = reading.first - run.first
    after = reading.last - run.first
    for side, kept, given_up in (
        ("left", keys[before:after], keys[:before][::-1]),
        ("right", keys[before:after][::-1], keys[after:]),
    ):
        if not given_up:
            continue
        same, seen = known.goes_on(kept, given_up, backwards=side == "left")
        if seen:
            add(f"{side}, known otherwise", (1 - same) * math.log(1 + seen))
            add(f"{side}, known", same * math.log(1 + seen))
        else:
            add(f"{side}, not known", 1.0)
