"""Tools of LangChain: calls and results, each once.

A tool that is executed has callbacks. What fails before it is executed (a tool that does not exist), and what a node
of the application's own or a middleware executes without them, is told from the message that answers the call.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..instrumentation.events import as_text
from ..instrumentation.media import describe
from .langchain_messages import lean, messages_in
from .langchain_models import failure
from .langchain_runs import named, stops
from .langchain_state import Core, Node, Step, ToolCall

if TYPE_CHECKING:
    from .langchain_graphs import Graphs
    from .langchain_runs import Runs
    from .langchain_state import Asked, Memory

_clock = time.perf_counter_ns
_NOTHING: dict[str, Any] = {}
_PLAIN = frozenset((str, int, float, bool, list, dict, type(None)))


class Tools:
    """Records tools."""

    def __init__(self, core: Core, runs: Runs, graphs: Graphs) -> None:
        self.core = core
        self.runs = runs
        self.graphs = graphs
        graphs.answered = self.answered

    # -- callbacks -------------------------------------------------------------------------------------------

    def start(self, serialized: Any, text: Any, *, run_id: Any, inputs: Any = None, **told: Any) -> None:
        """A tool begins."""
        core = self.core
        if core.find(run_id) is not None:
            return
        metadata = told.get("metadata") or _NOTHING
        parent = core.find(told.get("parent_run_id"))
        tool = (serialized or _NOTHING).get("name") or told.get("name") or "tool"
        ns, label = metadata.get("langgraph_checkpoint_ns"), metadata.get("lc_agent_name")
        scope = parent.scope if parent is not None else self.runs.scope(metadata)
        node = ToolCall(parent, scope, tool, ns, label, None, parent.step if parent is not None else None)
        node.tool = node
        if parent is None:
            scope.head, node.inputs = node, {}
        if scope.run is None:
            self.runs.begin(scope)
        arguments = inputs if inputs is not None else text
        node.call_id, asked = _asked(scope.memory, tool, arguments, told.get("tool_call_id"), node.step)
        node.agent = asked.agent if asked is not None else self._who(parent)
        self.runs.heard(scope, node.agent)
        if node.step is not None and node.agent is not None:
            self.graphs.activate(node.step, node.agent)
        run = scope.run
        if run is not None:
            payload = {"tool": tool, "call_id": node.call_id, "arguments": arguments}
            core.recorder.record(run, "tool_call", node.agent, payload)
        core.add(run_id, node)
        node.started = _clock()

    def _who(self, around: Node | None) -> str | None:
        """Who calls a tool that no model has asked for."""
        if around is None:
            return None
        if around.tool is not None:
            return around.tool.agent
        if around.step is not None:
            return around.step.agent
        if around.label is not None:
            return str(around.label)
        node: Node | None = around
        while node is not None:
            if named(node.name):
                return node.name
            node = node.parent
        return None

    def end(self, output: Any, *, run_id: Any, **_: Any) -> None:
        """A tool has returned."""
        node = self.core.take(run_id)
        if not isinstance(node, ToolCall):
            return
        elapsed = _clock() - node.started
        try:
            content, status, commanded = output, None, False
            if output.__class__ in _PLAIN:
                pass
            elif hasattr(output, "content"):
                content, status = output.content, getattr(output, "status", None)
                node.scope.memory.note(output)
            elif hasattr(output, "goto") and hasattr(output, "update"):  # a Command
                content, commanded = self._commanded(node, output), True
            self._result(
                node.scope, node.agent, node.name, node.call_id, content, status == "error", elapsed,
                commanded=commanded,
            )  # fmt: skip
        finally:
            if node.scope.head is node:
                self.runs.close(node.scope, run_id, None)

    def _commanded(self, node: ToolCall, command: Any) -> Any:
        """What a tool says that returns a Command: the message in it that answers the call."""
        if node.step is not None:
            self.graphs.sent(node.step, command, f"tool {node.name}")
        for message in messages_in(command.update) or ():
            if getattr(message, "tool_call_id", self) == node.call_id:
                node.scope.memory.note(message)
                return message.content
        return f"Command(goto={command.goto!r})" if command.goto else "Command"

    def error(self, error: BaseException, *, run_id: Any, **_: Any) -> None:
        """A tool has raised."""
        node = self.core.take(run_id)
        if not isinstance(node, ToolCall):
            return
        elapsed = _clock() - node.started
        scope = node.scope
        try:
            if not stops(error):
                scope.fault = error
                if scope.run is not None:
                    self.core.recorder.record(scope.run, "tool_result", node.agent, failure(node, error, elapsed))
        finally:
            if scope.head is node:
                self.runs.close(scope, run_id, error)

    # -- what has no callbacks -------------------------------------------------------------------------------

    def answered(self, step: Step, message: Any) -> None:
        """A node has returned a tool's message. If the tool was not seen at work, this is all there is of it."""
        scope = step.scope
        call_id = getattr(message, "tool_call_id", None)
        asked = scope.memory.calls.get(call_id)
        run = scope.run
        if asked is None or asked.begun or run is None:
            return
        asked.begun = True
        self.graphs.activate(step, asked.agent)
        payload = {"tool": asked.tool, "call_id": call_id, "arguments": asked.arguments}
        self.core.recorder.record(run, "tool_call", asked.agent, payload)
        failed = getattr(message, "status", None) == "error"
        self._result(scope, asked.agent, asked.tool, call_id, message.content, failed, None, unseen=True)

    def _result(
        self, scope: Any, agent: str | None, tool: str | None, call_id: Any, content: Any, failed: bool,
        elapsed: int | None, *, unseen: bool = False, commanded: bool = False,
    ) -> None:  # fmt: skip
        if scope.run is None:
            return
        content = _content(content)
        payload: dict[str, Any] = {"tool": tool, "call_id": call_id, "ok": not failed, "content": content}
        if failed:
            text = content if isinstance(content, str) else as_text(content)
            payload["error_type"], payload["error"] = _kind(text, tool, unseen=unseen), text.removeprefix("Error: ")
        if commanded:
            payload["command"] = True  # it did more than the content says
        if elapsed is not None:
            payload["duration_ms"] = round(elapsed / 1e6, 3)
        self.core.recorder.record(scope.run, "tool_result", agent, payload)


