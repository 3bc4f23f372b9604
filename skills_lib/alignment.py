"""Many texts in one alignment: the words that all of them have, in the same order.

A column is a word with its place in every text. Two neighbours with nothing between them in any text belong to one
run; whatever lies between two runs is a slot. The texts are folded in one after another, each against the columns so
far, by dynamic programming with an affine price for gaps: a run of words is worth more than the same words scattered,
and content words more than function words, so that an "of" deep in one value does not attract an "of" in another.
Which text comes first matters then, so each of a few texts begins once and the best result counts.

The work is bounded: equal ends are cut off first, and where two middles are still too large for the table they are
split at words that occur once in each (as in patience diff), and a middle without such words becomes a gap.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from .rising import longest_rising
from .tokens import word_class

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_CELLS = 250_000
"""The largest dynamic programming table; about 500 by 500 words, a quarter of a second."""

MAX_WORK = 1_000_000
"""Cells of all tables of one pair of texts; what is left then becomes a gap."""

MAX_STARTS = 4
"""How many texts take the first place in turn, of up to :data:`FEW` texts; of more, one."""

FEW = 12

_WORTH = {"content": 3.0, "number": 1.5, "preposition": 1.6, "pronoun": 2.0, "auxiliary": 2.0, "conjunction": 1.6}
_DEFAULT_WORTH = 1.0  # articles, determiners and marks
_TOGETHER = 1.0  # two neighbours that are neighbours in the other text, too
_OPEN = 1.0  # a gap begins


class Column(NamedTuple):
    """One word that every text has, and its place (number of the token) in each of them."""

    key: str
    places: tuple[int, ...]


def worth(key: str) -> float:
    """How much it says that two texts share this word."""
    return _WORTH.get(word_class(key), _DEFAULT_WORTH)


def together(left: Column, right: Column) -> bool:
    """Whether nothing stands between two neighbouring columns in any text."""
    return all(second - first == 1 for first, second in zip(left.places, right.places, strict=True))


def align(texts: Sequence[Sequence[str]]) -> list[Column]:
    """The columns of the best alignment of ``texts`` (keys of tokens), places in the order of ``texts``."""
    if not texts:
        return []
    order = sorted(range(len(texts)), key=lambda number: (len(texts[number]), tuple(texts[number])))
    best: list[Column] = []
    best_score = float("-inf")
    starts = range(min(MAX_STARTS, len(order))) if 2 < len(order) <= FEW else range(1)
    for start in starts:
        turn = [order[start], *order[:start], *order[start + 1 :]]
        columns = [Column(key, (place,)) for place, key in enumerate(texts[turn[0]])]
        for number in turn[1:]:
            columns = _fold_in(columns, texts[number])
        found = score(columns)
        if found > best_score + 1e-9:
            back = sorted(range(len(turn)), key=lambda place: turn[place])
            best = [Column(column.key, tuple(column.places[place] for place in back)) for column in columns]
            best_score = found
    return best


def score(columns: Sequence[Column]) -> float:
    """The worth of an alignment: its words, with a bonus for runs and a price for each gap."""
    total = 0.0
    for number, column in enumerate(columns):
        total += worth(column.key)
        if number and together(columns[number - 1], column):
            total += _TOGETHER
        else:
            total -= _OPEN
    return total


def pair(left: Sequence[str], right: Sequence[str], breaks: frozenset[int] = frozenset()) -> list[tuple[int, int]]:
    """The pairs of places at which two texts share a word, in order.

    ``breaks`` are the places in ``left`` before which there is a gap already.
    """
    head = 0
    limit = min(len(left), len(right))
    while head < limit and left[head] == right[head] and head not in breaks:
        head += 1
    tail = 0
    while tail < limit - head and left[-1 - tail] == right[-1 - tail] and len(left) - tail not in breaks:
        tail += 1
    # Equal ends are certain only where they are not also the ends of a repetition: the table decides on the last two.
    head = max(0, head - 2)
    tail = max(0, tail - 2)
    pairs = [(place, place) for place in range(head)]
    _middle(left, right, (head, len(left) - tail), (head, len(right) - tail), breaks, pairs)
    pairs.extend((len(left) - step, len(right) - step) for step in range(tail, 0, -1))
    return pairs


def _fold_in(columns: list[Column], text: Sequence[str]) -> list[Column]:
    breaks = frozenset(
        number for number in range(1, len(columns)) if not together(columns[number - 1], columns[number])
    )
    pairs = pair([column.key for column in columns], text, breaks)
    return [Column(columns[left].key, (*columns[left].places, right)) for left, right in pairs]


def _middle(
    left: Sequence[str],
    right: Sequence[str],
    span: tuple[int, int],
    other: tuple[int, int],
    breaks: frozenset[int],
    pairs: list[tuple[int, int]],
) -> None:
    pending = [(span, other)]
    work = MAX_WORK
    while pending:
        (low, high), (start, end) = pending.pop()
        if low >= high or start >= end:
            continue
        cells = (high - low) * (end - start)
        if cells <= MAX_CELLS:
            work -= cells
            if work < 0:
                continue
            pairs.extend(_table(left, right, (low, high), (start, end), breaks))
            continue
        anchors = _unique(left, right, (low, high), (start, end))
        if not anchors:
            continue  # two large texts without one word of their own: a gap
        pieces: list[tuple[tuple[int, int], tuple[int, int]]] = []
        for first, second in anchors:
            pieces.append(((low, first), (start, second)))
            pieces.append(((first, first + 1), (second, second + 1)))
            low, start = first + 1, second + 1
        pieces.append(((low, high), (start, end)))
        pending.extend(reversed(pieces))


def _unique(
    left: Sequence[str], right: Sequence[str], span: tuple[int, int], other: tuple[int, int]
) -> list[tuple[int, int]]:
    """The longest rising chain of words that occur once on each side (patience diff)."""
    counts = Counter(left[span[0] : span[1]])
    others = Counter(right[other[0] : other[1]])
    places = {right[place]: place for place in range(*other) if others[right[place]] == 1}
    shared = [
        (place, places[left[place]]) for place in range(*span) if counts[left[place]] == 1 and left[place] in places
    ]
    return [shared[number] for number in longest_rising([place for _, place in shared])]


def _table(
    left: Sequence[str],
    right: Sequence[str],
    span: tuple[int, int],
    other: tuple[int, int],
    breaks: frozenset[int],
) -> list[tuple[int, int]]:
    """Dynamic programming over one block; the block's corners count as neighbours of what lies outside."""
    low, high = span
    start, end = other
    rows, wide = high - low, end - start
    none = float("-inf")
    best_before = [0.0] + [-_OPEN] * wide  # the best score of any path up to here; a gap at the start is paid for
    match_before = [0.0] + [none] * wide  # the best that ends in a match here
    steps: list[bytearray] = []  # bit 1: the match continues a run; bits 2 and 4: where the best comes from
    for row in range(rows):
        key = left[low + row]
        value = worth(key)
        joined = _TOGETHER if low + row not in breaks else none
        best = [-_OPEN] * (wide + 1)
        match = [none] * (wide + 1)
        step = bytearray(wide + 1)
        for place in range(1, wide + 1):
            top, aside = best_before[place], best[place - 1]
            if top >= aside:
                most, came = top, 2
            else:
                most, came = aside, 4
            if right[start + place - 1] == key:
                run = match_before[place - 1] + joined
                jump = best_before[place - 1] - _OPEN
                if run >= jump:
                    found, bit = value + run, 1
                else:
                    found, bit = value + jump, 0
                match[place] = found
                step[place] = bit
                if row == rows - 1 and place == wide:
                    found += _OPEN  # the run goes on into what follows the block
                if found >= most:
                    most, came = found, 0
            best[place] = most
            step[place] |= came
        steps.append(step)
        best_before, match_before = best, match
    pairs: list[tuple[int, int]] = []
    row, place, forced = rows, wide, False
    while row and place:
        step = steps[row - 1][place]
        if forced or not step & 6:
            pairs.append((low + row - 1, start + place - 1))
            forced = bool(step & 1)
            row -= 1
            place -= 1
        elif step & 2:
            row -= 1
        else:
            place -= 1
    return pairs[::-1]
