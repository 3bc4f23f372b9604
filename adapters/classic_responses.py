"""Reading what a model answered, from whatever its client gives back.

Clients return OpenAI's objects, AG2's ``UnifiedResponse`` or look-alikes of their own, and the framework keeps only
text and tool calls of them. Reasoning and usage are read from the response itself. Nothing here calls the client:
its methods may count, print or cost.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..instrumentation.cost import usage_of

if TYPE_CHECKING:
    from ..instrumentation.cost import Prices

_PLAIN_USAGE = frozenset(("prompt_tokens", "completion_tokens", "total_tokens"))
"""What a usage record holds that tells nothing but the two numbers."""

_REASONING = ("reasoning_content", "reasoning", "thinking")
"""Where providers put the reasoning of a message, by their own names."""


def answer_of(response: Any) -> tuple[Any, list[dict[str, Any]], str | None]:
    """Text (or None), tool calls as ``{id, name, arguments}``, and reasoning of a response."""
    choices = get(response, "choices")
    if isinstance(choices, (list, tuple)) and choices:
        message = get(choices[0], "message")
        if message is None:
            return get(choices[0], "text"), [], None
        return get(message, "content"), _calls(message), _reasoning(message)
    messages = get(response, "messages")
    if isinstance(messages, (list, tuple)) and messages:
        return _unified(messages)
    return (response if isinstance(response, str) else None), [], None


def _calls(message: Any) -> list[dict[str, Any]]:
    found = []
    calls = get(message, "tool_calls")
    for call in calls if isinstance(calls, (list, tuple)) else ():
        function = get(call, "function")
        found.append(
            {"id": get(call, "id"), "name": get(function, "name"), "arguments": arguments(get(function, "arguments"))}
        )
    function = get(message, "function_call")
    if isinstance(get(function, "name"), str):
        found.append({"id": None, "name": get(function, "name"), "arguments": arguments(get(function, "arguments"))})
    return found


def _reasoning(message: Any) -> str | None:
    for name in _REASONING:
        value = get(message, name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, (list, tuple)):
            texts = [text for text in (_text(part) for part in value) if text]
            if texts:
                return "\n\n".join(texts)
    return None


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


def model_of(wrapper: Any, config: dict[str, Any], response: Any) -> str | None:
    """The model that answered, or else the one that was asked."""
    entries = getattr(wrapper, "_config_list", None) or ({},)
    for model in (get(response, "model"), config.get("model"), get(entries[0], "model")):
        if isinstance(model, str) and model:
            return model
    return None


def usage_in(response: Any) -> dict[str, int] | None:
    """``{input_tokens, output_tokens}`` and more where the response tells it, else None. Two plain numbers, as
    most clients give them, are taken directly: trying all providers' spellings takes 6 microseconds."""
    usage = getattr(response, "usage", None)
    if type(usage) is not dict:
        given, made = getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None)
        told = getattr(usage, "__dict__", None)
        if type(given) is int and type(made) is int and type(told) is dict and told.keys() <= _PLAIN_USAGE:
            return {"input_tokens": given, "output_tokens": made}
    return usage_of(response)


def cost_of(response: Any, model: str | None, usage: dict[str, Any] | None, prices: Prices | None) -> float | None:
    """What the call cost in US dollars: what the client has worked out, else by the price table. Clients say 0
    for a model that they do not know, so 0 is believed only where the table does not know it either."""
    cost = get(response, "cost")
    cost = float(cost) if isinstance(cost, (int, float)) and not isinstance(cost, bool) else None
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
