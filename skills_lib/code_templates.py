"""Code templates: the program that solved tasks of one kind, with slots where each task had its own values.

Agents that solve tasks of one kind by programs often write the same program again with other numbers, texts and files
in it. What stays is worth keeping, for people: it is shown and never put into a prompt, because a program is
whatever its writer wrote.

Task texts are aligned with whatever differs as a slot (:mod:`.induction`). That does not fit code: it folds case and
white space, which a program lives by, and a slot that holds half a statement is no value that anybody could give. Here
only a literal can be a slot. So two programs are of one template if, line by line and token by token, they are the
same but for their literals, and the template is what the most programs of a pool share. Where they differ inside of a
list of literals, or of arithmetic with nothing but numbers in it, the whole of it is one value.

Of a program in Python comments are left out, for they may carry anybody's words. For the same reason a long text is
a slot even where all programs have it.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from .code_tokens import FILE, LITERALS, CodeToken, before, code_tokens, without_empty_lines
from .sketches import lot
from .slot_names import SlotContext, name_slot
from .slot_types import common_type
from .steps import _PYTHON, _SHELL, MAX_CODE, _Reader, is_argument_name
from .template_text import read, render, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..instrumentation.events import Event
    from .template_text import Part

MAX_PROGRAMS = 24
"""Programs of a pool that are looked at; a template that holds shows in as many."""

MAX_TEMPLATE = 8_000
"""Characters of a template; nobody reads a longer one."""

LONGEST_TEXT = 60
"""Characters of a text that may stand in a template; a longer one may be anybody's words, as one of several lines."""

MAX_SLOTS = 64
"""Slots of a template; nobody fills in more, and each has to be told from all others."""

LITERAL = 0.5
"""Part of a template's characters that must not be slots; else the programs have too little in common."""

_QUOTED = re.compile(r"([A-Za-z]{0,2})(\"\"\"|'''|\"|')(.*)\2", re.DOTALL)
_ASSIGNMENT = re.compile(r"(?:[-+*/%@&|^]|//|\*\*|<<|>>|:)?=")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_HOLE = ("", "")


class Program(NamedTuple):
    """The last program of a run that ended well."""

    run_id: str
    task: str
    language: str
    code: str


class _Reading(NamedTuple):
    program: Program
    tokens: list[CodeToken]


class _Hole(NamedTuple):
    """A slot: its name, type, and its value in each of the programs."""

    name: str
    type: str
    values: tuple[str, ...]


def last_program(events: Sequence[Event], *, run_id: str, task: str) -> Program | None:
    """The last program of a run whose exit code was 0; None where there is none.

    Args:
        events: the run's and its child runs', in order, as :func:`.steps.trace_of` reads them.
        run_id: the run's id.
        task: what tells its task from others.
    """
    reader = _Programs(events)
    for event in events:
        reader.take(event)
    if reader.last is None:
        return None
    language, code = reader.last
    return Program(run_id, task, language_of(language), code)


def language_of(name: str) -> str:
    """What a language is called here: ``python`` and ``shell`` for all their names."""
    name = name.strip().lower()
    return "python" if name in _PYTHON else "shell" if name in _SHELL else name


def code_template(programs: Sequence[Program]) -> dict[str, Any] | None:
    """The template of the programs that solved tasks of one kind; the same for the same programs in any order.

    Of several languages the one that most programs are written in counts. The programs that share a template are the
    largest group that is the same but for literals; empty lines count only where the group is as large with them. A
    template is kept only if it has at most :data:`MAX_TEMPLATE` characters, at least :data:`LITERAL` of them no
    slots, and gives back, with their own values, exactly the programs of two runs of different tasks, without comments
    if they are in Python.

    Returns:
        ``{kind, language, template, slots, support, of}``: the text has ``{{name}}`` for every slot (see
        :mod:`.template_text`), a slot is ``{name, type}``, and ``support`` of the ``of`` programs that were looked at
        are given back. None where the programs have no such template.
    """
    runs = {one.run_id: one for one in sorted(programs) if one.code.strip() and len(one.code) <= MAX_CODE}
    languages = Counter(language_of(one.language) for one in runs.values())
    if not languages:
        return None
    language = min(languages, key=lambda name: (-languages[name], name))
    looked_at = sorted(
        (one for one in runs.values() if language_of(one.language) == language), key=lambda one: lot(one.run_id)
    )[:MAX_PROGRAMS]
    readings: list[_Reading] = []
    for program in looked_at:
        tokens = code_tokens(program.code, language)
        if tokens and sum(len(one.text) for one in tokens if one.kind not in LITERALS) <= MAX_TEMPLATE:
            readings.append(_Reading(program, tokens))
    bare = [one._replace(tokens=without_empty_lines(one.tokens)) for one in readings]
    for group in sorted(_groups(readings) + _groups(bare), key=lambda group: -len(group)):
        found = _template(group)
        if found is not None:
            text, slots, support = found
            return {
                "kind": "code",
                "language": language,
                "template": text,
                "slots": slots,
                "support": support,
                "of": len(looked_at),
            }
    return None


