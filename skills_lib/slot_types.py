"""What kind of thing a slot holds, told from the form of its values.

A type is a promise about the next value, so it is given only when every value seen has it; values of two kinds make
plain ``text``, except where one kind includes the other (a number among ids is an id). The forms are those that mean
the same in any application; nothing here knows a shop or a forge.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .tokens import FUNCTION_WORDS, key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

TYPES = ("number", "date", "id", "email", "url", "path", "quoted", "name", "code", "text")
"""All slot types. ``text`` is free text; ``quoted`` is whatever stands between quotes in the template."""

READ = 400
"""Characters of a value that are looked at: no typed value is longer, except free text and code."""

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR = r"(?:1[5-9]|20|21)\d\d"
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_CLOCK = r"\d{1,2}:\d\d(?::\d\d(?:\.\d{1,9})?)?(?: ?[ap]\.?m\.?)?(?:z|[+-]\d\d:?\d\d)?"
_DATE = re.compile(
    rf"(?:{_YEAR}(?:[-/.]\d{{1,2}}){{1,2}}(?:[t ]{_CLOCK})?|\d{{1,2}}[-/.]\d{{1,2}}[-/.](?:\d\d){{1,2}}"
    rf"|\d{{1,2}}[-/.]{_YEAR}|{_YEAR}|{_CLOCK}|(?:{_DAY} (?:of )?)?{_MONTH}(?: (?:{_DAY},? ?)?{_YEAR})?"
    rf"|{_MONTH} {_DAY}|(?:q[1-4]|quarter [1-4]) {_YEAR}"
    r"|today|tomorrow|yesterday|(?:last|next|this) (?:week|month|year)"
    r"|(?:(?:last|next|this|on) )?(?:mon|tues|wednes|thurs|fri|satur|sun)day)",
    re.IGNORECASE,
)
_YEAR_ALONE = re.compile(_YEAR)
_NUMBER = re.compile(
    r"[-+]?[$€£¥₹]? ?[-+]?(?:\d{1,3}(?:,\d{3})+|\d{1,30})(?:\.\d{1,30})?(?:e[-+]?\d{1,3})?"
    r"(?: ?(?:%|[$€£¥₹]|[a-zµ°]{1,3}))?",
    re.IGNORECASE,
)
_WORD_NUMBERS = frozenset(
    (
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "twenty",
        "thirty",
        "forty",
        "fifty",
        "hundred",
        "first",
        "second",
        "third",
        "fourth",
        "fifth",
        "sixth",
        "seventh",
        "eighth",
        "ninth",
        "tenth",
    )
)
_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}")
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]{1,20}://|www\.)\S+", re.IGNORECASE)
_PATH = re.compile(
    r"(?:~|\.{1,2}|[a-z]:)?(?:[/\\][^\s/\\]{1,100}){1,20}[/\\]?|[^\s/\\]{1,100}(?:[/\\][^\s/\\]{1,100}){2,20}"
    r"|[\w-]{1,80}\.(?:py|js|ts|md|txt|csv|json|ya?ml|toml|pdf|html?|sh|sql|xml|zip|docx?|xlsx?)",
    re.IGNORECASE,
)
_ID = re.compile(r"#?(?=[\w.:-]{0,80}\d)(?=[\w.:-]{0,80}[a-z_:-])[\w.:-]{2,80}|#\w{1,80}|0\d{1,40}", re.IGNORECASE)
_PADDED = re.compile(r"0\d{1,40}")
_CODE = re.compile(r"[{};]|=>|==|\w\(|\)\.|</?\w|\w_\w|\b[a-z]+[A-Z]\w*\(")
_WORDS = re.compile(r"\w[\w'’.&-]*")  # noqa: RUF001


def type_of(value: str) -> str:
    """The type of one value, by its form alone."""
    value = value.strip()
    short = value[:READ]
    if len(value) <= READ:
        for name, form in (("email", _EMAIL), ("url", _URL), ("date", _DATE)):
            if form.fullmatch(short):
                return name
        if short.casefold() in _WORD_NUMBERS:
            return "number"
        for name, form in (("id", _PADDED), ("number", _NUMBER), ("path", _PATH), ("id", _ID)):
            if form.fullmatch(short):
                return name
        if _is_name(short):
            return "name"
    return "code" if ("\n" in short and _CODE.search(short)) or len(_CODE.findall(short)) >= 2 else "text"


def common_type(values: Sequence[str], *, quoted: bool = False) -> str:
    """The type of a slot with these values; ``quoted``: it stands between quotes in the template."""
    found = {type_of(value) for value in values if value.strip()}
    if len(found) == 1:
        only = found.pop()
        return "quoted" if quoted and only in ("text", "name") else only
    if quoted:
        return "quoted"
    if found and found <= {"id", "number"}:
        return "id"
    if found == {"date", "number"} and all(
        _YEAR_ALONE.fullmatch(value.strip()) for value in values if type_of(value) == "date"
    ):
        return "number"  # 1999 among 7 and 12 is no year
    return "text"


def _is_name(value: str) -> bool:
    """Whether every word that can have a capital has one (Carnegie Museum of Art)."""
    words = _WORDS.findall(value)
    if not words or len(words) > 8 or any(mark in value for mark in '.?!"\n') or not words[0][0].isupper():
        return False
    return all(word[0].isupper() or word[0].isdigit() or key_of(word) in FUNCTION_WORDS for word in words)
