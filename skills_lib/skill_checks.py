"""What a skill template from a file may hold: the limits that keep a stranger's words out of what an agent reads.

A template that was learned here holds names, paths, types and small constants, because that is all that learning keeps.
A file can hold anything. So every part that could come to stand in a prompt is held to what learning could have made;
the rest (examples, notes, code templates) is for people and may be any text.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from ..instrumentation.errors import SkillFileError
from .front_matter import HIDDEN
from .steps import is_argument_name, is_tool_name

if TYPE_CHECKING:
    from collections.abc import Collection

    from .template_record import TemplateRecord

NAME_LIMIT, DESCRIPTION_LIMIT, COMPATIBILITY_LIMIT = 64, 1024, 500
"""Characters of a skill's name, description and compatibility, by the rules of agentskills.io."""

MAX_COUNT = 2**63 - 1
"""The largest count: what databases hold."""

MAX_STEPS = 100
"""Steps of a procedure; learned ones have at most 40."""

MAX_CONSTANT = 200
"""Characters of all texts, names and numbers in a constant, however it is nested."""

MAX_LINE = 240
"""Characters of a check, a pitfall or an agent's name. The longest sentence that is learned, with the longest names of
a tool and an argument, has 205."""

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_ID = re.compile(r"[0-9a-z-]{1,64}", re.ASCII)
_WORD = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)
_STEM = re.compile(r"[a-z0-9]{1,64}", re.ASCII)
_OUTLINE = re.compile(r"[aA9#@._/:+-]{1,12}", re.ASCII)
_SLOT = re.compile(r"[A-Za-z_]\w{0,99}", re.ASCII)
_FIELD = r"(?:[A-Za-z_][A-Za-z_-]{0,31}|\*)(?:\[\*\])*"
_PATH = re.compile(rf"(?:(?:\[\*\])+(?:\.{_FIELD})*|{_FIELD}(?:\.{_FIELD})*)?", re.ASCII)
_MAX_PATH = 320  # characters: as deep as results are looked into, with the longest names
_MAX_ARGUMENT = 100  # characters, as they are traced
_PLACE = "[*]"
_MAX_PARTS = 100  # parts of a nested constant, so that empty lists in lists are bounded too
_MAX_BITS = 700  # of a number: more are more characters than a constant may have
_SHOWN = 80  # characters of a wrong value in a message

_COUNTED = frozenset(("support", "of"))
_STEP = frozenset(("tool", "agent", "writes", "optional", "repeated", "support", "arguments"))
_TOLD = frozenset(("text", "solved_with", "solved", "failed_with", "failed", "p"))
_SOURCES: dict[str, tuple[frozenset[str], frozenset[str]]] = {  # what each kind must have, and what it may have
    "slot": (frozenset(("name", "type")), frozenset(("many", "outlines", "support", "of"))),
    "result": (frozenset(("tool", "path", "type")), frozenset(("many", "support", "of"))),
    "constant": (frozenset(("value",)), frozenset(("support", "of"))),
    "free": (frozenset(("type",)), frozenset(("many", "calls"))),
}


def check_name(name: object, where: str) -> str:
    """The name, if it is one by the rules of the format.

    Raises:
        SkillFileError: it is not.
    """
    if not isinstance(name, str) or len(name) > NAME_LIMIT or not _NAME.fullmatch(name):
        raise SkillFileError(
            f"{where}: the name {_said(name)} breaks the rules; a name has 1 to {NAME_LIMIT} lower case letters, "
            "digits and single hyphens between them"
        )
    return name


