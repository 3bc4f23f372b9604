"""Where the value of each argument came from: the task's words, an earlier result, or nowhere that can be seen.

One run cannot tell: an order id stands in what the user wrote, in the user's record, and in the order itself. So a run
yields all the *origins* that are possible for a value, and the pooled runs decide (:mod:`.procedure`).

Nothing that a user or a tool wrote is kept. An origin is a type, or the name of a tool and a path of plain field
names; a value is kept only if it stands in no text of the user's or the tools' in that run, so that it can only be the
agent's own, and if it is too small and too plain to be an instruction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .steps import is_argument_name, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .steps import Step, Trace

MAX_LEAVES = 4_000
"""Values of one result that are looked at."""

MAX_DEPTH = 8
"""Levels of a result or argument that are looked at."""

MAX_ARGUMENTS = 32
"""Arguments of a step that are traced, nested ones counted singly."""

MAX_ORIGINS = 24
"""Possible origins of a value that are kept."""

_MAX_VALUE = 200
_SPACE = re.compile(r"\s+")
_EDGE = "#$\u20ac\u00a3 \t\n\"'`.,;:!?()[]{}"
_FIELD = re.compile(r"[A-Za-z_][A-Za-z_-]{0,31}", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9_.:/+-]+(?: [A-Za-z0-9_.:/+-]+){0,3}", re.ASCII)
_LONGEST_CONSTANT = 40
_OUTLINE = re.compile(r"\d+|[^\W\d_]+")
_SHAPE = re.compile(r"[aA9#@._/:+-]+", re.ASCII)
_LONGEST_SHAPE = 12

_KINDS = (
    ("email", re.compile(r"[^\s@]{1,64}@[^\s@]{1,64}\.[^\s@.]{1,24}")),
    ("url", re.compile(r"(?:https?://|www\.)\S+")),
    ("date", re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?:[T ]\S+)?|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}")),
    ("number", re.compile(r"[-+]?[$\u20ac\u00a3]?\d+(?:[.,]\d+)*%?")),
    ("path", re.compile(r"(?:~|\.{1,2})?/[\w./-]+|\w+(?:/[\w.-]+)+|[\w-]+\.[a-z]{1,5}")),
    ("id", re.compile(r"#?(?=[\w-]*\d)[\w-]+")),
    ("name", re.compile(r"[^\W\d_]+(?:[ '\u2019-][^\W\d_]+){0,3}")),
)


class Origin(NamedTuple):
    """Where a value may come from.

    ``source`` is ``slot`` (what people said), ``result`` (what an earlier step answered), or ``own`` (the agent's own).
    ``tool`` and ``path`` say which result and where in it; ``[*]`` is any place in a list, ``*`` any key.
    """

    source: str
    tool: str = ""
    path: str = ""


class Traced(NamedTuple):
    """One argument of one step: its name, type and possible origins, its value where that may be kept, its outline."""

    name: str
    kind: str
    origins: tuple[Origin, ...]
    value: str | int | float | bool | None
    many: bool
    shape: str


def kind_of(value: Any, name: str = "") -> str:
    """The type of a value: ``number``, ``date``, ``email``, ``url``, ``path``, ``zip``, ``id``, ``name``, ``flag``,
    ``text``. Its argument's name decides where digits can be either a number or an id."""
    if isinstance(value, bool):
        return "flag"
    text = str(value).strip()[:_MAX_VALUE]
    words = re.split(r"[_\W]+", name.lower())
    if words[-1:] == ["zip"] or "zipcode" in words or "postcode" in words or "postal" in words:
        return "zip"
    for kind, pattern in _KINDS:
        if pattern.fullmatch(text):
            if (
                kind == "number"
                and not isinstance(value, (int, float))
                and words[-1] in ("id", "ids", "number", "code")
            ):
                return "id"
            return kind
    return "text"


def normalised(value: Any) -> str:
    """What a value is compared by: case folded, spaces collapsed, marks at its ends dropped, whole numbers whole."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    text = _SPACE.sub(" ", str(value)[: _MAX_VALUE * 2]).casefold()
    return text.strip(_EDGE)


class Words:
    """Texts in which values are looked for, as whole words."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._joined: str | None = None

    def add(self, text: str) -> None:
        """Take a text in."""
        self._parts.append(_SPACE.sub(" ", text).casefold())
        self._joined = None

    def holds(self, value: str) -> bool:
        """Whether a normalised value occurs, bounded by what is no letter or digit."""
        if not value:
            return False
        if self._joined is None:
            self._joined = "\n".join(self._parts)
        text, start = self._joined, 0
        while (start := text.find(value, start)) >= 0:
            end = start + len(value)
            if not (start and _joins(text[start - 1], value[0])) and not _joins(text[end : end + 1], value[-1]):
                return True
            start += 1
        return False


def _joins(left: str, right: str) -> bool:
    return bool(left) and left.isalnum() and right.isalnum()


def trace_sources(trace: Trace) -> list[list[Traced]]:
    """For each step of the run, its arguments with their possible origins."""
    said, answered = Words(), Words()
    said.add(trace.task)
    results: list[tuple[str, dict[str, set[str]]]] = []
    heard = 0
    out: list[list[Traced]] = []
    for step in trace.steps:
        for text in trace.said[heard : step.heard]:
            said.add(text)
        heard = max(heard, step.heard)
        leaves = _leaves_of(step)
        out.append([
            _traced(name, values, many, said, answered, results)
            for name, values, many in leaves
            if not _said_names(name, said)
        ])  # fmt: skip
        if step.result is not None:
            given = {normalised(value) for _, values, _ in leaves for value in values}
            found = _index(step.result)
            for value in given:  # an answer that repeats the question is not where the value comes from
                found.pop(value, None)
            answered.add(step.result if isinstance(step.result, str) else _flat(step.result))
            if step.ok is not False:
                results.append((step.tool, found))
    return out


def _said_names(name: str, said: Words) -> bool:
    """Whether a nested argument is named in words of a user's. A tool's developer named its arguments, but nobody
    says what is in a free object; a single word in it is too little to be an instruction."""
    inner = name.replace("[*]", "").split(".")[1:]
    longer = [part.casefold() for part in inner if "_" in part or "-" in part]
    return any(said.holds(part) or said.holds(part.replace("_", " ").replace("-", " ")) for part in longer)


def _traced(
    name: str,
    values: Sequence[Any],
    many: bool,
    said: Words,
    answered: Words,
    results: Sequence[tuple[str, dict[str, set[str]]]],
) -> Traced:
    keys = [normalised(value) for value in values]
    kind = kind_of(values[0], name) if values else "text"
    telling = bool(keys) and all(_telling(value, key) for value, key in zip(values, keys, strict=True))
    origins: list[Origin] = []
    if telling:
        if all(said.holds(key) for key in keys):
            origins.append(Origin("slot"))
        places = [
            {Origin("result", tool, path) for tool, found in results for path in found.get(key, ())} for key in keys
        ]
        origins.extend(sorted(set.intersection(*places)))
    unseen = not any(said.holds(key) or answered.holds(key) for key in keys) if telling else True
    if not origins and unseen:
        origins.append(Origin("own"))
    value = values[0] if len(values) == 1 and not many and unseen and may_be_constant(values[0]) else None
    return Traced(name, kind, tuple(origins[:MAX_ORIGINS]), value, many, shape_of(values[0]) if values else "")


def shape_of(value: Any) -> str:
    """The outline of a value that has a digit: ``#A9`` for an order number, ``a_a_9`` for an account. No letter of it
    is kept; "" where it has no digit, or no short outline."""
    text = str(value)[:_MAX_VALUE]
    if isinstance(value, bool) or not any(char.isdigit() for char in text):
        return ""
    outline = _OUTLINE.sub(lambda run: "9" if run.group()[0].isdigit() else "A" if run.group().isupper() else "a", text)
    return outline if len(outline) <= _LONGEST_SHAPE and _SHAPE.fullmatch(outline) else ""


def may_be_constant(value: Any) -> bool:
    """Whether a value is plain enough to stand in a procedure: a flag, a number, or up to four short plain words."""
    if isinstance(value, (bool, int)):
        return abs(value) < 10**12
    if isinstance(value, float):
        return abs(value) < 1e12  # false for what is no number
    return isinstance(value, str) and len(value) <= _LONGEST_CONSTANT and _PLAIN.fullmatch(value) is not None


def _telling(value: Any, key: str) -> bool:
    """Whether finding a value somewhere says anything: flags and single digits are everywhere."""
    return not isinstance(value, bool) and value is not None and (len(key) > 1)


def _leaves_of(step: Step) -> list[tuple[str, list[Any], bool]]:
    """The arguments of a step as plain values: nested ones with a path for a name, lists as many values of one."""
    found: dict[str, tuple[list[Any], bool]] = {}
    pending: list[tuple[str, Any, bool, int]] = [(name, value, False, 0) for name, value in step.arguments.items()]
    pending.reverse()
    seen = 0
    while pending and seen < MAX_LEAVES:
        name, value, many, depth = pending.pop()
        seen += 1
        if isinstance(value, str):
            inner = parsed(value) if value[:1] in ("{", "[") else value
            value = inner if isinstance(inner, (dict, list)) else value
        if isinstance(value, dict):
            if depth < MAX_DEPTH:
                inside = [
                    (f"{name}.{key}", part, many, depth + 1) for key, part in value.items() if is_argument_name(key)
                ]
                pending.extend(reversed(inside))
        elif isinstance(value, list):
            if depth < MAX_DEPTH:
                nested = any(isinstance(part, (dict, list)) for part in value[:MAX_LEAVES])
                inner_name = f"{name}[*]" if nested else name
                pending.extend((inner_name, part, True, depth + 1) for part in reversed(value[:MAX_LEAVES]))
        elif value is not None and (name in found or len(found) < MAX_ARGUMENTS):
            values, before = found.setdefault(name, ([], many))
            values.append(value)
            found[name] = (values, before or many)
    return [(name, values, many) for name, (values, many) in found.items() if len(name) <= 100]


def _index(result: Any) -> dict[str, set[str]]:
    """Every value of a result with the paths at which it stands, list places and odd keys generalised."""
    found: dict[str, set[str]] = {}
    for path, value in _walk(result):
        if value is None or isinstance(value, bool):
            continue
        key = normalised(value)
        if len(key) > 1 and len(str(value)) <= _MAX_VALUE:
            found.setdefault(key, set()).add(path)
    return found


def _walk(result: Any) -> Iterator[tuple[str, Any]]:
    pending: list[tuple[str, Any, int]] = [("", result, 0)]
    seen = 0
    while pending and seen < MAX_LEAVES:
        path, value, depth = pending.pop()
        seen += 1
        if isinstance(value, dict) and depth < MAX_DEPTH:
            for key, part in value.items():
                field = key if isinstance(key, str) and _FIELD.fullmatch(key) else "*"
                inner = f"{path}.{field}" if path else field
                pending.append((inner, part, depth + 1))
                if field == "*":
                    yield f"{path}.keys[*]" if path else "keys[*]", key
        elif isinstance(value, list) and depth < MAX_DEPTH:
            pending.extend((f"{path}[*]", part, depth + 1) for part in value[:MAX_LEAVES])
        elif not isinstance(value, (dict, list)):
            yield path, value


def _flat(result: Any) -> str:
    parts: list[str] = []
    for _, value in _walk(result):
        parts.append(str(value)[:2_000])
    return "\n".join(parts)
