"""Reading the messages of LangChain: what people gave, what a prompt holds, what a model answered.

What goes into a graph may be anything that LangChain makes messages of (pairs, dictionaries, texts), so it is read
in all these forms. Nothing here changes or copies a message.
"""

from __future__ import annotations

from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any, NamedTuple

from ..instrumentation.media import describe
from ..instrumentation.prompts import SAFE, common

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROLES = {
    "human": "user", "user": "user", "ai": "assistant", "assistant": "assistant", "system": "system",
    "developer": "system", "tool": "tool", "function": "tool",
    "HumanMessageChunk": "user", "AIMessageChunk": "assistant", "SystemMessageChunk": "system",
    "ToolMessageChunk": "tool",
}  # fmt: skip
"""The roles of the record by LangChain's types."""

_QUESTIONS = ("input", "question", "query", "task", "prompt", "text", "message")
"""Where the dictionary that a chain is called with holds what the user wants, when it holds several texts."""

_EXACT = 128
_WINDOW = 32
"""As in :mod:`..instrumentation.prompts`: up to how many messages every content is compared at every call, and how
many are in a longer prompt."""


class Said(NamedTuple):
    """Something that was given to a runnable: a message as the record has it."""

    role: str
    content: Any
    name: str | None
    message: Any
    """The message itself, where it is LangChain's object, else None."""


def role_of(kind: Any) -> str:
    """The record's word for a message's type or role."""
    return _ROLES.get(kind, kind if isinstance(kind, str) else "user")


def said(item: Any) -> Said | None:
    """One message in any of the forms that LangChain takes; None where it is none."""
    if isinstance(item, str):
        return Said("user", item, None, None)
    if isinstance(item, (tuple, list)):
        return Said(role_of(item[0]), item[1], None, None) if len(item) == 2 and isinstance(item[0], str) else None
    if isinstance(item, dict):
        kind = item.get("role") or item.get("type")
        if not isinstance(kind, str) or "content" not in item:
            return None
        return Said(role_of(kind), item["content"], item.get("name"), None)
    kind = getattr(item, "type", None)
    if not isinstance(kind, str) or not hasattr(item, "content"):
        return None
    if kind == "chat":
        kind = getattr(item, "role", kind)
    return Said(role_of(kind), item.content, getattr(item, "name", None), item)


MESSAGES = "messages"
"""The channel of a graph's state that holds them."""


def messages_in(state: Any) -> list[Any] | None:
    """The messages in the state of a graph or in what updates it; None where it has none. Not to be changed."""
    if isinstance(state, dict):
        found = state.get(MESSAGES)
        if found.__class__ is list:
            return found
    elif isinstance(state, (list, tuple)):
        found = state if state and all(hasattr(item, "content") for item in state) else None
    else:
        found = getattr(state, MESSAGES, None)
    if isinstance(found, (list, tuple)):
        return list(found)
    return None if found is None or callable(found) else [found]


def given(inputs: Any) -> list[Said]:
    """What a runnable was called with, as messages."""
    if inputs is None:
        return []
    to_messages = getattr(inputs, "to_messages", None)  # a prompt that is ready
    items: Any
    if callable(to_messages):
        items = to_messages()
    elif isinstance(inputs, str) or hasattr(inputs, "content"):
        items = [inputs]
    elif isinstance(inputs, dict):
        items = messages_in(inputs)
        if items is None:
            text = _question(inputs)
            items = [text] if text else ()
    elif isinstance(inputs, (list, tuple)):
        one = said(inputs)
        items = [inputs] if one is not None and isinstance(inputs, tuple) else inputs
    else:
        items = messages_in(inputs) or ()
    return [found for found in map(said, items) if found is not None]


def _question(inputs: dict[Any, Any]) -> str | None:
    texts = {key: value for key, value in inputs.items() if isinstance(value, str) and value.strip()}
    if len(texts) == 1:
        return next(iter(texts.values()))
    return next((texts[key] for key in _QUESTIONS if key in texts), None)


# -- media -------------------------------------------------------------------------------------------------------

