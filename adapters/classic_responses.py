"""Reading what a model answered, from whatever its client gives back.

Clients return OpenAI's objects, AG2's ``UnifiedResponse`` or look-alikes of their own, and the framework keeps only
text and tool calls of them. Reasoning and usage are read from the response itself. Nothing here calls the client:
its methods may count, print or cost.

A dozen members are asked for at every call, most of which are not there, and a pydantic object takes a microsecond
to say so. How the members of a class are read best is therefore found out once (:class:`_Readers`).
"""

from __future__ import annotations

import json
from functools import partial
from operator import attrgetter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..instrumentation.cost import usage_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..instrumentation.cost import Prices

    Reader = Callable[[str, Any], Any]

_PLAIN_USAGE = frozenset(("prompt_tokens", "completion_tokens", "total_tokens"))
"""What a usage record holds that tells nothing but the two numbers."""

_REASONING = ("reasoning_content", "reasoning", "thinking")
"""Where providers put the reasoning of a message, by their own names."""

_MEMBERS = frozenset(
    ("choices", "message", "text", "content", "tool_calls", "function_call", "messages", "model", "usage", "cost")
).union(_REASONING)
"""Every name that a reader is asked for."""

_CLASSES = 256
"""How many classes are remembered at most; clients that make classes as they go must not fill the memory."""

_ORDINARY = (object.__getattribute__, SimpleNamespace.__getattribute__)
"""How objects look up their members unless their class has a way of its own."""


class _Readers(dict[type, "Callable[[Any], Reader]"]):
    """For a class, what gives the reader of one of its objects: a function of a member's name and a default.

    A dictionary reads itself. Most objects keep everything in their ``__dict__``, and pydantic's keep beside it what
    they have no field for. Whatever may have one of the members elsewhere (slots, properties, defaults in the class,
    a ``__getattr__``) is asked by ``getattr``.
    """

    def __missing__(self, kind: type) -> Callable[[Any], Reader]:
        if len(self) >= _CLASSES:
            self.clear()
        found = self[kind] = _reader_of(kind)
        return found


def _reader_of(kind: type) -> Callable[[Any], Reader]:
    if issubclass(kind, dict):
        return attrgetter("get")
    ask = partial(partial, getattr)
    if not kind.__dictoffset__ or kind.__getattribute__ not in _ORDINARY:
        return ask
    pydantic = False
    for owner in kind.__mro__:
        if owner.__module__ == "pydantic.main" and owner.__name__ == "BaseModel":
            pydantic = True
        elif "__getattr__" in owner.__dict__ or not _MEMBERS.isdisjoint(owner.__dict__):
            return ask
    return _model_reader if pydantic else attrgetter("__dict__.get")


def _model_reader(thing: Any) -> Reader:
    """The reader of a pydantic object, which keeps in a dictionary of its own what it has no field for."""
    more = getattr(thing, "__pydantic_extra__", None)
    return {**more, **thing.__dict__}.get if more else thing.__dict__.get


_readers = _Readers()


def reader(thing: Any) -> Reader:
    """What reads the members of ``thing``: called with a name, and with what to give where there is none."""
    return _readers[type(thing)](thing)


def answer_of(response: Any, read: Reader) -> tuple[Any, list[dict[str, Any]], str | None]:
    """Text (or None), tool calls as ``{id, name, arguments}``, and reasoning of a response, which ``read`` reads."""
    choices = read("choices", None)
    if isinstance(choices, (list, tuple)) and choices:
        choice = choices[0]
        message = _readers[type(choice)](choice)("message", None)
        if message is None:
            return get(choice, "text"), [], None
        read = _readers[type(message)](message)
        calls, function = read("tool_calls", None), read("function_call", None)
        made = [] if calls is None and function is None else _calls(calls, function)
        for name in _REASONING:
            value = read(name, None)
            if value is not None and (thought := _thought(value)):
                return read("content", None), made, thought
        return read("content", None), made, None
    messages = read("messages", None)
    if isinstance(messages, (list, tuple)) and messages:
        return _unified(messages)
    return (response if isinstance(response, str) else None), [], None


