"""The front matter of a SKILL.md file: the small part of YAML that it needs, read strictly and written safely.

A whole YAML parser builds objects, follows aliases and guesses types; a file from a stranger should get none of that.
So only what front matters hold is read: one map of texts, in which a value may be one map of texts. A text is plain,
in single or double quotes, or a block (``|`` or ``>``). All else is refused with its line, and never guessed: what is
read here is what any YAML parser reads.

What is written holds for parsers of every kind. Texts stand on one line in double quotes, and a run of three hyphens
is escaped, because many readers simply split a file at ``---``; so is a backtick beside ``!``, because some run what
stands between the two.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..instrumentation.errors import SkillFileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = str | dict[str, str]

HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufe00-\ufe0e\ufeff\uffa0\ufff0-\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Characters that a reader does not see or that change how others are shown: control characters, line breaks, marks of
direction, and what has no width. A fixed list, so that the same text is written alike by every version of Python."""

MARK = "---"

_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_ENTRY = re.compile(r"([A-Za-z_][\w.-]{0,63}):(?: +(.*))?", re.ASCII)
_PLAIN_START = re.compile(r"[^\s,\[\]{}#&*!|>'\"%@`?:-]|[?:-][^\s,\[\]{}]")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SINGLE = re.compile(r"'((?:[^']|'')*)'")
_BLOCK = re.compile(r"([|>])([+-]?)")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))")
_ESCAPED = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b",
    " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_SPECIAL = re.compile(rf'["\\]|-{{3,}}|(?<=!)`|`(?=!)|{HIDDEN.pattern}')
_EMPTY = frozenset(("", "~", "null", "Null", "NULL"))


class Document(NamedTuple):
    """A SKILL.md file: its front matter, and the body exactly as it stands after it."""

    front: dict[str, Value]
    body: str


def read(text: str, where: str) -> Document:
    """The front matter and body of a file.

    Args:
        text: the whole file.
        where: what the file is called in messages.

    Raises:
        SkillFileError: there is no front matter, or it holds what is not read.
    """
    ends = _marks(text)
    if not ends:
        raise SkillFileError(
            f"{where}: there is no front matter; a SKILL.md begins with a line {MARK}, then name and description, "
            f"then a line {MARK}"
        )
    start, stop, body = ends
    lines = text[start:stop].replace("\r\n", "\n").split("\n")[:-1]
    return Document(_Reader(lines, where).document(), text[body:])


def write(front: Mapping[str, Value]) -> str:
    """A front matter with its marks, in the order that is given. Empty maps are left out."""
    lines = [MARK]
    for key, value in front.items():
        if isinstance(value, str):
            lines.append(f"{key}: {_quoted(value)}")
        elif value:
            lines.append(f"{key}:")
            lines += [f"  {inner}: {_quoted(text)}" for inner, text in value.items()]
    return "\n".join([*lines, MARK, ""])


def shown(text: str) -> str:
    """A text with its hidden characters written as escapes, line breaks and tabs included."""
    return HIDDEN.sub(lambda found: _escape(found.group()), text)


def _marks(text: str) -> tuple[int, int, int] | None:
    """Where the front matter begins and ends, and where the body begins."""
    begin = re.match(rf"\ufeff?{MARK} *\r?\n", text)
    if begin is None:
        return None
    end = re.compile(rf"^{MARK} *(?:\r?\n|\Z)", re.MULTILINE).search(text, begin.end())
    return (begin.end(), end.start(), end.end()) if end else None


def _quoted(text: str) -> str:
    return f'"{_SPECIAL.sub(lambda found: "".join(map(_escape, found.group())), text)}"'


def _escape(char: str) -> str:
    code = ord(char)
    return _SHORT.get(char) or (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"
    )


