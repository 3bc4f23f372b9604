"""What models, tools, programs and people answered in a recorded run, to be given again to the application's own code.

A model's answer is found by what it is asked: the first recorded call that is still open and had the same messages.
So parallel branches get each their own, in whatever order they ask. Where no call had these messages (the application
was changed), the likeliest open one answers, and the difference is noted: it is a finding, not yet a departure. An
application departs where it does what was not recorded: calls a tool otherwise, or asks when every answer is used up.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import msgspec

from ..instrumentation.describing import text_of
from ..instrumentation.errors import Departed
from .rerun_answers import (
    CodeAnswer,
    ModelAnswer,
    ToolAnswer,
    likeness,
    line_of,
    model_answer,
    recorded_prompt,
    same_arguments,
    tool_answer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..instrumentation.steps import Step
    from .replay import Replay

LOOKED_AT = 64
"""Open model calls among which one without an exact match is looked for: those that come next."""


COMMANDING = "tool "
"""How the reason of a transition begins that a tool commanded (LangGraph's ``Command``); its name follows."""


class PromptChange(NamedTuple):
    """A model that was asked something else than recorded.

    Attributes:
        turn, seq: of the recorded call whose answer it got.
        agent: who asked, as recorded.
        recorded, asked: the messages, a line each, those that are the same on both sides left out.
    """

    turn: int
    seq: int
    agent: str | None
    recorded: tuple[str, ...]
    asked: tuple[str, ...]


@dataclass
class Edit:
    """What is changed where a fork begins, one of these: the model's answer, a tool's result, a person's words."""

    answer: str | None = None
    tool: str | None = None
    human: str | None = None


@dataclass
class _Call:
    """A recorded model call."""

    step: Step
    run_id: str
    messages: list[str]
    open: bool = True


@dataclass
class _Use:
    """A recorded tool call with its result."""

    step: Step
    run_id: str
    arguments: Any
    answer: ToolAnswer | None
    open: bool = True
    ended: int | None = None
    live: bool = False
    """Whether it is executed for real: its result was more than its text."""


@dataclass
class Script:
    """The recorded answers of some runs. Safe to be asked by several threads.

    Args:
        redact: what was applied to texts before they were recorded.
        live_tools: whether tools and programs are executed for real.
        strict: whether a model that is asked something else is a departure.
        run_id, from_turn: the run and its turn from which on the application's own model answers; None is never.
        edit: what is changed there.
    """

    redact: Callable[[str], str]
    live_tools: bool = False
    strict: bool = False
    run_id: str = ""
    from_turn: int | None = None
    edit: Edit = field(default_factory=Edit)

    departed: str | None = None
    """Why the application departed, once it has."""
    forked: bool = False
    """Whether the application's own model has taken over."""
    served: int = 0
    prompt_changes: list[PromptChange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._calls: list[_Call] = []
        self._compared: set[str] = set()
        self._uses: list[_Use] = []
        self._by_tool: dict[str, list[_Use]] = {}
        self._codes: deque[_Use] = deque()
        self._humans: dict[str | None, deque[Step]] = {}
        self.errors: set[str] = set()
        """The types of the errors that are recorded."""
        self._first = 0
        self._lock = threading.RLock()

    # -- what was recorded -----------------------------------------------------------------------------------

    def add(self, replay: Replay) -> None:
        """Take in a run's answers, those of the runs inside it included. Runs are added in the order of time."""
        run_id = replay.record.run_id
        if run_id == self.run_id or replay.record.parent_run_id in self._compared:
            self._compared.add(run_id)
        waiting: dict[tuple[str, str], list[_Use]] = {}
        for step in replay.steps(prompts=True):
            payload = step.payload
            key = text_of(payload.get("tool")), text_of(payload.get("call_id"))
            if payload.get("error_type"):
                self.errors.add(text_of(payload["error_type"]))
            if step.kind == "model_call":
                self._calls.append(_Call(step, run_id, recorded_prompt(payload)))
            elif step.kind == "tool_call":
                use = _Use(step, run_id, payload.get("arguments"), None)
                self._uses.append(use)
                self._by_tool.setdefault(text_of(payload.get("tool")), []).append(use)
                waiting.setdefault(key, []).append(use)
            elif step.kind == "tool_result":
                asked = waiting.get(key)
                if asked:
                    answered = asked.pop(0)
                    answered.answer, answered.ended = tool_answer(payload), step.at_ns
                    answered.live = bool(payload.get("command"))
            elif step.kind == "code_execution":
                exit_code = payload.get("exit_code")
                given = CodeAnswer(exit_code if isinstance(exit_code, int) else 1, text_of(payload.get("output")))
                self._codes.append(_Use(step, run_id, payload.get("code"), ToolAnswer(True, given, None, None)))
            elif step.kind == "transition":
                self._commanded(run_id, text_of(payload.get("reason")))
            elif step.kind == "human_input":
                self._humans.setdefault(step.agent, deque()).append(step)
        for child in replay.children:
            holder = self._holder(run_id, child.record.started_ns, child.record.agents)
            if holder is not None:
                holder.live = True
            self.add(child)
        self._calls.sort(key=lambda call: (call.step.at_ns, call.step.event.writer, call.step.seq))

    def _commanded(self, run_id: str, reason: str) -> None:
        """A transition that a tool commanded: its last use did more than its text says."""
        if reason.startswith(COMMANDING):
            tool = reason.removeprefix(COMMANDING)
            uses = (use for use in reversed(self._by_tool.get(tool) or ()) if use.run_id == run_id)
            for use in uses:
                use.live = True
                break

    def _holder(self, run_id: str, began: int, agents: Sequence[str]) -> _Use | None:
        """The tool in which a conversation took place; None where that is not certain, because of several that were
        at work one may have done what must not be done twice."""
        found = [
            use for use in self._uses
            if use.run_id == run_id and use.step.at_ns <= began and (use.ended is None or began <= use.ended)
        ]  # fmt: skip
        named = [use for use in found if use.step.payload.get("tool") in agents]
        best = named if len(named) == 1 else found
        return best[0] if len(best) == 1 else None

    @property
    def calls(self) -> int:
        """How many model calls are recorded."""
        return len(self._calls)

    @property
    def left(self) -> list[str]:
        """Recorded answers that nobody has asked for, a line each."""
        found = [call.step for call in self._calls if call.open]
        found += [use.step for use in self._uses if use.open and use.answer is not None and not self._is_live(use)]
        return [f"turn {step.turn}: {step.title}" for step in found]

    # -- answers ---------------------------------------------------------------------------------------------

    def model(self, messages: Sequence[Mapping[str, Any]]) -> ModelAnswer | None:
        """The answer to a model call; None where the application's own model is to answer.

        Args:
            messages: as sent, in the record's form: ``{role, content, ...}``.

        Raises:
            Departed: no answer is left, or the application has departed before.
        """
        with self._lock:
            if self.forked:
                return None
            if self.departed is not None:
                raise Departed(self.departed)
            asked = [self._line(message) for message in messages]
            call = self._find(asked)
            if call is None:
                self._depart(f"the application asks a model once more, but only {len(self._calls)} calls are recorded")
            if self._at_fork(call.step, call.run_id):
                changed = self.edit.answer
                self.forked = self.edit.tool is None and self.edit.human is None
                if changed is not None:
                    call.open = False
                    return model_answer(call.step.payload)._replace(text=changed, tool_calls=(), error_type=None)
                if self.forked:
                    return None
            call.open = False
            self.served += 1
            if call.messages != asked:
                self._note(call, asked)
            return model_answer(call.step.payload)

    def tool(self, tool: str, arguments: Any) -> ToolAnswer | None:
        """The result of a tool; None where it is to be executed for real: where that was asked for, after a fork,
        where a conversation inside it is recorded, whose answers are served, and where it commands the graph.

        Raises:
            Departed: no such call is recorded.
        """
        with self._lock:
            if self.forked:
                return None
            use = self._find_use(tool, arguments)
            if use is not None:
                use.open = False
                if self._at_fork(use.step, use.run_id):
                    if self.edit.tool is not None:
                        self.forked = True
                        return ToolAnswer(True, self.edit.tool, None, None)
                    if self._real_from_here():
                        return None
            if self.live_tools or (use is not None and use.live):
                return None
            if use is None:
                shown = text_of(arguments)[:300]
                self._depart(f"the application calls {tool}({shown}), which is not recorded; {self._expected(tool)}")
            if use.answer is None:
                self._depart(f"{tool} never answered in the record, which ends there")
            self.served += 1
            return use.answer

    def code(self, code: str) -> CodeAnswer | None:
        """What a program gave, in order; None where it is to be executed for real. Raises Departed."""
        with self._lock:
            if self.live_tools or self.forked:
                return None
            if not self._codes:
                self._depart("the application executes code once more than recorded")
            use = self._codes.popleft()
            if self._at_fork(use.step, use.run_id) and self._real_from_here():
                return None
            if text_of(use.arguments).strip() != self.redact(code).strip():
                self._depart(f"the application executes other code than recorded in turn {use.step.turn}: {code[:300]}")
            self.served += 1
            return use.answer.content if use.answer is not None else None

    def human(self, agent: str | None) -> str | None:
        """What a person said; None where the person is to be asked. Raises Departed."""
        with self._lock:
            if self.forked:
                return None
            waiting = self._humans.get(agent)
            if not waiting:
                self._depart(f"the application asks a person ({agent}) once more than recorded")
            step = waiting.popleft()
            if self._at_fork(step, self.run_id):
                if self.edit.human is not None:
                    self.forked = True
                    return self.edit.human
                if self._real_from_here():
                    return None
            self.served += 1
            return text_of(step.payload.get("content"))

    # -- finding ---------------------------------------------------------------------------------------------

    def _find(self, asked: list[str]) -> _Call | None:
        while self._first < len(self._calls) and not self._calls[self._first].open:
            self._first += 1
        waiting: list[_Call] = []
        for call in self._calls[self._first :]:
            if not call.open:
                continue
            if call.messages == asked:
                return call
            waiting.append(call)
            if len(waiting) >= LOOKED_AT:
                break
        return max(waiting, key=lambda call: likeness(call.messages, asked), default=None)

    def _find_use(self, tool: str, arguments: Any) -> _Use | None:
        given, uses = self._plain(arguments), self._by_tool.get(tool) or []
        while uses and not uses[0].open:
            uses.pop(0)
        fitting = [use for use in uses if use.open and same_arguments(use.arguments, given)]
        return next((use for use in fitting if same_arguments(given, use.arguments)), fitting[0] if fitting else None)

    def _expected(self, tool: str) -> str:
        expected = next((use for use in self._uses if use.open and use.step.payload.get("tool") == tool), None)
        expected = expected or next((use for use in self._uses if use.open), None)
        if expected is None:
            return "no further call of a tool is"
        return f"recorded is, in turn {expected.step.turn}, {expected.step.title}"

    def _is_live(self, use: _Use) -> bool:
        return self.live_tools or use.live

    def _at_fork(self, step: Step, run_id: str) -> bool:
        return self.from_turn is not None and run_id == self.run_id and step.turn >= self.from_turn

    def _real_from_here(self) -> bool:
        """Whether the fork begins now: it does not wait for what is to be edited."""
        self.forked = self.edit == Edit()
        return self.forked

    def _depart(self, why: str) -> NoReturn:
        self.departed = self.departed or why
        raise Departed(why)

    def _note(self, call: _Call, asked: list[str]) -> None:
        same = set(call.messages) & set(asked)
        change = PromptChange(
            call.step.turn, call.step.seq, call.step.agent,
            tuple(line for line in call.messages if line not in same),
            tuple(line for line in asked if line not in same),
        )  # fmt: skip
        if call.run_id in self._compared:
            self.prompt_changes.append(change)
        if self.strict:
            who = f"{call.step.agent} " if call.step.agent else ""
            self._depart(f"in turn {change.turn} the model of {who}is asked something else than recorded")

    # -- comparing -------------------------------------------------------------------------------------------

    def _line(self, message: Mapping[str, Any]) -> str:
        return line_of(message, self.redact)

    def _plain(self, value: Any) -> Any:
        """Arguments as they would have been recorded."""
        if isinstance(value, str):
            try:
                value = msgspec.json.decode(value)
            except ValueError:
                return self.redact(value)
        try:
            return msgspec.json.decode(self.redact(msgspec.json.encode(value, enc_hook=repr).decode()))
        except (ValueError, TypeError):
            return value
