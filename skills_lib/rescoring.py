"""A closer look at a task and an entry: do they follow one template?

The two are aligned word by word. In two tasks of one template the literals line up, in order, from the first word
on, and what differs sits in a few gaps that hold values; two tasks that merely talk about the same things share rare
words and little else. Every such observation is one number here. What each is worth is not decided here: the
weights are learned (:mod:`.calibration`).

The candidates are looked at together as well: where several near-duplicates of an entry agree on a word, the word is
a literal, and where they differ it is a value. So an entry is also measured by what it shares with its own neighbours.
"""

from __future__ import annotations

from math import fsum, log
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .lexical import OPENING, PAIR, SKIP, STEP, WORD, family_of
from .masking import CONTENT, FUNCTION, KINDS, MARK, NAME, VALUE, stem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .lexical import Keys
    from .masking import Reading

NEAR = 0.35
"""Likeness (cosine) from which two candidates count as neighbours of one template."""

COSINES = {
    "cos_words": (WORD, PAIR),
    "cos_pattern": (STEP, OPENING, SKIP),
    "cos_all": (WORD, PAIR, STEP, OPENING, SKIP),
}

PAIRWISE = (
    "dice", "shorter_share", "longer_share", "matched_log",
    *(f"{what}_{kind}" for kind in KINDS for what in ("both", "mine", "theirs")),
    "grammar_share", "grammar_shorter", "grammar_rest", "content_rest",
    "gaps_two_sided", "gaps_one_sided", "gap_grammar", "longest",
    "opens_1", "opens_2", "opens_3", "opens_log", "closes_1", "closes_2", "closes_3", "closes_log", "edges",
    "length_ratio", "length_log", "same_ending", "same_sentences", "same_values",
    "keywords", "keywords_rare", "keywords_log",
    "mine_new", "mine_rare", "mine_common", "mine_weight",
    "theirs_new", "theirs_rare", "theirs_common", "theirs_weight",
    "shared_rare", "shared_some", "shared_common",
    "names_log", "names", "requests", "requests_log",
    "settled_mine", "settled_theirs", "settled_log", "loose_log", "settled",
)  # fmt: skip
POOLED = (*COSINES, "literals", "literal_words", "centre", "smoothed", "neighbours")
FEATURES = (*PAIRWISE, *POOLED)
"""What is measured of a task and one candidate, in the order of the columns."""


class Aligned(NamedTuple):
    """Where two sequences of tokens agree, in order."""

    pairs: list[tuple[int, int]]
    opening: int
    closing: int


def align(mine: Sequence[str], theirs: Sequence[str]) -> Aligned:
    """The longest common subsequence of two token sequences, and how far they agree from either end.

    Bit-parallel (one machine addition a row, after Hyyrö): the quadratic table would cost more than all the rest.
    """
    masks: dict[str, int] = {}
    for place, token in enumerate(theirs):
        masks[token] = masks.get(token, 0) | (1 << place)
    full = (1 << len(theirs)) - 1
    vector, rows = full, []
    for token in mine:
        hit = vector & masks.get(token, 0)
        vector = ((vector + hit) | (vector - hit)) & full
        rows.append(vector)
    pairs: list[tuple[int, int]] = []
    row, column = len(mine) - 1, len(theirs) - 1
    while row >= 0 and column >= 0:
        if rows[row] >> column & 1:
            column -= 1
        elif row and not rows[row - 1] >> column & 1:
            row -= 1
        else:
            pairs.append((row, column))
            row, column = row - 1, column - 1
    pairs.reverse()
    limit = min(len(mine), len(theirs))
    opening = next((at for at in range(limit) if mine[at] != theirs[at]), limit)
    closing = next((at for at in range(limit) if mine[-1 - at] != theirs[-1 - at]), limit)
    return Aligned(pairs, opening, closing)


def _gaps(mine: Reading, theirs: Reading, pairs: list[tuple[int, int]]) -> tuple[int, int, int, int]:
    """Gaps with words on both sides, gaps with words on one, function words in the former, the longest run."""
    two = one = grammar = run = longest = 0
    last_row = last_column = -1
    for row, column in [*pairs, (len(mine.tokens), len(theirs.tokens))]:
        if row - last_row > 1 and column - last_column > 1:
            two += 1
            grammar += mine.kinds[last_row + 1 : row].count(FUNCTION)
            grammar += theirs.kinds[last_column + 1 : column].count(FUNCTION)
            run = 0
        elif row - last_row > 1 or column - last_column > 1:
            one += 1
            run = 0
        if row < len(mine.tokens):
            run += 1
            longest = max(longest, run)
        last_row, last_column = row, column
    return two, one, grammar, longest


