"""Runs: which task an event belongs to.

The current run is a :class:`~contextvars.ContextVar`, so threads and asyncio tasks never see each other's.
Where a framework loses the context on its way (a thread pool), its adapter carries the run over and enters it
again with :func:`entered`. A child process that was forked inside a run goes on in it with a journal of its own.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from .errors import OutcomeError
from .ids import new_id
from .texts import TextCache

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .prompts import PromptState
    from .recorder import Recorder

COMPLEXITIES = ("low", "medium", "high", "critical")

CURRENT: ContextVar[Run | None] = ContextVar("seasoned_run", default=None)
"""The run that is being worked on here, or None."""

LATEST: ContextVar[Run | None] = ContextVar("seasoned_latest_run", default=None)
"""The run that last ended here: what ``seasoned.current()`` gives after a chat, so that it can be judged."""


_rebinding = threading.Lock()


class Run:
    """One task worked on by one or more agents, while it is being recorded.

    Get one from ``with seasoned.run(...) as run``, or from ``seasoned.current()``.

    Attributes:
        run_id: identifies it everywhere: ``seasoned show RUN``.
        session_id: shared by the runs that continue one conversation.
        namespace: the application or tenant that it belongs to.
        task: its first substantial user text, or what ``seasoned.run`` was given; None before either.
        parent: the run inside which it happens (a nested chat), or None.
        explicit: whether the application opened it with ``seasoned.run``.
        finished: when its last chat ended, in nanoseconds since the epoch; None while one is going on.
        judged: whether an outcome was given here.
    """

    __slots__ = (
        "__weakref__", "_recorder", "agents", "blocks", "cache", "counter", "domain", "epoch", "explicit", "finished",
        "framework", "judged", "last_error", "namespace", "parent", "prompts", "run_id", "scratch", "session_id",
        "started", "task", "task_substantial", "task_type", "turn",
    )  # fmt: skip

    def __init__(
        self,
        recorder: Recorder,
        *,
        namespace: str,
        session_id: str | None = None,
        parent: Run | None = None,
        run_id: str | None = None,
        framework: str = "",
        domain: str | None = None,
        task_type: str | None = None,
        explicit: bool = False,
    ) -> None:
        self._recorder = recorder
        self.run_id = run_id or new_id("r")
        self.session_id = session_id or (parent.session_id if parent is not None else new_id("s"))
        self.namespace = namespace
        self.parent = parent
        self.framework = framework
        self.domain = domain
        self.task_type = task_type
        self.explicit = explicit
        self.task: str | None = None
        self.task_substantial = False
        self.started = time.time_ns()
        self.finished: int | None = None
        self.judged = False
        self.turn = 0
        self.agents: dict[str, None] = {}
        self.last_error: BaseException | None = None
        self.cache = TextCache()
        self.counter = itertools.count()
        self.epoch: object = None
        self.prompts: dict[str, PromptState] = {}
        self.blocks: dict[str, str] = {}
        self.scratch: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"<seasoned run {self.run_id}>"

    def next_seq(self, epoch: object) -> int:
        """The next event's number in the journal ``epoch``; from 0 again in a journal that is new to this run."""
        if self.epoch is not epoch:
            with _rebinding:
                if self.epoch is not epoch:
                    self.counter = itertools.count()
                    self.cache = TextCache()
                    self.epoch = epoch
        return next(self.counter)

    def goes_on(self, parent: Run | None, idle_ns: int) -> bool:
        """Whether a follow-up inside ``parent`` (None for outside any run) belongs to this run: not once it is judged,
        or after it has rested for ``idle_ns`` nanoseconds, nor where the application has set its end."""
        return (
            self.parent is parent
            and not self.explicit
            and not self.judged
            and self.finished is not None
            and time.time_ns() - self.finished < idle_ns
        )

    def outcome(
        self,
        success: bool,
        *,
        quality: float | None = None,
        complexity: str | None = None,
        cost_usd: float | None = None,
        flags: Mapping[str, Any] | None = None,
        source: str = "user",
    ) -> None:
        """Say how the run went. May be called inside the run or after it; the last word of one source counts.

        Args:
            success: whether the task was solved.
            quality: how well, from 0 to 1.
            complexity: ``low``, ``medium``, ``high`` or ``critical``; derived from the record where not given.
            cost_usd: what it cost, where you know better than the record, in US dollars.
            flags: facts for the growth rules, such as ``{"escalated": True}``.
            source: who says so; ``user`` (the default) is trusted most.

        Raises:
            OutcomeError: for a quality outside 0 to 1 or an unknown complexity.
        """
        payload = outcome_payload(success, quality, complexity, cost_usd, flags, source)
        self.judged = True
        self._recorder.safely(self, "outcome", payload)

    def feedback(
        self, content: str = "", *, positive: bool | None = None, source: str = "user", agent: str | None = None
    ) -> None:
        """Keep what somebody said about the run. May be called inside the run or after it.

        Args:
            content: the words, if there are any.
            positive: True for praise, False for complaint: the agents' experience follows. None only keeps the words.
            source: who says so. The last word of one source counts.
            agent: the agent that it is about; None for all who worked on the run.

        Raises:
            OutcomeError: for a ``positive`` that is no truth value.
        """
        payload = feedback_payload(content, positive, source)
        self._recorder.safely(self, "feedback", payload, agent)


def outcome_payload(
    success: bool,
    quality: float | None = None,
    complexity: str | None = None,
    cost_usd: float | None = None,
    flags: Mapping[str, Any] | None = None,
    source: str = "user",
) -> dict[str, Any]:
    """The payload of an outcome event; raises :class:`OutcomeError` for values that make no sense."""
    if not isinstance(success, bool):
        raise OutcomeError(f"success is {success!r}, but must be True or False; leave the outcome out if unknown")
    if quality is not None and not (isinstance(quality, (int, float)) and 0 <= quality <= 1):
        raise OutcomeError(f"quality is {quality!r}, but must be a number from 0 to 1")
    if complexity is not None and complexity not in COMPLEXITIES:
        raise OutcomeError(f"complexity is {complexity!r}, but must be one of {', '.join(COMPLEXITIES)}")
    return {
        "success": success,
        "quality": quality,
        "source": source,
        "complexity": complexity,
        "flags": dict(flags or {}),
        "cost_usd": cost_usd,
    }


def feedback_payload(content: str, positive: bool | None, source: str) -> dict[str, Any]:
    """The payload of a feedback event; raises :class:`OutcomeError` for values that make no sense."""
    if positive is not None and not isinstance(positive, bool):
        raise OutcomeError(f"positive is {positive!r}, but must be True (praise), False (complaint) or None")
    return {"source": source, "content": content or None, "positive": positive}


def substantial(text: str) -> bool:
    """Whether a user's text can name a task: at least three words or 20 characters ("hi" cannot)."""
    return len(text) >= 20 or len(text.split()) >= 3


@contextlib.contextmanager
def entered(run: Run | None) -> Iterator[None]:
    """Make ``run`` the current one in this thread or task for the length of a ``with`` block."""
    token = CURRENT.set(run)
    try:
        yield
    finally:
        CURRENT.reset(token)
