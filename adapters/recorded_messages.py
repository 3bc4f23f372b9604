"""The conversation in a run's events, as messages of the recorded-run format.

Frameworks say the same thing in different events: in classic AutoGen an assistant's message comes first, then the
calls that it asks for, then the answers as messages of whoever executed them; AgentChat and LangGraph record calls
and results alone. Here all of them become what a reader of the format expects: a message that asks for calls, and a
message of role ``tool`` for each answer.

Events are taken one by one and only the last message that may still ask for calls is held back, so that a run of any
length takes little memory.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from ..instrumentation.describing import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KINDS = ("message", "model_call", "tool_call", "tool_result", "context_snapshot")
"""Kinds of events that a conversation is made from."""

HELD = 1_000
"""Messages that are held back at most: after so many answers, a further call begins a new message."""

NOBODY = "unknown"
"""Who spoke where a run does not say."""

_SYSTEM = "system prompt"
"""How the reason of a snapshot begins that holds a system prompt: the importer writes it."""


class Said(NamedTuple):
    """An event as it is needed here.

    Attributes:
        kind, agent, at, payload: as in :class:`..instrumentation.events.Event`.
    """

    kind: str
    agent: str | None
    at: int
    payload: dict[str, Any]


def when(nanoseconds: int) -> str | None:
    """A time as ISO 8601 in UTC, to the microsecond; None for one that no calendar has."""
    try:
        seconds, rest = divmod(nanoseconds, 1_000_000_000)
        moment = datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=rest // 1000)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="microseconds")


def system_prompt(agent: str | None, content: str | None) -> dict[str, Any]:
    """A message for the system prompt of an agent."""
    said: dict[str, Any] = {"role": "system", "agent": "system", "content": content}
    return said if agent is None else {**said, "recipient": agent}


def conversation(events: Iterable[Said]) -> Iterator[dict[str, Any]]:
    """The messages of these events, in order, each with the keys that it has something for."""
    told = _Teller()
    for event in events:
        yield from told.take(event)
    yield from told.flush()


class _Teller:
    """Turns events into messages."""

    def __init__(self) -> None:
        self._held: list[dict[str, Any]] = []
        self._results: list[dict[str, Any]] = []

    def take(self, event: Said) -> Iterator[dict[str, Any]]:
        """Take in an event; what can be told now comes out."""
        if event.kind == "message":
            yield from self._message(event)
        elif event.kind == "tool_call":
            yield from self._call(event)
        elif event.kind == "tool_result":
            self._results.append(self._answer(event))
            if len(self._results) > HELD:
                yield from self.flush()
        elif event.kind == "model_call":
            if self._held and self._held[0]["agent"] == (event.agent or NOBODY):
                yield from self.flush()  # what it asks for from here on is not asked for by its last message
        elif text_of(event.payload.get("reason")).startswith(_SYSTEM):
            yield from self.flush()
            yield system_prompt(event.agent, _text(event.payload.get("content")))

    def flush(self) -> Iterator[dict[str, Any]]:
        """Tell what is held back, and the answers that no message told."""
        held, self._held = self._held, []
        yield from held
        results, self._results = self._results, []
        yield from results

    def _message(self, event: Said) -> Iterator[dict[str, Any]]:
        payload = event.payload
        said: dict[str, Any] = {
            "role": text_of(payload.get("role")) or "assistant",
            "agent": event.agent or NOBODY,
            "content": _text(payload.get("content")),
        }
        if said["role"] == "tool":
            self._told(said)
        else:
            yield from self.flush()
        recipients = payload.get("recipients")
        if isinstance(recipients, list) and len(recipients) == 1 and isinstance(recipients[0], str):
            said["recipient"] = recipients[0]
        self._held.append(_dated(said, event.at))
        if len(self._held) > HELD:
            yield from self.flush()

    def _told(self, said: dict[str, Any]) -> None:
        """A message tells a tool's answer: that with the same words, else the first that waits."""
        same = [result for result in self._results if result["content"] == said["content"]]
        for result in (same or self._results)[:1]:
            self._results.remove(result)
            said.update((key, result[key]) for key in ("tool_call_id", "tool_name") if key in result)

    def _call(self, event: Said) -> Iterator[dict[str, Any]]:
        payload = event.payload
        asker = text_of(payload.get("caller")) or event.agent or NOBODY
        arguments = payload.get("arguments")
        call: dict[str, Any] = {"name": text_of(payload.get("tool")) or "tool"}
        if arguments is not None:
            call["arguments"] = arguments if isinstance(arguments, (dict, str)) else text_of(arguments)
        if payload.get("call_id") is not None:
            call["id"] = text_of(payload["call_id"])
        first = self._held[0] if self._held else None
        if first is None or first["agent"] != asker or first["role"] in ("tool", "system"):
            yield from self.flush()
            first = _dated({"role": "assistant", "agent": asker, "content": None}, event.at)
            self._held.append(first)
        first.setdefault("tool_calls", []).append(call)

    @staticmethod
    def _answer(event: Said) -> dict[str, Any]:
        payload = event.payload
        content = _text(payload.get("content"))
        if content is None and payload.get("ok") is False:
            content = f"Error: {text_of(payload.get('error') or payload.get('error_type'))}"
        answer: dict[str, Any] = {"role": "tool", "agent": event.agent or NOBODY, "content": content}
        for key, name in (("call_id", "tool_call_id"), ("tool", "tool_name")):
            if payload.get(key) is not None:
                answer[name] = text_of(payload[key])
        return _dated(answer, event.at)


def _text(value: Any) -> str | None:
    return None if value is None else text_of(value)


def _dated(message: dict[str, Any], at: int) -> dict[str, Any]:
    moment = when(at)
    if moment is not None:
        message["at"] = moment
    return message