_CARRIERS = ("source", "input_audio", "file", "image", "audio", "video")
"""Where a part of a message may hold a dictionary that holds the medium."""


def lean(content: Any) -> Any:
    """``content`` with the media in it described, which LangChain has as base64 beside their type; the same object
    where there are none. Other forms are left to the recorder."""
    if not isinstance(content, list):
        return content
    parts = [_lean(part) if isinstance(part, dict) else part for part in content]
    return parts if any(new is not old for new, old in zip(parts, content, strict=True)) else content


def _lean(part: dict[Any, Any]) -> dict[Any, Any]:
    for holder in (part, *(held for name in _CARRIERS if isinstance(held := part.get(name), dict))):
        data = holder.get("base64") or holder.get("data")
        if isinstance(data, str) and data and data[:5] != "data:":
            media_type = holder.get("mime_type") or holder.get("media_type") or holder.get("format")
            if media_type is None and "base64" not in holder:
                continue
            found = describe(f"data:{media_type or 'application/octet-stream'};base64,{data}")
            if found is not None:
                if isinstance(part.get("type"), str) and found["type"] == "file":
                    found["type"] = part["type"]
                return found
    return part


# -- prompts -----------------------------------------------------------------------------------------------------


_heads = attrgetter("type", "content", "name")
_content = attrgetter("content")


def as_dict(message: Any) -> dict[str, Any]:
    """A message of a prompt in the record's form."""
    kind, content, name = _heads(message)
    role = _ROLES.get(kind) or role_of(message.role if kind == "chat" else kind)
    if content.__class__ is not str:
        content = lean(content)
    out: dict[str, Any] = {"role": role, "name": name, "content": content}
    more = message.__dict__  # pydantic takes microseconds to say that it has no such field
    calls = more.get("tool_calls")
    if calls:
        out["tool_calls"] = [
            {"id": call.get("id"), "name": call.get("name"), "arguments": call.get("args")} for call in calls
        ]
    if "tool_call_id" in more and more["tool_call_id"] is not None:
        out["tool_call_id"] = more["tool_call_id"]
        if more.get("status") == "error":
            out["status"] = "error"
    return out


