"""Tools and code that agents of classic AutoGen execute.

``execute_function`` swallows what a tool raises and makes a text of it. To learn the exception itself the function
is looked up through a stand-in: while an agent executes a function, and only at that one look-up, its
``_function_map`` is a copy in which the function keeps what it raises (:class:`FunctionMap`). Everything else sees
the agent's own dictionary.
"""

from __future__ import annotations

import functools
import inspect
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..instrumentation.context import snapshot
from ..instrumentation.runs import CURRENT, Run
from .classic_responses import arguments
from .classic_state import Chat, Core, argument, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .patching import Layer, Maker, Method, Patches

_clock = time.perf_counter_ns
MAP = "_function_map"


class Execution:
    """A tool that is being executed.

    Attributes:
        agent: who executes it; tool, call_id, caller: what, for which call, asked by whom.
        armed: whether the next look-up in the agent's functions is the one that executes it.
        error: what the tool raised.
        begun: whether the tool itself is at work, so that what the agent does now is something else.
        awaits: whether the framework awaits what a plain function returns, as AG2 does.
    """

    __slots__ = ("agent", "armed", "awaits", "begun", "call_id", "caller", "error", "run", "started", "tool")

    def __init__(self, agent: Any, run: Run, tool: str, call_id: Any, caller: str | None, *, awaits: bool) -> None:
        self.agent = agent
        self.run = run
        self.tool = tool
        self.call_id = call_id
        self.caller = caller
        self.awaits = awaits
        self.armed = False
        self.begun = False
        self.error: BaseException | None = None
        self.started = 0


EXECUTION: ContextVar[Execution | None] = ContextVar("seasoned_classic_execution", default=None)
_RUNNING_CODE: ContextVar[bool] = ContextVar("seasoned_classic_code", default=False)
"""Whether code is being executed: an executor may be built on another."""


class FunctionMap:
    """Stands for the attribute ``_function_map`` of agents. Its value stays where it always was, in the agent's
    ``__dict__``, so copies, ``vars()`` and agents that outlive the adapter never notice."""

    def __get__(self, agent: Any, _owner: type | None = None) -> Any:
        if agent is None:
            return self
        try:
            functions = agent.__dict__[MAP]
        except KeyError:
            raise AttributeError(f"{type(agent).__name__!r} object has no attribute {MAP!r}") from None
        execution = EXECUTION.get()
        if execution is None or not execution.armed or execution.agent is not agent:
            return functions
        execution.armed = False
        try:
            function = functions.get(execution.tool)
            return functions if function is None else {**functions, execution.tool: _keeping(function, execution)}
        except Exception:  # noqa: BLE001  whatever the application keeps there instead of a dictionary
            return functions

    def __set__(self, agent: Any, functions: Any) -> None:
        agent.__dict__[MAP] = functions

    def __delete__(self, agent: Any) -> None:
        try:
            del agent.__dict__[MAP]
        except KeyError:
            raise AttributeError(MAP) from None


def _keeping(function: Callable[..., Any], execution: Execution) -> Callable[..., Any]:
    """``function``, of the same kind, keeping what it raises."""

    async def kept(awaitable: Any) -> Any:
        try:
            return await awaitable
        except BaseException as error:
            execution.error = error
            raise

    def sync(*args: Any, **kwargs: Any) -> Any:
        execution.begun = True
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            execution.error = error
            raise
        finally:
            execution.begun = False
        return kept(result) if execution.awaits and inspect.iscoroutine(result) else result

    async def asynchronous(*args: Any, **kwargs: Any) -> Any:
        execution.begun = True
        try:
            return await function(*args, **kwargs)
        except BaseException as error:
            execution.error = error
            raise
        finally:
            execution.begun = False

    return functools.wraps(function)(asynchronous if inspect.iscoroutinefunction(function) else sync)


