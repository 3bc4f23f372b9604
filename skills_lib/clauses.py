"""A task's text as clauses, and what is known about each: the frames in which a request may stand.

A task is often several requests in one. Each clause gives two frames, because one sentence may ask for two things;
what stands in a frame is a bag of features: its words (stemmed, with values masked so that an order number does not
count as a word), pairs of them, those of its neighbours at less weight, whether it names an id and whether that is new.
Nothing here knows a domain; what a feature means is learned (:mod:`.clause_model`).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

READ = 20_000
"""Characters of a task that are read."""

MAX_CLAUSES = 48
"""Clauses of a task that are read."""

NEIGHBOUR = 0.25
"""The weight of a neighbouring clause's words; chosen by cross-validation among 0, 0.25 and 0.5."""

_BOUNDARY = re.compile(r"(?<=[.!?;])\s+|\n+|(?<=[\u3002\uff01\uff1f\uff1b])")
_ID = re.compile(r"#?\b[A-Za-z_]*\d{4,}\b")
_TOKEN = re.compile(
    r"(?P<email>[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+)|(?P<url>https?://\S+)"
    r"|(?P<id>#?[a-z]{0,2}\d{4,})|(?P<number>\d+)"
    r"|(?P<han>[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])|(?P<word>[^\W\d_]+)"
)
_ENDINGS = ("ations", "ation", "ings", "ing", "ied", "ies", "ers", "ed", "es", "er", "al", "s", "e", "y")
_NAME_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_MAX_WORDS = 80


class Frame(NamedTuple):
    """A place where a request may stand: its features, the words of its clause, and which clause that is."""

    features: dict[str, float]
    words: frozenset[str]
    clause: int
    second: bool


def split(text: str) -> list[str]:
    """The clauses of a text: its sentences, lines and parts between semicolons."""
    plain = unicodedata.normalize("NFKC", text[:READ])
    parts = [part.strip() for part in _BOUNDARY.split(plain)]
    return [part for part in parts if any(char.isalnum() for char in part)][:MAX_CLAUSES]


def words_of(text: str) -> list[str]:
    """The stemmed words of a text, values masked by their form."""
    found: list[str] = []
    for match in _TOKEN.finditer(text.casefold()):
        kind = match.lastgroup or ""
        found.append(stem(match.group()) if kind in ("word", "han") else f"<{kind}>")
        if len(found) >= _MAX_WORDS:
            break
    return found


def name_words(tool: str) -> list[str]:
    """The stemmed words of a tool's name."""
    return [stem(word.lower()) for word in _NAME_WORD.findall(tool)]


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without its commonest endings, so that forms of one verb count as one. English; others stay whole."""
    if len(word) < 4:
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "aeiou":
        word = word[:-1]
    return word


def frames(text: str) -> list[Frame]:
    """The frames of a task, in the order of its clauses."""
    clauses = split(text)
    words = [words_of(clause) for clause in clauses]
    found: list[Frame] = []
    seen: set[str] = set()
    for number, clause in enumerate(clauses):
        features = _features(words, number)
        ids = set(_ID.findall(clause))
        if ids:
            features["has an id"] = 1.0
            features["a new id" if ids - seen else "a known id"] = 1.0
        seen |= ids
        inside = frozenset(words[number])
        found.append(Frame(features, inside, number, False))
        found.append(Frame({f"2 {name}": value for name, value in features.items()}, inside, number, True))
    return found


def _features(words: list[list[str]], number: int) -> dict[str, float]:
    mine = words[number]
    features = {"bias": 1.0, f"length {min(4, len(mine) // 4)}": 1.0}
    for word in mine:
        features[f"w {word}"] = 1.0
    for left, right in pairwise(mine):
        features[f"b {left} {right}"] = 1.0
    for left, right in zip(mine, mine[2:], strict=False):
        features[f"s {left} {right}"] = 1.0
    if mine:
        features[f"begins {mine[0]}"] = 1.0
    if number:
        features.update({f"p {word}": NEIGHBOUR for word in words[number - 1]})
    else:
        features["first"] = 1.0
    if number + 1 < len(words):
        features.update({f"n {word}": NEIGHBOUR for word in words[number + 1]})
    else:
        features["last"] = 1.0
    return features
