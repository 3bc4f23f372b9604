"""Task texts as tokens, and what is known about a word without a model.

Templates are found and matched on tokens, because a slot that begins in the middle of a word is almost never meant.
A token is a run of letters, digits and underscores, or one other visible character: quotes, brackets and full stops
stand alone, so that a slot can end just before them. Comparison is by the token's key (folded case, composed
Unicode), which is what "after folding case and space" means everywhere in this room.

The word classes are the closed classes of English: words of which a language has a few dozen and makes no new ones.
A text in another script has no word in them and is treated as all content, which is the cautious reading.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_TOKEN = re.compile(r"\w+|[^\w\s]")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ATOM = re.compile(
    r"(?<!\S)[(\"'<]?[\w.+%-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}"
    r"|[A-Za-z][A-Za-z0-9+-]{1,20}://[^\s\"'<>]{1,2000}"
    r"|(?<![\w.])\d{1,30}(?:[.,:/-]\d{1,30}){1,8}(?!\w)"
)
"""What is one value although marks stand in it: addresses, dates, times and numbers with separators."""

ARTICLES = _words("a an the")
DETERMINERS = _words("this that these those my your his her its our their all any each every some no both")
PREPOSITIONS = _words(
    "about above across after against along among amongst around as at before behind below beneath beside besides "
    "between beyond by during except for from in inside into like near of off on onto out outside over per since "
    "through throughout till to toward towards under until up upon via with within without"
)
CONJUNCTIONS = _words("and or but nor if because while although though unless than then so")
PRONOUNS = _words("i me we us you he him she it they them who whom whose which what when where why how there here")
AUXILIARIES = _words(
    "am is are was were be been being do does did have has had can could will would shall should may might must not "
    "don doesn didn isn aren wasn s t re ve ll m"
)
FUNCTION_WORDS = ARTICLES | DETERMINERS | PREPOSITIONS | CONJUNCTIONS | PRONOUNS | AUXILIARIES

OPENING = frozenset("([{<«“‘")  # noqa: RUF001 (typographic quotes are meant)
CLOSING = frozenset(")]}>»”’")  # noqa: RUF001
QUOTES = frozenset("\"'`")
SENTENCE_ENDS = frozenset(".?!。？！")  # noqa: RUF001


class Token(NamedTuple):
    """One token: its key for comparison, and where it stands in the text (characters, end exclusive)."""

    key: str
    start: int
    end: int


def key_of(text: str) -> str:
    """What a word is compared by: case folded, compatibility forms and accents in one composed form."""
    return text if text.isascii() and text.islower() else unicodedata.normalize("NFC", text.casefold())


def tokenise(text: str) -> list[Token]:
    """The tokens of ``text`` in order; white space and what no character class knows lies between them."""
    return [Token(key_of(found.group()), found.start(), found.end()) for found in _TOKEN.finditer(text)]


def clean(text: str) -> str:
    """``text`` without what cannot be stored: halves of surrogate pairs become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text


def folded(text: str) -> str:
    """``text`` with case folded and without white space: what two texts have in common that count as the same."""
    return "".join(token.key for token in tokenise(text))


def word_class(key: str) -> str:
    """The class of a token by its key: one of the closed word classes, ``number``, ``content`` or a kind of mark."""
    for name, words in _CLASSES:
        if key in words:
            return name
    if key[0].isdigit():
        return "number"
    return "content" if key[0].isalnum() or key[0] == "_" else "mark"


_CLASSES = (
    ("article", ARTICLES),
    ("determiner", DETERMINERS),
    ("preposition", PREPOSITIONS),
    ("conjunction", CONJUNCTIONS),
    ("pronoun", PRONOUNS),
    ("auxiliary", AUXILIARIES),
    ("quote", QUOTES),
    ("opening", OPENING),
    ("closing", CLOSING),
    ("stop", SENTENCE_ENDS),
    ("comma", frozenset(",;:")),
    ("joint", frozenset("-/_\\.@#&+*=~|^")),
    ("money", frozenset("$€£¥₹%")),
)