class Known(NamedTuple):
    """What an index knows of the words of a task and its candidates.

    ``holders`` says how many entries hold a word, ``rarity`` is 1 for a word that no entry holds and goes towards 0 the
    more entries hold it.
    """

    holders: dict[str, float]
    rarity: dict[str, float]


def known(words: Sequence[str], held: NDArray[np.float64], entries: int) -> Known:
    """What is known of ``words``, of which each is held by so many of the entries."""
    rarity = np.log((entries + 2) / (held + 1)) / log(entries + 2)
    return Known(dict(zip(words, held.tolist(), strict=True)), dict(zip(words, rarity.tolist(), strict=True)))


class Seen(NamedTuple):
    """A reading with what :func:`compare` needs of it again and again.

    ``settled`` are its content words that stand, in some other entry, beside the same word as here: literals of some
    template rather than values. ``stems`` are the stems of its content words with their rarity.
    """

    reading: Reading
    counts: tuple[int, ...]
    names: frozenset[str]
    content: frozenset[str]
    settled: frozenset[str]
    stems: dict[str, float]
    ending: str
    stops: int
    values: frozenset[str]


def seen(reading: Reading, held: Sequence[float], own: int, rarity: dict[str, float]) -> Seen:
    """Prepare a reading.

    Args:
        reading: the task or entry.
        held: how many entries hold each of its :func:`.lexical.steps`.
        own: 1 for an entry, which is itself among the holders, 0 for a task.
        rarity: of each of its words.
    """
    names, content, settled, values = set[str](), set[str](), set[str](), set[str]()
    place = 0
    for token, kind in zip(reading.tokens, reading.kinds, strict=True):
        if kind == MARK:
            continue
        if kind in (CONTENT, NAME):
            content.add(token)
            if kind == NAME:
                names.add(token)
            if max(held[place], held[place + 1]) - own >= 1:
                settled.add(token)
        elif kind == VALUE:
            values.add(token)
        place += 1
    return Seen(
        reading,
        tuple(reading.kinds.count(kind) for kind in range(len(KINDS))),
        frozenset(names),
        frozenset(content),
        frozenset(settled),
        {stem(word): rarity[word] for word in sorted(content)},
        reading.tokens[-1] if reading.kinds[-1:] == (MARK,) else "",
        sum(reading.tokens.count(mark) for mark in ".?!"),
        frozenset(values),
    )


def compare(mine: Seen, theirs: Seen, known: Known) -> list[float]:
    """The numbers of :data:`PAIRWISE` for a task and one entry."""
    out = _aligned(mine, theirs)
    out += _keywords(mine, theirs, known)
    out += _requests(mine, theirs)
    out += _settled(mine, theirs)
    return [float(value) for value in out]


def _aligned(left: Seen, right: Seen) -> list[float]:
    """How the two line up."""
    mine, theirs = left.reading, right.reading
    pairs, opening, closing = align(mine.tokens, theirs.tokens)
    size_mine, size_theirs = len(mine.tokens) or 1, len(theirs.tokens) or 1
    shorter, longer, total = min(size_mine, size_theirs), max(size_mine, size_theirs), size_mine + size_theirs
    matched = len(pairs)
    hit = [mine.kinds[row] for row, _ in pairs]
    out = [2 * matched / total, matched / shorter, matched / longer, log(1 + matched)]
    counts = []
    for kind in range(len(KINDS)):
        both, ours, others = hit.count(kind), left.counts[kind], right.counts[kind]
        counts.append((both, ours, others))
        out += [2 * both / total, 2 * (ours - both) / total, 2 * max(0, others - both) / total]
    both, ours, others = counts[FUNCTION]
    out += [(2 * both + 1) / (ours + others + 1), (both + 0.5) / (min(ours, others) + 0.5)]
    out.append(log(1 + max(0, ours + others - 2 * both)))
    both, ours, others = counts[CONTENT]
    out.append(log(1 + max(0, ours + others - 2 * both)))
    two, one, grammar, longest = _gaps(mine, theirs, pairs)
    out += [two / 3, one / 3, log(1 + grammar), log(1 + longest)]
    out += [opening >= 1, opening >= 2, opening >= 3, log(1 + opening)]
    out += [closing >= 1, closing >= 2, closing >= 3, log(1 + closing), (opening + closing) / longer]
    out += [shorter / longer, log(shorter), left.ending == right.ending, left.stops == right.stops]
    out.append(left.values == right.values)
    return out