class _Programs(_Reader):
    """Reads a run as its steps are read, and keeps the last program that ended well."""

    def __init__(self, events: Sequence[Event]) -> None:
        super().__init__(events)
        self.last: tuple[str, str] | None = None

    def _ran_program(
        self,
        author: str | None,  # noqa: ARG002 (given by the reader)
        language: str,
        code: str,
        ok: bool | None,
        output: Any,  # noqa: ARG002
    ) -> None:
        if ok and code.strip():
            self.last = language, code


def _groups(readings: Sequence[_Reading]) -> list[list[_Reading]]:
    """Programs that are the same but for literals, of two tasks at least; the largest group first."""
    groups: dict[tuple[tuple[str, str], ...], list[_Reading]] = defaultdict(list)
    for one in readings:
        groups[_outline(one.tokens)].append(one)
    several = [group for group in groups.values() if _tasks(one.program for one in group) > 1]
    return sorted(several, key=lambda group: (-len(group), lot(group[0].program.run_id)))


def _tasks(programs: Iterable[Program]) -> int:
    return len({" ".join(one.task.casefold().split()) for one in programs})


def _outline(tokens: Sequence[CodeToken]) -> tuple[tuple[str, str], ...]:
    """What two programs of one template have in common."""
    return tuple(_HOLE if one.kind in LITERALS else (one.kind, one.text) for one in tokens)


def _template(group: Sequence[_Reading]) -> tuple[str, list[dict[str, str]], int] | None:
    """The template of programs with one outline: its text, its slots, and how many of them it gives back."""
    rows = _refined([one.tokens for one in group])
    parameters = _parameters("".join(one.text for one in rows[0])) if group[0].program.language == "python" else {}
    shared = [
        one if len({other.text for other in column}) == 1 else one._replace(text="")
        for one, column in zip(rows[0], zip(*rows, strict=True), strict=True)
    ]
    starts = _statements(shared)
    parts: list[Part] = []
    holes: list[_Hole] = []
    for place, column in enumerate(zip(*rows, strict=True)):
        for piece in _pieces(column):
            if isinstance(piece, str):
                parts.append(piece)
                continue
            kind, values = piece
            # A text that comes twice is one value; that numbers or flags are the same twice is mostly chance.
            telling = column[0].kind in ("string", "word") and kind != "number" and min(map(len, values)) > 1
            same = next((number for number, hole in enumerate(holes) if telling and hole[1:] == piece), None)
            if same is None:
                same = len(holes)
                wanted = _purpose(shared, place, starts[place], parameters)
                taken = [hole.name for hole in holes]
                context = SlotContext(values, kind, "", "")
                holes.append(_Hole(name_slot(context, taken, lambda _, wanted=wanted: wanted), kind, values))
                if len(holes) > MAX_SLOTS:
                    return None
            parts.append(same)
    text = write(_merged(parts), [hole.name for hole in holes])
    literal = sum(len(part) for part in parts if isinstance(part, str))
    if len(text) > MAX_TEMPLATE or literal < LITERAL * len(text):
        return None
    back, names = read(text)
    by_name = {hole.name: hole.values for hole in holes}
    given = [
        one.program
        for number, one in enumerate(group)
        if render(back, {place: by_name[name][number] for place, name in enumerate(names)})
        == "".join(part.text for part in one.tokens)
    ]
    if _tasks(given) < 2:
        return None
    return text, [{"name": hole.name, "type": hole.type} for hole in holes], len(given)


def _merged(parts: Sequence[Part]) -> list[Part]:
    """The same with neighbouring literals as one, so that braces in two of them are written as such."""
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return merged


def _refined(rows: Sequence[Sequence[CodeToken]]) -> list[list[CodeToken]]:
    """The programs' tokens, with a whole of literals taken apart wherever all of them have it built alike."""
    refined: list[list[CodeToken]] = [[] for _ in rows]
    for column in zip(*rows, strict=True):
        apart = all(one.parts for one in column) and len({_outline(one.parts) for one in column}) == 1
        for row, one in zip(refined, column, strict=True):
            row.extend(one.parts if apart else (one,))
    return refined


