"""The steps of a run: what its agents called, with what, what came back, and what people had said by then.

Everything that is learned about procedures starts from these records, so that the rest never looks at events and does
not care how a tool is called: as a function, or as a fenced program that an executor runs and answers. A program is
one step whose functions are read from its syntax tree; it is never executed.

Tools' names and arguments are what models wrote, so they are checked here once: a name that does not look like one, an
argument that is too deep or too long, never gets further.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..instrumentation.events import Event

MAX_STEPS = 400
"""Steps of a run that are read; what comes after them is a loop that nobody should learn from."""

MAX_TEXT = 200_000
"""Characters of a text or result that are read."""

MAX_CODE = 50_000
"""Characters of a program that are parsed: the parser's cost is far from linear."""

MAX_CALLS = 24
"""Functions of a program that are kept, in the order in which they first stand in it."""

PROGRAM = "run_"
"""How the step's name begins where a program was run: ``run_python``."""

_NAME = re.compile(r"[A-Za-z_][\w.:/-]{0,63}", re.ASCII)
_ARGUMENT = re.compile(r"[A-Za-z_][\w-]{0,47}", re.ASCII)
_FENCE = re.compile(r"```[ \t]*([\w+#.-]{0,20})[ \t]*\r?\n(.*?)\r?\n?[ \t]*```", re.DOTALL)
_REPORT = re.compile(r"\s*exitcode: (-?\d{1,9}) \(execution (?:succeeded|failed)")
_PYTHON = frozenset({"", "python", "py", "python3"})
_SHELL = frozenset({"sh", "bash", "shell"})


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool, or one program that was run.

    Attributes:
        tool: the tool's name; ``run_python`` and the like for a program.
        agent: who asked for it.
        arguments: as given; empty for a program.
        ok: False if it failed, True if it answered, None if nobody knows.
        result: what came back: what its JSON says where it is JSON, else its text.
        heard: how many of the trace's ``said`` had been said before.
        calls: the functions that a program calls.
    """

    tool: str
    agent: str | None = None
    arguments: dict[str, Any] = {}
    ok: bool | None = None
    result: Any = None
    heard: int = 0
    calls: tuple[str, ...] = ()


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A run as the sequence of its steps.

    Attributes:
        run_id: identifies it.
        task: its task, as its agents saw it.
        steps: in the order in which they were asked for.
        said: what people said, in order, without the task.
        success: the verdict, None where nobody judged.
        other: what was lost to the limits: steps that were not read.
    """

    run_id: str
    task: str = ""
    steps: tuple[Step, ...] = ()
    said: tuple[str, ...] = ()
    success: bool | None = None
    other: int = 0


def trace_of(events: Iterable[Event], *, run_id: str = "", success: bool | None = None) -> Trace:
    """The trace of a run from its events and its child runs', in their order.

    Args:
        events: as :func:`..instrumentation.reading.tree_events` gives them.
        run_id: the run's id; that of the first event where empty.
        success: the verdict; the last outcome among the events where None.
    """
    events = list(events)
    reader = _Reader(events)
    for event in events:
        reader.take(event)
    task, verdict = _task_and_verdict(events)
    return Trace(
        run_id=run_id or (events[0].run_id if events else ""),
        task=task[:MAX_TEXT],
        steps=tuple(reader.finished()),
        said=tuple(reader.said),
        success=verdict if success is None else success,
        other=reader.other,
    )


def is_tool_name(name: object) -> bool:
    """Whether this can be the name of a tool: a short word of ASCII letters, digits and joining marks."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def is_argument_name(name: object) -> bool:
    """Whether this can be the name of an argument."""
    return isinstance(name, str) and _ARGUMENT.fullmatch(name) is not None


def parsed(content: Any) -> Any:
    """What a tool's answer says: its JSON where it is a JSON object or list, else the text, cut to its limit."""
    if not isinstance(content, str):
        return content
    text = content[:MAX_TEXT].strip()
    if len(content) <= MAX_TEXT and text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def functions_called(code: str, language: str = "python") -> tuple[str, ...]:
    """The functions that a program calls, by their full names where it imports them; () where it cannot be read.

    Functions that the program itself defines are left out: they are its own words, not tools. Methods of values are
    left out as well, because whose they are cannot be told without running the program.
    """
    if language.lower() not in _PYTHON or len(code) > MAX_CODE:
        return ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # backslashes that are no escapes, in somebody's program
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    known: dict[str, str] = {}
    own: set[str] = set()
    called: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:  # `import a.b` binds a, `import a.b as c` binds c
                first = name.name.split(".")[0]
                known[name.asname or first] = name.name if name.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module:
            known.update({name.asname or name.name: f"{node.module}.{name.name}" for name in node.names})
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            own.add(node.name)
        elif isinstance(node, ast.Assign):
            own.update(target.id for target in node.targets if isinstance(target, ast.Name))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = _full_name(node.func, known, own)
            if name and is_tool_name(name):
                called.append(name)
    return tuple(dict.fromkeys(called))[:MAX_CALLS]


def _full_name(node: ast.expr, known: Mapping[str, str], own: set[str]) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id in own or (parts and node.id not in known):
        return None
    return ".".join([known.get(node.id, node.id), *reversed(parts)])


def _task_and_verdict(events: Sequence[Event]) -> tuple[str, bool | None]:
    task, verdict = "", None
    root = events[0].run_id if events else ""
    for event in events:
        if event.run_id != root:
            continue
        if event.kind in ("run_started", "run_finished"):
            task = task or _text(event.payload.get("task"))
        elif event.kind == "outcome" and isinstance(event.payload.get("success"), bool):
            verdict = event.payload["success"]
    return task, verdict


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


