"""Recorded answers for applications of LangChain and LangGraph: what stands beneath the adapter's wrappers.

Chat models answer within ``_generate_with_cache`` or their streaming methods, so that callbacks, parsers and fallbacks
are LangChain's own. Tools keep their ``run``, with its callbacks and its handling of errors: only the body, ``_run``,
gives what was recorded.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..adapters.langchain_messages import Prompts
from ..instrumentation.describing import text_of
from .rerun_answers import decoded_calls, raised

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from .rerun_answers import ModelAnswer
    from .rerun_script import Script

    Method = Callable[..., Any]

_CALLED: ContextVar[Any] = ContextVar("seasoned_called", default=None)
"""What the tool that is at work was called with."""

_STREAMS = ("_stream", "_astream")
_UNKNOWN = ("_stream_chat_model_events", "_astream_chat_model_events")


class Bodies:
    """The bodies of tools, and of models of the older kind, that were replaced, so that they can be put back."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._done: list[tuple[type, str, Any]] = []
        self._seen: set[type] = set()

    def prepare(self, kind: type) -> None:
        """Replace ``_run`` and ``_arun`` wherever a class of tools has them."""
        if kind in self._seen:
            return
        self._seen.add(kind)
        for owner in kind.__mro__:
            for name in ("_run", "_arun"):
                found = owner.__dict__.get(name)
                if inspect.isfunction(found) and all(done[:2] != (owner, name) for done in self._done):
                    self._done.append((owner, name, found))
                    setattr(owner, name, functools.wraps(found)(self._body(found)))

    def prepare_texts(self) -> None:
        """Replace the bodies of models that take and give a text, which no adapter wraps, as they are used."""
        base: Any = importlib.import_module("langchain_core.language_models.llms").BaseLLM
        for name in ("_generate_helper", "_agenerate_helper", "stream", "astream"):
            found = base.__dict__[name]
            self._done.append((base, name, found))
            setattr(base, name, functools.wraps(found)(self._preparing(found)))

    def _preparing(self, raw: Method) -> Method:
        def prepared(model: Any, *args: Any, **kwargs: Any) -> Any:
            for owner in type(model).__mro__:
                for name, make in (("_generate", _texts), ("_agenerate", _texts), ("_stream", _text_stream),
                                   ("_astream", _text_stream)):  # fmt: skip
                    found = owner.__dict__.get(name)
                    if inspect.isfunction(found) and all(done[:2] != (owner, name) for done in self._done):
                        self._done.append((owner, name, found))
                        if owner.__name__ != "BaseLLM":  # whose methods say that there are none
                            setattr(owner, name, functools.wraps(found)(make(self._script, found)))
            return raw(model, *args, **kwargs)

        return prepared

    def _body(self, raw: Method) -> Method:
        def _run(tool: Any, *args: Any, **kwargs: Any) -> Any:
            called = _CALLED.get()
            answer = None if called is None else self._script.tool(tool.name, called)
            if answer is None:
                return raw(tool, *args, **kwargs)
            return _given(tool, answer)

        async def _arun(tool: Any, *args: Any, **kwargs: Any) -> Any:
            called = _CALLED.get()
            answer = None if called is None else self._script.tool(tool.name, called)
            if answer is None:
                token = _CALLED.set(None)  # the body may be the plain one, in a thread
                try:
                    return await raw(tool, *args, **kwargs)
                finally:
                    _CALLED.reset(token)
            return _given(tool, answer)

        return _arun if inspect.iscoroutinefunction(raw) else _run

    def restore(self) -> None:
        """Put everything back."""
        for owner, name, original in reversed(self._done):
            setattr(owner, name, original)
        self._done.clear()


def _given(tool: Any, answer: Any) -> Any:
    value = answer.given()
    return (value, None) if getattr(tool, "response_format", None) == "content_and_artifact" else value


