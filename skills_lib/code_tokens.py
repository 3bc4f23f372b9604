"""Programs as tokens, for comparing them: every character is in one token, and literals are told from the rest.

Python is read by its own tokenizer, so that a quote in a text or a mark in an f-string is never mistaken, in whichever
version this runs; comments are left out. Other languages are read by what most of them share: texts in quotes,
numbers, words, and remarks up to the line's end, which cannot be left out without knowing the language and so count as
literals. In a shell's program, words that look like a file, an address, a number or an id are literals, too.

Nothing here is ever run.
"""

from __future__ import annotations

import ast
import io
import keyword
import re
import token
import tokenize
import warnings
from typing import TYPE_CHECKING, NamedTuple

from .slot_types import type_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LITERALS = frozenset(("number", "string", "constant", "word", "data", "remark"))
"""Kinds of tokens that are values. ``data`` is a whole of literals; ``constant`` is ``True``, ``False`` or ``None``."""

FILE = re.compile(r"(?:[\w.~-]{0,80}[/\\]){0,20}[\w.-]{1,80}\.[a-z][a-z0-9]{1,4}", re.ASCII)
"""The name of a file, told by its ending."""

_CONSTANTS = frozenset(("True", "False", "None"))
_VALUES = frozenset(("number", "date", "id", "email", "url", "path"))
_KINDS = {token.NUMBER: "number", token.STRING: "string", token.COMMENT: "remark"}
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_ARITHMETIC = frozenset(("+", "-", "*", "/", "//", "%", "**"))
_FORMAT_STARTS = frozenset(getattr(token, name, -1) for name in ("FSTRING_START", "TSTRING_START"))
_FORMAT_ENDS = frozenset(getattr(token, name, -1) for name in ("FSTRING_END", "TSTRING_END"))
_MAX_DEPTH = 20
_EMPTY_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_COMMON = (
    r"(?P<space>\s+)"
    r"|(?P<remark>(?:^|(?<=\s))(?:\#(?!!)|//)[^\n]*)"
    r"|(?P<string>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
)
_REST = r"|(?P<mark>\\.|.)"
_SHELL = re.compile(rf"{_COMMON}|(?P<word>[\w./~@%+-][^\s\"'`|&;<>()$={{}},\\]*){_REST}", re.DOTALL | re.MULTILINE)
_ANY = re.compile(rf"{_COMMON}|(?P<number>\d[\w.]*)|(?P<name>\w+){_REST}", re.DOTALL | re.MULTILINE)


class CodeToken(NamedTuple):
    """A piece of a program, exactly as it stands there.

    ``kind`` is one of :data:`LITERALS`, ``space``, ``name`` or ``mark``; ``parts`` are the tokens of which ``data``, or
    a ``number`` that is worked out, is made.
    """

    kind: str
    text: str
    parts: tuple[CodeToken, ...] = ()


def code_tokens(code: str, language: str) -> list[CodeToken] | None:
    """The tokens of a program; None for what is no program in Python although it should be.

    Args:
        code: the program. Line ends become plain ones, empty lines at its ends are left out.
        language: ``python``, ``shell`` or any other.
    """
    code = code.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    if language == "python":
        tokens = _python(code)
        return None if tokens is None else _wholes(_signed(tokens))
    found: list[CodeToken] = []
    for match in (_SHELL if language == "shell" else _ANY).finditer(code):
        kind, text = match.lastgroup or "mark", match.group()
        if kind == "word" and not FILE.fullmatch(text) and type_of(text) not in _VALUES:
            kind = "name"
        found.append(CodeToken(kind, text))
    return found


def without_empty_lines(tokens: Sequence[CodeToken]) -> list[CodeToken]:
    """The same without the empty lines between tokens."""
    return [
        one._replace(text=_EMPTY_LINES.sub("\n", one.text)) if one.kind == "space" and "\n" in one.text else one
        for one in tokens
    ]


def before(tokens: Sequence[CodeToken], place: int) -> int:
    """The place of the last token before this one that is no space; -1 where there is none."""
    place -= 1
    while place >= 0 and tokens[place].kind == "space":
        place -= 1
    return place


