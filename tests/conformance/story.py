"""One story that is played through every framework, and the events that each must record of it.

A user asks for a refund. The planner hands over to the worker, who looks the order up, asks the bank in a conversation
of its own, fails to refund, and says so; the user is asked and takes a voucher; the reviewer closes the matter.
Whatever a framework calls these things, they are the same facts, in the same order.

A tale says what every model does and what is recorded of it. A driver (``play_*.py``) lets its framework play any tale,
so neither a tale nor the list expected of it knows of a framework. The tales that go wrong are in ``endings.py``.
"""

from __future__ import annotations

import asyncio
import json
import re
from base64 import b64encode
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence

    from seasoned.instrumentation.events import Event
    from seasoned.instrumentation.reading import RunRecord

TASK = "Please refund order #W123, it arrived broken"
ORDER = {"order": "#W123"}
PLAN = "The worker looks into it."
QUESTION = "Does the card of order #W123 still work?"
EXPIRED = "No, it has not been renewed."
FOUND = "The order was delivered, but the card has expired."
ANSWER = "Then send me a voucher."
END = "APPROVED"
BROKEN = "the card has expired"

AGENTS = ("planner", "worker", "reviewer")
"""Those who work in the story, in this order. The user is asked before the last."""

BANK = "bank"
"""The tool of the worker that asks another agent, of the same name, in a conversation of its own."""

ASKER = "who asks the bank"
"""Stands for whom a framework takes for that: the agent that does, or a user without a name."""

LONG = 1_000
"""Characters up to which a text is compared as it is; of a longer one only its length, or no difference is readable."""

Line = tuple[Any, ...]
Told = list[Any]
"""Lines; a list among them is what was recorded in a run inside this one."""


class Broken(Exception):
    """What a model raises in a tale that breaks."""


@dataclass(frozen=True)
class Call:
    """A model's answer: the call of a tool."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=lambda: dict(ORDER))


@dataclass(frozen=True)
class Half:
    """A model's answer: it streams this text, and raises :class:`Broken`."""

    text: str


@dataclass(frozen=True)
class Nonsense:
    """A model's answer: something that is none."""

    value: Any


@dataclass(frozen=True, kw_only=True)
class Tale:
    """What happens, and what must be recorded of it.

    Attributes:
        name: what its tests are called.
        says: what each agent's model answers, one after another: a text, a :class:`Call`, a :class:`Half`,
            a :class:`Nonsense`, or an exception that it raises.
        tools: what the worker can use besides the bank.
        expected: what is recorded.
        raises: a part of what the application sees raised; None if nothing is.
        asks: who asks the bank. The planner has no model of its own, but answers what the bank says.
        image: a PNG that the user sends along.
        modes: the ways in which it can be told; None for all.
        needs: what a framework must be able to do for it; ``drivers.py`` says which can.
    """

    name: str
    says: Mapping[str, Sequence[Any]]
    tools: dict[str, Callable[..., Any]]
    expected: Told
    raises: str | None = None
    asks: str = "worker"
    image: bytes | None = None
    modes: frozenset[str] | None = None
    needs: frozenset[str] = frozenset()

    @property
    def image_link(self) -> str:
        """The image as a ``data:`` URI."""
        return "data:image/png;base64," + b64encode(self.image or b"").decode()


def look_up(order: str) -> str:
    """Look an order up."""
    return "delivered"


def refund(order: str) -> str:
    """Refund an order."""
    raise ValueError(BROKEN)


def beginning(asked: Any = TASK) -> Told:
    """What is recorded until the worker's first answer."""
    return [
        ("run", TASK),
        ("message", "user", asked),
        ("turn", "planner"),
        ("given", "planner"),
        ("model", "planner", PLAN),
        ("message", "planner", PLAN),
        ("turn", "worker"),
        ("given", "worker"),
    ]


ENDING: Told = [
    ("model", "worker", FOUND),
    ("message", "worker", FOUND),
    ("human", ANSWER),
    ("message", "user", ANSWER),
    ("turn", "reviewer"),
    ("given", "reviewer"),
    ("model", "reviewer", END),
    ("message", "reviewer", END),
    ("outcome", True),
    ("end",),
]
"""What is recorded from the worker's last answer."""

STORY = Tale(
    name="the story",
    says={
        "planner": [PLAN],
        "worker": [Call("look_up"), Call(BANK, {"task": QUESTION}), Call("refund"), FOUND],
        BANK: [EXPIRED],
        "reviewer": [END],
    },
    tools={"look_up": look_up, "refund": refund},
    needs=frozenset({"nested", "human"}),
    expected=[
        *beginning(),
        ("model", "worker", ("look_up", ORDER)),
        ("call", "worker", "look_up", ORDER),
        ("result", "look_up", True, "delivered"),
        ("model", "worker", (BANK, {"task": QUESTION})),
        ("call", "worker", BANK, {"task": QUESTION}),
        [
            ("run", QUESTION),
            ("message", ASKER, QUESTION),
            ("model", BANK, EXPIRED),
            ("message", BANK, EXPIRED),
            ("end",),
        ],
        ("result", BANK, True, EXPIRED),
        ("model", "worker", ("refund", ORDER)),
        ("call", "worker", "refund", ORDER),
        ("result", "refund", False, "ValueError"),
        *ENDING,
    ],
)  # fmt: skip


