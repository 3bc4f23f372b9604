"""What the wrappers of classic AutoGen share: where a call happens, and what is known about agents.

The framework has no identity for a conversation and none for a reply, so both are made here and kept in a
:class:`~contextvars.ContextVar`: a :class:`Chat` is made where a conversation is entered, a :class:`Place` where
an agent begins to reply. Threads and tasks therefore never see each other's; where the framework loses its context
on the way, :mod:`.classic_carry` carries them over.
"""

from __future__ import annotations

import threading
import weakref
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

from ..instrumentation.runs import CURRENT, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..instrumentation.tap import Tap

FRAMEWORK = "autogen"
"""What runs recorded here have as their framework: the import name, the same for all three distributions."""

INTERNAL = frozenset(("checking_agent", "speaker_selection_agent"))
"""Agents that GroupChat makes for each automatic selection of a speaker. They are part of the machinery, not of
the conversation, and are left alone; only inside a selection, so that users may use these names."""


class Chat:
    """A conversation that is going on: between two agents, or of a group around its manager.

    Attributes:
        run: the run that it belongs to.
        manager: the manager of the group, or None for two agents.
        opener, partner: the names of who began it and of whom it was begun with.
        limit: ``max_turns``, or None; for a group its ``max_round``, once a message was appended to it.
        sent: messages of the opener, or in a group messages that its manager has appended to it.
        ended: (agent, how) of the last event after which nothing was said: a reply that was None, or a speaker
            that could not be selected. None after every message.
        pending: by ``id`` of a manager, who sent it the message that it is about to append to its group.
        told: by ``id`` of a manager, what it last said itself.
        spent: whether the last agent to begin a reply had replied as often as it may in a row.
        calls: the tool calls of the last message that had any and are not executed yet: (id, name, who asked).
        resent: the message with which a resumed chat goes on, and which was recorded before the interruption.
        latest: sender and content of the last message recorded.
        marks: number of events, to see whether a reply left any.
        places: by ``id`` of an agent in a group, the place of its synchronous replies: the same every time, so
            that the busiest path does not make a new one.
    """

    __slots__ = (
        "calls", "ended", "latest", "limit", "manager", "marks", "opener", "partner", "pending", "places",
        "resent", "run", "sent", "spent", "told",
    )  # fmt: skip

    def __init__(
        self, run: Run | None, opener: str = "", partner: str = "", *, manager: Any = None, limit: int | None = None
    ) -> None:
        self.run = run
        self.opener = opener
        self.partner = partner
        self.manager = manager
        self.limit = limit
        self.sent = 0
        self.marks = 0
        self.spent = False
        self.places: dict[int, Place] = {}
        self.ended: tuple[str, str] | None = None
        self.pending: dict[int, Any] = {}
        self.told: dict[int, Any] = {}
        self.calls: list[tuple[Any, str, str]] = []
        self.resent: Any = None
        self.latest: tuple[str, Any] | None = None


class Selection:
    """A speaker being selected. ``words`` is what the model answered, where one was asked."""

    __slots__ = ("words",)

    def __init__(self) -> None:
        self.words: str | None = None


class Place:
    """Where in a conversation a call happens.

    Attributes:
        agent: the agent that is replying, or None before the first reply.
        chat: the conversation; run: its run.
        selection: the selection of a speaker that is going on, or None.
        muted: whether messages are only loaded into the agents again, not sent.
        leaves: whether the reply is asynchronous, so that it may go on in a thread that has lost the context.
        plain: whether nothing of the above is special, so that a reply's place can be used for the next one.
        turns: how many turns a reply here counts for: 1, or 0 for a manager.
        ticket: what :mod:`.classic_carry` noted for such a reply.
        relayed: the message that ``agent``, a manager, is passing on to its group.
    """

    __slots__ = ("agent", "chat", "leaves", "muted", "plain", "relayed", "run", "selection", "ticket", "turns")

    def __init__(
        self, agent: Any, chat: Chat, selection: Selection | None = None, muted: bool = False, leaves: bool = False
    ) -> None:
        self.agent = agent
        self.chat = chat
        self.run = chat.run
        self.selection = selection
        self.muted = muted
        self.leaves = leaves
        self.plain = selection is None and not muted
        self.turns = 1
        self.ticket: Any = None
        self.relayed: Any = self  # no message is this


PLACE: ContextVar[Place | None] = ContextVar("seasoned_classic_place", default=None)


