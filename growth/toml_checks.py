"""Reading a TOML file that a person wrote, so that every mistake in it is answered with where it is and the mend.

A roster is edited by hand and read once at the start, so a misspelt key must not silently do nothing. Each
message names the file, the path of the key inside it, what is wrong, and what would be right.
"""

from __future__ import annotations

import difflib
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from ..instrumentation.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover  (only on Python 3.10)
    import tomli as tomllib

_TYPES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text in quotes",
    list: "a list in [ ]",
}


def parse_toml(path: Path, error: type[ConfigError], mend: str) -> dict[str, Any]:
    """The tables of a TOML file; raises ``error`` where it cannot be read, with ``mend`` if it is not there."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror or problem}; {mend}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise error(f"{path} is not valid TOML: {problem}; mend that place in the file") from problem


class Place(msgspec.Struct, frozen=True):
    """A spot in a configuration file, to be named in an error.

    Attributes:
        file: the file, as the user knows it.
        path: the key's path in it, such as ``agents.tess.skills.pytest``; empty for the top.
        error: what to raise.
    """

    file: str
    path: str = ""
    error: type[ConfigError] = ConfigError

    def at(self, key: str) -> Place:
        """The place of ``key`` inside this one."""
        shown = key if key.replace("_", "").replace("-", "").isalnum() else f'"{key}"'
        return Place(self.file, f"{self.path}.{shown}" if self.path else shown, self.error)

    def wrong(self, what: str) -> ConfigError:
        """The error that says ``what`` about this place."""
        return self.error(f"{self.file}: {self.path or 'the file'} {what}")

    def table(self, value: Any) -> dict[str, Any]:
        """``value``, if it is a table."""
        if not isinstance(value, dict):
            raise self.wrong(f"is {_shown(value)}, but must be a table; write it as [{self.path}]")
        return value

    def keys(self, table: dict[str, Any], allowed: Iterable[str]) -> None:
        """Refuse a key that nobody reads, with the one that was probably meant."""
        allowed = list(allowed)
        for key in table:
            if key not in allowed:
                close = difflib.get_close_matches(key, allowed, n=1, cutoff=0.6)
                mend = f"did you mean {close[0]}?" if close else f"known here are {', '.join(allowed)}"
                raise self.at(key).wrong(f"is not a known key; {mend}")

    def typed(self, value: Any, kind: type) -> Any:
        """``value``, if it has this type (a whole number is a number as well; true is neither)."""
        fits = isinstance(value, (int, float) if kind is float else kind)
        if not fits or (isinstance(value, bool) and kind is not bool):
            raise self.wrong(f"is {_shown(value)}, but must be {_TYPES[kind]}")
        return value

    def whole(self, value: Any, low: int, high: int | None = None) -> int:
        """``value``, if it is a whole number from ``low`` to ``high`` (None: no upper end)."""
        number: int = self.typed(value, int)
        if number < low or (high is not None and number > high):
            bounds = f"at least {low}" if high is None else f"from {low} to {high}"
            raise self.wrong(f"is {number}, but must be {bounds}")
        return number

    def part(self, value: Any) -> float:
        """``value``, if it is a number from 0 to 1; kept to six decimal places, as traits are."""
        number: float = self.typed(value, float)
        if not 0 <= number <= 1:
            raise self.wrong(f"is {number}, but must be from 0 to 1")
        return round(float(number), 6)

    def line(self, value: Any, limit: int = 200) -> str:
        """``value``, if it is one line of text of at most ``limit`` characters that is not empty."""
        text: str = self.typed(value, str)
        if not text.strip() or len(text) > limit or not text.isprintable():
            raise self.wrong(f"is {_shown(text)}, but must be one line of 1 to {limit} characters")
        return text.strip()

    def lines(self, value: Any, limit: int = 200) -> tuple[str, ...]:
        """``value``, if it is a list of such lines."""
        items: list[Any] = self.typed(value, list)
        return tuple(self.at(str(number)).line(item, limit) for number, item in enumerate(items))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
