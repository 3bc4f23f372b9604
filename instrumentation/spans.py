"""What took time in a run, and who: spans for timelines and traces, and how the work went from agent to agent.

Events of work are written when it has ended and tell how long it took, so a span begins that much earlier. A tool's
call is an event of its own; where its result does not say how long it took, the span begins there.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from .describing import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .steps import Step

KINDS = ("message", "model_call", "tool_call", "tool_result", "code_execution", "transition", "human_input", "error")
"""Kinds of events that spans come from."""


class Span(NamedTuple):
    """A piece of work, or a moment.

    Attributes:
        agent: who did it ("" where nobody is named).
        kind: ``model``, ``tool``, ``code``, ``message``, ``human``, ``transition`` or ``error``.
        name: the model, tool, language, receiver, or type of error.
        from_ns, until_ns: in nanoseconds since the epoch; the same where it is a moment.
        failed: whether it failed.
        seq: the number of the event that ended it.
        open: whether it has no end (a tool that never answered): ``until_ns`` is the last time known.
    """

    agent: str
    kind: str
    name: str
    from_ns: int
    until_ns: int
    failed: bool
    seq: int
    open: bool = False


def spans(found: Iterable[Step]) -> Iterator[Span]:
    """The spans of a run's steps, in the order in which they ended; those without an end come last."""
    waiting: dict[tuple[str, str], list[Step]] = {}
    last = 0
    for step in found:
        last = max(last, step.at_ns)
        agent, payload = step.agent or "", step.payload
        if step.kind == "tool_call":
            waiting.setdefault(_call(step), []).append(step)
        elif step.kind == "tool_result":
            calls = waiting.get(_call(step))
            asked = calls.pop(0) if calls else None
            begun = step.at_ns if asked is None else asked.at_ns
            name = text_of(payload.get("tool"))
            yield Span(agent, "tool", name, _begin(step, begun), step.at_ns, step.failed, step.seq)
        elif step.kind in _WORK:
            kind, key = _WORK[step.kind]
            yield Span(agent, kind, text_of(payload.get(key)), _begin(step), step.at_ns, step.failed, step.seq)
    for step in (step for steps in waiting.values() for step in steps):
        name = text_of(step.payload.get("tool"))
        yield Span(step.agent or "", "tool", name, step.at_ns, max(last, step.at_ns), True, step.seq, open=True)


_WORK = {
    "model_call": ("model", "model"),
    "code_execution": ("code", "language"),
    "message": ("message", "recipients"),
    "human_input": ("human", "content"),
    "transition": ("transition", "to_agent"),
    "error": ("error", "error_type"),
}
"""Kinds of events with the kind of span and the value that names it."""


def _call(step: Step) -> tuple[str, str]:
    """Which call it is; names and ids may be anything."""
    return text_of(step.payload.get("tool")), text_of(step.payload.get("call_id"))


def _begin(step: Step, otherwise: int | None = None) -> int:
    took = step.duration_ms
    if took is not None:
        return step.at_ns - max(0, round(took * 1e6))
    return step.at_ns if otherwise is None else otherwise


def handovers(found: Iterable[Step]) -> Counter[tuple[str, str]]:
    """How often the work went from one agent to another: by the recorded transitions, or where a run has none
    (imported ones), by who spoke after whom."""
    told: Counter[tuple[str, str]] = Counter()
    spoken: Counter[tuple[str, str]] = Counter()
    speaker: str | None = None
    for step in found:
        if step.kind == "transition":
            told[step.agent or "", text_of(step.payload.get("to_agent"))] += 1
        elif step.kind == "message" and step.agent is not None:
            if speaker is not None and speaker != step.agent:
                spoken[speaker, step.agent] += 1
            speaker = step.agent
    return told or spoken