def _pieces(column: Sequence[CodeToken]) -> list[str | tuple[str, tuple[str, ...]]]:
    """What stands at one place of a template: text, or the type and values of a slot, quotes around it as text."""
    first = column[0]
    texts = tuple(one.text for one in column)
    if first.kind not in LITERALS:
        return [first.text]
    quoted = [_QUOTED.fullmatch(one.text) if one.kind == "string" else None for one in column]
    inner = tuple(found[3] if found else text for found, text in zip(quoted, texts, strict=True))
    long = any(
        one.kind == "remark" or (one.kind in ("string", "data") and (len(value) > LONGEST_TEXT or "\n" in value))
        for one, value in zip(column, inner, strict=True)
    )
    if len(set(texts)) == 1 and not long:
        return [first.text]
    kind = _type(column, quoted, inner, long)
    marks = {(found[1], found[2]) if found else None for found in quoted}
    if len(marks) == 1 and quoted[0] is not None:
        return [f"{quoted[0][1]}{quoted[0][2]}", (kind, inner), quoted[0][2]]
    return [(kind, texts)]


def _type(
    column: Sequence[CodeToken], quoted: Sequence[re.Match[str] | None], inner: tuple[str, ...], long: bool
) -> str:
    kinds = {one.kind for one in column}
    if kinds == {"number"} and not any(one.parts for one in column):
        return "number"
    if kinds & {"constant", "data"} or any(one.parts for one in column):
        return "code"
    if any(found and set(found[1].lower()) & set("ft") for found in quoted):
        return "code"  # a text with values in it
    if long:
        return "text"
    return "path" if all(FILE.fullmatch(value) for value in inner) else common_type(inner)


def _parameters(code: str) -> dict[str, list[str]]:
    """The parameters of the functions that a program defines, by the function's name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # backslashes that are no escapes, in somebody's program
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    return {
        node.name: [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }


def _statements(tokens: Sequence[CodeToken]) -> list[int]:
    """For each token, where its statement begins: after the last line's end that is in no bracket."""
    starts: list[int] = []
    start = depth = 0
    for place, one in enumerate(tokens):
        if one.kind == "mark":
            depth = max(0, depth + (one.text in _OPENING) - (one.text in _CLOSING))
        elif one.kind == "space" and "\n" in one.text and "\\" not in one.text and not depth:
            start = place
        starts.append(start)
    return starts


def _purpose(tokens: Sequence[CodeToken], place: int, start: int, parameters: dict[str, list[str]]) -> str:
    """What the value at a place is for: the variable it is assigned to, the key, flag or parameter it is given as;
    "value" where that cannot be read. ``start`` is where its statement begins."""
    if tokens[place].kind == "remark":
        return "comment"
    commas = 0
    at = before(tokens, place)
    if at >= start and tokens[at].kind == "name" and tokens[at].text.startswith("-"):
        return tokens[at].text.lstrip("-")  # a shell's flag
    while at >= start:
        one, previous = tokens[at], before(tokens, at)
        if one.kind == "mark":
            if one.text in _CLOSING:
                at = before(tokens, _opening(tokens, at))
                continue
            if one.text == ",":
                commas += 1
            elif one.text == ":" and not commas and previous >= 0 and tokens[previous].kind == "string":
                key = tokens[previous].text.strip("\"'")
                return key if is_argument_name(key) else "value"
            elif _ASSIGNMENT.fullmatch(one.text):
                return _target(tokens, previous)
            elif one.text == "(" and previous >= 0 and tokens[previous].kind == "name":
                known = parameters.get(tokens[previous].text, [])
                return known[commas] if commas < len(known) else "value"
            elif one.text in _OPENING:
                commas = 0  # they were within it
        at = previous
    return "value"


def _opening(tokens: Sequence[CodeToken], place: int) -> int:
    """The place of the bracket that the one at ``place`` closes; the first place where there is none."""
    depth = 0
    for at in range(place, -1, -1):
        if tokens[at].kind == "mark":
            depth += (tokens[at].text in _CLOSING) - (tokens[at].text in _OPENING)
            if not depth:
                return at
    return 0


def _target(tokens: Sequence[CodeToken], place: int) -> str:
    """What is assigned to: a name, or the name in front of its annotation."""
    if place < 0 or tokens[place].kind not in ("name", "word"):
        return "value"
    colon = before(tokens, place)
    named = before(tokens, colon) if colon > 0 and tokens[colon].text == ":" else place
    return tokens[named if tokens[named].kind == "name" else place].text.lstrip("-")
