"""How a recorded run can be played again: who is a person, who has a model, who executes tools or code.

A :class:`Plan` knows nothing of any framework. The players (``reenact_classic`` and those to come) cast their
agents by it, and their transcript is compared with what it expects.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ..adapters.recorded import arguments_of, code_blocks, exit_report
from ..instrumentation.errors import RunFormatError, SeasonedError

if TYPE_CHECKING:
    from ..adapters.recorded import RecordedMessage, RecordedRun

PERSON, MODEL, TOOLS, CODE = "person", "model", "tools", "code"
"""Where a turn's words come from: a person, a model, the tools that the last message called, or its code."""

TOOL_ERROR = "Error: "
"""What AutoGen puts before the text of a tool's exception."""


class ReenactmentError(SeasonedError, AssertionError):
    """The framework did not do what was recorded; the message tells the first difference."""


class ToolError(Exception):
    """What a recorded tool raises where the record says that it failed."""


class Turn(NamedTuple):
    """What one agent contributes before the next: a message, or the answers to all the calls of one message."""

    kind: str
    agent: str
    messages: tuple[RecordedMessage, ...]


class Plan(NamedTuple):
    """A record, as it can be played.

    Attributes:
        system: the system prompt of the agents with a model, or None where the record has none.
        turns: who speaks, in order.
        models: the agents that answer through a model, in order of appearance.
        pair: whether it is a chat of two, without a group.
    """

    system: str | None
    turns: tuple[Turn, ...]
    models: tuple[str, ...]
    pair: bool

    @property
    def agents(self) -> tuple[str, ...]:
        """Everybody who speaks, in order of appearance."""
        return tuple(dict.fromkeys(turn.agent for turn in self.turns))

    def role(self, agent: str) -> str:
        """The role of what ``agent`` says, tools' answers left aside: ``assistant`` or ``user``."""
        return "assistant" if agent in self.models else "user"

    def transcript(self) -> list[dict[str, Any]]:
        """What a faithful play says, in the form of the record."""
        out: list[dict[str, Any]] = []
        if self.system is not None:
            out.extend({"role": "system", "agent": name, "content": self.system} for name in self.models)
        calls: list[dict[str, Any]] = []
        for turn in self.turns:
            for number, message in enumerate(turn.messages):
                if turn.kind == TOOLS:
                    call_id = calls[number]["id"] if number < len(calls) else None
                    out.append(answer_entry(turn.agent, message.content or "", message.tool_call_id or call_id))
                else:
                    calls = openai_calls(message)
                    out.append(entry(self.role(turn.agent), turn.agent, message.content, calls))
        return out


def entry(role: str, agent: str | None, content: str | None, calls: list[dict[str, Any]]) -> dict[str, Any]:
    """A message in the form of the record; ``calls`` are in OpenAI's form."""
    if not calls:
        return {"role": role, "agent": agent, "content": content or ""}
    decoded = [
        {"id": c.get("id"), "name": c["function"]["name"], "arguments": json.loads(c["function"]["arguments"])}
        for c in calls
    ]
    return {"role": role, "agent": agent, "content": content, "tool_calls": decoded}


def answer_entry(agent: str | None, content: str, call_id: str | None) -> dict[str, Any]:
    """A tool's answer in the form of the record."""
    return {"role": "tool", "agent": agent, "content": content, "tool_call_id": call_id}


def openai_calls(message: RecordedMessage) -> list[dict[str, Any]]:
    """The message's tool calls in OpenAI's form: ids, names and arguments as recorded."""
    return [
        {
            "id": call.id or f"call_{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(arguments_of(call), ensure_ascii=False)},
        }
        for number, call in enumerate(message.tool_calls or ())
    ]