def stand_in(script: Script, bodies: Bodies, owner: type, name: str, raw: Method) -> Method | None:
    """What stands in for a method of a class of LangChain; None for those that stay as they are."""
    if name in ("_generate_with_cache", "_agenerate_with_cache"):
        return _generate(script, raw)
    if name in _STREAMS:
        return _stream(script, raw)
    if name in _UNKNOWN:
        return _refuse(owner, name)
    if name in ("run", "arun"):
        return _tool(bodies, raw)
    return None


# -- models --------------------------------------------------------------------------------------------------------


def _asked(script: Script, messages: Any) -> ModelAnswer | None:
    return script.model(list(Prompts().convert(list(messages))))


def message(answer: ModelAnswer) -> Any:
    """A recorded answer as a message; raises what the recorded call raised."""
    if answer.error_type:
        raise raised(answer.error_type, answer.error)
    made = importlib.import_module("langchain_core.messages")
    calls, invalid = [], []
    for call_id, name, arguments in decoded_calls(answer.tool_calls):
        kind = "invalid_tool_call" if isinstance(arguments, str) else "tool_call"
        call = {"id": call_id, "name": name, "args": arguments, "type": kind}
        (invalid if isinstance(arguments, str) else calls).append(call)
    content = answer.text if isinstance(answer.text, (str, list)) else text_of(answer.text)
    extra = {"reasoning_content": answer.reasoning} if answer.reasoning else {}
    return made.AIMessage(
        content=content,
        tool_calls=calls,
        invalid_tool_calls=[{**call, "error": None} for call in invalid],
        additional_kwargs=extra,
        usage_metadata=_usage(answer),
        response_metadata={"model_name": answer.model} if answer.model else {},
    )


def _usage(answer: ModelAnswer) -> Any:
    if answer.usage is None:
        return None
    sent, got = answer.usage.get("input_tokens") or 0, answer.usage.get("output_tokens") or 0
    return {"input_tokens": sent, "output_tokens": got, "total_tokens": sent + got}


def _generate(script: Script, raw: Method) -> Method:
    def _generate_with_cache(self: Any, messages: Any, *args: Any, **kwargs: Any) -> Any:
        answer = _asked(script, messages)
        return raw(self, messages, *args, **kwargs) if answer is None else _result(answer)

    async def _agenerate_with_cache(self: Any, messages: Any, *args: Any, **kwargs: Any) -> Any:
        answer = _asked(script, messages)
        return await raw(self, messages, *args, **kwargs) if answer is None else _result(answer)

    return _agenerate_with_cache if inspect.iscoroutinefunction(raw) else _generate_with_cache


def _result(answer: ModelAnswer) -> Any:
    outputs = importlib.import_module("langchain_core.outputs")
    return outputs.ChatResult(generations=[outputs.ChatGeneration(message=message(answer))])


def _chunk(answer: ModelAnswer) -> Any:
    """The whole answer as one piece of a stream."""
    made, outputs = (importlib.import_module(f"langchain_core.{name}") for name in ("messages", "outputs"))
    whole = message(answer)
    chunks = [
        {"id": call["id"], "name": call["name"], "args": text_of(call["args"]), "index": at, "type": "tool_call_chunk"}
        for at, call in enumerate(whole.tool_calls)
    ]
    piece = made.AIMessageChunk(
        content=whole.content, tool_call_chunks=chunks, additional_kwargs=whole.additional_kwargs,
        usage_metadata=whole.usage_metadata, response_metadata=whole.response_metadata,
    )  # fmt: skip
    return outputs.ChatGenerationChunk(message=piece)


