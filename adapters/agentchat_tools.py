"""Tools and code that AgentChat's agents execute.

A tool call of an agent passes three methods: the agent's own ``_execute_tool_call``, which knows who asked and finds
tools that are missing and arguments that are no JSON; a workbench's ``call_tool``, which makes a text of whatever a
tool raises; and the tool's ``run_json``, which raises it. The outermost one records, the others add what they see.
Called by the application itself, a workbench or a tool is recorded in the same way.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..instrumentation.runs import CURRENT, Run
from .agentchat_messages import said
from .agentchat_streams import Watcher, awaiting, streaming
from .classic_responses import arguments
from .classic_state import argument

if TYPE_CHECKING:
    from .agentchat_patching import Maker
    from .agentchat_state import Core, Place

_AGENT = 3
"""Position of ``agent_name`` among the arguments of ``_execute_tool_call``."""


class Execution:
    """A tool that is being executed.

    Attributes:
        target: the tool itself, once it is reached: what is called within it is something else.
        error: what the tool raised.
        parts: its result where that is not only text.
    """

    __slots__ = ("agent", "call_id", "error", "parts", "run", "target", "tool")

    def __init__(self, run: Run, agent: str | None, tool: str, call_id: Any, target: Any = None) -> None:
        self.run = run
        self.agent = agent
        self.tool = tool
        self.call_id = call_id
        self.target = target
        self.error: BaseException | None = None
        self.parts: Any = None


class ToolWatcher(Watcher):
    """Follows the outermost method of an execution, and records it.

    Attributes:
        given: the arguments as the model wrote them, to tell what was wrong with them.
        result: what came of it: for an agent a pair, of which the second is the result.
    """

    __slots__ = ("execution", "given", "result")

    def __init__(
        self, core: Core, args: tuple[Any, ...], kwargs: dict[str, Any], place: Place, execution: Execution, given: Any
    ) -> None:
        super().__init__(core, "agentchat.tool", args, kwargs, place.within(execution=execution))
        self.execution = execution
        self.given = given
        self.result: Any = None
        payload = {"tool": execution.tool, "call_id": execution.call_id, "arguments": arguments(given)}
        core.recorder.record(execution.run, "tool_call", execution.agent, payload)

    def on_item(self, value: Any) -> None:
        """The result is the last item of a stream."""
        self.result = value

    def on_done(self, error: BaseException | None) -> None:
        """The tool has been executed."""
        if not self.active:
            return
        execution, result = self.execution, self.result
        if isinstance(result, tuple) and len(result) == 2:
            result = result[1]
        failed = error is not None or getattr(result, "is_error", False) is True
        content = None if error is not None else _content(result)
        if execution.parts is not None:
            content = execution.parts
        payload: dict[str, Any] = {"tool": execution.tool, "call_id": execution.call_id, "ok": not failed}
        payload["content"] = content
        if failed:
            payload["error_type"], payload["error"] = self._reason(error or execution.error, content)
        payload["duration_ms"] = self.duration_ms
        self.core.recorder.record(execution.run, "tool_result", execution.agent, payload)

    def _reason(self, error: BaseException | None, content: Any) -> tuple[str, str]:
        """The type and the text of what went wrong."""
        if error is not None:
            try:
                return type(error).__name__, str(error)
            except Exception:  # noqa: BLE001  a hostile __str__
                return type(error).__name__, ""
        text = content if isinstance(content, str) else str(content)
        if "not found" in text and self.execution.target is None and self.execution.tool in text:
            return "ToolNotFound", text.removeprefix("Error: ")
        if isinstance(self.given, str) and not _is_json(self.given):
            return "JSONDecodeError", text.removeprefix("Error: ")
        return "ToolError", text.removeprefix("Error: ")


class BenchWatcher(Watcher):
    """Follows a workbench within an execution: its result may be more than the text that the agent makes of it."""

    __slots__ = ("execution",)

    timed = False

    def __init__(self, core: Core, args: tuple[Any, ...], kwargs: dict[str, Any], execution: Execution) -> None:
        super().__init__(core, "agentchat.tool", args, kwargs, None)
        self.execution = execution

    def on_item(self, value: Any) -> None:
        """Keep what is no text, told by its hash and type."""
        self.execution.parts = _parts(value)


class BodyWatcher(Watcher):
    """Follows the tool itself within an execution."""

    __slots__ = ("execution",)

    timed = False

    def __init__(self, core: Core, args: tuple[Any, ...], kwargs: dict[str, Any], execution: Execution) -> None:
        super().__init__(core, "agentchat.tool", args, kwargs, None)
        self.execution = execution

    def on_done(self, error: BaseException | None) -> None:
        """Keep what it raises."""
        if error is not None:
            self.execution.error = error


def _parts(result: Any) -> Any:
    """The parts of a workbench's result where one of them is no text, else None."""
    parts = getattr(result, "result", None)
    if not isinstance(parts, (list, tuple)) or all(isinstance(getattr(part, "content", None), str) for part in parts):
        return None
    return said(_Parts([getattr(part, "content", part) for part in parts]))


