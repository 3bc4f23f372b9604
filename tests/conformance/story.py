"""One story that is played through every framework, and the events that each must record of it.

A user asks for a refund. The planner hands over to the worker, who looks the order up, fails to refund it, and says so;
the reviewer closes the matter. Whatever a framework calls these things, they are the same facts, in the same order.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from seasoned.instrumentation.events import Event

TASK = "Please refund order #W123, it arrived broken"
ORDER = {"order": "#W123"}
PLAN = "The worker looks into it."
FOUND = "The order was delivered, but the card has expired."
END = "APPROVED"
BROKEN = "the card has expired"

AGENTS = ("planner", "worker", "reviewer")
CALLS = ("look_up", "refund")

Line = tuple[Any, ...]


class Broken(Exception):
    """What a model raises in the story that breaks."""


EXPECTED: list[Line] = [
    ("run", TASK),
    ("message", "user", TASK),
    ("turn", "planner"),
    ("given", "planner"),
    ("model", "planner", PLAN),
    ("message", "planner", PLAN),
    ("turn", "worker"),
    ("given", "worker"),
    ("model", "worker", ("look_up", ORDER)),
    ("call", "worker", "look_up", ORDER),
    ("result", "look_up", True, "delivered"),
    ("model", "worker", ("refund", ORDER)),
    ("call", "worker", "refund", ORDER),
    ("result", "refund", False, "ValueError"),
    ("model", "worker", FOUND),
    ("message", "worker", FOUND),
    ("turn", "reviewer"),
    ("given", "reviewer"),
    ("model", "reviewer", END),
    ("message", "reviewer", END),
    ("outcome", True),
    ("end",),
]
"""What is recorded, one line an event."""

EXPECTED_WHEN_BROKEN: list[Line] = [
    ("run", TASK),
    ("message", "user", TASK),
    ("turn", "planner"),
    ("given", "planner"),
    ("model", "planner", None),
    ("error", "Broken"),
    ("outcome", False),
    ("end",),
]
"""What is recorded where the first model raises."""


def look_up(order: str) -> str:
    """Look an order up."""
    return "delivered"


def refund(order: str) -> str:
    """Refund an order."""
    raise ValueError(BROKEN)


def lines(events: Iterable[Event]) -> list[Line]:
    """Events as the story tells them: what every framework must say, without what each adds.

    Left out are messages that only carry tool calls or results, the names and numbers of calls, texts of results that a
    framework words in its own way, and turns that do not change who of the three speaks.
    """
    found: list[Line] = []
    speaking: str | None = None
    for event in events:
        payload = event.payload
        if event.kind == "run_started":
            found.append(("run", TASK if payload.get("task") in (None, TASK) else payload["task"]))
        elif event.kind == "run_finished":
            found.append(("end",))
        elif event.kind == "message" and isinstance(payload["content"], str) and payload.get("role") != "tool":
            if payload["content"] and not _is_result(payload["content"]):
                found.append(("message", event.agent, payload["content"]))
        elif event.kind == "model_call" and not payload.get("internal"):
            calls = [(call["name"], _arguments(call["arguments"])) for call in payload.get("tool_calls") or ()]
            found.append(("model", event.agent, calls[0] if calls else payload["response"]))
        elif event.kind == "tool_call":
            found.append(
                ("call", payload.get("caller") or event.agent, payload["tool"], _arguments(payload["arguments"]))
            )
        elif event.kind == "tool_result":
            told = payload["content"] if payload["ok"] else payload["error_type"]
            found.append(("result", payload["tool"], payload["ok"], told))
        elif event.kind == "transition" and payload["to_agent"] in AGENTS and payload["to_agent"] != speaking:
            speaking = payload["to_agent"]
            found.append(("turn", speaking))
        elif event.kind == "injection":
            found.append(("given", event.agent))
        elif event.kind == "human_input":
            found.append(("human", payload["content"]))
        elif event.kind == "error":
            found.append(("error", payload["error_type"]))
        elif event.kind == "outcome":
            found.append(("outcome", payload["success"]))
    return found


def _is_result(content: str) -> bool:
    return content == "delivered" or (BROKEN in content and content != FOUND)


def _arguments(given: Any) -> Any:
    return json.loads(given) if isinstance(given, str) else given