def _asked(memory: Memory, tool: str, arguments: Any, call_id: Any, step: Step | None) -> tuple[Any, Asked | None]:
    """Which call is executed, and who asked for it. Where LangChain does not hand the id down, it is what the node
    was called with, or else the call of that tool and these arguments that is still open."""
    if call_id is None and step is not None and isinstance(step.inputs, (list, tuple, dict)):
        items = [step.inputs.get("tool_call")] if isinstance(step.inputs, dict) else step.inputs
        found = [item for item in items if isinstance(item, dict) and item.get("name") == tool and item.get("id")]
        if len(found) == 1:
            call_id = found[0]["id"]
    if call_id is not None:
        asked = memory.calls.get(call_id)
        if asked is not None:
            asked.begun = True
        return call_id, asked
    if step is not None:
        for message in reversed(messages_in(step.inputs) or ()):
            for call in getattr(message, "tool_calls", None) or ():
                if call["name"] == tool and call["args"] == arguments:
                    asked = memory.calls.get(call["id"])
                    if asked is None or not asked.begun:
                        if asked is not None:
                            asked.begun = True
                        return call["id"], asked
            if getattr(message, "tool_calls", None):
                break
    for known, asked in list(memory.calls.items()):
        if not asked.begun and asked.tool == tool and asked.arguments == arguments:
            asked.begun = True
            return known, asked
    return None, None


def _content(value: Any) -> Any:
    """What a tool returned, as a text or as what JSON can hold."""
    if value is None:
        return ""
    if isinstance(value, (str, list, dict)):
        return lean(value)
    found = describe(value)
    if found is not None:
        return found
    return str(value) if isinstance(value, (int, float, bool)) else as_text(value)


def _kind(text: str, tool: str | None, *, unseen: bool) -> str:
    """The type of an error of which only the text is left."""
    if unseen and f"{tool} is not a valid tool" in text:
        return "ToolNotFound"
    if text == "Tool input validation error":
        return "ValidationError"
    return "ToolError" if unseen else "ToolException"
