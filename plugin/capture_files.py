"""Files that ``seasoned capture`` reads: executions as JSON, and the artifacts that an execution made."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import msgspec

from ..adapters.recorded import BadRecord
from ..instrumentation.errors import RunFormatError
from .capture_fields import decoded
from .captured import Captured, parse

MAX_INPUT = 64 * 1024 * 1024
"""Bytes of a file of executions; all of it is held in memory."""

MAX_CONTENT = 1_000_000
"""Bytes of an artifact whose content is kept; of a larger one only hash and size are."""

STDIN = "-"
"""The name under which standard input is read."""

_LANGUAGES = {
    ".c": "c", ".cpp": "c++", ".cs": "c#", ".css": "css", ".go": "go", ".html": "html", ".java": "java",
    ".js": "javascript", ".json": "json", ".kt": "kotlin", ".md": "markdown", ".php": "php", ".py": "python",
    ".rb": "ruby", ".rs": "rust", ".sh": "shell", ".sql": "sql", ".toml": "toml", ".ts": "typescript",
    ".yaml": "yaml", ".yml": "yaml",
}  # fmt: skip
"""The language of a file, by its ending."""


class Found(msgspec.Struct, frozen=True):
    """What a text holds: the good records, what is wrong with the others, and whether it is one lone record."""

    records: list[Captured]
    errors: list[BadRecord]
    lone: bool


def read(data: bytes, name: str) -> Found:
    """The executions of a file: a JSON object, a list of them, or JSONL. ``name`` is what errors call the file."""
    if len(data) > MAX_INPUT:
        return _bad(name, f"larger than {MAX_INPUT // 1024 // 1024} MB; split it into several files")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return _bad(name, f"not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8")
    if not text.strip():
        return _bad(name, "empty; it must hold a JSON object, a list of them, or one on each line")
    try:
        whole = decoded(text, "the text")
    except RunFormatError as error:
        return _lines(text, name) if _looks_like_lines(text) else _bad(name, str(error))
    if not isinstance(whole, list):
        return _gathered(name, [("", 0, lambda: whole)], lone=True)
    return _gathered(name, [(f"record {number}: ", 0, lambda one=one: one) for number, one in enumerate(whole, 1)])


def _lines(text: str, name: str) -> Found:
    each = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    return _gathered(name, [("", number, lambda line=line: decoded(line, "the line")) for number, line in each])


def _looks_like_lines(text: str) -> bool:
    """Whether this is JSONL, rather than one broken document: some line is an object by itself."""
    if text.lstrip()[:1] == "[":
        return False
    for line in text.split("\n"):
        if line[:1] == "{":
            try:
                decoded(line, "")
            except RunFormatError:
                continue
            return True
    return False


def _gathered(name: str, items: list[tuple[str, int, Any]], *, lone: bool = False) -> Found:
    records: list[Captured] = []
    errors: list[BadRecord] = []
    for prefix, line, give in items:
        try:
            records.append(parse(give()))
        except RunFormatError as error:  # noqa: PERF203  one bad record must not take the others along
            errors.append(BadRecord(name, line, f"{prefix}{error}"))
    if not items:
        errors.append(BadRecord(name, 0, "an empty list; it must hold at least one JSON object"))
    return Found(records, errors, lone)


def _bad(name: str, reason: str) -> Found:
    return Found([], [BadRecord(name, 0, reason)], lone=True)


# -- reading from the disk -------------------------------------------------------------------------------------------


def read_file(name: str) -> Found:
    """:func:`read` for a file, or for standard input where the name is ``-``. What cannot be read is an error of it."""
    shown = "standard input" if name == STDIN else name
    try:
        if name == STDIN:
            data = sys.stdin.buffer.read(MAX_INPUT + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_INPUT + 1)
    except OSError as error:
        return _bad(shown, f"cannot be read: {error.strerror or error}")
    except ValueError as error:  # a name with NUL in it
        return _bad(shown, f"cannot be read: {error}")
    return read(data, shown)


def artifact_of(name: str) -> dict[str, Any]:
    """A file as an artifact's record: its content where it is text of at most :data:`MAX_CONTENT` bytes, else its
    hash. Raises :class:`RunFormatError` where there is no such file or it cannot be read."""
    path = Path(name)
    record: dict[str, Any] = {"path": name, "language": _LANGUAGES.get(path.suffix.lower())}
    try:
        if not path.is_file():
            what = "is not a file" if path.exists() else "is not there"
            raise RunFormatError(f"the artifact {name} {what}; correct its path, or leave it out")
        with path.open("rb") as file:
            data = file.read(MAX_CONTENT + 1)
            content = _as_text(data) if len(data) <= MAX_CONTENT else None
            if content is not None:
                return {**record, "content": content}
            digest, size = hashlib.sha256(data), len(data)
            while data := file.read(MAX_CONTENT):
                digest.update(data)
                size += len(data)
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise RunFormatError(f"the artifact {name} cannot be read: {said}") from None
    return {**record, "sha256": digest.hexdigest(), "bytes": size}


def _as_text(data: bytes) -> str | None:
    """The text of a file, None where it is none."""
    try:
        return None if b"\x00" in data else data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