def plan(run: RecordedRun) -> Plan:
    """How ``run`` can be played; raises :class:`RunFormatError` where it cannot."""
    spoken = list(run.messages)
    system: list[str] = []
    while spoken and spoken[0].role == "system":
        system.append(spoken.pop(0).content or "")
    if not spoken:
        raise RunFormatError(f"run {run.run_id} has no messages, so there is nothing to play; leave it out")
    turns = _turns(run, spoken)
    _check_names(run, turns)
    speakers = [turn.agent for turn in turns]
    alternating = all(one != other for one, other in itertools.pairwise(speakers))
    return Plan(
        system="\n\n".join(system) if system else None,
        turns=tuple(turns),
        models=tuple(dict.fromkeys(turn.agent for turn in turns if turn.kind == MODEL)),
        pair=run.one_sided and alternating and len(set(speakers)) == 2,
    )


def _turns(run: RecordedRun, spoken: list[RecordedMessage]) -> list[Turn]:
    """One turn for each message; but all answers to the calls of one message are one."""
    turns: list[Turn] = []
    waiting = 0
    for position, message in enumerate(spoken):
        kind = _kind(run, spoken, position)
        last = turns[-1] if turns else None
        if kind == TOOLS and waiting and last and (last.kind, last.agent) == (TOOLS, message.agent):
            turns[-1] = last._replace(messages=(*last.messages, message))
        else:
            turns.append(Turn(kind, message.agent, (message,)))
            waiting = len(last.messages[0].tool_calls or ()) if kind == TOOLS and last else 0
        waiting -= kind == TOOLS
    for index, turn in enumerate(turns):
        if len(turn.messages) > 1:
            turns[index] = turn._replace(messages=_as_called(turns[index - 1].messages[0], turn.messages))
    return turns


def _as_called(asking: RecordedMessage, answers: tuple[RecordedMessage, ...]) -> tuple[RecordedMessage, ...]:
    """The answers in the order of the calls, in which a framework gives them, as far as the ids can tell."""
    ids = [call.id for call in asking.tool_calls or ()]
    if len(set(ids)) != len(ids) or any(answer.tool_call_id not in ids for answer in answers):
        return answers
    return tuple(sorted(answers, key=lambda answer: ids.index(answer.tool_call_id)))


def _kind(run: RecordedRun, spoken: list[RecordedMessage], position: int) -> str:
    """Where a message came from. In one-sided records roles do not tell: there everybody has a model, but for the
    one who opens a chat of two and the manager of a group."""
    message = spoken[position]
    if message.role == "tool":
        return TOOLS
    if position and exit_report(message.content) and code_blocks(spoken[position - 1].content):
        return CODE
    if not run.one_sided:
        return PERSON if message.role in ("user", "system") else MODEL
    if message.agent == "chat_manager":
        return PERSON
    return PERSON if message.agent == spoken[0].agent and len({m.agent for m in spoken}) == 2 else MODEL


def _check_names(run: RecordedRun, turns: list[Turn]) -> None:
    for turn in turns:
        if re.search(r"\s", turn.agent):
            raise RunFormatError(
                f"run {run.run_id}: agent {turn.agent!r}: AutoGen allows no blanks in names; rename it"
            )
        for message in turn.messages:
            for call in message.tool_calls or ():
                if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", call.name):
                    raise RunFormatError(
                        f"run {run.run_id}: tool {call.name!r}: AutoGen allows letters, digits, _ and - in a tool's "
                        "name, 64 at most; rename it"
                    )


def compare(run_id: str, expected: list[dict[str, Any]], got: list[dict[str, Any]]) -> None:
    """Raise :class:`ReenactmentError` with the first difference between the two transcripts, if there is one."""
    for index, (want, have) in enumerate(zip(expected, got, strict=False)):
        if want == have:
            continue
        key = next(key for key in {**want, **have} if want.get(key) != have.get(key))
        raise ReenactmentError(
            f"run {run_id}: message {index} ({want['agent']}) differs from the record in {key}: "
            f"{_short(have.get(key))} instead of {_short(want.get(key))}"
        )
    if len(expected) != len(got):
        raise ReenactmentError(f"run {run_id}: {len(got)} messages were played where {len(expected)} are recorded")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:100]} ... {text[-90:]}"