class Tools:
    """Records the execution of tools and code. Nothing in it raises."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._awaits = hasattr(core.agent, "_run_async_in_thread")

    def begin(self, agent: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Execution | None:
        """An agent executes a function; None where that is not to be recorded."""
        try:
            run = CURRENT.get()
            if run is None:
                return None
            call = argument(args, kwargs, 0, "func_call")
            tool = call.get("name") or ""
            call_id = kwargs.get("call_id") or (args[1] if len(args) > 1 and isinstance(args[1], str) else None)
            chat = self.core.chat_in(run)
            call_id, caller = _asked(chat, tool, call_id)
            execution = Execution(agent, run, tool, call_id, caller, awaits=self._awaits)
            payload = {"tool": tool, "call_id": call_id, "arguments": arguments(call.get("arguments"))}
            if caller:
                payload["caller"] = caller
            chat.marks += 1
            self.core.recorder.record(run, "tool_call", name_of(agent), payload)
        except Exception as error:  # noqa: BLE001  the guard's purpose
            self.core.caught("classic.tool_call", error)
            return None
        execution.started = _clock()
        return execution

    def done(self, execution: Execution, result: Any, error: BaseException | None) -> None:
        """The function has been executed: ``result`` is what the framework made of it, or ``error`` left it."""
        elapsed = _clock() - execution.started
        try:
            ok, content = _outcome(result) if error is None else (False, None)
            payload: dict[str, Any] = {"tool": execution.tool, "call_id": execution.call_id, "ok": ok}
            payload["content"] = content
            if not ok:
                kind, text = _reason(execution, content, error)
                payload["error_type"], payload["error"] = kind, text
            payload["duration_ms"] = round(elapsed / 1e6, 3)
            self.core.recorder.record(execution.run, "tool_result", name_of(execution.agent), payload)
            shared = getattr(getattr(execution.agent, "context_variables", None), "data", None)
            if isinstance(shared, dict):  # AG2's context variables, which tools may change
                snapshot(self.core.recorder, execution.run, name_of(execution.agent), shared, "tool")
        except Exception as trouble:  # noqa: BLE001  the guard's purpose
            self.core.caught("classic.tool_result", trouble)

    def ran(
        self, run: Run, agent: str | None, blocks: Any, result: Any, error: BaseException | None, elapsed: int
    ) -> None:
        """Code was executed: ``result`` is what the executor says, or ``error`` what it raised."""
        try:
            parts = [_block(block) for block in blocks]
            exit_code, output = (None, f"{type(error).__name__}: {error}") if error is not None else _exit(result)
            payload: dict[str, Any] = {
                "language": parts[0][0] if parts else None,
                "code": "\n\n".join(code for _, code in parts),
                "exit_code": exit_code,
                "output": output,
                "duration_ms": round(elapsed / 1e6, 3),
            }
            if len(parts) > 1:
                payload["blocks"] = [language for language, _ in parts]
            self.core.chat_in(run).marks += 1
            self.core.recorder.record(run, "code_execution", agent, payload)
        except Exception as trouble:  # noqa: BLE001  the guard's purpose
            self.core.caught("classic.code_execution", trouble)


def _block(block: Any) -> tuple[str | None, str]:
    """Language and code of a block: a pair in the agents' own execution, an object in executors."""
    if isinstance(block, (tuple, list)):
        return block[0] or None, str(block[1])
    return getattr(block, "language", None) or None, str(getattr(block, "code", block))


def _exit(result: Any) -> tuple[Any, Any]:
    """Exit code and output of what an execution returned."""
    if isinstance(result, (tuple, list)):
        return result[0], result[1]
    return getattr(result, "exit_code", None), getattr(result, "output", None)


def _asked(chat: Chat, tool: str, call_id: Any) -> tuple[Any, str | None]:
    """Which call of the last message is executed, and who asked for it. Ids repeat within a run, so the nearest
    call counts that is still open; the old line does not hand ids down at all."""
    for index, (known_id, name, caller) in enumerate(chat.calls):
        if name == tool and (call_id is None or known_id == call_id):
            del chat.calls[index]
            return call_id or known_id, caller
    return call_id, None


def _outcome(result: Any) -> tuple[bool, Any]:
    """Whether it succeeded, and the text that goes back to the model."""
    ok, answer = result
    content = answer.get("content") if isinstance(answer, dict) else answer
    if content is None:
        return bool(ok), ""
    return bool(ok), content if isinstance(content, (str, list, dict)) else str(content)


