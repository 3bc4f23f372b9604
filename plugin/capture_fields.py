"""The fields of a record that somebody wrote by hand: each under all its names, checked.

What is given to ``seasoned capture`` comes from shells, scripts and people, so nothing may be taken for granted, and
every message must say where the fault is and what to write instead.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ..instrumentation.errors import RunFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NAME = 200
"""Characters of a name: of an agent, a tool, a domain, a session."""

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and broken letters: in a name they are a mistake, or a trick on whoever reads it."""


def decoded(text: str, where: str) -> Any:
    """A text as JSON; raises :class:`RunFormatError` that says where it is broken."""
    try:
        return json.loads(text)
    except RecursionError:
        raise RunFormatError(f"{where} is nested too deeply; leave out what is so deep") from None
    except ValueError as error:
        raise RunFormatError(f"{where} is not JSON ({error}); correct it there") from None


class Fields:
    """The keys of one object, each asked for by all its names; what was not asked for is unknown."""

    def __init__(self, raw: Any, where: str = "") -> None:
        if not isinstance(raw, dict):
            raise RunFormatError(f"{where.rstrip('.') or 'the record'} is {shown(raw)}, but must be a JSON object")
        self._raw = raw
        self.where = where
        self._asked: set[str] = set()

    def get(self, *names: str) -> tuple[str, Any]:
        """The first of these that is given, with where it stands; None where none is."""
        self._asked.update(names)
        for name in names:
            if self._raw.get(name) is not None:
                return self.where + name, self._raw[name]
        return self.where + names[0], None

    def unknown(self) -> Iterator[str]:
        """What nobody asked for, without the numbers in the places."""
        for name in self._raw:
            if name not in self._asked:
                yield re.sub(r"\[\d+\]", "[]", self.where) + name

    def text(self, *names: str) -> str | None:
        """A text of any length."""
        where, value = self.get(*names)
        if value is not None and not isinstance(value, str):
            raise RunFormatError(f"{where} is {shown(value)}, but must be a text")
        return value

    def name(self, *names: str) -> str | None:
        """A short text on one line."""
        value = self.text(*names)
        where = self.get(*names)[0]
        return None if value is None or not value.strip() else _checked_name(value, where)

    def names(self, *names: str) -> tuple[str, ...]:
        """A list of names; a text may hold them as a JSON list or with commas between them."""
        where, value = self.get(*names)
        if isinstance(value, str):
            text = value.strip()
            value = decoded(text, where) if text[:1] == "[" else [part for part in text.split(",") if part.strip()]
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise RunFormatError(f"{where} is {shown(value)}, but must be a list of names")
        return tuple(_checked_name(one, f"{where}[{number}]") for number, one in enumerate(value))

    def truth(self, *names: str) -> bool | None:
        """A truth value, None where it is not known."""
        where, value = self.get(*names)
        if value is not None and not isinstance(value, bool):
            raise RunFormatError(f"{where} is {shown(value)}, but must be true, false or null")
        return value

    def number(self, *names: str, most: float) -> float | None:
        """A number from 0 to ``most``."""
        where, value = self.get(*names)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
            raise RunFormatError(f"{where} is {shown(value)}, but must be a number from 0 to {most:g}")
        return value

    def objects(self, *names: str) -> list[tuple[str, Any]]:
        """A list, or a text that holds one as JSON: each item with where it stands."""
        where, value = self.get(*names)
        if isinstance(value, str):
            value = decoded(value, where) if value.strip() else None
        if value is None:
            return []
        if not isinstance(value, list):
            raise RunFormatError(f"{where} is {shown(value)}, but must be a list of objects")
        return [(f"{where}[{number}].", one) for number, one in enumerate(value)]


def shown(value: Any) -> str:
    """A value in a message, cut."""
    if isinstance(value, (dict, list)):
        return f"a JSON {'object' if isinstance(value, dict) else 'list'}"
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else text[:57] + "..."


def _checked_name(value: str, where: str) -> str:
    name = value.strip()
    if not name:
        raise RunFormatError(f"{where} is empty; give it a name or leave it out")
    if len(name) > MAX_NAME:
        raise RunFormatError(f"{where} has {len(name)} characters, but a name has at most {MAX_NAME}")
    if CONTROL.search(name):
        raise RunFormatError(f"{where} is {shown(name)}, but a name has no control characters or broken letters")
    return name
