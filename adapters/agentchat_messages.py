"""Reading AgentChat's messages: what is said in a conversation, and what is sent to a model.

Messages are pydantic objects, of the framework's classes or of the application's own, and are only ever read.
Images are told by their hash and type where they are met, so that no prompt holds them again.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..instrumentation.media import describe
from ..instrumentation.prompts import EXACT, WINDOW

if TYPE_CHECKING:
    from collections.abc import Sequence

_content = attrgetter("content")

MEMORY = "MemoryQueryEvent"
"""The event with which an agent tells what its memory has added to the context."""

HANDOFF = "HandoffMessage"
"""The message with which an agent hands over to another."""


def said(message: Any) -> Any:
    """What a message says: its text, a list of parts, or the fields of a structured message."""
    content = getattr(message, "content", None)
    if content.__class__ is str:
        return content
    if isinstance(content, (list, tuple)):
        return [_part(part) for part in content]
    dump = getattr(content, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    if content is not None:
        return content
    to_text = getattr(message, "to_text", None)
    return to_text() if to_text is not None else str(message)


def words(content: Any) -> str:
    """The texts in what :func:`said` gave."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") if isinstance(part, dict) else None for part in content)
    return " ".join(text for text in texts if isinstance(text, str))


def source_of(message: Any) -> str:
    """Who sent a message; ``user`` where it does not say."""
    source = getattr(message, "source", None)
    return source if isinstance(source, str) and source else "user"


def is_a(message: Any, name: str) -> bool:
    """Whether a message is of the framework's class of this name, or of one derived from it."""
    kind = type(message)
    return kind.__name__ == name or any(owner.__name__ == name for owner in kind.__mro__)


def _part(part: Any) -> Any:
    """A part of a message: a text, an image, or something else."""
    if isinstance(part, str):
        return {"type": "text", "text": part}
    image = getattr(part, "image", None)
    if image is not None:
        return describe(image) or {"type": "image"}
    dump = getattr(part, "model_dump", None)
    return dump(mode="json") if dump is not None else part


class History:
    """The messages that an agent last sent to a model, and what was made of them.

    A prompt repeats nearly all of the one before, as the very same objects. Those are not read again, and what was
    made of them is the same dictionary as before, by which the recorder sees at once what is new. Contents that the
    application changes in place are noticed as the recorder does it (:mod:`..instrumentation.prompts`).
    """

    __slots__ = ("_contents", "_ends", "_made", "_messages", "_turn")

    def __init__(self) -> None:
        self._messages: list[Any] = []
        self._contents: list[Any] = []
        self._made: list[dict[str, Any]] = []
        self._ends: list[int] = []
        self._turn = 0

    def read(self, messages: Sequence[Any]) -> list[dict[str, Any]]:
        """The messages as dictionaries in the shape that all providers know, good until the next call."""
        now = list(messages)
        kept = self._kept(now)
        if kept < len(self._messages):
            self._read_again(now, kept)
        else:
            for message in now[kept:]:
                self._add(message, entries(message))
        return self._made

    def _add(self, message: Any, made: list[dict[str, Any]]) -> None:
        self._messages.append(message)
        self._contents.append(getattr(message, "content", None))
        self._made += made
        self._ends.append(len(self._made))

    def _read_again(self, now: list[Any], kept: int) -> None:
        """Something else than before is sent: what was sent before may stand at another place in it."""
        starts = [0, *self._ends]
        known = {
            id(message): (content, self._made[start:end])
            for message, content, start, end in zip(
                self._messages[kept:], self._contents[kept:], starts[kept:], self._ends[kept:], strict=False
            )
        }
        old = self._messages  # their identities hold as long as they live
        self._messages, self._contents = old[:kept], self._contents[:kept]
        self._ends = self._ends[:kept]
        self._made = self._made[: starts[kept]]
        for message in now[kept:]:
            content, made = known.get(id(message), (None, None))
            unchanged = made is not None and content is getattr(message, "content", None)
            self._add(message, made if made is not None and unchanged else entries(message))

    def _kept(self, now: list[Any]) -> int:
        """With how many of the last messages these begin. Identical objects are compared in C, in no time."""
        count = len(self._messages)
        if count > len(now) or self._messages != now[:count]:
            return self._common(now)
        start, end = 0, count
        if count > EXACT:
            start = self._turn if self._turn < count else 0
            self._turn = end = min(start + WINDOW, count)
        return count if _contents(now[start:end]) == self._contents[start:end] else self._common(now)

    def _common(self, now: list[Any]) -> int:
        kept = 0
        for old, content, new in zip(self._messages, self._contents, now, strict=False):
            if old is not new or content is not getattr(new, "content", None):
                break
            kept += 1
        return kept


def _contents(messages: list[Any]) -> list[Any]:
    try:
        return list(map(_content, messages))
    except AttributeError:  # something else was sent
        return [getattr(message, "content", None) for message in messages]


def entries(message: Any) -> list[dict[str, Any]]:
    """A message to a model as dictionaries: one, or one for each result of a tool."""
    kind = getattr(message, "type", None)
    content = getattr(message, "content", None)
    if kind == "SystemMessage":
        return [{"role": "system", "content": content}]
    if kind == "UserMessage":
        return [{"role": "user", "name": message.source, "content": _sent(content)}]
    if kind == "AssistantMessage":
        entry: dict[str, Any] = {"role": "assistant", "name": message.source, "content": content}
        if not isinstance(content, str):
            entry["content"] = None
            entry["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in content or ()
            ]
        thought = getattr(message, "thought", None)
        if thought:
            entry["reasoning"] = thought
        return [entry]
    if kind == "FunctionExecutionResultMessage" and isinstance(content, list):
        return [
            {
                "role": "tool",
                "name": getattr(result, "name", None),
                "content": result.content,
                "tool_call_id": result.call_id,
            }
            for result in content
        ]
    return [{"role": "user", "content": content if isinstance(content, str) else repr(message)[:10_000]}]


def _sent(content: Any) -> Any:
    return [_part(part) for part in content] if isinstance(content, (list, tuple)) else content