class _Reader:
    """Reads the steps from events in their order."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.said: list[str] = []
        self.other = 0
        self._steps: list[Step] = []
        self._open: list[tuple[str, str | None, str, int]] = []  # run, call id, tool, number of the step
        self._program: tuple[str | None, str, str] | None = None  # author, language and code of the last fence
        self._authors = _authors(events)
        self._ran = {event.run_id for event in events if event.kind == "code_execution"}
        self._task = _task_and_verdict(events)[0]

    def finished(self) -> list[Step]:
        """The steps, complete."""
        return self._steps

    def take(self, event: Event) -> None:
        """Read the next event."""
        payload = event.payload
        if event.kind == "tool_call" and not payload.get("internal"):
            self._call(event)
        elif event.kind == "tool_result":
            self._answer(event)
        elif event.kind == "code_execution":
            author = self._program[0] if self._program else event.agent
            code, language = _text(payload.get("code")), _text(payload.get("language"))
            exit_code = payload.get("exit_code")
            self._ran_program(author, language, code, None if exit_code is None else exit_code == 0, payload["output"])
            self._program = None
        elif event.kind == "human_input":
            self._heard(payload.get("content"))
        elif event.kind == "message" and not payload.get("internal"):
            self._message(event)

    def _call(self, event: Event) -> None:
        payload = event.payload
        tool = payload.get("tool")
        if not isinstance(tool, str) or not is_tool_name(tool) or len(self._steps) >= MAX_STEPS:
            self.other += 1
            return
        self._open.append((event.run_id, payload.get("call_id"), tool, len(self._steps)))
        agent = payload.get("caller") or event.agent
        arguments = _arguments(payload.get("arguments"))
        self._steps.append(Step(tool=tool, agent=agent, arguments=arguments, heard=len(self.said)))

    def _answer(self, event: Event) -> None:
        """The result belongs to the latest unanswered call of its tool, of those with its call id if there are any:
        ids repeat within real runs, so an id alone is no key."""
        payload = event.payload
        same_tool = None
        for place in range(len(self._open) - 1, -1, -1):
            run_id, call_id, tool, _ = self._open[place]
            if run_id != event.run_id or tool != payload.get("tool"):
                continue
            if call_id is not None and call_id == payload.get("call_id"):
                break
            same_tool = place if same_tool is None else same_tool
        else:
            if same_tool is None:
                return
            place = same_tool
        number = self._open.pop(place)[3]
        ok = payload.get("ok")
        answer = payload.get("content") if payload.get("content") is not None else payload.get("error")
        self._steps[number] = msgspec.structs.replace(
            self._steps[number], ok=ok if isinstance(ok, bool) else None, result=parsed(answer)
        )

    def _message(self, event: Event) -> None:
        payload = event.payload
        content = _text(payload.get("content"))[:MAX_TEXT]
        report = _REPORT.match(content)
        if report or (self._program and event.agent != self._program[0] and event.agent not in self._authors):
            if self._program and event.run_id not in self._ran:
                author, language, code = self._program
                ok = int(report[1]) == 0 if report else None
                self._ran_program(author, language, code, ok, content)
            self._program = None
            return
        fences = _FENCE.findall(content) if "```" in content else []
        blocks = [block for block in fences if block[0].lower() in _PYTHON | _SHELL]
        if blocks and event.agent in self._authors:
            self._program = (event.agent, blocks[0][0], "\n".join(code for _, code in blocks))
        elif event.agent not in self._authors and payload.get("role") != "tool" and not payload.get("task"):
            self._heard(content)

    def _heard(self, content: Any) -> None:
        text = _text(content)[:MAX_TEXT].strip()
        if text and text != self._task.strip() and len(self.said) < MAX_STEPS:
            self.said.append(text)

    def _ran_program(self, author: str | None, language: str, code: str, ok: bool | None, output: Any) -> None:
        if len(self._steps) >= MAX_STEPS:
            self.other += 1
            return
        language = language.lower()
        name = "python" if language in _PYTHON else "shell" if language in _SHELL else language
        if not is_tool_name(PROGRAM + name):
            return
        calls = functions_called(code, language)
        step = Step(tool=PROGRAM + name, agent=author, ok=ok, result=_text(output), heard=len(self.said), calls=calls)
        self._steps.append(step)


def _authors(events: Sequence[Event]) -> frozenset[str]:
    """Agents that work by judgement: who called a tool or a model, or wrote a program without having opened the run.
    Everybody else who speaks is a person, or passes on what a tool or program printed."""
    authors: set[str] = set()
    opener: str | None = None
    for event in events:
        payload = event.payload
        if event.kind == "tool_call":
            authors.add(payload.get("caller") or event.agent or "")
        elif event.kind == "model_call" and event.agent:
            authors.add(event.agent)
        elif event.kind == "message" and event.agent:
            opener = opener or event.agent
            content = payload.get("content")
            if event.agent != opener and isinstance(content, str) and "```" in content and _FENCE.search(content):
                authors.add(event.agent)
    return frozenset(authors)


def _arguments(raw: Any) -> dict[str, Any]:
    if isinstance(raw, str):
        try:
            raw = json.loads(raw[:MAX_TEXT])
        except (ValueError, RecursionError):
            return {}
    if not isinstance(raw, dict):
        return {}
    return {name: value for name, value in raw.items() if is_argument_name(name)}
