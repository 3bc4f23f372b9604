"""Which of the words that all texts share are the template's, and which only happen to stand in every value.

An alignment finds what is equal, not what was meant. "of" between two long values is usually part of both; the
"Quest" of "Quest Red Band" and "Quest Blue Band" belongs to the value. So each run of shared words is read again: it
may stay as it is, lose words at an end that touches a slot, get a slot inside where a relative of the template has
other words, or go altogether; the reading that scores best wins. A reading's score is a sum of weights, one for each
thing that can be said of it (:mod:`.slot_features`).
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from .alignment import Column, align, together
from .slot_features import Evidence, Reading, Run, between_kinds, features
from .slot_weights import ALONE, TRUST, WITH_LIBRARY
from .tokens import ATOM, Token, tokenise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .known_texts import KnownTexts

MAX_TRIM = 6
"""How many words an end of a run may lose. More than that, said by every text, is no coincidence."""

MAX_HOLES = 8
"""How many different slots inside one run are weighed."""

MAX_RUNS = 120
"""An alignment with more runs is that of long documents; it is taken as it is."""

MAX_ROUNDS = 2
"""How often relatives are looked for again once some have joined, and runs read again once one has a slot inside."""

SURE = 0.75
"""The trust that a text of the library needs to join the texts at hand."""

WITNESS = 0.3
"""The trust that some text needs for the library to be heard at all."""

MAX_JOINED = 12
"""How many may join."""


def runs(columns: Sequence[Column], lengths: Sequence[int]) -> list[Run]:
    """The runs of an alignment of texts with so many tokens."""
    found: list[Run] = []
    first = 0
    for number in range(1, len(columns) + 1):
        if number == len(columns) or not together(columns[number - 1], columns[number]):
            opens = first > 0 or any(columns[0].places)
            closes = number < len(columns) or any(
                place < length - 1 for place, length in zip(columns[-1].places, lengths, strict=True)
            )
            found.append(Run(first, number, opens, closes))
            first = number
    return found


def gather(texts: Sequence[str], known: KnownTexts | None, trust: Mapping[str, float] = TRUST) -> Evidence:
    """The alignment of ``texts``, joined by the texts of the library that are surely of the same template.

    The texts' own columns come first in every row. What the library has that is less sure is kept as a witness.
    """
    chosen = list(texts)
    tokens = [tokenise(text) for text in chosen]
    columns = align([[token.key for token in row] for row in tokens])
    if known is None or len(texts) < 2:
        return Evidence(chosen, tokens, _whole(chosen, tokens, columns))
    relatives = known.relatives(columns, chosen, trust)
    for _ in range(MAX_ROUNDS):
        room = len(texts) + MAX_JOINED - len(chosen)
        sure = [relative.text for relative in relatives if relative.trust >= SURE][:room]
        if not sure:
            break
        chosen += sure
        tokens += [tokenise(text) for text in sure]
        columns = align([[token.key for token in row] for row in tokens])
        relatives = known.relatives(columns, chosen, trust)
    whole = _whole(chosen, tokens, columns)
    if len(whole) < len(columns):
        relatives = known.relatives(whole, chosen, trust)
    if len(chosen) == len(texts) and not any(relative.trust >= WITNESS for relative in relatives):
        return Evidence(chosen, tokens, whole)  # a library that knows nothing of this template: better alone
    return Evidence(chosen, tokens, whole, known, relatives)


def _whole(texts: Sequence[str], tokens: Sequence[Sequence[Token]], columns: Sequence[Column]) -> list[Column]:
    """The columns without marks and words from within addresses, dates and numbers that differ: these are one value."""
    inside: list[dict[int, str]] = []
    for text, row in zip(texts, tokens, strict=True):
        atoms: dict[int, str] = {}
        starts = [token.start for token in row]
        for found in ATOM.finditer(text):
            for number in range(bisect_left(starts, found.start()), bisect_left(starts, found.end())):
                atoms[number] = found.group().casefold()
        inside.append(atoms)
    kept: list[Column] = []
    for column in columns:
        around = {atoms.get(place) for atoms, place in zip(inside, column.places, strict=True)}
        if None in around or len(around) == 1:
            kept.append(column)
    return kept


def literals(
    evidence: Evidence, weights: Mapping[str, float] | None = None, trust: Mapping[str, float] = TRUST
) -> list[Column]:
    """The columns that are the template's own words; other ``weights`` and ``trust`` are for learning."""
    lengths = [len(row) for row in evidence.tokens]
    known = evidence.known
    if weights is None:
        weights = ALONE if known is None else WITH_LIBRARY
    for _ in range(MAX_ROUNDS if known is not None else 1):
        found = runs(evidence.columns, lengths)
        if len(found) > MAX_RUNS or len(evidence.texts) < 2:
            break
        chosen = [best(evidence, run, weights) for run in found]
        kept = [evidence.columns[number] for reading in chosen for number in reading.stays()]
        relatives = known.relatives(kept, evidence.texts, trust) if known is not None else ()
        evidence = evidence._replace(columns=kept, relatives=relatives)
        if not any(reading.hole < reading.until for reading in chosen):
            break
    return list(evidence.columns)


def best(evidence: Evidence, run: Run, weights: Mapping[str, float]) -> Reading:
    """The reading of a run that scores best; of equals the first."""
    top, top_score = Reading(run.first, run.last), float("-inf")
    for reading in readings(evidence, run):
        score = sum(weights.get(name, 0.0) * value for name, value in features(evidence, run, reading).items())
        if score > top_score + 1e-9:
            top, top_score = reading, score
    return top


def readings(evidence: Evidence, run: Run) -> Iterator[Reading]:
    """The ways to read a run, the whole run first."""
    size = run.last - run.first
    left = min(MAX_TRIM, size - 1) if run.opens else 0
    right = min(MAX_TRIM, size - 1) if run.closes else 0
    for before in range(left + 1):
        for after in range(right + 1):
            if before + after < size:
                yield Reading(run.first + before, run.last - after)
    droppable = size <= 2 * MAX_TRIM and not between_kinds(evidence, run) if run.opens and run.closes else size <= 2
    if droppable and (run.opens or run.closes):
        yield Reading(run.first, run.first)
    holes: dict[tuple[int, int], float] = {}
    for relative in evidence.relatives:
        for hole in _holes(run, relative.has, relative.splits):
            holes[hole] = max(holes.get(hole, 0.0), relative.trust)
    for hole, until in sorted(holes, key=lambda hole: (-holes[hole], hole))[:MAX_HOLES]:
        yield Reading(run.first, run.last, hole, until)


def _holes(run: Run, has: frozenset[int], splits: frozenset[int]) -> Iterator[tuple[int, int]]:
    """The stretches of a run that a relative words differently, with a word kept on either side."""
    number = run.first
    while number < run.last:
        if number in has and (number not in splits or number == run.first):
            number += 1
            continue
        first = number
        while number < run.last and number not in has:
            number += 1
        if run.first < first < number < run.last and number - first <= 2 * MAX_TRIM:
            yield first, number
        number = max(number, first + 1)
