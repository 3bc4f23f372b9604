"""What the wrappers of AutoGen AgentChat share: where a call happens, and in which conversation.

AgentChat's teams talk through a message-passing runtime, which may have been started elsewhere, long ago and in
another context. The conversation is therefore found by the team's own identifier, which every participant's and
every manager's address carries, and only below that by a :class:`~contextvars.ContextVar`: the :class:`Place`.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..instrumentation.runs import CURRENT, Run
from . import AGENTCHAT as FRAMEWORK

if TYPE_CHECKING:
    from ..instrumentation.tap import Tap
    from .agentchat_tools import Execution

USER = "user"
"""Whom the framework names as the source of a task that is given as a text."""


SILENT = frozenset(("round_robin", "selector", "handoff", "graph"))
"""Ways of choosing whose managers say nothing themselves."""

METHODS = {
    "RoundRobinGroupChatManager": "round_robin",
    "SelectorGroupChatManager": "selector",
    "SwarmGroupChatManager": "handoff",
    "GraphFlowManager": "graph",
    "MagenticOneOrchestrator": "magentic_one",
}
"""Why the managers of the framework choose whom they choose. Any other manager is named by its class."""


class Chat:
    """A conversation that is going on: of a team, or of one agent with whoever asks it.

    Attributes:
        run: the run that it belongs to; None for conversations that are left alone.
        team: the team, or None for a single agent.
        members: the names of those who take part.
        method: how the team's manager chooses who speaks; talks: whether it may say something itself.
        speaker: who spoke last.
        remembered: what an agent's memory last added to its context.
        words: what the model last answered to the manager.
        selecting: whether the manager is choosing who speaks next.
        asked: by ``id`` of a member or manager, its place while it is asked: the same every time, because there are
            so many.
        announced: the speakers whose selection was recorded and who have not been asked yet.
        failure: what an agent or the manager raised, before the framework made a text of it.
        by_agent: whether it was an agent's reply that raised it.
        origin: what left an inner team's run, and what had really happened there.
    """

    __slots__ = (
        "announced", "asked", "by_agent", "failure", "members", "method", "origin", "remembered", "run", "selecting",
        "speaker", "talks", "team", "words",
    )  # fmt: skip

    def __init__(self, run: Run | None, team: Any = None, members: list[str] | None = None) -> None:
        self.run = run
        self.team = team
        self.members = members or []
        manager: Any = getattr(team, "_base_group_chat_manager_class", None)
        kind = str(getattr(manager, "__name__", "manager"))
        self.method = METHODS.get(kind, kind)
        self.talks = self.method not in SILENT
        self.speaker = USER
        self.words = ""
        self.selecting = False
        self.announced: set[str] = set()
        self.asked: dict[int, Place] = {}
        self.failure: BaseException | None = None
        self.by_agent = False
        self.remembered: Any = None
        self.origin: tuple[BaseException, BaseException] | None = None

    def others(self, name: str) -> list[str]:
        """Everybody but ``name``."""
        return [member for member in self.members if member != name]

    def failed(self, error: BaseException, *, by_agent: bool) -> None:
        """Remember what was raised: the first exception counts, and what was behind it in an inner team."""
        if self.failure is None:
            self.failure = self.cause(error)
            self.by_agent = by_agent

    def cause(self, error: BaseException) -> BaseException:
        """What had really happened where ``error`` only passes on what ended an inner team's run."""
        return self.origin[1] if self.origin is not None and self.origin[0] is error else error


class Place:
    """Where in a conversation a call happens. Never changed once it is set; :meth:`within` makes another.

    Attributes:
        chat: the conversation; run: its run.
        agent: the agent (or team, or manager) that is at work; None in a team's own machinery.
        name: its name.
        asked: whether the team asks ``agent`` for its turn, which has not begun yet.
        internal: whether ``agent`` is a manager: part of the machinery, not of the conversation.
        client: the model client that ``agent`` has for its replies, or None where it is not known.
        execution: the tool that is being executed, or None.
        calling: whether a model call is going on; call: the same place inside one, where there was one already.
        coding: whether code is being executed.
        inner: whether ``agent`` is a team that takes part in another.
        turn: where ``agent`` replies to the team that has asked it; None before its first turn.
        replies: the role in which ``agent`` replies, and to whom; None before its first reply.
    """

    __slots__ = (
        "agent", "asked", "call", "calling", "chat", "client", "coding", "execution", "inner", "internal",
        "name", "replies", "run", "turn",
    )  # fmt: skip

    def __init__(
        self,
        chat: Chat,
        agent: Any = None,
        name: str | None = None,
        *,
        asked: bool = False,
        internal: bool = False,
    ) -> None:
        self.chat = chat
        self.run = chat.run
        self.agent = agent
        self.name = name
        self.asked = asked
        self.internal = internal
        self.client = getattr(agent, "_model_client", None) if agent is not None else None
        self.execution: Execution | None = None
        self.calling = False
        self.coding = False
        self.inner = False
        self.turn: Place | None = None
        self.replies: tuple[str, list[str]] | None = None
        self.call: Place | None = None

    def in_call(self) -> Place:
        """The same place inside a model call: always the same object, because there are so many."""
        if self.call is None:
            self.call = self.within()
            self.call.calling = True
        return self.call

    def within(self, *, execution: Execution | None = None, coding: bool = False) -> Place:
        """The same place inside a tool or a code execution."""
        inner = Place.__new__(Place)
        inner.chat = self.chat
        inner.run = self.run
        inner.agent = self.agent
        inner.name = self.name
        inner.asked = self.asked
        inner.internal = self.internal
        inner.client = self.client
        inner.execution = execution or self.execution
        inner.calling = self.calling
        inner.coding = self.coding or coding
        inner.inner = self.inner
        inner.turn = None
        inner.replies = None
        inner.call = None
        return inner


PLACE: ContextVar[Place | None] = ContextVar("seasoned_agentchat_place", default=None)

MUTED = Place(Chat(None))
"""A conversation that began before recording was on, or has been given up by the application already."""


class Core:
    """What the adapter knows while it is installed.

    Attributes:
        chats: the conversations of teams that are going on, by the team's identifier.
    """

    def __init__(self, tap: Tap) -> None:
        self.tap = tap
        self.recorder = tap.recorder
        self.caught = tap.guard.caught
        self.chats: dict[str, Chat] = {}

    def here(self) -> Place | None:
        """Where the code runs; None outside any conversation that is recorded here."""
        place = PLACE.get()
        return place if place is not None and place.run is CURRENT.get() else None

    def place_in(self, run: Run) -> Place:
        """:meth:`here`, or a place for what the application does by itself in a run that it opened."""
        place = self.here()
        if place is not None:
            return place
        loose = run.scratch.get(FRAMEWORK)
        if loose is None:
            loose = run.scratch[FRAMEWORK] = Place(Chat(run))
        return loose
