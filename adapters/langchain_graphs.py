"""Chains, graphs and the nodes of graphs: the tree of what is going on, and what its structure tells.

LangGraph announces a graph and each of its nodes as chains. A node is told from a chain by its checkpoint namespace,
which begins anew with it; the chain around it is then the graph. Nodes tell who works: an agent made by
``create_agent`` has its name in the metadata, any other node is named for itself, and the nodes that all agents have
(``model``, ``tools``) for the agent. From the order of the nodes come transitions, from what they return the messages
that no model made.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from .langchain_context import share
from .langchain_messages import MESSAGES, calls_of, lean, messages_in, said
from .langchain_runs import Runs, named, stops
from .langchain_state import USER, Asked, Core, Node, Scope, Step, Trail, key

if TYPE_CHECKING:
    from collections.abc import Callable

_PARTS = frozenset(("model", "tools", "agent", "model_request", "call_model"))
"""The nodes that an agent consists of, in ``create_agent`` and its predecessors: they are named for the agent."""

_HOOKS = (".before_agent", ".before_model", ".after_model", ".after_agent")
"""How the names of nodes end in which middlewares work around an agent."""

_UNKNOWN = {"input": ""}
"""What a chain that is streamed says it was called with: its first part tells it."""

_NOTHING: dict[str, Any] = {}


class Graphs:
    """Follows chains, graphs and nodes."""

    def __init__(self, core: Core, runs: Runs) -> None:
        self.core = core
        self.nodes = core.nodes
        self.lock = core.lock
        self.runs = runs
        self.answered: Callable[[Step, Any], None] = _ignore

    # -- callbacks -------------------------------------------------------------------------------------------

    def start(
        self, _serialized: Any, inputs: Any, *, run_id: Any, parent_run_id: Any = None, metadata: Any = None,
        name: str | None = None, **_: Any,
    ) -> None:  # fmt: skip
        """A chain, a graph or a node begins."""
        nodes = self.nodes
        own = run_id.int if run_id.__class__ is UUID else run_id
        if own in nodes:
            return
        if metadata is None:
            metadata = _NOTHING
        parent = nodes.get(parent_run_id.int if parent_run_id.__class__ is UUID else parent_run_id)
        ns, label = metadata.get("langgraph_checkpoint_ns"), metadata.get("lc_agent_name")
        node: Node
        if parent is None:
            scope = self.runs.scope(metadata)
            node = scope.head = Node(None, scope, name, ns, label, inputs)
        elif ns is not None and ns != parent.ns:
            before = parent.scope
            node = self._enter(parent, name, ns, label, inputs, metadata)
            scope = parent.scope
            if scope is not before:  # it has shown to be a run of its own
                before.open.discard(key(parent_run_id))
                scope.open.add(key(parent_run_id))
        else:
            scope = parent.scope
            node = Node(parent, scope, name, ns, label, inputs, parent.step, parent.tool)
            if scope.run is None and scope.head is not None and scope.head.inputs == _UNKNOWN:
                scope.head.inputs = inputs
        nodes[own] = node
        scope.open.add(own)

    def end(self, outputs: Any, *, run_id: Any, **_: Any) -> None:
        """It has ended."""
        own = run_id.int if run_id.__class__ is UUID else run_id
        node = self.nodes.pop(own, None)
        if node is None:
            return
        scope = node.scope
        scope.open.discard(own)
        if isinstance(node, Step):
            self._returned(node, outputs)
        if scope.head is node:
            if node.trail is not None and node.trail.shares:
                self._share(scope, None, outputs, "output")
            self.runs.close(scope, run_id, None)

    def error(self, error: BaseException, *, run_id: Any, **_: Any) -> None:
        """An exception leaves it."""
        node = self.core.take(run_id)
        if node is None:
            return
        scope = node.scope
        if stops(error):
            if isinstance(node, Step):
                self._stopped(node, error)
        elif scope.head is not node and not isinstance(error, GeneratorExit):
            scope.fault = error
            if isinstance(node, Step) and scope.run is not None:
                if isinstance(error, asyncio.CancelledError):
                    self.runs.cut(node, error)
                self.core.recorder.error(scope.run, node.agent, error)
        if scope.head is node:
            self.runs.close(scope, run_id, error)
            if scope.outer is not None and not stops(error):
                scope.outer.fault = error

    # -- nodes of graphs -------------------------------------------------------------------------------------

    def _enter(self, graph: Node, name: str | None, ns: Any, label: Any, inputs: Any, metadata: Any) -> Step:
        """A node of ``graph`` begins."""
        if graph.trail is None:
            with self.core.entering:
                if graph.trail is None:
                    trail = Trail()
                    trail.shares = not _calls_functions(metadata)
                    self._first(graph, inputs, shares=trail.shares)
                    graph.trail = trail
        node = metadata.get("langgraph_node") or name or ""
        scope, around = graph.scope, graph.step
        step = Step(
            graph, scope, name, ns, label, inputs, owner=graph, node=node, agent=node,
            outer=around if around is not None and around.scope is scope else None,
            number=metadata.get("langgraph_step"),
        )  # fmt: skip
        step.step = step
        if node.endswith(_HOOKS):
            step.internal = True
        elif label is None and node not in _PARTS:
            if scope.entry is None:
                scope.entry = node
            return step
        step.agent = self._who(step)
        if scope.entry is None and not step.internal:
            scope.entry = step.agent
        return step

    def _first(self, graph: Node, state: Any, *, shares: bool) -> None:
        """``graph`` has shown to be one, by its first node."""
        if graph.tool is not None and graph.tool.scope is graph.scope:
            self.runs.inner(graph, graph.tool.agent)
        scope = graph.scope
        if scope.head is graph:
            scope.graph = True
        if scope.run is None:
            self.runs.begin(scope, state)
        else:  # what it was given is not said in it
            for message in messages_in(graph.inputs) or ():
                scope.memory.note(message)
        if shares:
            given = graph.inputs
            if type(given).__name__ == "Command":
                given = getattr(given, "update", None)
            self._share(scope, None, given, "input")

    def _share(self, scope: Scope, agent: str | None, update: Any, why: str) -> None:
        """Record what ``update`` changes in a graph's state beside the messages."""
        if scope.run is None or update is None:
            return
        said = [item.content for item in scope.waiting] if why == "input" else ()
        try:
            share(self.core.recorder, scope.run, scope.memory, agent, update, why, said)
        except Exception as error:  # noqa: BLE001  the guard's purpose: the run goes on, and ends, all the same
            self.core.caught("langchain.context", error)

    def _who(self, step: Step) -> str:
        """The agent that works in a node, where that is not simply named for itself."""
        graph = step.owner
        label = step.label
        own = label is not None and (graph.parent is None or graph.parent.label != label)
        if own:
            return str(label)
        if step.node not in _PARTS and not step.internal:
            return step.node
        if step.outer is not None:
            return step.outer.agent
        if label is not None and graph.scope.outer is None:
            return str(label)
        return str(graph.name) if named(graph.name) else step.node

    def _returned(self, step: Step, outputs: Any) -> None:
        """What a node has returned: updates of the state, and where to go."""
        memory = step.scope.memory
        if outputs.__class__ is dict and len(outputs) == 1 and MESSAGES in outputs:  # nearly always
            for message in messages_in(outputs) or ():
                if not memory.knows(message):
                    self._produced(step, message)
            return
        for item in outputs if isinstance(outputs, list) else (outputs,):
            update = item
            if type(item).__name__ == "Command" and hasattr(item, "goto"):
                update = item.update
                self.sent(step, item, "Command")
            for message in messages_in(update) or ():
                self._produced(step, message)
            self._update(step, update)

    def _update(self, step: Step, update: Any) -> None:
        """A node has changed more than the messages."""
        trail = step.owner.trail
        if trail is not None and trail.shares:
            self._share(step.scope, step.agent, update, "node")

    def _stopped(self, step: Step, error: BaseException) -> None:
        """A node was left for an interrupt, or for the graph around its own."""
        command = error.args[0] if error.args else None
        if hasattr(command, "goto"):
            self.sent(step, command, "Command")
            for message in messages_in(command.update) or ():  # type: ignore[union-attr]
                self._produced(step, message)
            self._update(step, command.update)  # type: ignore[union-attr]
        else:
            step.scope.interrupted = True

    def _produced(self, step: Step, message: Any) -> None:
        """A message that a node has put into the state; most were recorded where they were made."""
        scope = step.scope
        run, memory = scope.run, scope.memory
        if run is None or memory.knows(message):
            return
        item = said(message)
        if item is None:
            return
        if item.message is not None:
            memory.note(message)
        if item.role == "tool":
            self.answered(step, message)
            return
        if item.role == "system" or not item.content:
            return
        if isinstance(item.content, str) and step.replies and item.content in step.replies:
            return
        self.runs.heard(scope, step.agent)
        if item.role == "assistant":
            agent = item.name or step.agent
            for call in calls_of(message):
                memory.calls[call["id"]] = Asked(agent, call["name"], call["arguments"])
            self.activate(step, agent)
            with self.core.lock:
                run.turn += 1
            self.core.recorder.message(run, agent, [scope.caller or USER], "assistant", lean(item.content))
            self.runs.sessions.keep_reply(getattr(message, "id", None), run)
        else:
            sender = item.name or (USER if item.content in scope.answers else step.agent)
            receiver = step.agent if sender == USER else USER
            self.core.recorder.message(run, sender, [receiver], item.role, lean(item.content))

    # -- transitions -----------------------------------------------------------------------------------------

    def sent(self, step: Step, command: Any, why: str) -> None:
        """Somebody decides in a node where to go, with a Command."""
        goto = getattr(command, "goto", None)
        targets = goto if isinstance(goto, (list, tuple)) else (goto,)
        names = [target if isinstance(target, str) else getattr(target, "node", None) for target in targets if target]
        place: Step | None = step
        decided = False
        while place is not None:
            trail = place.owner.trail
            if trail is not None:
                for name in names:
                    if isinstance(name, str):
                        decided = True
                        trail.goto[name] = trail.goto.get(name) or why
            place = place.outer if getattr(command, "graph", None) is not None else None
        if decided and not step.internal and not any(name in _PARTS for name in names):
            self.activate(step, step.agent)

    def activate(self, step: Step | None, agent: str) -> None:
        """``agent`` does something in a node: if somebody else did before, there was a transition."""
        if step is None or step.told or step.internal:
            return
        step.told = True
        scope = step.scope
        with self.lock:
            origin, why = _arrive(step, agent)
        if not scope.begun:
            if origin is None and not scope.waiting and (step.outer is not None or step.node not in _PARTS):
                origin = USER  # the first of several agents; one that is a graph by itself is only asked
            scope.begun = True
        if origin is not None and origin != agent and scope.run is not None:
            self.core.recorder.transition(scope.run, origin, agent, why)


def _arrive(step: Step, agent: str) -> tuple[str | None, str]:
    """Who worked before a node, and why it is its turn."""
    trail = step.owner.trail
    if trail is None:
        return None, "edge"
    if trail.number != step.number:
        trail.number = step.number
        trail.before, trail.now = trail.now or trail.before, None
    origin, why = _arrive(step.outer, agent) if step.outer is not None else (None, "edge")
    trail.now = agent
    if trail.goto:
        why = trail.goto.pop(step.node, None) or why
    return trail.before or origin, why


def _calls_functions(metadata: Any) -> bool:
    """Whether a node is a function of the functional API: the entrypoint of a graph, or a task."""
    path = metadata.get("langgraph_path")
    return metadata.get("langgraph_triggers") == ("__start__",) or (
        isinstance(path, tuple) and path[:1] == ("__pregel_push",) and path[-1] is True
    )


def _ignore(_step: Step, _message: Any) -> None:
    """What looks at the results of tools, before it is set."""