class _End:
    """Stands behind the messages of the last prompt: see :class:`..instrumentation.prompts._End`. This one says at once
    that no message equals it, which a message of LangChain's takes a microsecond for."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False

    def __le__(self, other: object) -> Any:
        return self


_END = _End()


class Prompts:
    """The last prompt of an agent, so that the unchanged beginning of the next one is not made again.

    A long history is not even looked at, because each message is several places of memory, none of them in a cache:
    neither list is copied, and what is the same object on both sides is compared in C without touching it.

    Not to be used by two calls at once: whoever takes it removes it from where it is kept, and puts it back when the
    call has been recorded.

    Attributes:
        kept: how many messages at the start of the prompt are those of the last one, and cannot change in place; see
            :class:`..instrumentation.prompts.Reader`.
        messages, contents, dicts: of the prompt: the messages with :data:`_END` behind them, the content of each, and
            the record's form of each.
        safe: how many messages at the start have a content that cannot change in place.
        turn: where the next window of contents begins.
    """

    __slots__ = ("contents", "dicts", "kept", "messages", "safe", "turn")

    def __init__(self) -> None:
        self.messages: list[Any] = [_END]
        self.contents: list[Any] = []
        self.dicts: list[dict[str, Any]] = []
        self.kept = self.safe = self.turn = 0

    def convert(self, messages: list[Any]) -> list[dict[str, Any]]:
        """``messages`` in the record's form, in which the unchanged ones are the same objects as last time. The list
        is the same as well: it is good until the next call of this method, and not to be changed."""
        contents = self.contents
        count = keep = len(contents)
        if keep:
            if not self._begins(messages, keep):
                keep = _common(self.messages, messages, min(keep, len(messages)))
            keep = self._untouched(messages, keep)
        new = messages[keep:]
        found = list(map(_content, new))
        self.messages[keep:] = [*new, _END]
        contents[keep:] = found
        made = list(map(as_dict, new))
        same = keep if keep == count else keep + _alike(self.dicts[keep:], made)
        self.dicts[keep:] = made
        self.kept = min(same, self.safe)
        if self.safe < keep:
            return self.dicts
        self.safe = len(messages)
        if not SAFE.issuperset(map(type, found)):
            self.safe = keep + next(index for index, content in enumerate(found) if type(content) not in SAFE)
        return self.dicts

    def _untouched(self, messages: list[Any], count: int) -> int:
        """How many of the first ``count`` messages, which are those of the last prompt, have their content still."""
        if count <= _EXACT:
            start, end = 0, count
        else:
            start = self.turn if self.turn < count else 0
            end = self.turn = min(start + _WINDOW, count)
        before = self.contents[start:end]
        if all(map(is_, map(_content, messages[start:end]), before)):
            return count
        return start + _common(before, list(map(_content, messages[start:end])), end - start)

    def _begins(self, messages: list[Any], count: int) -> bool:
        """Whether the ``count`` messages of the last prompt are at the start. Comparing two of LangChain's messages
        that are not the same object takes longer than making their form again, so that is only tried where a few
        are."""
        known, last, half = self.messages, count - 1, count // 2
        try:
            return (
                known[0] is messages[0]
                and known[last] is messages[last]
                and known[half] is messages[half]
                and (known <= messages) is _END
            )
        except Exception:  # noqa: BLE001  it is shorter; or messages have no order: the first unequal items are two
            return False


def _alike(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> int:
    """How many messages at the start say the same: many applications make the system message anew for every call."""
    try:
        return common(before, now, min(len(before), len(now)))
    except Exception:  # noqa: BLE001  something in a message cannot be compared (an array)
        return 0


def _common(known: list[Any], now: list[Any], most: int) -> int:
    """How many of the first ``most`` objects are the same: by halving, so that nearly all is done in C."""
    low = 0
    middle = most
    while low < most:
        if all(map(is_, known[low:middle], now[low:middle])):
            low = middle
        else:
            most = middle - 1
        middle = (low + most + 1) // 2
    return low


# -- answers -----------------------------------------------------------------------------------------------------


def answer(message: Any) -> tuple[Any, str | None]:
    """What a model said (a text, or the parts where some are no text) and its reasoning."""
    content = message.content
    if isinstance(content, str):
        thought = None
        extra = getattr(message, "additional_kwargs", None)
        if extra:
            thought = _thought(extra.get("reasoning_content") or extra.get("reasoning"))
        return content, thought
    texts: list[str] = []
    thoughts: list[str] = []
    others: list[Any] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
            continue
        kind = part.get("type")
        if kind in ("reasoning", "thinking", "reasoning_content"):
            thoughts.append(_thought(part) or "")
        elif kind in (
            "tool_use",
            "tool_call",
            "tool_call_chunk",
            "function_call",
            "input_json_delta",
            "redacted_thinking",
        ):
            continue  # told as tool calls
        elif isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            others.append(part)
    reasoning = "\n\n".join(filter(None, thoughts)) or None
    if others:
        return lean([*({"type": "text", "text": text} for text in texts), *others]), reasoning
    return "".join(texts), reasoning


def _thought(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, dict):
        for key in ("reasoning", "thinking", "text", "summary", "content", "reasoning_content"):
            found = _thought(value.get(key))
            if found:
                return found
        return None
    if isinstance(value, (list, tuple)):
        return "\n\n".join(filter(None, map(_thought, value))) or None
    return None


def calls_of(message: Any) -> Sequence[dict[str, Any]]:
    """The tool calls in a message, those with arguments that are no JSON included."""
    calls = getattr(message, "tool_calls", None)
    invalid = getattr(message, "invalid_tool_calls", None)
    if not calls and not invalid:
        return ()
    return [
        {"id": call.get("id"), "name": call.get("name"), "arguments": call.get("args")}
        for call in (*(calls or ()), *(invalid or ()))
    ]