def _keywords(mine: Seen, theirs: Seen, known: Known) -> list[float]:
    """Which content words are shared and which are not, by how many entries hold them."""
    ours, others, held = mine.content, theirs.content, known.holders
    shared, whole = ours & others, ours | others
    rarity = known.rarity
    common = fsum(rarity[word] for word in shared)
    every = fsum(rarity[word] for word in whole)
    out = [len(shared) / (len(whole) or 1), common / (every or 1.0), log(1 + common)]
    for words, own in ((ours - others, 0), (others - ours, 1)):
        counts = [held[word] - own for word in words]
        out += _spread(counts, (0, 2))
        out.append(fsum(log(1 + count) for count in counts if count > 0) / 5)
    out += _spread([held[word] for word in shared], (2, 9))
    return out


def _spread(counts: list[float], bounds: tuple[int, int]) -> list[float]:
    """How many counts (on a logarithmic scale) are up to the first bound, up to the second, and above."""
    low = sum(count <= bounds[0] for count in counts)
    high = sum(count > bounds[1] for count in counts)
    return [log(1 + low), log(1 + len(counts) - low - high), log(1 + high)]


def _requests(mine: Seen, theirs: Seen) -> list[float]:
    """Names are shared by tasks about one thing, the other content words by tasks that want one thing done."""
    names = mine.names | theirs.names
    shared = len(names & mine.content & theirs.content)
    ours, others = mine.stems, theirs.stems
    wanted_mine = {stem(word) for word in mine.content - names}
    wanted_theirs = {stem(word) for word in theirs.content - names}
    common = fsum(max(ours[word], others[word]) for word in wanted_mine & wanted_theirs)
    whole = fsum(max(ours.get(word, 0.0), others.get(word, 0.0)) for word in wanted_mine | wanted_theirs)
    return [log(1 + shared), shared / (len(names) or 1), common / (whole or 1.0), log(1 + common)]


def _settled(mine: Seen, theirs: Seen) -> list[float]:
    """Which literals of theirs we have, and of ours they."""
    ours, others = mine.settled, theirs.settled
    shared = mine.content & theirs.content
    both = len(shared & ours & others)
    return [
        (len(ours & theirs.content) + 0.5) / (len(ours) + 1),
        (len(others & mine.content) + 0.5) / (len(others) + 1),
        log(1 + both),
        log(1 + len(shared) - both),
        (both + 0.5) / (min(len(ours), len(others)) + 1),
    ]


def pooled(mine: Keys, candidates: Sequence[Keys], keys: Keys, rarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """The numbers of :data:`POOLED`, a row for each candidate.

    Args:
        mine: the task's terms.
        candidates: the candidates' terms.
        keys: every term of the task and of the candidates once, sorted.
        rarity: how rare each of ``keys`` is.
    """
    present = np.zeros((len(candidates) + 1, len(keys)))
    for row, held in enumerate((mine, *candidates)):
        present[row, np.searchsorted(keys, held)] = 1.0
    family = family_of(keys)
    out: list[NDArray[np.float64]] = []
    near = np.zeros(0)
    for families in COSINES.values():
        chosen = np.isin(family, families)
        weighed = present[:, chosen] * rarity[chosen]
        weighed /= np.maximum(np.sqrt((weighed * weighed).sum(1, keepdims=True)), 1e-9)
        out.append(weighed[1:] @ weighed[0])
        near = weighed
    to_task, among = near[1:] @ near[0], near[1:] @ near[1:].T
    ties = np.where(among >= NEAR, among, 0.0)
    np.fill_diagonal(ties, 1.0)
    ties /= ties.sum(1, keepdims=True)
    presence = ties @ present[1:]
    literal = presence * presence * rarity
    words = family == WORD
    out.append((literal @ present[0]) / np.maximum(literal.sum(1), 1e-9))
    out.append((literal[:, words] @ present[0, words]) / np.maximum(literal[:, words].sum(1), 1e-9))
    centre, task = presence * rarity, present[0] * rarity
    lengths = np.sqrt((centre * centre).sum(1)) * np.sqrt((task * task).sum())
    out.append((centre @ task) / np.maximum(lengths, 1e-9))
    out.append(ties @ to_task)
    out.append(np.log((among >= NEAR).sum(1) + 1e-9))
    return np.stack(out, axis=1)