# -- for the drivers ---------------------------------------------------------------------------------------------------

_waiting: ContextVar[asyncio.Task[Any]] = ContextVar("waiting")


async def application(what: Coroutine[Any, Any, Any]) -> Any:
    """The task of an application that waits for a framework; a tool can :func:`cancel` it."""
    task = asyncio.current_task()
    assert task is not None
    _waiting.set(task)
    return await what


def cancel() -> None:
    """Cancel the application's task."""
    _waiting.get().cancel()


def words(answer: str | Half) -> Iterator[str]:
    """An answer as a model streams it."""
    yield from re.findall(r"\S+\s*", answer if isinstance(answer, str) else answer.text)
    if isinstance(answer, Half):
        raise Broken(BROKEN)


# -- what was recorded -------------------------------------------------------------------------------------------------


def told(run_id: str, events: Iterable[Event], runs: Sequence[RunRecord], asker: str) -> Told:
    """The events of a run and of those inside it as a tale has them: what every framework must say.

    Left out is what each adds: messages that only carry tool calls or results, the names and numbers of calls, texts of
    results that a framework words in its own way, and turns that do not change who of the three speaks.

    Args:
        run_id: the outermost run.
        events: of all these runs, in the order in which they happened.
        runs: these runs.
        asker: see :data:`ASKER`.
    """
    found: dict[str, Told] = {run.run_id: [] for run in runs}
    tellers = {run.run_id: _Teller(run, asker) for run in runs}
    begun = {run_id}
    for event in events:
        if event.run_id not in begun:
            begun.add(event.run_id)
            found[str(tellers[event.run_id].run.parent_run_id)].append(found[event.run_id])
        line = tellers[event.run_id].line(event)
        if line is not None:
            found[event.run_id].append(line)
    return found[run_id]


class _Teller:
    """Tells the events of one run."""

    def __init__(self, run: RunRecord, asker: str) -> None:
        self.run = run
        self.asker = asker if run.parent_run_id else None
        self.speaking: str | None = None

    def line(self, event: Event) -> Line | None:
        """An event as a line, or None if it is left out."""
        tell = getattr(self, f"_{event.kind}", None)
        return None if tell is None else tell(event, event.payload)

    def _run_started(self, _event: Event, _payload: dict[str, Any]) -> Line:
        return ("run", self.run.task)

    def _run_finished(self, _event: Event, _payload: dict[str, Any]) -> Line:
        return ("end",)

    def _message(self, event: Event, payload: dict[str, Any]) -> Line | None:
        content = payload["content"]
        if not content or payload.get("role") == "tool" or _is_result(content):
            return None
        who = ASKER if event.agent == self.asker else event.agent
        return ("message", who, _content(content))

    def _model_call(self, event: Event, payload: dict[str, Any]) -> Line | None:
        if payload.get("internal"):
            return None
        calls = [(call["name"], _arguments(call["arguments"])) for call in payload.get("tool_calls") or ()]
        return ("model", event.agent, calls[0] if calls else payload["response"])

    def _tool_call(self, event: Event, payload: dict[str, Any]) -> Line:
        return ("call", payload.get("caller") or event.agent, payload["tool"], _arguments(payload["arguments"]))

    def _tool_result(self, _event: Event, payload: dict[str, Any]) -> Line:
        content = payload["content"] if payload["ok"] else payload["error_type"]
        return ("result", payload["tool"], payload["ok"], _content(content))

    def _transition(self, _event: Event, payload: dict[str, Any]) -> Line | None:
        if payload["to_agent"] not in AGENTS or payload["to_agent"] == self.speaking:
            return None
        self.speaking = payload["to_agent"]
        return ("turn", self.speaking)

    def _injection(self, event: Event, _payload: dict[str, Any]) -> Line:
        return ("given", event.agent)

    def _human_input(self, _event: Event, payload: dict[str, Any]) -> Line:
        return ("human", payload["content"])

    def _error(self, _event: Event, payload: dict[str, Any]) -> Line:
        return ("error", payload["error_type"])

    def _outcome(self, _event: Event, payload: dict[str, Any]) -> Line:
        return ("outcome", payload["success"])


def _is_result(content: Any) -> bool:
    return isinstance(content, str) and (content == "delivered" or (BROKEN in content and content != FOUND))


def _content(content: Any) -> Any:
    """A text; the length of a long one; of a list of parts the texts, and what stands for an image."""
    if isinstance(content, list):
        return tuple(part.get("text") or (part["type"], part["media_type"], part["sha256"]) for part in content)
    return (len(content), content[:9]) if isinstance(content, str) and len(content) > LONG else content


def _arguments(given: Any) -> Any:
    return json.loads(given) if isinstance(given, str) else given