class _Managers(dict[type, bool]):
    """For a class, whether it is a GroupChatManager's. Remembered, because the framework's classes are protocols,
    for which ``isinstance`` takes a microsecond."""

    def __init__(self, manager: type) -> None:
        super().__init__()
        self._manager = manager

    def __missing__(self, kind: type) -> bool:
        found = self[kind] = self._manager in kind.__mro__
        return found


class Core:
    """What the adapter knows about the framework and its agents while it is installed.

    Args:
        agent, group, manager, wrapper: the framework's ConversableAgent, GroupChat, GroupChatManager and
            OpenAIWrapper.

    Attributes:
        unattributed: model calls that could not be placed in a run for certain, and so were left alone.
        managers: for each class of agents, whether it is one of GroupChatManagers.
    """

    def __init__(self, tap: Tap, agent: type, group: type, manager: type, wrapper: type) -> None:
        self.tap = tap
        self.recorder = tap.recorder
        self.caught = tap.guard.caught
        self.agent = agent
        self.group = group
        self.manager = manager
        self.wrapper = wrapper
        self.unattributed = 0
        self.seen: set[type] = set()
        self.prepare_agent: Callable[[type], None] = _nothing
        self.prepare_group: Callable[[type], None] = _nothing
        self.prepare_wrapper: Callable[[type], None] = _nothing
        self.prepare_executor: Callable[[type], None] = _nothing
        self.notes = weakref.WeakKeyDictionary[Any, Any]()
        self.managers = _Managers(manager)
        self._lock = threading.Lock()

    # -- agents ----------------------------------------------------------------------------------------------

    def is_manager(self, agent: Any) -> bool:
        """Whether ``agent`` is a GroupChatManager; where every message comes by, ask :attr:`managers` directly."""
        return self.managers[type(agent)]

    def see(self, agent: Any) -> None:
        """Make sure that the overrides of an agent that was not met before are wrapped, and its executor."""
        kind = type(agent)
        if kind not in self.seen:
            if self.agent in kind.__mro__:
                self.prepare_agent(kind)
            self.seen.add(kind)
        executor = getattr(agent, "_code_executor", None)
        if executor is not None and type(executor) not in self.seen:
            self.prepare_executor(type(executor))
            self.seen.add(type(executor))

    def see_all(self, *agents: Any) -> None:
        """:meth:`see` for these agents and the members of their groups."""
        for agent in agents:
            self.see(agent)
            group = group_of(agent) if self.is_manager(agent) else None
            if group is not None:
                if type(group) not in self.seen:
                    self.prepare_group(type(group))
                    self.seen.add(type(group))
                for member in group.agents:
                    self.see(member)

    def reset(self, variable: ContextVar[Any], token: Token[Any]) -> None:
        """Undo what a coroutine has set. Never raises: a coroutine that is closed instead of awaited to its end
        may finish in another context than it was begun in, which has nothing to undo."""
        try:
            variable.reset(token)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.caught("classic.context", error)

    # -- places ----------------------------------------------------------------------------------------------

    def chat_in(self, run: Run) -> Chat:
        """The conversation that is going on here in ``run``. Where messages are exchanged in a run that the
        application opened, without any chat, there is one for all of them."""
        place = PLACE.get()
        if place is not None and place.run is run:
            return place.chat
        loose = run.scratch.get(FRAMEWORK)
        if loose is None:
            loose = run.scratch[FRAMEWORK] = Chat(run)
        return loose

    def replying(self) -> str | None:
        """The name of the agent that is replying here."""
        place = PLACE.get()
        if place is None or place.agent is None or place.run is not CURRENT.get():
            return None
        return name_of(place.agent)


def _nothing(_kind: type) -> None:
    """What prepares classes before the adapter is installed."""


def name_of(agent: Any) -> str:
    """An agent's name; ``unknown`` for what has none."""
    try:
        name = agent.name
    except AttributeError:
        name = agent
    return name if isinstance(name, str) else "unknown"


def group_of(manager: Any) -> Any:
    """The GroupChat of a manager, or None."""
    return getattr(manager, "_groupchat", None)


def argument(args: tuple[Any, ...], kwargs: dict[str, Any], position: int, name: str, default: Any = None) -> Any:
    """An argument of a call that may be given by position or by name. Binding the signature would take 10
    microseconds, and these positions are the same in all supported versions."""
    return args[position] if len(args) > position else kwargs.get(name, default)