def _stream(script: Script, raw: Method) -> Method:
    def _stream(self: Any, messages: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
        answer = _asked(script, messages)
        if answer is not None:
            if answer.error_type and answer.text:  # what had come before it broke off
                yield _told(_chunk(answer._replace(error_type=None)), args, kwargs)
            yield _told(_chunk(answer), args, kwargs)
            return
        yield from raw(self, messages, *args, **kwargs)

    async def _astream(self: Any, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        answer = _asked(script, messages)
        if answer is not None:
            if answer.error_type and answer.text:
                yield await _told_async(_chunk(answer._replace(error_type=None)), args, kwargs)
            yield await _told_async(_chunk(answer), args, kwargs)
            return
        async for chunk in raw(self, messages, *args, **kwargs):
            yield chunk

    return _astream if inspect.isasyncgenfunction(raw) or inspect.iscoroutinefunction(raw) else _stream


def _manager(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return kwargs.get("run_manager") or (args[1] if len(args) > 1 else None)


def _told(chunk: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The piece, after its callbacks have been told, as a model that streams tells them."""
    manager = _manager(args, kwargs)
    if manager is not None:
        manager.on_llm_new_token(chunk.text, chunk=chunk)
    return chunk


async def _told_async(chunk: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    manager = _manager(args, kwargs)
    if manager is not None:
        await manager.on_llm_new_token(chunk.text, chunk=chunk)
    return chunk


def _refuse(owner: type, name: str) -> Method:
    def refused(*_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"{owner.__name__}.{name}: this way of streaming cannot be played from a record yet")

    return refused


# -- models of the older kind ----------------------------------------------------------------------------------------


def _texts(script: Script, raw: Method) -> Method:
    def answers(prompts: list[str]) -> Any:
        found = [script.model([{"role": "user", "content": prompt}]) for prompt in prompts]
        if any(answer is None for answer in found):
            return None
        outputs = importlib.import_module("langchain_core.outputs")
        return outputs.LLMResult(generations=[[outputs.Generation(text=_words(answer))] for answer in found if answer])

    def _generate(self: Any, prompts: list[str], *args: Any, **kwargs: Any) -> Any:
        result = answers(prompts)
        return raw(self, prompts, *args, **kwargs) if result is None else result

    async def _agenerate(self: Any, prompts: list[str], *args: Any, **kwargs: Any) -> Any:
        result = answers(prompts)
        return await raw(self, prompts, *args, **kwargs) if result is None else result

    return _agenerate if inspect.iscoroutinefunction(raw) else _generate


def _text_stream(script: Script, raw: Method) -> Method:
    def piece(prompt: str) -> Any:
        answer = script.model([{"role": "user", "content": prompt}])
        outputs = importlib.import_module("langchain_core.outputs")
        return None if answer is None else outputs.GenerationChunk(text=_words(answer))

    def _stream(self: Any, prompt: str, *args: Any, **kwargs: Any) -> Iterator[Any]:
        chunk = piece(prompt)
        if chunk is not None:
            yield chunk
            return
        yield from raw(self, prompt, *args, **kwargs)

    async def _astream(self: Any, prompt: str, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        chunk = piece(prompt)
        if chunk is not None:
            yield chunk
            return
        async for each in raw(self, prompt, *args, **kwargs):
            yield each

    return _astream if inspect.isasyncgenfunction(raw) else _stream


def _words(answer: ModelAnswer) -> str:
    if answer.error_type:
        raise raised(answer.error_type, answer.error)
    return text_of(answer.text)


# -- tools ---------------------------------------------------------------------------------------------------------


def _tool(bodies: Bodies, raw: Method) -> Method:
    def run(self: Any, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        bodies.prepare(type(self))
        token = _CALLED.set(tool_input)
        try:
            return raw(self, tool_input, *args, **kwargs)
        finally:
            _CALLED.reset(token)

    async def arun(self: Any, tool_input: Any, *args: Any, **kwargs: Any) -> Any:
        bodies.prepare(type(self))
        token = _CALLED.set(tool_input)
        try:
            return await raw(self, tool_input, *args, **kwargs)
        finally:
            _CALLED.reset(token)

    return arun if inspect.iscoroutinefunction(raw) else run