def numbered(name: str, taken: Collection[str]) -> str:
    """The name, or the name with the first number that makes it one that is not ``taken``, within the limit."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name[: NAME_LIMIT - len(str(number)) - 1].strip('-')}-{number}"
    return free


def check_description(description: object, where: str) -> str:
    """The description, if it is one by the rules of the format.

    Raises:
        SkillFileError: it is empty or too long.
    """
    if not isinstance(description, str) or not description.strip():
        raise SkillFileError(f"{where}: there is no description; say what the skill does and when to use it")
    if len(description) > DESCRIPTION_LIMIT:
        raise SkillFileError(
            f"{where}: the description has {len(description)} characters; shorten it to {DESCRIPTION_LIMIT}"
        )
    return description


def check_record(record: TemplateRecord, where: str) -> None:
    """Hold a template to what a learned one can hold.

    Args:
        record: the template.
        where: what its file is called in messages.

    Raises:
        SkillFileError: it holds something else; the message says where and what.
    """
    check_name(record.name, where)
    check_description(record.description, where)
    _Checker(where).record(record)


class _Checker:
    def __init__(self, where: str) -> None:
        self._where = where

    def record(self, record: TemplateRecord) -> None:
        self._need(_ID.fullmatch(record.template_id), "template_id", record.template_id, "1 to 64 of 0-9, a-z and -")
        self._need(1 <= record.version <= MAX_COUNT, "version", record.version, "a number from 1 on")
        self._need(_WORD.fullmatch(record.state), "state", record.state, "a word in lower case")
        self._need(len(record.when_not) <= DESCRIPTION_LIMIT, "when_not", record.when_not, "at most 1024 characters")
        for name in ("tasks", "solved", "failed"):
            self._count(getattr(record, name), name)
        for name, count in record.metrics.items():
            self._need(_WORD.fullmatch(name), "metrics", name, "words in lower case")
            self._count(count, f"metrics: {name}")
        for number, slot in enumerate(record.slots, 1):
            at = f"slot {number}"
            self._keys(slot, at, {"name", "type", "optional"})
            self._need(_matches(_SLOT, slot["name"]), f"{at}: name", slot["name"], "a plain name")
            self._type(slot, at)
            self._flag(slot, "optional", at)
        self._need(len(record.procedure) <= MAX_STEPS, "procedure", len(record.procedure), f"at most {MAX_STEPS} steps")
        for number, step in enumerate(record.procedure, 1):
            self._step(step, f"step {number}")
        self._each(_STEM, record.asked, "asked", "words of tools' names")
        for agent in record.agent_sequence:
            self._line(agent, "agent_sequence")
        for tool in record.required_tools:
            self._tool(tool, "required_tools")
        for part in ("checks", "pitfalls"):
            for number, told in enumerate(getattr(record, part), 1):
                self._told(told, f"{part} {number}")

    def _step(self, step: dict[str, Any], at: str) -> None:
        self._keys(step, at, _STEP, ("after",))
        for number in step.get("after", ()):
            self._count(number, f"{at}: after")
        self._tool(step["tool"], f"{at}: tool")
        if step["agent"] is not None:
            self._line(step["agent"], f"{at}: agent")
        for flag in ("writes", "optional", "repeated"):
            self._flag(step, flag, at)
        self._count(step["support"], f"{at}: support")
        arguments = step["arguments"]
        self._need(isinstance(arguments, dict), f"{at}: arguments", arguments, "a map")
        for name, source in arguments.items():
            self._need(is_argument_path(name), f"{at}: argument", name, "the name of an argument")
            self._source(source, f"{at}: argument {name}")

    def _source(self, source: Any, at: str) -> None:
        self._need(isinstance(source, dict), at, source, "a map")
        kind = source.get("source")
        self._need(isinstance(kind, str) and kind in _SOURCES, f"{at}: source", kind, ", ".join(_SOURCES))
        must, may = _SOURCES[kind]
        self._keys(source, at, must | {"source"}, may)
        if "type" in source:
            self._type(source, at)
        if "many" in source:
            self._flag(source, "many", at)
        for count in source.keys() & _COUNTED:
            self._count(source[count], f"{at}: {count}")
        if kind == "slot":
            self._need(is_argument_name(source["name"]), f"{at}: name", source["name"], "a plain name")
            self._each(_OUTLINE, source.get("outlines", []), f"{at}: outlines", "outlines of values, such as #A9")
        elif kind == "result":
            self._tool(source["tool"], f"{at}: tool")
            path = source["path"]
            fits = _matches(_PATH, path) and len(path) <= _MAX_PATH
            self._need(fits, f"{at}: path", path, "field names joined by dots, with [*] for places in lists")
        elif kind == "constant":
            plain = is_constant(source["value"])
            self._need(plain, f"{at}: value", source["value"], f"at most {MAX_CONSTANT} characters on one line")
        calls = source.get("calls", [])
        self._need(isinstance(calls, list), f"{at}: calls", calls, "a list")
        for called in calls:
            self._tool(called, f"{at}: calls")

    def _told(self, told: dict[str, Any], at: str) -> None:
        self._keys(told, at, _TOLD)
        self._line(told["text"], f"{at}: text")
        for count in ("solved_with", "solved", "failed_with", "failed"):
            self._count(told[count], f"{at}: {count}")
        p = told["p"]
        fits = isinstance(p, (int, float)) and not isinstance(p, bool) and 0 <= p <= 1
        self._need(fits, f"{at}: p", p, "a number from 0 to 1")

    def _keys(self, found: dict[str, Any], at: str, must: Collection[str], may: Collection[str] = ()) -> None:
        missing = sorted(set(must) - found.keys())
        self._need(not missing, at, ", ".join(missing), "there, and is missing")
        unknown = sorted(found.keys() - set(must) - set(may))
        self._need(not unknown, at, ", ".join(unknown), "something that this version knows")

    def _each(self, pattern: re.Pattern[str], values: Any, at: str, wanted: str) -> None:
        self._need(isinstance(values, list), at, values, "a list")
        for value in values:
            self._need(_matches(pattern, value), at, value, wanted)

    def _tool(self, name: object, at: str) -> None:
        self._need(is_tool_name(name), at, name, "the name of a tool")

    def _type(self, found: dict[str, Any], at: str) -> None:
        self._need(_matches(_WORD, found["type"]), f"{at}: type", found["type"], "a word in lower case")

    def _flag(self, found: dict[str, Any], name: str, at: str) -> None:
        self._need(isinstance(found[name], bool), f"{at}: {name}", found[name], "true or false")

    def _count(self, value: object, at: str) -> None:
        fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT
        self._need(fits, at, value, "a count")

    def _line(self, text: object, at: str) -> None:
        fits = isinstance(text, str) and 0 < len(text) <= MAX_LINE and not HIDDEN.search(text)
        self._need(fits, at, text, f"one line of at most {MAX_LINE} characters without control characters")

    def _need(self, fits: object, at: str, value: object, wanted: str) -> None:
        if not fits:
            raise SkillFileError(f"{self._where}: {at}: {_said(value)} should be {wanted}; mend or remove it")


def is_argument_path(name: object) -> bool:
    """Whether this can be the name of an argument or of a part of one: ``items[*].id``."""
    return (
        isinstance(name, str)
        and len(name) <= _MAX_ARGUMENT
        and all(is_argument_name(_unplaced(part)) for part in name.split("."))
    )


def is_constant(value: object) -> bool:
    """Whether this is small and plain enough for a constant: scalars, or lists and maps of them, in which all texts,
    names and numbers together have at most :data:`MAX_CONSTANT` characters and none is hidden."""
    pending: list[object] = [value]
    length = parts = 0
    while pending:
        part = pending.pop()
        parts += 1
        if isinstance(part, (list, tuple)):
            pending.extend(part)
        elif isinstance(part, dict):
            pending.extend(part)
            pending.extend(part.values())
        elif isinstance(part, int) and part.bit_length() > _MAX_BITS:
            return False
        else:
            text = str(part)
            length += len(text)
            finite = not isinstance(part, float) or math.isfinite(part)
            if not finite or not isinstance(part, (str, int, float, type(None))) or HIDDEN.search(text):
                return False
        if length > MAX_CONSTANT or parts + len(pending) > _MAX_PARTS:
            return False
    return True


def _unplaced(part: str) -> str:
    """A part of an argument's name without the places in lists at its end."""
    while part.endswith(_PLACE):
        part = part[: -len(_PLACE)]
    return part


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _said(value: object) -> str:
    """A value as messages show it: on one line, short, whatever is in it."""
    if isinstance(value, str):
        return ascii(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}...")
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return "a number that is far too large"
    if isinstance(value, (int, float, type(None))):
        return str(value)
    return "a map" if isinstance(value, dict) else "a list"
