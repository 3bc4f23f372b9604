"""A template as an agent reads it: the section "procedure" of its block.

What stands in a system message speaks with the application's voice, so a procedure says only what cannot be an
instruction of somebody else: names of tools and arguments, types, paths, constants that were the agents' own, and of
the new task's values those that are one plain word with the outline that such values always had (an order number, a
date, an address). Whole sentences of users or tools never get here, however the template came about.

Nothing here changes from run to run unless its meaning does: rates are words, there are no counts and no ids but the
task's own.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .contrasts import is_sentence
from .procedure import OUTLINED
from .sources import kind_of, may_be_constant, shape_of
from .steps import is_argument_name, is_tool_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .template_record import TemplateRecord

HEADING = "A PROCEDURE THAT WORKED FOR TASKS LIKE THIS"

RATES = ((0.9, "nearly always"), (0.7, "mostly"), (0.0, "more often than not"))
"""Share of the runs of such tasks that succeeded, in words: three are enough to act on, and more would change the
block, and defeat caches, for the sake of a few runs."""

NOTES_SHOWN = 3
"""Checks, and pitfalls, that are told at most: the likeliest first."""

VALUES_SHOWN = 6
"""Values that are read off a task for an argument that takes several."""

_TYPES = frozenset({"id", "number", "date", "email", "zip"})
"""Types of values that are put in: those with a form that no sentence has."""

_VALUE = re.compile(r"[\w#$@.:/+%-]{1,64}", re.ASCII)
_EDGE = "\"'`.,;:!?()[]{}<>*"
_PATH = re.compile(r"[\w.*\[\]-]{0,120}", re.ASCII)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_FIELD_WORDS, _FIELD_LENGTH = 3, 24  # of a field's name, which is what a tool wrote: no room for a sentence


def procedure_lines(record: TemplateRecord, agent: str, task: str, limit: int) -> dict[str, str] | None:
    """The section's lines, each with the figures behind it: the steps of ``agent``, with values of ``task`` where they
    can be read off it.

    Args:
        record: the template.
        agent: whose steps; steps of others are left out.
        task: the new task's text.
        limit: characters that it may have. Notes go first, then optional steps from the last.

    Returns:
        The lines in their order, or None where the agent has no step in it, or the steps that must be done do not fit.
    """
    steps = [step for step in record.procedure if step.get("agent") == agent and is_tool_name(step.get("tool"))]
    if not steps or all(step.get("optional") for step in steps):
        return None
    head = f"{HEADING} ({rate_in_words(record)}):"
    words = _words(task)
    lines = [_line(step, words) for step in steps]
    notes = _notes(record)
    while notes and _length(head, lines, notes) > limit:
        notes.pop()
    for number in range(len(steps) - 1, -1, -1):
        if _length(head, lines, notes) <= limit:
            break
        if steps[number].get("optional"):
            del steps[number], lines[number]
    if _length(head, lines, notes) > limit:
        return None
    told = {head: f"{record.solved} of {record.solved + record.failed} runs of {record.tasks} tasks succeeded"}
    for number, (step, line) in enumerate(zip(steps, lines, strict=True), 1):
        told[f"{number}. {line}"] = _support(step, record.solved)
    return told | {note: _figures(record, note) for note in notes}


def rate_in_words(record: TemplateRecord) -> str:
    """How often runs of such tasks succeeded."""
    runs = record.solved + record.failed
    rate = record.solved / runs if runs else 0.0
    return next(words for least, words in RATES if rate >= least)


def _support(step: dict[str, Any], solved: int) -> str:
    """The figures behind a step: in how many runs it was done, and how often each argument came from there."""
    parts = [f"in {step.get('support', 0)} of {solved} successful runs"]
    for name, source in (step.get("arguments") or {}).items():
        if "support" in source and "of" in source:
            parts.append(f"{name} so in {source['support']} of {source['of']} calls")
    return "; ".join(parts)


def _figures(record: TemplateRecord, note: str) -> str:
    """The figures behind a check or pitfall."""
    for one in (*record.checks, *record.pitfalls):
        if note == f"- {one.get('text')}":
            return (
                f"so in {one.get('solved_with')} of {one.get('solved')} successes and {one.get('failed_with')} of "
                f"{one.get('failed')} failures (p = {one.get('p')})"
            )
    return ""


def _length(head: str, lines: Sequence[str], notes: Sequence[str]) -> int:
    return len(head) + sum(len(line) + 5 for line in lines) + sum(len(note) + 1 for note in notes)


def _line(step: dict[str, Any], words: Sequence[str]) -> str:
    given: list[str] = []
    for name, source in (step.get("arguments") or {}).items():
        shown = _shown(source, words)
        if shown and all(is_argument_name(part.replace("[*]", "")) for part in name.split(".")):
            given.append(f"{name} = {shown}")
    marks = [word for key, word in (("optional", "if needed"), ("repeated", "once for each")) if step.get(key)]
    note = f" [{', '.join(marks)}]" if marks else ""
    return f"{step['tool']}({', '.join(given)}){note}"


def _shown(source: dict[str, Any], words: Sequence[str]) -> str:
    """What an argument is told to be; "" for one that is free."""
    kind = source.get("source")
    if kind == "slot":
        values = values_of(source, words)
        if values:
            return f"[{', '.join(values)}]" if source.get("many") else values[0]
        name, type_ = str(source.get("name", "")), str(source.get("type", "text"))
        return f"{{{name}: {type_}}}" if is_argument_name(name) and is_argument_name(type_) else ""
    if kind == "result":
        tool, path = source.get("tool"), str(source.get("path") or "")
        if not is_tool_name(tool) or not _PATH.fullmatch(path):
            return ""
        return f"{{{tool}: {path}}}" if path and all(map(_is_field, path.split("."))) else f"{{{tool}}}"
    if kind == "constant" and may_be_constant(source.get("value")):
        return json.dumps(source["value"], ensure_ascii=True)
    return ""


def _is_field(part: str) -> bool:
    """Whether a part of a path is short enough to be only the name of a field."""
    name = part.replace("[*]", "")
    return len(name) <= _FIELD_LENGTH and len(_WORD.findall(name)) <= _FIELD_WORDS


def values_of(source: dict[str, Any], words: Iterable[str]) -> list[str]:
    """The task's words that a slot's value can be: all of them for an argument that takes several; for another the only
    one, and none where several could be meant."""
    type_ = source.get("type")
    outlines = source.get("outlines") or ()
    if type_ not in _TYPES or (type_ in OUTLINED and not outlines):
        return []
    name = str(source.get("name", ""))
    fitting = [
        word
        for word in dict.fromkeys(words)
        if _VALUE.fullmatch(word)
        and kind_of(word, name) == type_
        and (type_ not in OUTLINED or shape_of(word) in outlines)
    ]
    if source.get("many"):
        return fitting if len(fitting) <= VALUES_SHOWN else []
    return fitting if len(fitting) == 1 else []


def _words(task: str) -> list[str]:
    return [word.strip(_EDGE) for word in task[:20_000].split()]


def _notes(record: TemplateRecord) -> list[str]:
    """Checks and pitfalls in our own sentences: a file may bring others along, which no agent reads."""
    told = [str(note.get("text", "")) for part in (record.checks, record.pitfalls) for note in part[:NOTES_SHOWN]]
    return [f"- {text}" for text in told if is_sentence(text)]