class _Reader:
    """Reads a front matter line by line."""

    def __init__(self, lines: Sequence[str], where: str) -> None:
        self._lines = lines
        self._where = where
        self._at = 0

    def document(self) -> dict[str, Value]:
        for number, line in enumerate(self._lines):
            if _FORBIDDEN.search(line):
                raise self._wrong("holds a control character", number)
        return self._map(0)

    def _map(self, indent: int) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while self._skip_blank():
            line = self._lines[self._at]
            if _indent(line) < indent:
                break
            entry = _ENTRY.fullmatch(line, indent) if _indent(line) == indent else None
            if entry is None:
                raise self._wrong("is not `key: value` where a key should stand")
            key, rest = entry.group(1), (entry.group(2) or "").rstrip(" ")
            if key in found:
                raise self._wrong(f"says {key} a second time")
            found[key] = self._value(rest, indent)
        return found

    def _skip_blank(self) -> bool:
        """Go to the next line that is neither empty nor a comment; False where there is none."""
        while self._at < len(self._lines) and (not (line := self._lines[self._at].strip(" ")) or line[0] == "#"):
            self._at += 1
        return self._at < len(self._lines)

    def _value(self, rest: str, indent: int) -> Value:
        block = _BLOCK.match(rest)
        if block is not None:
            self._nothing_after(rest, block.end())
            self._at += 1
            return self._block(block.group(1) == ">", block.group(2), indent)
        value = self._scalar(rest)
        self._at += 1
        if not (self._skip_blank() and _indent(self._lines[self._at]) > indent):
            return value
        if indent or (rest and rest[0] != "#"):
            raise self._wrong("continues the text above; write long texts as a block, with `>` or `|` after the key")
        inner = self._map(_indent(self._lines[self._at]))
        if self._skip_blank() and _indent(self._lines[self._at]) > 0:
            raise self._wrong("is indented otherwise than the lines above")
        return {key: text for key, text in inner.items() if isinstance(text, str)}

    def _scalar(self, rest: str) -> str:
        if rest[:1] == '"':
            found = _DOUBLE.match(rest)
            if found is None:
                raise self._wrong("has a quoted text that does not end on this line")
            self._nothing_after(rest, found.end())
            return _ESCAPE.sub(self._unescaped, found.group(1))
        if rest[:1] == "'":
            found = _SINGLE.match(rest)
            if found is None:
                raise self._wrong("has a quoted text that does not end on this line")
            self._nothing_after(rest, found.end())
            return found.group(1).replace("''", "'")
        if rest[:1] == "#":
            return ""
        plain = rest.split(" #", 1)[0].rstrip(" ")
        if plain in _EMPTY:
            return ""
        if not _PLAIN_START.match(plain) or "\t" in plain:
            raise self._wrong("has a value that is neither a text nor a map of texts; put texts in quotes")
        if ": " in plain or plain.endswith(":"):
            raise self._wrong("has a colon in a text without quotes; put the text in quotes")
        return plain

    def _unescaped(self, found: re.Match[str]) -> str:
        code = found.group(1) or found.group(2) or found.group(3)
        if code is None:
            char = _ESCAPED.get(found.group(4))
            if char is None:
                raise self._wrong(f"has an unknown escape \\{found.group(4)}")
            return char
        number = int(code, 16)
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise self._wrong("has an escape that is no character")
        return chr(number)

    def _nothing_after(self, rest: str, end: int) -> None:
        after = rest[end:]
        if (after.strip(" ") and not after.lstrip(" ").startswith("#")) or after[:1] == "#":
            raise self._wrong("goes on after the end of its value")

    def _block(self, folded: bool, chomping: str, indent: int) -> str:
        """A block text, by the rules of YAML for folding and for the line breaks at its end."""
        lines: list[str] = []
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if line.strip(" ") and _indent(line) <= indent:
                break
            lines.append(line)
            self._at += 1
        first = next((number for number, line in enumerate(lines) if line.strip(" ")), len(lines))
        inner = _indent(lines[first]) if first < len(lines) else max([indent + 1, *map(len, lines)])
        for number, line in enumerate(lines):
            if (line.strip(" ") and _indent(line) < inner) or (number < first and len(line) > inner):
                raise self._wrong("is indented otherwise than its block", self._at - len(lines) + number)
        content = [line[inner:] for line in lines]
        last = next((number for number in range(len(content), 0, -1) if content[number - 1]), 0)
        text = _joined(content[:last], folded=folded)
        if chomping == "+":
            return text + "\n" * (len(content) - last + (last > 0))
        return text + "\n" if not chomping and last else text

    def _wrong(self, what: str, line: int | None = None) -> SkillFileError:
        number = (self._at if line is None else line) + 2  # counted from 1, and after the mark
        return SkillFileError(f"{self._where}: line {number} {what}; the front matter is `key: value` lines")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _joined(lines: Sequence[str], *, folded: bool) -> str:
    if not folded:
        return "\n".join(lines)
    text, before, breaks = "", "", 0
    for line in lines:
        if not line:
            breaks += 1
            continue
        if not before:  # the first line that is not empty
            text += "\n" * breaks
        elif before[0] in " \t" or line[0] in " \t":
            text += "\n" * (breaks + 1)
        else:
            text += "\n" * breaks or " "
        text, before, breaks = text + line, line, 0
    return text
