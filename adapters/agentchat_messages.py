"""Reading AgentChat's messages: what is said in a conversation, and what is sent to a model.

Messages are pydantic objects, of the framework's classes or of the application's own, and are only ever read.
Images are told by their hash and type where they are met, so that no prompt holds them again.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from ..instrumentation.media import describe
from ..instrumentation.prompts import END, EXACT, SAFE, WINDOW, common

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
    return name in _names(type(message))


@lru_cache(maxsize=512)  # bounded, because an application may make classes without end
def _names(kind: type) -> frozenset[str]:
    """The names of a class and of those that it is derived from."""
    return frozenset(owner.__name__ for owner in kind.__mro__)


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
    made of them is the same dictionary as before. Contents that the application changes in place are noticed as the
    recorder does it (:mod:`..instrumentation.prompts`), which is told what is unchanged and need not look itself.

    Attributes:
        kept: how many of the dictionaries at the start are those of the last prompt, with contents that cannot change
            in place (:class:`..instrumentation.prompts.Reader`).
    """

    __slots__ = ("_contents", "_made", "_messages", "_others", "_turn", "_unsafe", "kept")

    def __init__(self) -> None:
        self._messages: list[Any] = [END]
        self._contents: list[Any] = []
        self._made: list[dict[str, Any]] = []
        self._others: dict[int, int] = {}  # by a message's place, how many dictionaries were made where it is not one
        self._unsafe: int | None = None  # where the first content stands that can change in place
        self._turn = 0
        self.kept = 0

    def read(self, messages: Sequence[Any]) -> list[dict[str, Any]]:
        """The messages as dictionaries in the shape that all providers know, good until the next call."""
        now: Any = messages if messages.__class__ is list else list(messages)
        contents, made = self._contents, self._made
        count = len(contents)
        try:
            begins = (self._messages <= now) is END
            if count <= EXACT:
                begins = begins and list(map(_content, now[:count])) == contents
            elif begins:
                start = self._turn if self._turn < count else 0
                self._turn = end = min(start + WINDOW, count)
                begins = list(map(_content, now[start:end])) == contents[start:end]
        except Exception:  # noqa: BLE001  messages have no order: the first unequal items are two messages
            begins = False
        if not begins:
            self._read_again(now)
            return self._made
        self.kept = len(made) if self._unsafe is None else self._unsafe
        self._add(now[count:])
        return made

    def _add(self, new: list[Any]) -> None:
        """Read messages that stand behind those that are known."""
        made, contents = self._made, _contents(new)
        for message, content in zip(new, contents):  # noqa: B905  they are of one length
            kind = getattr(message, "type", None) if content.__class__ is str else None
            if kind == "UserMessage":  # nearly all are one of these two: what others have said, and the agent itself
                made.append({"role": "user", "name": message.source, "content": content})
            elif kind == "AssistantMessage" and not getattr(message, "thought", None):
                made.append({"role": "assistant", "name": message.source, "content": content})
            else:
                found = entries(message)
                if self._unsafe is None and content.__class__ is not str:
                    place = _unsafe(found)
                    self._unsafe = None if place is None else len(made) + place
                if len(found) != 1:
                    self._others[len(made) - sum(self._others.values()) + len(self._others)] = len(found)
                made += found
        self._messages[-1:] = (*new, END)
        self._contents += contents

    def _read_again(self, now: list[Any]) -> None:
        """Something else than before is sent: what was sent before may stand at another place in it."""
        before = self._made
        safe = len(before) if self._unsafe is None else self._unsafe
        kept, count = self._common(now), len(self._contents)
        starts = [0, *accumulate(self._others.get(place, 1) for place in range(count))]
        known = {
            id(self._messages[place]): (self._contents[place], before[starts[place] : starts[place + 1]])
            for place in range(kept, count)
        }
        old = self._messages  # their identities hold as long as they live
        self._messages, self._contents = [*old[:kept], END], self._contents[:kept]
        self._made = before[: starts[kept]]
        self._others = {place: many for place, many in self._others.items() if place < kept}
        for place, message in enumerate(now[kept:], kept):
            content, made = known.get(id(message), (None, None))
            if made is None or content is not getattr(message, "content", None):
                self._add([message])
                continue
            if len(made) != 1:
                self._others[place] = len(made)
            self._made += made
            self._contents.append(content)
            self._messages[-1:] = (message, END)
        self._unsafe = _unsafe(self._made)
        try:
            self.kept = common(before, self._made, min(safe, len(self._made)))
        except Exception:  # noqa: BLE001  something in a message cannot be compared (an array): all of it is new
            self.kept = 0

    def _common(self, now: list[Any]) -> int:
        kept = 0
        for old, content, new in zip(self._messages, self._contents, now, strict=False):
            if old is not new or content is not getattr(new, "content", None):
                break
            kept += 1
        return kept


def _unsafe(made: list[dict[str, Any]]) -> int | None:
    """Where the first dictionary stands whose content can change in place."""
    return next((place for place, entry in enumerate(made) if type(entry["content"]) not in SAFE), None)


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
