"""Outcomes: who is believed how far, how hard a run was, and which exceptions are a failure of the agents.

Nothing here looks at what an agent says of itself. What is derived (the complexity, the meaning of an exception) is
derived by a fixed rule from recorded facts, so that a rebuild on another machine gives the same.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .events import Event

TRUST: dict[str, int] = {
    "user": 60,
    "app": 60,
    "evaluator": 50,
    "reward": 40,
    "check": 30,
    "rule": 20,
    "exception": 10,
}
"""How far each kind of source is believed; an outcome replaces another of the same or a lower rank. ``reward`` is a
recorded reward of an imported run, ``check`` a program's exit code, ``exception`` one that ended the run."""

NAMED = TRUST["user"]
"""The rank of a source that is not in :data:`TRUST`. Only an explicit call can bring one (``run.outcome(True,
source="qa-team")``), and whoever makes that call is the user or the app, whatever name is given. A verdict of a rule
or an evaluator does not get it: see :func:`verdict_source`."""


def trust(source: str | None) -> int:
    """The rank of an outcome's source, which may carry a detail behind a colon (``rule:exit_code``)."""
    if not source:
        return 0
    return TRUST.get(source.split(":", 1)[0].strip().lower(), NAMED)


def verdict_source(source: str) -> str:
    """The source under which a verdict of a rule or an evaluator is recorded: its own, where that is a kind that
    they may claim, else ``evaluator:SOURCE``. Code that judges by itself cannot speak for the user."""
    kind = source.split(":", 1)[0].strip().lower()
    if kind in TRUST and TRUST[kind] < NAMED:
        return source
    return f"evaluator:{source}" if source else "evaluator"


# -- complexity --------------------------------------------------------------------------------------------------


class Counted(Protocol):
    """What :func:`complexity` looks at: the counters of a run's record."""

    @property
    def messages(self) -> int:
        """How many messages were exchanged."""
        ...

    @property
    def tool_calls(self) -> int:
        """How many tools were called."""
        ...

    @property
    def errors(self) -> int:
        """How many errors there were."""
        ...

    @property
    def agents(self) -> Sequence[str]:
        """Who took part."""
        ...


POINTS: tuple[tuple[str, int], ...] = (
    ("messages", 12),
    ("messages", 24),
    ("steps", 4),
    ("steps", 10),
    ("errors", 1),
    ("errors", 4),
    ("agents", 4),
)
"""What a run gets a point for: reaching so many messages, steps (tool calls and code executions), errors or agents.
Chosen so that real customer service runs (tau-bench) fall into all three classes and short chats are ``low``."""

MEDIUM, HIGH = 2, 4
"""From how many points a run is ``medium`` and ``high``."""


def complexity(run: Counted, events: Sequence[Event] | None = None) -> Literal["low", "medium", "high"]:
    """How much work a run was: ``low``, ``medium`` or ``high``, by points for what was recorded (:data:`POINTS`).

    Used where nobody gave a complexity. ``critical`` is about what hangs on a task, which no record shows: it is
    only ever given. Time is left out, because it depends on the machine. Code executions are counted where
    ``events`` are given, since the record has no counter of them.
    """
    steps = run.tool_calls
    if events is not None:
        steps += sum(event.kind == "code_execution" for event in events)
    reached = {"messages": run.messages, "steps": steps, "errors": run.errors, "agents": len(run.agents)}
    points = sum(reached[what] >= least for what, least in POINTS)
    return "high" if points >= HIGH else "medium" if points >= MEDIUM else "low"


# -- exceptions --------------------------------------------------------------------------------------------------

OUTSIDE = frozenset(
    {
        "aiohttp", "anthropic", "azure", "boto3", "botocore", "cerebras", "cohere", "google", "groq", "grpc", "http",
        "httpcore", "httpx", "litellm", "mistralai", "ollama", "openai", "requests", "socket", "ssl", "together",
        "urllib", "urllib3", "vertexai", "websockets",
    }
)  # fmt: skip
"""Packages of providers and transports: an exception of theirs says that a service was not reached or refused, which
says nothing about the agents."""

_INTERRUPTIONS = (
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    asyncio.CancelledError,
    concurrent.futures.CancelledError,
)
_TRANSPORT = (ConnectionError, TimeoutError, asyncio.TimeoutError, concurrent.futures.TimeoutError)
_CHAIN = 32


def classify_exception(exc: BaseException) -> Literal["failure", "unknown"]:
    """Whether an exception that ended a run is a ``failure`` of its agents, or leaves the outcome ``unknown``.

    Unknown are interruptions and cancellations, and errors of providers and transports, also where they are only
    the cause of another exception or were being handled when it was raised. Whatever else comes from agent or tool
    code is a failure.
    """
    return "unknown" if any(_outside(link) for link in _links(exc)) else "failure"


def _links(exc: BaseException) -> Iterator[BaseException]:
    """The exception, those it was raised from, and the members of groups; each once."""
    waiting: list[Any] = [exc]
    seen: set[int] = set()
    while waiting and len(seen) < _CHAIN:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting.append(link.__cause__)
        if not link.__suppress_context__:
            waiting.append(link.__context__)
        members = getattr(link, "exceptions", None)
        if isinstance(members, tuple):
            waiting.extend(members)


def _outside(exc: BaseException) -> bool:
    if isinstance(exc, (*_INTERRUPTIONS, *_TRANSPORT)):
        return True
    return any(str(kind.__module__).split(".", 1)[0] in OUTSIDE for kind in type(exc).__mro__)
