"""A task's words as the matcher sees them: what may be a value is told from what carries the pattern.

Two tasks of one template agree in their literals and differ in their values. Rarity does not tell the two apart (the
rarest words of a task *are* its values), form and grammar often do: quotes, numbers, addresses and capitalised words
inside a sentence are values more often than not, articles, prepositions and verbs of the request are literals. So a
text becomes a sequence of tokens, each with its :data:`KINDS`; whatever is a value by its form alone becomes one
token that says only what it is. How much each kind counts is learned from data (:mod:`.calibration`), not set here.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

READ = 4_000
"""Characters of a task that are read: the request stands at the beginning, pasted material after it."""

TOKENS = 160
"""Tokens of a task that are compared; beyond them only cost would grow."""

FUNCTION, CONTENT, NAME, VALUE, MARK = range(5)
KINDS = ("function", "content", "name", "value", "mark")
"""Closed-class words; other words; capitalised words inside a sentence; values by form; punctuation."""

_FUNCTION_WORDS = frozenset(
    """
    a about above across after again against all along am among an and another any anyone anything are around as at be
    because been before being below beneath beside between both but by can cannot could did do does doing done down
    during each either else every everyone everything few for from had has have having he her here hers him his how i
    if in inside instead into is it its itself just let many may me might mine more most much must my myself neither no
    nor not nothing of off on once one ones only onto or other others our ours out outside over own per please same
    shall she should since so some someone something such than that the their theirs them then there these they this
    those through to too toward towards under until up upon us very was we were what when where whether which while who
    whom whose why will with within without would yes yet you your yours
    """.split()  # noqa: SIM905  a list of words is read more easily as words
)

_SPLIT = re.compile(
    r"(?P<url>https?://\S+|www\.\S+)"
    r"|(?P<email>[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+)"
    r"|(?P<quote>\"[^\"\n]{1,300}\"|\u201c[^\u201d\n]{1,300}\u201d|`[^`\n]{1,300}`|(?<!\w)'[^'\n]{1,300}'(?!\w)"
    r"|(?<!\w)\u2018[^\u2019\n]{1,300}\u2019(?!\w))"
    r"|(?P<number>[$\u20ac\u00a3\u00a5#]?\d+(?:[.,:/-]\d+)*%?(?!\w))"
    r"|(?P<code>(?=[^\W\d]{0,64}\d)\w+)"
    r"|(?P<path>(?<!\w)(?:[a-z]{0,8})/[\w./-]+)"
    r"|(?P<han>[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af])"
    r"|(?P<word>[^\W\d_]+(?:['\u2019][^\W\d_]+)?)"
    r"|(?P<mark>[^\w\s])",
)
_LONG = 40
"""Characters of a word that are kept: what is longer is no word."""

START, END = "\x02", "\x03"
"""Tokens that stand for the beginning and the end of a task."""


class Reading(NamedTuple):
    """One task as read: the masked tokens with their kinds, and its plain words."""

    tokens: tuple[str, ...]
    kinds: tuple[int, ...]
    words: tuple[str, ...]


@lru_cache(maxsize=512)
def read(text: str) -> Reading:
    """The tokens, kinds and plain words of ``text``; every text is readable, an empty one has no tokens."""
    plain = unicodedata.normalize("NFKC", text[:READ])
    tokens: list[str] = []
    kinds: list[int] = []
    words: list[str] = []
    fresh = True  # at the beginning of a sentence, where a capital says nothing
    for found in _SPLIT.finditer(plain):
        group, piece = found.lastgroup, found.group()
        if group == "word":
            token, kind = _word(piece, fresh)
            words.append(token)
        elif group == "mark":
            token, kind = piece, MARK
        elif group == "han":
            token, kind = piece, CONTENT
            words.append(piece)
        else:
            token, kind = f"<{group}>", VALUE
            words.extend(word.casefold()[:_LONG] for word in _WORDS.findall(piece))
        fresh = piece in _STOPS
        tokens.append(token)
        kinds.append(kind)
        if len(tokens) >= TOKENS:
            break
    return Reading(tuple(tokens), tuple(kinds), tuple(words[: 2 * TOKENS]))


_WORDS = re.compile(r"\w+")
_STOPS = frozenset(".!?:;")


def _word(piece: str, fresh: bool) -> tuple[str, int]:
    token = piece.casefold().replace("\u2019", "'")[:_LONG]
    if token in _FUNCTION_WORDS:
        return token, FUNCTION
    if not fresh and piece[0].isupper():
        return token, NAME
    return token, CONTENT


_ENDINGS = ("'s", "ings", "ing", "ies", "ied", "ed", "es", "s", "ly", "e", "y")


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The word without its ending, roughly: rewordings turn "list" into "listing" and "sort" into "sorted"."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def plain(reading: Reading) -> str:
    """The masked task as a sentence for an embedder: a value by form or a name is only "number", "quote", "name"."""
    shown = (
        token.strip("<>") if kind == VALUE else "name" if kind == NAME else token
        for token, kind in zip(reading.tokens, reading.kinds, strict=True)
    )
    return " ".join(shown)
