"""The parts below the index: reading a task, aligning two, listing terms, and the learned weights."""

from __future__ import annotations

import threading
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seasoned.skills_lib import calibration
from seasoned.skills_lib.embedder import Embedder
from seasoned.skills_lib.index import TaskIndex
from seasoned.skills_lib.lexical import Postings, steps, terms
from seasoned.skills_lib.masking import CONTENT, FUNCTION, MARK, NAME, READ, TOKENS, VALUE, plain, read
from seasoned.skills_lib.rescoring import align

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def test_values_by_form_become_what_they_are() -> None:
    found = read('Mail "see you" to ann@example.org, cc W4411, $12.50 by 2024-05-01; see https://x.org/a?b=1 or /f/art')
    assert [t for t, k in zip(found.tokens, found.kinds, strict=True) if k == VALUE] == [
        "<quote>", "<email>", "<code>", "<number>", "<number>", "<url>", "<path>",
    ]  # fmt: skip
    assert {"see", "you", "w4411", "12", "50"} <= set(found.words)


def test_kinds_of_words() -> None:
    found = read("Show me the road to New York. Then sort it, please!")
    kinds = dict(zip(found.tokens, found.kinds, strict=True))
    assert kinds["show"] == CONTENT
    assert kinds["the"] == FUNCTION
    assert kinds["york"] == NAME
    assert kinds["then"] == FUNCTION
    assert kinds["."] == MARK
    assert plain(found) == "show me the road to name name . then sort it , please !"


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_every_text_reads(text: str) -> None:
    found = read(text)
    assert len(found.tokens) == len(found.kinds) <= TOKENS
    keys = terms(found)
    assert np.all(keys[1:] > keys[:-1])
    assert len(steps(found)) == sum(kind != MARK for kind in found.kinds) + 1


def test_long_texts_are_cut() -> None:
    assert len(read("go " * 100_000).tokens) == TOKENS
    assert read("a" * READ + " late") == read("a" * READ + " later")


TOKENS_OF = st.lists(st.sampled_from("abcde"), max_size=9)


def _longest(mine: Sequence[str], theirs: Sequence[str]) -> int:
    """The obvious way: the longest choice of one that stands, in order, in the other."""
    for size in range(min(len(mine), len(theirs)), 0, -1):
        for chosen in combinations(mine, size):
            rest = iter(theirs)
            if all(token in rest for token in chosen):
                return size
    return 0


@given(TOKENS_OF, TOKENS_OF)
@settings(max_examples=150, deadline=None)
def test_alignment_is_the_longest_common_subsequence(mine: list[str], theirs: list[str]) -> None:
    found = align(mine, theirs)
    assert len(found.pairs) == _longest(mine, theirs)
    assert all(mine[row] == theirs[column] for row, column in found.pairs)
    assert all(a < c and b < d for (a, b), (c, d) in zip(found.pairs, found.pairs[1:], strict=False))
    assert mine[: found.opening] == theirs[: found.opening]
    assert mine[len(mine) - found.closing :] == theirs[len(theirs) - found.closing :]


@given(st.lists(st.tuples(st.booleans(), st.sets(st.integers(1, 12), max_size=5)), max_size=60))
@settings(max_examples=60, deadline=None)
def test_postings_count_as_a_plain_dictionary_does(changes: list[tuple[bool, set[int]]]) -> None:
    lists, plainly = Postings(fresh=3), dict[int, set[int]]()
    for slot, (adding, held) in enumerate(changes):
        if adding or not plainly:
            lists.add(slot, np.array(sorted(held), np.uint64))
            plainly[slot] = held
        else:
            gone = min(plainly)
            lists.remove(gone, np.array(sorted(plainly.pop(gone)), np.uint64))
    keys = np.arange(1, 14, dtype=np.uint64)
    counts = [sum(key in held for held in plainly.values()) for key in range(1, 14)]
    assert lists.holders(keys).tolist() == counts
    assert lists.entries == len(plainly)
    scores = lists.overlap(keys, np.ones(13), np.array(counts, float), len(changes) + 1)
    assert all(scores[slot] == len(held) for slot, held in plainly.items())


def test_weights_of_other_features_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "matching.json"
    other.write_text('{"features": ["dice"]}')
    monkeypatch.setattr(calibration, "FILE", other)
    calibration.learned.cache_clear()
    try:
        with pytest.raises(ValueError, match="learn them again"):
            calibration.learned()
    finally:
        calibration.learned.cache_clear()


class SlowEncoder:
    """Makes vectors from letters; not ready, and held up, until told."""

    def __init__(self) -> None:
        self.ready = False
        self.gate = threading.Event()

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        assert self.gate.wait(30)
        rows = np.array(
            [[text.lower().count(letter) + 0.01 for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts]
        )
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_words_answer_until_the_encoder_is_ready() -> None:
    encoder = SlowEncoder()
    index, words_only = TaskIndex(encoder=encoder), TaskIndex()
    for each in (index, words_only):
        for number in range(40):
            each.add(number, f"Refund order {number} to my card")
    assert index.search("Refund order 99 to the card") == words_only.search("Refund order 99 to the card")
    encoder.ready = True
    encoder.gate.set()
    assert index.vectors is not None
    assert index.vectors.settle(30)
    found = index.search("Refund order 99 to the card")
    assert all(0 < match.parts["semantic"] <= 1 for match in found)
    index.add("new", "Refund order 7 to the card, now")
    index.remove(3)
    assert index.vectors.settle(30)
    assert index.search("Refund order 7 to the card, now")[0].id == "new"


def test_a_text_that_the_encoder_refuses_takes_no_other_along() -> None:
    class Picky(SlowEncoder):
        def encode(self, texts: Sequence[str]) -> np.ndarray:
            if any("poison" in text for text in texts):
                raise ValueError("no")
            return super().encode(texts)

    encoder = Picky()
    encoder.ready = True
    encoder.gate.set()
    index = TaskIndex(encoder=encoder)
    for number in range(5):
        index.add(number, f"Refund order {number} to my card")
    index.add("bad", "poison in the well")
    assert index.vectors is not None
    assert index.vectors.settle(30)
    assert "semantic" in index.search("Refund order 9 to my card")[0].parts


def test_an_embedder_that_cannot_load_says_why(tmp_path: Path) -> None:
    embedder = Embedder(str(tmp_path / "none"))
    assert not embedder.ready
    assert not embedder.start().wait(120)
    assert "pip install 'seasoned[semantic]'" in str(embedder.failure) or "did not load" in str(embedder.failure)