def _python(code: str) -> list[CodeToken] | None:
    """The tokens of a program in Python. A text with values in it is one token."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # backslashes that are no escapes, in somebody's program
            ast.parse(code)  # on what is no program the tokenizer's time can grow with the square of its length
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    starts = [0]
    for line in code.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    spans: list[tuple[int, int, str]] = []
    open_at: list[int] = []
    for one in tokens:
        if one.start[0] >= len(starts) or one.end[0] >= len(starts):
            continue  # the end of the program
        first, last = starts[one.start[0] - 1] + one.start[1], starts[one.end[0] - 1] + one.end[1]
        if one.type in _FORMAT_STARTS:
            open_at.append(first)
        elif one.type in _FORMAT_ENDS:
            first = open_at.pop() if open_at else first
            if not open_at:
                spans.append((first, last, "string"))
        elif not open_at and one.string.strip():
            spans.append((first, last, _kind(one)))
    return _without_remarks(_filled(code, spans))


def _kind(one: tokenize.TokenInfo) -> str:
    if one.type == token.NAME:
        return "constant" if one.string in _CONSTANTS else "name"
    return _KINDS.get(one.type, "mark")


def _filled(code: str, spans: Sequence[tuple[int, int, str]]) -> list[CodeToken]:
    """Tokens for the spans and for what lies between them."""
    found: list[CodeToken] = []
    at = 0
    for first, last, kind in spans:
        if first > at:
            found.append(CodeToken("space", code[at:first]))
        if last > max(at, first):
            found.append(CodeToken(kind, code[max(at, first) : last]))
        at = max(at, last)
    if at < len(code):
        found.append(CodeToken("space", code[at:]))
    return found


def _without_remarks(tokens: Sequence[CodeToken]) -> list[CodeToken]:
    """The same without comments, the space before them, and the lines on which there was nothing else."""
    found: list[CodeToken] = []
    alone = False  # the last comment had a line of its own, whose end goes with it
    for one in tokens:
        if one.kind == "remark":
            spaced = bool(found) and found[-1].kind == "space"
            before_it = found.pop().text.rstrip(" \t") if spaced else ""
            alone = not found or before_it.endswith("\n")
            if before_it:
                found.append(CodeToken("space", before_it))
        elif one.kind == "space":
            text = one.text.split("\n", 1)[-1] if alone and "\n" in one.text else one.text
            if found and found[-1].kind == "space":
                text = found.pop().text + text
            if not found:
                text = text.lstrip("\n")
            if text:
                found.append(CodeToken("space", text))
            alone = False
        else:
            found.append(one)
            alone = False
    if found and found[-1].kind == "space":
        last = found.pop().text.rstrip("\n")
        found += [CodeToken("space", last)] if last else []
    return found


def _ends_value(tokens: Sequence[CodeToken], place: int) -> bool:
    """Whether the token is the end of a value: then a sign after it is an operator, and a bracket a call or index."""
    if place < 0:
        return False
    one = tokens[place]
    if one.kind == "mark":
        return one.text in _CLOSING
    return one.kind in LITERALS or (one.kind == "name" and not keyword.iskeyword(one.text))


def _signed(tokens: Sequence[CodeToken]) -> list[CodeToken]:
    """Numbers with the sign that belongs to them."""
    found: list[CodeToken] = []
    for one in tokens:
        sign = len(found) - 1
        if one.kind == "number" and found and found[sign].text == "-" and not _ends_value(found, before(found, sign)):
            found[sign] = CodeToken("number", f"-{one.text}")
        else:
            found.append(one)
    return found


def _wholes(tokens: Sequence[CodeToken]) -> list[CodeToken]:
    """Arithmetic with nothing but numbers, and brackets with nothing but literals, each as one token."""
    return list(_displays(list(_sums(tokens))))


def _sums(tokens: Sequence[CodeToken]) -> Iterator[CodeToken]:
    place = 0
    while place < len(tokens):
        end = place + 1
        while tokens[place].kind == "number":
            operator = _after(tokens, end)
            number = _after(tokens, operator + 1)
            if number >= len(tokens) or tokens[operator].text not in _ARITHMETIC or tokens[number].kind != "number":
                break
            end = number + 1
        if end > place + 1:
            yield _joined("number", tokens[place:end])
        else:
            yield tokens[place]
        place = end


def _after(tokens: Sequence[CodeToken], place: int) -> int:
    while place < len(tokens) and tokens[place].kind == "space":
        place += 1
    return place


def _displays(tokens: Sequence[CodeToken]) -> list[CodeToken]:
    found: list[CodeToken] = []
    opened: list[int] = []  # places in ``found`` of brackets in which there were only literals so far
    for one in tokens:
        if one.text in _OPENING and one.kind == "mark":
            if len(opened) == _MAX_DEPTH or _ends_value(found, before(found, len(found))):
                opened.clear()  # a call or an index is no literal, nor is what it stands in
            else:
                opened.append(len(found))
            found.append(one)
        elif one.text in _CLOSING and one.kind == "mark" and opened:
            start = opened.pop()
            found[start:] = [_joined("data", [*found[start:], one])]
        else:
            found.append(one)
            if one.kind not in LITERALS and one.kind != "space" and one.text not in (",", ":"):
                opened.clear()
    return found


def _joined(kind: str, tokens: Sequence[CodeToken]) -> CodeToken:
    parts = tuple(part for one in tokens for part in (one.parts or (one,)))
    return CodeToken(kind, "".join(one.text for one in tokens), parts)