def _calls(calls: Any, function: Any) -> list[dict[str, Any]]:
    """The tool calls of a message, and the single call of the older form."""
    found = []
    for call in calls if isinstance(calls, (list, tuple)) else ():
        called = get(call, "function")
        found.append(
            {"id": get(call, "id"), "name": get(called, "name"), "arguments": arguments(get(called, "arguments"))}
        )
    if isinstance(get(function, "name"), str):
        found.append({"id": None, "name": get(function, "name"), "arguments": arguments(get(function, "arguments"))})
    return found


def _thought(value: Any) -> str | None:
    """The text of what stands where a provider puts its reasoning."""
    if isinstance(value, str):
        return value
    texts = [text for text in map(_text, value) if text] if isinstance(value, (list, tuple)) else ()
    return "\n\n".join(texts) or None


def _unified(messages: Any) -> tuple[Any, list[dict[str, Any]], str | None]:
    """The parts of an AG2 ``UnifiedResponse``, whose messages are lists of typed blocks."""
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    thoughts: list[str] = []
    for message in messages:
        blocks = get(message, "content")
        if isinstance(blocks, str):
            texts.append(blocks)
            continue
        for block in blocks if isinstance(blocks, (list, tuple)) else ():
            kind = get(block, "type")
            kind = getattr(kind, "value", kind)
            if kind == "tool_call":
                given = arguments(get(block, "arguments"))
                calls.append({"id": get(block, "id"), "name": get(block, "name"), "arguments": given})
            elif kind == "reasoning":
                thoughts.append(_text(block) or "")
            elif isinstance(get(block, "text"), str):
                texts.append(get(block, "text"))
    return "\n".join(texts) or None, calls, "\n\n".join(filter(None, thoughts)) or None


def _text(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    for name in ("reasoning", "thinking", "text", "summary", "content"):
        value = get(part, name)
        if isinstance(value, str) and value:
            return value
    return None


def arguments(given: Any) -> Any:
    """A call's arguments: what their JSON says, or the text itself where it is no JSON."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        return given


def model_of(read: Reader | None, wrapper: Any, config: dict[str, Any]) -> str | None:
    """The model that answered, if there is an answer that ``read`` reads, or else the one that was asked."""
    model = read("model", None) if read is not None else None
    if model and isinstance(model, str):
        return model
    entries = getattr(wrapper, "_config_list", None) or ({},)
    for model in (config.get("model"), get(entries[0], "model")):
        if isinstance(model, str) and model:
            return model
    return None


def usage_in(response: Any, read: Reader) -> dict[str, int] | None:
    """``{input_tokens, output_tokens}`` and more where the response tells it, else None. Two plain numbers, as
    most clients give them, are taken directly: trying all providers' spellings takes 6 microseconds."""
    usage = read("usage", None)
    told = getattr(usage, "__dict__", None)
    if told and told.keys() <= _PLAIN_USAGE and not getattr(usage, "__pydantic_extra__", None):
        given, made = told.get("prompt_tokens"), told.get("completion_tokens")
        if type(given) is int and type(made) is int:
            return {"input_tokens": given, "output_tokens": made}
    return usage_of(response)


_MOST = 1e300
"""Beyond this a whole number may be no float any more; no call costs so much."""


def cost_of(read: Reader, model: str | None, usage: dict[str, Any] | None, prices: Prices | None) -> float | None:
    """What the call cost in US dollars: what the client has worked out, else by the price table. Clients say 0
    for a model that they do not know, so 0 is believed only where the table does not know it either."""
    cost = read("cost", None)
    if cost.__class__ is not float:
        known = isinstance(cost, float) or (type(cost) is int and abs(cost) < _MOST)
        cost = float(cost) if known else None
    if cost:
        return cost
    if prices is not None and model is not None and usage:
        priced = prices.cost(model, usage.get("input_tokens") or 0, usage.get("output_tokens") or 0)
        if priced is not None:
            return priced
    return cost


def get(thing: Any, name: str) -> Any:
    """A member of a dictionary or an object; None where it has none."""
    if isinstance(thing, dict):
        return thing.get(name)
    return getattr(thing, name, None)
