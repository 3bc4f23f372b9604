"""What the callbacks of LangChain share: which runnable is going on where, and what is known about its run.

LangChain tells of everything that happens with the id of its runnable and that of the one around it, never with a
conversation. So a tree of what is going on is kept by those ids (:class:`Node`); nothing is taken from the context
of the thread or task, because callbacks of asynchronous code are called in a copy of it. The part of the tree that
belongs to one run is a :class:`Scope`; what outlives it, because a follow-up may go on with the run, is a
:class:`Memory`.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from sys import modules
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec import Struct

if TYPE_CHECKING:
    from ..instrumentation.runs import Run
    from ..instrumentation.tap import Tap
    from .langchain_messages import Said

USER = "user"
"""The sender of what people say, where the message has no name of its own."""

_STRAGGLERS = 4096
"""How many runnables are remembered that were still going on when their run had ended."""

_RECENT = 1024
"""How many runs that have ended are remembered by the id of their outermost runnable."""


WATCHDOG = "blockbuster.blockbuster"
"""The module of BlockBuster."""


def watchdog() -> Any:
    """The switch of BlockBuster, or None where it is not there or switched off here. It fails whatever may block an
    event loop, and LangGraph's development server uses it: the journal's one write of a few microseconds would be
    lost."""
    switch = getattr(modules.get(WATCHDOG), "_skip", None)
    return None if switch is None or getattr(switch, "value", True) else switch


def key(run_id: Any) -> Any:
    """What an id is looked up by: the number in it, because a UUID is hashed and compared in Python. What is called
    for every event has this written out."""
    return run_id.int if run_id.__class__ is UUID else run_id


class Trail:
    """Who worked in a graph, superstep by superstep.

    Attributes:
        number: the superstep that is going on.
        before, now: who worked last in an earlier one, and in this one.
        goto: for a node's name, how somebody decided to go there.
        shares: whether it has a state: not where functions call each other (``@entrypoint`` and ``@task``).
    """

    __slots__ = ("before", "goto", "now", "number", "shares")

    def __init__(self) -> None:
        self.number: Any = None
        self.before: str | None = None
        self.now: str | None = None
        self.goto: dict[str, str] = {}
        self.shares = True


class Node(Struct, eq=False):
    """A runnable that is going on. Several are made for every message, hence a ``Struct``: it is made in C.

    Attributes:
        parent: the one around it, or None for the outermost.
        scope: what belongs to the same run.
        name: its name; label: the ``lc_agent_name`` that holds here, which inner runnables inherit.
        ns: the checkpoint namespace that holds here; a new one begins with every node of a graph.
        inputs: what it was called with.
        step: the node of a graph that it is in, or is; tool: the tool in that node that it is in, or is.
        trail: where it is a graph whose first node has begun, who worked in it.
    """

    parent: Node | None
    scope: Scope
    name: str | None
    ns: Any
    label: Any
    inputs: Any
    step: Step | None = None
    tool: ToolCall | None = None
    trail: Trail | None = None


class Step(Node, eq=False, kw_only=True):
    """One execution of a node of a graph.

    Attributes:
        node: the node's name; agent: who works there; number: the superstep.
        owner: the graph; outer: the node of an outer graph of the same run that the graph is in.
        internal: whether it is machinery around an agent (a hook of a middleware), not the agent.
        replies: what models said within it, once one has.
        told: whether the transition to it is recorded.
    """

    owner: Node
    outer: Step | None
    node: str
    agent: str
    number: Any
    internal: bool = False
    replies: set[str] | None = None
    told: bool = False


class ModelCall(Node, eq=False):
    """A call of a model.

    Attributes:
        agent: for whom; model: which one was asked, as far as known before the answer.
        prompt: the messages as dictionaries, without the block; block: what was put into them.
        prompts: the ``Prompts`` that keep these dictionaries for the agent's next call.
        own: whether it is the agent's own call: not one of its machinery or of a tool.
        spent: whether the place where the block goes in has been passed.
        started: when, in nanoseconds of the performance counter.
        heard: the pieces of a streamed answer that have come so far, or None.
    """

    agent: str = "model"
    model: str | None = None
    prompt: list[dict[str, Any]] = []
    prompts: Any = None
    block: str = ""
    internal: bool = False
    own: bool = True
    spent: bool = False
    started: int = 0
    heard: list[Any] | None = None


class ToolCall(Node, eq=False):
    """A tool that is being executed. ``agent`` is who asked for it, ``call_id`` under which id."""

    agent: str | None = None
    call_id: Any = None
    started: int = 0


class Asked:
    """A tool call that a model asked for. ``begun`` says whether it is being executed or has been."""

    __slots__ = ("agent", "arguments", "begun", "tool")

    def __init__(self, agent: str, tool: str, arguments: Any) -> None:
        self.agent = agent
        self.tool = tool
        self.arguments = arguments
        self.begun = False


class Memory:
    """What is known about a run as long as somebody may go on with it.

    Attributes:
        seen: the ids of its messages; objects: those that had no id yet, by their identity.
        calls: the tool calls that were asked for, by their id.
        prompts: for each agent, the last prompt in LangChain's form and in ours.
        blocks: for each agent, the block that the middleware puts into its prompts.
        systems: for each agent, its last system message and the copy of it with the block.
        bare: for each agent, how many messages at the start of its last prompt held no system message, and the first
            and last of these.
        children: the last child run of each name that an interrupt has stopped.
        channels: for each channel of a graph's state but the messages, by what its value is recognised.
    """

    __slots__ = ("bare", "blocks", "calls", "channels", "children", "objects", "prompts", "seen", "systems")

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.objects: dict[int, Any] = {}
        self.calls: dict[Any, Asked] = {}
        self.prompts: dict[str, Any] = {}
        self.blocks: dict[str, str] = {}
        self.children: dict[str | None, Run] = {}
        self.channels: dict[str, Any] = {}
        self.systems: dict[str, tuple[Any, Any, str, Any]] = {}
        self.bare: dict[str, tuple[int, Any, Any]] = {}

    def note(self, message: Any) -> None:
        """``message`` is known from now on."""
        identity = getattr(message, "id", None)
        if identity is not None:
            self.seen.add(identity)
        self.objects[id(message)] = message

    def knows(self, message: Any) -> bool:
        """Whether ``message`` was recorded, or was there before."""
        return getattr(message, "id", None) in self.seen or id(message) in self.objects


class Scope:
    """What belongs to one run while it is going on.

    Attributes:
        head: the outermost runnable; outer: the scope around it, for a child run.
        run: its run, once it has begun; memory: what is known about that.
        current: the run that was going on here when it was called.
        owned: whether the run ends with it.
        graph: whether the outermost runnable is a graph; thread: its ``thread_id``.
        entry: who works in its first node, where it is a graph.
        caller: in a child run, the agent that called the tool which it is in.
        waiting: what the user said and nobody has been asked for yet.
        begun: whether an agent has begun to work.
        answers: what people have answered to an interrupt.
        interrupted: whether an interrupt has stopped it.
        fault: the last exception that came out of something within it.
        open: the ids of what is going on in it.
        lock: held while its run begins, and while the first that was said in it is written.
    """

    __slots__ = (
        "answers",
        "begun",
        "caller",
        "current",
        "entry",
        "fault",
        "graph",
        "head",
        "interrupted",
        "lock",
        "memory",
        "open",
        "outer",
        "owned",
        "run",
        "thread",
        "unnamed",
        "waiting",
    )  # fmt: skip

    def __init__(self, outer: Scope | None, current: Run | None) -> None:
        self.outer = outer
        self.current = current
        self.head: Node | None = None
        self.run: Run | None = None
        self.memory = Memory()
        self.owned = True
        self.graph = False
        self.thread: Any = None
        self.entry: str | None = None
        self.caller: str | None = None
        self.waiting: list[Said] = []
        self.answers: list[Any] = []
        self.unnamed = False
        self.begun = False
        self.interrupted = False
        self.fault: BaseException | None = None
        self.open: set[Any] = set()
        self.lock = threading.RLock()


class Core:
    """What the adapter, the callback handler and the middleware share for one tap.

    Attributes:
        nodes: what is going on, by the :func:`key` of LangChain's id.
        recent: runs that ended lately, by the id of their outermost runnable.
        latest: the run that ended last.
        entering, lock: taken in this order, and the lock of a scope between them: the first while a graph shows to be
            one, the last for what is over quickly.
    """

    def __init__(self, tap: Tap) -> None:
        self.tap = tap
        self.recorder = tap.recorder
        self.caught = tap.guard.caught
        self.nodes: dict[Any, Node] = {}
        self.recent: dict[Any, Run] = {}
        self.latest: Run | None = None
        self.entering = threading.RLock()
        self.lock = threading.RLock()
        self._late: deque[Any] = deque()

    def find(self, run_id: Any) -> Node | None:
        """What is going on under this id, or None."""
        return self.nodes.get(key(run_id))

    def add(self, run_id: Any, node: Node) -> None:
        """``node`` is going on."""
        run_id = key(run_id)
        self.nodes[run_id] = node
        node.scope.open.add(run_id)

    def take(self, run_id: Any) -> Node | None:
        """The runnable of this id, which has ended; None for one that is not known."""
        run_id = key(run_id)
        node = self.nodes.pop(run_id, None)
        if node is not None:
            node.scope.open.discard(run_id)
        return node

    def closed(self, scope: Scope) -> None:
        """What is still going on in a scope that has ended (somebody has stopped to listen) is forgotten some day."""
        with contextlib.suppress(KeyError):  # another thread was faster
            while scope.open:
                self._late.append(scope.open.pop())
        while len(self._late) > _STRAGGLERS:
            self.nodes.pop(self._late.popleft(), None)

    def ended(self, run_id: Any, run: Run) -> None:
        """``run`` has ended with the runnable of this id."""
        self.latest = run
        self.recent[key(run_id)] = run
        if len(self.recent) > _RECENT:
            try:
                del self.recent[next(iter(self.recent))]
            except (KeyError, RuntimeError, StopIteration):  # another thread was faster
                pass

    def forget(self) -> None:
        """Nothing is going on any more, as far as this is concerned."""
        self.nodes.clear()
        self.recent.clear()
        self._late.clear()
        self.latest = None
