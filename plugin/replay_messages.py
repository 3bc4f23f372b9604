"""A conversation in OpenAI's chat format, so that it can be given to a model again.

The format is stricter than real runs: each call has an id of its own, each answer follows the message that asked for
it, and no call is left without one. In real runs ids repeat, answers come late or never, and some belong to no call.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from ..instrumentation.describing import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

UNANSWERED = "(no answer was recorded)"
"""The answer of a call that has none."""

_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME = 64


class _Entry:
    """A message, and the answers to its calls by their ids."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.message = message
        self.asked: list[tuple[str | None, str, str]] = []
        self.answers: dict[str, str] = {}

    def take(self, call_id: str | None, tool: str | None) -> str | None:
        """The id here of the open call with this id, or, where one of them has none, of this tool."""
        for same_id in (True, False):
            for known, name, own in self.asked:
                if own in self.answers:
                    continue
                if (
                    known is not None and known == call_id
                    if same_id
                    else None in (known, call_id) and tool in (None, name)
                ):
                    return own
        return None


def chat(told: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages of the recorded-run format in OpenAI's chat format.

    - An id that repeats, or is missing, is replaced by one of its own (``call_1``), in the call and in its answer.
    - An answer stands behind the message that asked for it, wherever it was given. One to no call gets a call without
      arguments before it; a call without an answer gets one that says so (:data:`UNANSWERED`).
    - Arguments are the text of a JSON object. Names of agents and tools have letters, digits, ``_`` and ``-``, at most
      64; every other character is ``_``.
    - A role of another name counts as ``user``.
    """
    made = _Chat()
    for message in told:
        made.add(message)
    return made.out()


class _Chat:
    """Collects the messages of one conversation."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._open: list[_Entry] = []
        self._ids: set[str] = set()
        self._made = 0

    def add(self, message: dict[str, Any]) -> None:
        """Take in a message."""
        if message["role"] in ("tool", "function"):
            self._answer(message)
            return
        calls = message.get("tool_calls") or ()
        role = "assistant" if calls else _ROLES.get(message["role"], "user")
        out: dict[str, Any] = {"role": role}
        name = _named(message["agent"]) if role != "system" else ""
        if name:
            out["name"] = name
        content = message.get("content")
        out["content"] = content if content is not None or calls else ""
        entry = _Entry(out)
        self._entries.append(entry)
        for call in calls:
            self._ask(entry, call.get("id"), call["name"], call.get("arguments"))

    def _ask(self, entry: _Entry, call_id: str | None, tool: str, arguments: Any) -> str:
        own = call_id
        while not own or own in self._ids:
            self._made += 1
            own = f"call_{self._made}"
        self._ids.add(own)
        entry.asked.append((call_id, tool, own))
        function = {"name": _named(tool) or "tool", "arguments": _as_json(arguments)}
        entry.message.setdefault("tool_calls", []).append({"id": own, "type": "function", "function": function})
        if not self._open or self._open[-1] is not entry:
            self._open.append(entry)
        return own

    def _answer(self, message: dict[str, Any]) -> None:
        call_id, tool = message.get("tool_call_id"), message.get("tool_name")
        for entry in reversed(self._open):
            own = entry.take(call_id, tool)
            if own is not None:
                break
        else:
            entry = _Entry({"role": "assistant", "content": None})
            self._entries.append(entry)
            own = self._ask(entry, call_id, tool or "tool", None)
        entry.answers[own] = message.get("content") or ""
        if len(entry.answers) == len(entry.asked):
            self._open.remove(entry)

    def out(self) -> list[dict[str, Any]]:
        """The conversation."""
        messages: list[dict[str, Any]] = []
        for entry in self._entries:
            messages.append(entry.message)
            for _, _, own in entry.asked:
                messages.append({"role": "tool", "tool_call_id": own, "content": entry.answers.get(own, UNANSWERED)})
        return messages


def _named(name: str) -> str:
    return _NO_NAME.sub("_", name)[:_LONGEST_NAME]


def _as_json(arguments: Any) -> str:
    if arguments is None:
        return "{}"
    if isinstance(arguments, str):
        try:
            value = json.loads(arguments)
        except (ValueError, RecursionError):
            value = None
        return arguments if isinstance(value, dict) else text_of({"arguments": arguments})
    return text_of(arguments)