def _reason(execution: Execution, content: Any, error: BaseException | None) -> tuple[str, str]:
    """The type and text of what went wrong."""
    error = error or execution.error
    if error is not None:
        return type(error).__name__, str(error)
    text = content if isinstance(content, str) else str(content)
    if text.startswith("Error: ") and text.endswith("The argument must be in JSON format."):
        return "JSONDecodeError", text[7:]
    if text == f"Error: Function {execution.tool} not found.":
        return "ToolNotFound", text[7:]
    return "ToolError", text.removeprefix("Error: ")


def agent_makers(core: Core) -> Mapping[str, Maker]:
    """What wraps the methods of ConversableAgent that execute something."""
    tap = core.tap
    tools = Tools(core)

    def begin(agent: Any, layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Execution | None:
        """Begin an execution, unless this is the base method of the one that is going on. The base method is
        where the function is looked up, so that is where the look-up is made to keep what the function raises."""
        going_on = EXECUTION.get()
        if going_on is not None and going_on.agent is agent and not going_on.begun:
            going_on.armed = layer.base
            return None
        execution = tools.begin(agent, args, kwargs)
        if execution is not None:
            execution.armed = layer.base
        return execution

    def execute_function(raw: Method, layer: Layer) -> Method:
        def execute_function(self: Any, *args: Any, **kwargs: Any) -> Any:
            execution = begin(self, layer, args, kwargs) if tap.active else None
            if execution is None:
                return raw(self, *args, **kwargs)
            token = EXECUTION.set(execution)
            try:
                result = raw(self, *args, **kwargs)
            except BaseException as error:
                tools.done(execution, None, error)
                raise
            finally:
                EXECUTION.reset(token)
            tools.done(execution, result, None)
            return result

        return execute_function

    def a_execute_function(raw: Method, layer: Layer) -> Method:
        async def a_execute_function(self: Any, *args: Any, **kwargs: Any) -> Any:
            execution = begin(self, layer, args, kwargs) if tap.active else None
            if execution is None:
                return await raw(self, *args, **kwargs)
            token = EXECUTION.set(execution)
            try:
                result = await raw(self, *args, **kwargs)
            except BaseException as error:
                tools.done(execution, None, error)
                raise
            finally:
                core.reset(EXECUTION, token)
            tools.done(execution, result, None)
            return result

        return a_execute_function

    def execute_code_blocks(raw: Method, _layer: Layer) -> Method:
        return _code_wrapper(tools, raw, name_of)

    return {
        "execute_function": execute_function,
        "a_execute_function": a_execute_function,
        "execute_code_blocks": execute_code_blocks,
    }


def prepare_executor(core: Core, patches: Patches, kind: type) -> None:
    """Wrap the method with which a class of code executors executes, wherever it is defined."""
    tools = Tools(core)
    for owner in kind.__mro__:
        found = owner.__dict__.get("execute_code_blocks")
        if found is not None and not inspect.iscoroutinefunction(found):
            patches.wrap(
                owner, "execute_code_blocks", lambda raw: _code_wrapper(tools, raw, lambda _executor: core.replying())
            )


def _code_wrapper(tools: Tools, raw: Method, agent_of: Callable[[Any], str | None]) -> Method:
    """A wrapper of ``execute_code_blocks``, of an agent or of an executor."""
    tap = tools.core.tap

    def execute_code_blocks(self: Any, *args: Any, **kwargs: Any) -> Any:
        run = CURRENT.get()
        if run is None or not tap.active or _RUNNING_CODE.get():
            return raw(self, *args, **kwargs)
        token = _RUNNING_CODE.set(True)
        started = _clock()
        result, raised = None, None
        try:
            result = raw(self, *args, **kwargs)
        except BaseException as error:
            raised = error
            raise
        finally:
            _RUNNING_CODE.reset(token)
            tools.ran(run, agent_of(self), argument(args, kwargs, 0, "code_blocks"), result, raised, _clock() - started)
        return result

    return execute_code_blocks
