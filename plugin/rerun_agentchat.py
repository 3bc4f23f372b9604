"""Recorded answers for applications of AutoGen AgentChat: what stands beneath the adapter's wrappers.

Model clients, tools, foreign workbenches, code executors and people answer as recorded; teams, agents and everything
between them are the application's own.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from ..adapters.agentchat_messages import History
from ..adapters.classic_state import argument
from ..instrumentation.describing import text_of
from .rerun_answers import decoded_calls, raised, written

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from .rerun_answers import ModelAnswer
    from .rerun_script import Script

    Method = Callable[..., Any]

_STATIC = "StaticWorkbench"
"""The workbench that only calls tools of the application's own, which answer for themselves."""

_FINISH = ("stop", "length", "function_calls", "content_filter", "unknown")


def stand_in(script: Script, owner: type, name: str, raw: Method) -> Method | None:
    """What stands in for a method of a class of AgentChat; None for those that stay as they are."""
    maker = {
        "create": _create,
        "create_stream": _create_stream,
        "run_json": _run_tool,
        "run_json_stream": _run_tool_stream,
        "call_tool": _call_tool,
        "call_tool_stream": _call_tool_stream,
        "execute_code_blocks": _execute,
        "_get_input": _person,
    }.get(name)
    if maker is None or (name.startswith("call_tool") and any(kind.__name__ == _STATIC for kind in owner.__mro__)):
        return None
    return maker(script, raw)


# -- models --------------------------------------------------------------------------------------------------------


def _asked(script: Script, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ModelAnswer | None:
    messages = argument(args, kwargs, 1, "messages") or ()
    return script.model(History().read(list(messages)))


def result(answer: ModelAnswer) -> Any:
    """A recorded answer as the result of a model client; raises what the recorded call raised."""
    if answer.error_type:
        raise raised(answer.error_type, answer.error)
    core = importlib.import_module("autogen_core")
    models = importlib.import_module("autogen_core.models")
    calls = [
        core.FunctionCall(
            id=call_id,
            name=name,
            arguments=written(arguments),
        )
        for call_id, name, arguments in decoded_calls(answer.tool_calls)
    ]
    usage = answer.usage or {}
    finish = "function_calls" if calls else answer.finish_reason if answer.finish_reason in _FINISH else "stop"
    return models.CreateResult(
        finish_reason=finish,
        content=calls or text_of(answer.text),
        usage=models.RequestUsage(
            prompt_tokens=usage.get("input_tokens") or 0, completion_tokens=usage.get("output_tokens") or 0
        ),
        cached=False,
        thought=answer.reasoning,
    )


def _create(script: Script, raw: Method) -> Method:
    async def create(*args: Any, **kwargs: Any) -> Any:
        answer = _asked(script, args, kwargs)
        return await raw(*args, **kwargs) if answer is None else result(answer)

    return create


def _create_stream(script: Script, raw: Method) -> Method:
    async def create_stream(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        answer = _asked(script, args, kwargs)
        if answer is None:
            stream = raw(*args, **kwargs)
            stream = await stream if inspect.isawaitable(stream) else stream
            async for item in stream:
                yield item
            return
        if answer.text and not answer.tool_calls:  # what came before it broke off comes here as well
            yield text_of(answer.text)
        yield result(answer)

    return create_stream


# -- tools ---------------------------------------------------------------------------------------------------------


def _run_tool(script: Script, raw: Method) -> Method:
    async def run_json(self: Any, *args: Any, **kwargs: Any) -> Any:
        answer = script.tool(self.name, argument(args, kwargs, 0, "args") or {})
        return await raw(self, *args, **kwargs) if answer is None else answer.given()

    return run_json


def _run_tool_stream(script: Script, raw: Method) -> Method:
    async def run_json_stream(self: Any, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        answer = script.tool(self.name, argument(args, kwargs, 0, "args") or {})
        if answer is not None:
            yield answer.given()
            return
        async for item in raw(self, *args, **kwargs):
            yield item

    return run_json_stream


def _bench(script: Script, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A foreign workbench's result, or None where it is to be asked."""
    name = text_of(argument(args, kwargs, 0, "name"))
    answer = script.tool(name, argument(args, kwargs, 1, "arguments") or {})
    if answer is None:
        return None
    tools = importlib.import_module("autogen_core.tools")
    content = text_of(answer.content if answer.ok or answer.content is not None else answer.error)
    return tools.ToolResult(name=name, result=[tools.TextResultContent(content=content)], is_error=not answer.ok)


def _call_tool(script: Script, raw: Method) -> Method:
    async def call_tool(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = _bench(script, args, kwargs)
        return await raw(self, *args, **kwargs) if found is None else found

    return call_tool


def _call_tool_stream(script: Script, raw: Method) -> Method:
    async def call_tool_stream(self: Any, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        found = _bench(script, args, kwargs)
        if found is not None:
            yield found
            return
        async for item in raw(self, *args, **kwargs):
            yield item

    return call_tool_stream


# -- programs and people -------------------------------------------------------------------------------------------


def _execute(script: Script, raw: Method) -> Method:
    async def execute_code_blocks(self: Any, *args: Any, **kwargs: Any) -> Any:
        blocks = argument(args, kwargs, 0, "code_blocks") or ()
        answer = script.code("\n\n".join(str(getattr(block, "code", block)) for block in blocks))
        if answer is None:
            return await raw(self, *args, **kwargs)
        executing = importlib.import_module("autogen_core.code_executor")
        return executing.CodeResult(exit_code=answer.exit_code, output=answer.output)

    return execute_code_blocks


def _person(script: Script, raw: Method) -> Method:
    async def _get_input(self: Any, *args: Any, **kwargs: Any) -> Any:
        said = script.human(getattr(self, "name", None))
        return await raw(self, *args, **kwargs) if said is None else said

    return _get_input