class _Parts:
    __slots__ = ("content",)

    def __init__(self, content: list[Any]) -> None:
        self.content = content


def _content(result: Any) -> Any:
    """What a tool gave: the text of a result for the model, else the value itself."""
    content = getattr(result, "content", None)
    if isinstance(content, str):
        return content
    parts = getattr(result, "result", None)
    if isinstance(parts, (list, tuple)):
        return _parts(result) or "\n".join(part.content for part in parts)
    if result is None:
        return ""
    if isinstance(result, (bytes, bytearray)):
        return str(result)
    return result


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def call_maker(core: Core) -> Maker:
    """What wraps the static method with which AssistantAgent executes a call."""
    tap, caught = core.tap, core.caught

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watcher | None:
        run = CURRENT.get()
        if run is None or not tap.active:
            return None
        try:
            place = core.place_in(run)
            if place.run is None:
                return None
            call = argument(args, kwargs, 0, "tool_call")
            agent = argument(args, kwargs, _AGENT, "agent_name", place.name)
            execution = Execution(run, agent, call.name, call.id)
            return ToolWatcher(core, args, kwargs, place, execution, call.arguments)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("agentchat.tool", error)
            return None

    return lambda raw: awaiting(raw, begin)


def bench_makers(core: Core) -> dict[str, Maker]:
    """What wraps the methods of workbenches."""
    tap, caught = core.tap, core.caught

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watcher | None:
        run = CURRENT.get()
        if run is None or not tap.active:
            return None
        try:
            place = core.place_in(run)
            if place.run is None:
                return None
            going_on = place.execution
            if going_on is not None and going_on.target is None:
                return BenchWatcher(core, args, kwargs, going_on)
            name = argument(args, kwargs, 1, "name") or ""
            execution = Execution(run, place.name, name, argument(args, kwargs, 4, "call_id"))
            return ToolWatcher(core, args, kwargs, place, execution, argument(args, kwargs, 2, "arguments"))
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("agentchat.tool", error)
            return None

    return {"call_tool": lambda raw: awaiting(raw, begin), "call_tool_stream": lambda raw: streaming(raw, begin)}


def tool_makers(core: Core) -> dict[str, Maker]:
    """What wraps the methods of tools."""
    tap, caught = core.tap, core.caught

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watcher | None:
        run = CURRENT.get()
        if run is None or not tap.active:
            return None
        try:
            place, tool = core.place_in(run), args[0]
            if place.run is None:
                return None
            going_on = place.execution
            if going_on is not None and going_on.target is tool:
                return None  # the base method of an override
            if going_on is not None and going_on.target is None:
                going_on.target = tool
                return BodyWatcher(core, args, kwargs, going_on)
            execution = Execution(run, place.name, tool.name, argument(args, kwargs, 3, "call_id"), tool)
            return ToolWatcher(core, args, kwargs, place, execution, argument(args, kwargs, 1, "args"))
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("agentchat.tool", error)
            return None

    return {"run_json": lambda raw: awaiting(raw, begin), "run_json_stream": lambda raw: streaming(raw, begin)}


class CodeWatcher(Watcher):
    """Follows an execution of code."""

    __slots__ = ("blocks", "result", "run", "who")

    def __init__(self, core: Core, args: tuple[Any, ...], kwargs: dict[str, Any], run: Run, place: Place) -> None:
        super().__init__(core, "agentchat.code_execution", args, kwargs, place.within(coding=True))
        self.run = run
        self.who = place.name
        blocks = argument(args, kwargs, 1, "code_blocks") or ()
        self.blocks = [
            (getattr(block, "language", None) or None, str(getattr(block, "code", block))) for block in blocks
        ]
        self.result: tuple[Any, Any] = (None, None)

    def on_item(self, value: Any) -> None:
        """The result is read at once: the agent writes into it afterwards."""
        self.result = getattr(value, "exit_code", None), getattr(value, "output", None)

    def on_done(self, error: BaseException | None) -> None:
        """The code has been executed."""
        if not self.active:
            return
        exit_code, output = self.result if error is None else (None, f"{type(error).__name__}: {error}")
        payload: dict[str, Any] = {
            "language": self.blocks[0][0] if self.blocks else None,
            "code": "\n\n".join(code for _, code in self.blocks),
            "exit_code": exit_code,
            "output": output,
            "duration_ms": self.duration_ms,
        }
        if len(self.blocks) > 1:
            payload["blocks"] = [language for language, _ in self.blocks]
        self.core.recorder.record(self.run, "code_execution", self.who, payload)


def executor_makers(core: Core) -> dict[str, Maker]:
    """What wraps the method with which code executors execute."""
    tap, caught = core.tap, core.caught

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Watcher | None:
        run = CURRENT.get()
        if run is None or not tap.active:
            return None
        try:
            place = core.place_in(run)
            if place.run is None or place.coding:
                return None
            return CodeWatcher(core, args, kwargs, run, place)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            caught("agentchat.code_execution", error)
            return None

    return {"execute_code_blocks": lambda raw: awaiting(raw, begin)}
