"""Making pages from the templates: one environment and one way to write them, for the report and for growth."""

from __future__ import annotations

import os
import stat
import tempfile
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from .cli.output import clean

if TYPE_CHECKING:
    from collections.abc import Iterable


def environment() -> jinja2.Environment:
    """The templates, with the filters that all pages use. Everything that is put in is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters["clean"] = lambda value: clean("" if value is None else str(value))
    made.filters["number"] = lambda value: f"{value:,}".replace(",", "\u202f")
    return made


def source(name: str) -> str:
    """A template's text, or that of a style sheet or script beside it."""
    return (resources.files(str(__package__)) / "templates" / name).read_text(encoding="utf-8")


def _source(name: str) -> str | None:
    try:
        return source(name)
    except FileNotFoundError:
        return None


def write_private(path: Path, pieces: Iterable[str]) -> None:
    """Write a page piece by piece; only the user can read it, because it holds whole conversations.

    It is complete or not there: it is written beside its place first. What is no ordinary file (``/dev/stdout``) is
    written as it is.

    Raises:
        OSError: where it cannot be written.
    """
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        with path.open("w", encoding="utf-8") as file:
            file.writelines(pieces)
        return
    path = path.resolve()  # of a link, the file that it leads to is replaced
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:60]}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(pieces)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
