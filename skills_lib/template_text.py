"""A template as text with ``{{name}}`` in it, and texts matched against it.

A template is a row of parts: literal text, or the number of a slot. The written form is for people and files. Braces
that belong to a literal are written ``{{'{{'}}``, as Jinja writes them, so that reading back gives the same parts.

Matching compares tokens, so case and white space do not count, and values are cut from the text as it is written.
There is no regular expression in it: each literal part is looked for once, leftmost, after the one before it, which
finds a match if there is one and takes a time that grows with the text's length and hardly with anything else.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING

from .tokens import Token, tokenise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Part = str | int
"""Literal text, or the number of a slot."""

_BREAK = "\n"  # between keys; white space, so no key contains it
_OPENED, _ESCAPED = "{{", "{{'{{'}}"
_SLOT = re.compile(r"\{\{([A-Za-z_]\w{0,99})\}\}|\{\{'\{\{'\}\}")


def write(parts: Sequence[Part], names: Sequence[str]) -> str:
    """The parts as text, with slots as ``{{name}}``."""
    return "".join(
        part.replace(_OPENED, _ESCAPED) if isinstance(part, str) else f"{{{{{names[part]}}}}}" for part in parts
    )


def read(text: str) -> tuple[list[Part], list[str]]:
    """The parts of a written template and the names of its slots; a name that comes twice is one slot twice."""
    parts: list[Part] = []
    names: list[str] = []
    literal = ""
    place = 0
    for found in _SLOT.finditer(text):
        literal += text[place : found.start()]
        place = found.end()
        name = found.group(1)
        if name is None:
            literal += _OPENED
            continue
        if literal:
            parts.append(literal)
            literal = ""
        if name not in names:
            names.append(name)
        parts.append(names.index(name))
    literal += text[place:]
    if literal:
        parts.append(literal)
    return parts, names


def render(parts: Sequence[Part], values: Mapping[int, str]) -> str:
    """The text that the parts make with these values, by the number of their slot."""
    return "".join(part if isinstance(part, str) else values[part] for part in parts)


class Matcher:
    """A template made ready to match many texts."""

    def __init__(self, parts: Sequence[Part], optional: frozenset[int] = frozenset()) -> None:
        """``optional``: the slots whose value may be empty."""
        self._pieces: list[tuple[list[int], list[str]]] = []  # slots, and the literal that follows them
        slots: list[int] = []
        for part in parts:
            if isinstance(part, int):
                slots.append(part)
                continue
            keys = [token.key for token in tokenise(part)]
            if keys:
                self._pieces.append((slots, keys))
                slots = []
        self._rest = slots
        self._optional = optional

    def match(self, text: str) -> dict[int, str] | None:
        """The value of each slot, or None where the text does not fit."""
        tokens = tokenise(text)
        spans = self._spans(tokens)
        if spans is None:
            return None
        values: dict[int, str] = {}
        for slots, first, last in spans:
            if not self._share_out(slots, text, tokens[first:last], values):
                return None
        return values

    def _need(self, slots: Sequence[int]) -> int:
        return sum(slot not in self._optional for slot in slots)

    def _spans(self, tokens: Sequence[Token]) -> list[tuple[list[int], int, int]] | None:
        """Which tokens each group of slots holds."""
        whole = _BREAK + "".join(token.key + _BREAK for token in tokens)
        starts: list[int] = []
        place = 0
        for token in tokens:
            starts.append(place)
            place += len(token.key) + 1
        spans: list[tuple[list[int], int, int]] = []
        at = 0
        for number, (slots, keys) in enumerate(self._pieces):
            wanted = _BREAK + _BREAK.join(keys) + _BREAK
            first = at + self._need(slots)
            if first + len(keys) > len(tokens):
                return None
            ends_here = number == len(self._pieces) - 1 and not self._rest
            if ends_here:
                found = len(tokens) - len(keys)
                if found < first or not whole.endswith(wanted):
                    return None
                if not slots and found != at:
                    return None
            elif not slots:
                if not whole.startswith(wanted, starts[at]):
                    return None
                found = at
            else:
                position = whole.find(wanted, starts[first])
                if position < 0:
                    return None
                found = bisect_left(starts, position)
            if slots:
                spans.append((slots, at, found))
            at = found + len(keys)
        if self._rest:
            if len(tokens) - at < self._need(self._rest):
                return None
            spans.append((self._rest, at, len(tokens)))
        elif not self._pieces and tokens:
            return None
        return spans

    def _share_out(self, slots: Sequence[int], text: str, tokens: Sequence[Token], values: dict[int, str]) -> bool:
        """Give the tokens between two literals to the slots there: one each from the left, the last takes the rest."""
        spare = len(tokens) - self._need(slots)
        at = 0
        for number, slot in enumerate(slots):
            if number == len(slots) - 1:
                size = len(tokens) - at
            elif slot in self._optional:
                size = 0
            else:
                size = 1
            value = text[tokens[at].start : tokens[at + size - 1].end] if size else ""
            if spare < 0 or values.setdefault(slot, value) != value:
                return False
            at += size
        return True
