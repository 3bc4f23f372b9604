"""Values of OpenTelemetry spans: attributes, ids, and messages in the form of the GenAI conventions.

Names are those of the conventions for generative AI (github.com/open-telemetry/semantic-conventions-genai, as of
November 2026, status: development); what they have no name for begins with ``seasoned.``. Messages are JSON texts,
which the conventions ask for where attributes of spans cannot be structured: most programs that take traces cannot read
others.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from .describing import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

INTERNAL, CLIENT = 1, 3
"""Kinds of spans, by their numbers in the protocol."""

ERROR = 2
"""The status of a span that failed, by its number in the protocol."""

OTHER = "_OTHER"
"""The conventions' name for an error of no known type."""

_INT = 1 << 63

_FAMILIES = (
    ("gpt-", "openai"), ("chatgpt", "openai"), ("o1", "openai"), ("o3", "openai"), ("o4", "openai"),
    ("claude", "anthropic"), ("gemini", "gcp.gemini"), ("mistral", "mistral_ai"), ("ministral", "mistral_ai"),
    ("codestral", "mistral_ai"), ("command", "cohere"), ("deepseek", "deepseek"), ("grok", "x_ai"),
    ("sonar", "perplexity"), ("kimi", "moonshot_ai"),
)  # fmt: skip
"""How names of models begin, with the provider's name in the conventions."""

_PREFIXES = {
    "openai": "openai", "azure": "azure.ai.openai", "anthropic": "anthropic", "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini", "google": "gcp.gen_ai", "vertex_ai": "gcp.vertex_ai", "mistral": "mistral_ai",
    "mistralai": "mistral_ai", "cohere": "cohere", "deepseek": "deepseek", "groq": "groq", "perplexity": "perplexity",
    "watsonx": "ibm.watsonx.ai", "xai": "x_ai", "x-ai": "x_ai",
}  # fmt: skip
"""What routers write before a slash, as in ``anthropic/claude-...``, with the same."""


def provider(model: Any) -> str | None:
    """The provider that a model's name stands for; None where it tells nothing. The conventions ask for the best
    knowledge, which may differ from who really answered."""
    if not isinstance(model, str):
        return None
    prefix, slash, _ = model.lower().partition("/")
    if slash:
        return _PREFIXES.get(prefix)
    return next((name for begin, name in _FAMILIES if prefix.startswith(begin)), None)


def identifier(size: int, *parts: object) -> str:
    """An id of ``size`` bytes in hexadecimal, the same whenever it is made from the same parts."""
    return sha256("\x00".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[: size * 2]


def attributes(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attributes as the protocol has them; None is left out, and what is no simple value becomes its JSON."""
    return [{"key": key, "value": _value(value)} for key, value in values.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    if value.__class__ is str:
        return {"stringValue": value}
    if value.__class__ is bool:
        return {"boolValue": value}
    if value.__class__ is int and -_INT <= value < _INT:
        return {"intValue": str(value)}
    if value.__class__ is float:
        return {"doubleValue": value}
    return {"stringValue": text_of(value)}


def as_json(value: Any) -> str | None:
    """A structured value as the text that an attribute holds; None for nothing."""
    return text_of(value) if value else None


# -- messages ----------------------------------------------------------------------------------------------------------


def text(content: str) -> dict[str, Any]:
    """A part that is a text."""
    return {"type": "text", "content": content}


def message(role: str, parts: list[dict[str, Any]], name: str | None = None) -> dict[str, Any]:
    """A message of these parts."""
    made: dict[str, Any] = {"role": role, "parts": parts}
    return made if name is None else {**made, "name": name}


def sent(prompt: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages of a prompt, as ``gen_ai.input.messages`` has them."""
    return [_sent(said) for said in prompt]


def _sent(said: Mapping[str, Any]) -> dict[str, Any]:
    role, content = text_of(said.get("role")) or "user", said.get("content")
    name = said.get("name")
    if role in ("tool", "function"):
        answer = {"type": "tool_call_response", "id": _id(said.get("tool_call_id")), "response": content}
        return message("tool", [answer], _id(name))
    parts = _parts(content)
    parts.extend(calls(said.get("tool_calls")))
    return message(role, parts, _id(name))


def answered(payload: Mapping[str, Any], agent: str | None) -> list[dict[str, Any]]:
    """What a model answered, as ``gen_ai.output.messages`` has it; nothing where contents are not kept."""
    parts: list[dict[str, Any]] = []
    if payload.get("reasoning") is not None:
        parts.append({"type": "reasoning", "content": text_of(payload["reasoning"])})
    parts.extend(_parts(payload.get("response")))
    asked = calls(payload.get("tool_calls"))
    parts.extend(asked)
    if not parts:
        return []
    reason = "error" if payload.get("error") is not None else "tool_call" if asked else "stop"
    return [{**message("assistant", parts, agent), "finish_reason": reason}]


def calls(value: Any) -> list[dict[str, Any]]:
    """The parts for calls of tools, in the form of OpenAI's or of our own."""
    parts: list[dict[str, Any]] = []
    for call in value if isinstance(value, list) else ():
        if isinstance(call, dict):
            inner = call.get("function")
            named = inner if isinstance(inner, dict) else call
            name, arguments = text_of(named.get("name")) or "tool", named.get("arguments")
            parts.append({"type": "tool_call", "id": _id(call.get("id")), "name": name, "arguments": arguments})
    return parts


def _parts(content: Any) -> list[dict[str, Any]]:
    if content is None:
        return []
    if not isinstance(content, list):
        return [text(text_of(content))]
    parts: list[dict[str, Any]] = []
    for part in content:
        if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
            parts.append(text(part["text"]))
        elif isinstance(part, dict) and isinstance(part.get("type"), str):
            parts.append(part)  # of a kind of its own, which the conventions allow
        else:
            parts.append(text(text_of(part)))
    return parts


def _id(value: Any) -> str | None:
    return None if value is None else text_of(value)
