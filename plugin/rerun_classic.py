"""Recorded answers for applications of classic AutoGen: what stands beneath the adapter's wrappers.

The model's wrapper answers with a response in OpenAI's form, which is what agents read; a tool is replaced in the
agent's functions for the one call; executors and people answer at once.
"""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..adapters.classic_state import argument
from .reenact_classic import texts_or_messages
from .rerun_answers import decoded_calls, raised, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from .rerun_answers import ModelAnswer
    from .rerun_script import Script

    Method = Callable[..., Any]

_MAP = "_function_map"


def stand_in(script: Script, owner: type, name: str, raw: Method) -> Method | None:
    """What stands in for a method of a class of classic AutoGen; None for those that stay as they are."""
    agent = any(kind.__name__ == "ConversableAgent" for kind in owner.__mro__)
    if name == "create":
        return _create(script, raw)
    if name == "execute_code_blocks":
        return _execute(script, raw, agent=agent)
    if not agent:
        return None
    maker = {
        "execute_function": _function,
        "a_execute_function": _a_function,
        "get_human_input": _person,
        "a_get_human_input": _a_person,
    }.get(name)
    return maker(script, raw) if maker is not None else None


def _create(script: Script, raw: Method) -> Method:
    def create(self: Any, *args: Any, **config: Any) -> Any:
        messages = config.get("messages")
        if messages is None:
            prompt = config.get("prompt")
            messages = [] if prompt is None else [{"role": "user", "content": prompt}]
        answer = script.model([message for message in messages if isinstance(message, dict)])
        if answer is None:
            return raw(self, *args, **config)
        if answer.error_type:
            raise raised(answer.error_type, answer.error)
        return response(answer)

    return create


def response(answer: ModelAnswer) -> Any:
    """A recorded answer in the form of OpenAI's responses, as a wrapper's agents read it."""
    calls = [
        SimpleNamespace(
            id=call_id, type="function",
            function=SimpleNamespace(name=name, arguments=written(arguments)),
        )
        for call_id, name, arguments in decoded_calls(answer.tool_calls)
    ]  # fmt: skip
    usage = answer.usage or {}
    sent, got = usage.get("input_tokens") or 0, usage.get("output_tokens") or 0
    finish = answer.finish_reason or ("tool_calls" if calls else "stop")
    message = SimpleNamespace(role="assistant", content=answer.text, tool_calls=calls or None, function_call=None)
    if answer.reasoning:
        message.reasoning_content = answer.reasoning
    made = SimpleNamespace(
        id="recorded", model=answer.model or "recorded", cost=0.0, config_id=0, pass_filter=True,
        choices=[SimpleNamespace(index=0, message=message, finish_reason=finish)],
        usage=SimpleNamespace(prompt_tokens=sent, completion_tokens=got, total_tokens=sent + got),
    )  # fmt: skip
    made.message_retrieval_function = texts_or_messages
    return made


def _served(script: Script, agent: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, Any] | None:
    """The tool's name, and a function that gives its recorded result; None where it is to be executed for real."""
    call = argument(args, kwargs, 0, "func_call") or {}
    name = call.get("name") or ""
    if name not in (agent.__dict__.get(_MAP) or {}):  # not by the attribute, whose look-ups the adapter counts
        return None  # the framework says itself that there is no such function
    if name.startswith("transfer_"):  # the framework's own handoffs: they say where to, and do nothing else
        return None
    answer = script.tool(name, call.get("arguments") or {})
    if answer is None:
        return None

    def recorded(*_: Any, **__: Any) -> Any:
        return answer.given()

    return name, recorded


def _function(script: Script, raw: Method) -> Method:
    def execute_function(self: Any, *args: Any, **kwargs: Any) -> Any:
        served = _served(script, self, args, kwargs)
        if served is None:
            return raw(self, *args, **kwargs)
        before = self.__dict__[_MAP]
        self.__dict__[_MAP] = {**before, served[0]: served[1]}
        try:
            return raw(self, *args, **kwargs)
        finally:
            self.__dict__[_MAP] = before

    return execute_function


def _a_function(script: Script, raw: Method) -> Method:
    async def a_execute_function(self: Any, *args: Any, **kwargs: Any) -> Any:
        served = _served(script, self, args, kwargs)
        if served is None:
            return await raw(self, *args, **kwargs)
        before = self.__dict__[_MAP]
        self.__dict__[_MAP] = {**before, served[0]: served[1]}
        try:
            return await raw(self, *args, **kwargs)
        finally:
            self.__dict__[_MAP] = before

    return a_execute_function


def _execute(script: Script, raw: Method, *, agent: bool) -> Method:
    def execute_code_blocks(self: Any, *args: Any, **kwargs: Any) -> Any:
        blocks = argument(args, kwargs, 0, "code_blocks") or ()
        code = "\n\n".join(
            str(block[1]) if isinstance(block, (tuple, list)) else str(getattr(block, "code", block))
            for block in blocks
        )
        answer = script.code(code)
        if answer is None:
            return raw(self, *args, **kwargs)
        if agent:
            return answer.exit_code, answer.output
        return importlib.import_module("autogen.coding").CodeResult(exit_code=answer.exit_code, output=answer.output)

    return execute_code_blocks


def _person(script: Script, raw: Method) -> Method:
    def get_human_input(self: Any, *args: Any, **kwargs: Any) -> Any:
        said = script.human(getattr(self, "name", None))
        return raw(self, *args, **kwargs) if said is None else said

    return get_human_input


def _a_person(script: Script, raw: Method) -> Method:
    async def a_get_human_input(self: Any, *args: Any, **kwargs: Any) -> Any:
        said = script.human(getattr(self, "name", None))
        return await raw(self, *args, **kwargs) if said is None else said

    return a_get_human_input
