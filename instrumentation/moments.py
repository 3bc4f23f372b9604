"""The state of a run as of one of its events: what had been said, what the model was sent, what tools had done.

It is worked out from the events up to there, in one pass and only when it is asked for: a run keeps facts, not states.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from .describing import name_of, text_of
from .steps import Step, steps
from .timeline import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .reading import RunRecord
    from .steps import Reading


class Part(NamedTuple):
    """A piece of a prompt's message: ``injected`` where it was put in."""

    text: str
    injected: bool


class ToolUse(NamedTuple):
    """A tool call with its result, which is None while there is none yet."""

    call: Step | None
    result: Step | None

    @property
    def tool(self) -> str | None:
        """The tool's name."""
        step = self.call or self.result
        return step.payload.get("tool") if step is not None else None


def tool_uses(found: Iterable[Step]) -> list[ToolUse]:
    """Calls with their results, in the order of the calls. A result belongs to the first open call of its tool with
    its id: real runs use an id several times."""
    uses: list[ToolUse] = []
    waiting: dict[tuple[str, str], list[int]] = {}
    for step in found:
        key = (text_of(step.payload.get("tool")), text_of(step.payload.get("call_id")))  # they may be anything
        if step.kind == "tool_call":
            waiting.setdefault(key, []).append(len(uses))
            uses.append(ToolUse(step, None))
        elif step.kind == "tool_result":
            at = waiting.get(key)
            if at:
                place = at.pop(0)
                uses[place] = ToolUse(uses[place].call, step)
            else:
                uses.append(ToolUse(None, step))
    return uses


@dataclass
class Totals:
    """What a run had used so far: calls of models and tools, tokens, US dollars and failures."""

    model_calls: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    failures: int = 0

    def add(self, step: Step) -> None:
        """Count a step."""
        self.failures += step.failed
        self.tool_calls += step.kind == "tool_call"
        if step.kind == "model_call":
            self.model_calls += 1
            usage = step.payload.get("usage")
            if isinstance(usage, dict):
                self.input_tokens += _number(usage.get("input_tokens"))
                self.output_tokens += _number(usage.get("output_tokens"))
            cost = step.payload.get("cost_usd")
            self.cost_usd += cost if isinstance(cost, (int, float)) else 0.0


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


@dataclass
class _Past:
    """What one pass over the steps up to a moment finds."""

    transcript: list[Step] = field(default_factory=list)
    tools: list[Step] = field(default_factory=list)
    artifacts: dict[str, Step] = field(default_factory=dict)
    context: Step | None = None
    model_calls: dict[str | None, Step] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    speaker: str | None = None

    def add(self, step: Step) -> None:
        """Take in a step."""
        self.totals.add(step)
        if step.kind == "message":
            self.transcript.append(step)
            self.speaker = step.agent
        elif step.kind in ("tool_call", "tool_result"):
            self.tools.append(step)
        elif step.kind == "artifact":
            self.artifacts[str(step.payload.get("path"))] = step
        elif step.kind == "context_snapshot":
            self.context = step
        elif step.kind == "transition":
            self.speaker = step.payload.get("to_agent")
        elif step.kind == "model_call":
            self.model_calls[step.agent] = step
            self.speaker = step.agent or self.speaker


class Moment:
    """A run as of one of its steps, that step included.

    Attributes:
        step: the step.
        record: the run.
    """

    def __init__(self, reading: Reading, record: RunRecord, step: Step) -> None:
        self._reading = reading
        self.record = record
        self.step = step

    @property
    def turn(self) -> int:
        """The turn's number."""
        return self.step.turn

    @cached_property
    def _past(self) -> _Past:
        past, last = _Past(), self.step.event
        with contextlib.closing(steps(self._reading, self.record, place=Place(until_ns=self.step.at_ns))) as found:
            for step in found:
                if (step.at_ns, step.event.writer, step.seq) > (last.at, last.writer, last.seq):
                    break
                past.add(step)
        return past

    @property
    def speaker(self) -> str | None:
        """Whose turn it is: who was chosen last, or spoke last."""
        return self.step.agent if self.step.kind in ("message", "model_call") else self._past.speaker

    @property
    def transcript(self) -> list[Step]:
        """The messages so far."""
        return self._past.transcript

    @property
    def tools(self) -> list[ToolUse]:
        """The tool calls so far, each with its result once it is there."""
        return tool_uses(self._past.tools)

    @property
    def artifacts(self) -> dict[str, Step]:
        """The newest version of each file that agents have made or changed (or deleted) so far, by its path."""
        return self._past.artifacts

    @property
    def context(self) -> Any:
        """What the agents shared beside their messages, as last recorded; None where nothing was."""
        return self._past.context.payload.get("content") if self._past.context is not None else None

    @property
    def totals(self) -> Totals:
        """What was used so far."""
        return self._past.totals

    @cached_property
    def model_call(self) -> Step | None:
        """The model call that this moment is about, with its prompt: the step itself, else the speaker's last one."""
        step = self.step
        if step.kind != "model_call":
            found = self._past.model_calls.get(self.speaker)
            if found is None:
                return None
            step = found
        if "injected" in step.payload:
            return step
        place = Place(step.at_ns, step.at_ns)
        found = steps(self._reading, self.record, prompts=True, kinds=("model_call",), place=place)
        with contextlib.closing(found):
            key = (step.seq, step.event.writer)
            return next((other for other in found if (other.seq, other.event.writer) == key), None)

    @property
    def prompt(self) -> list[dict[str, Any]] | None:
        """The messages exactly as the model was sent them; None where there was no call or contents are not kept."""
        return self.model_call.payload.get("prompt") if self.model_call is not None else None

    @property
    def injected(self) -> str | None:
        """What was put into that prompt, or None."""
        return self.model_call.payload.get("injected") if self.model_call is not None else None

    def parts(self, index: int) -> list[Part]:
        """The content of the prompt's message at ``index`` in pieces, what was injected apart from the rest.

        Raises:
            IndexError: the prompt has no such message.
        """
        prompt, block = self.prompt or [], self.injected
        content = prompt[index].get("content")
        system = next((at for at, message in enumerate(prompt) if message.get("role") == "system"), None)
        if not block or index != system:
            pieces = [Part(text_of(content), injected=False)]
        elif isinstance(content, list):  # the block is a part of its own
            pieces = [Part(text_of(content[:-1]) if content[:-1] else "", injected=False), Part(block, injected=True)]
        else:
            rest = text_of(content).removesuffix(block)
            pieces = [Part(rest, injected=False), Part(block, injected=True)]
        return [piece for piece in pieces if piece.text]

    def __repr__(self) -> str:
        return f"<Moment of {name_of(self.record.run_id)} at {self.step!r}>"
