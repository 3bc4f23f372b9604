"""Prompts as sent, kept as what is new in them.

The n-th call of an agent sends the whole history again, so keeping copies costs the square of its length.
Here a prompt is ``{"base", "keep", "new", "block"}``: the first ``keep`` messages of the prompt of the same
agent's model call number ``base`` (its ``seq``; None for none), then the ``new`` ones, and ``block``, the
reference of the injected text, if any. A new message is ``[role, name, content, rest]``, where ``content``
and ``rest`` (everything else in it, as JSON) are references of texts.

Finding what is unchanged must cost next to nothing (budget 0.1 microseconds for each unchanged message; it takes
0.02), so nothing is hashed or copied for it: the list's messages are compared with those of the last prompt (which
a list comparison does by identity first), and so are their contents, all in C. A message that the host changed in
place has another content and so counts as new; that only its other keys changed is seen in the last
:data:`RECENT` messages, which is where frameworks still work on them. Messages whose content is not a string are
always new, with all that follow, because a list may change inside.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Message = dict[str, Any]

RECENT = 8
"""How many of the last messages are compared as a whole, with copies: their other keys too."""

_content = itemgetter("content")
_SAFE = frozenset((str, type(None)))
"""Types of content that cannot change in place."""


class PromptState:
    """The last prompt that an agent sent in a run: what the next one is compared with.

    Attributes:
        writer, seq: the journal and number of the model call.
        messages, contents: the host's messages, and the content of each.
        safe: how many messages at the start have a content that cannot change in place.
        recent: copies of the last :data:`RECENT` messages.
    """

    __slots__ = ("contents", "messages", "recent", "safe", "seq", "writer")

    def __init__(self, writer: object, seq: int, messages: list[Message], contents: list[Any], kept: int) -> None:
        """``kept`` says how many messages at the start are known to be safe."""
        self.writer = writer
        self.seq = seq
        self.messages = messages
        self.contents = contents
        self.safe = kept
        for content in contents[kept:]:
            if type(content) not in _SAFE:
                break
            self.safe += 1
        self.recent = list(map(dict, messages[-RECENT:]))


def snapshot(messages: Sequence[Message]) -> tuple[list[Message], list[Any]]:
    """A prompt's messages and their contents, for :func:`unchanged` and :class:`PromptState`."""
    listed = list(messages)
    try:
        return listed, list(map(_content, listed))
    except KeyError:
        return listed, [message.get("content") for message in listed]


def unchanged(last: PromptState, listed: list[Message], contents: list[Any]) -> int:
    """How many messages at the start of the prompt are those of ``last``, untouched."""
    kept = _common(last.messages, listed, min(len(last.messages), len(listed), last.safe))
    kept = _common(last.contents, contents, kept)
    start = len(last.messages) - len(last.recent)
    for index in range(start, kept):
        if listed[index] != last.recent[index - start]:
            return index
    return kept


def _common(before: list[Any], now: list[Any], most: int) -> int:
    """How many of the first ``most`` items are equal: by halving, so that all comparing is done in C."""
    low = 0
    middle = most
    while low < most:
        if before[low:middle] == now[low:middle]:
            low = middle
        else:
            most = middle - 1
        middle = (low + most + 1) // 2
    return low


def describe(
    last: PromptState | None,
    writer: object,
    listed: list[Message],
    contents: list[Any],
    refer: Callable[[Any], str | None],
) -> dict[str, Any]:
    """The prompt as stored. ``refer`` turns a text (or a value to be kept as JSON) into its reference."""
    if last is not None and last.writer is writer:
        keep = unchanged(last, listed, contents)
        base: int | None = last.seq if keep else None
    else:
        keep, base = 0, None
    new: list[list[Any]] = []
    for message in listed[keep:]:
        role, name, content = message.get("role"), message.get("name"), message.get("content")
        known = ("role" in message) + ("name" in message) + ("content" in message)
        rest = None
        if len(message) > known:
            rest = refer({key: value for key, value in message.items() if key not in ("role", "name", "content")})
        new.append([role, name, refer(content), rest])
    return {"base": base, "keep": keep, "new": new}


def with_block(messages: Sequence[Message], block: str) -> list[Message]:
    """``messages`` with ``block`` at the end of the first system message, or in one of its own at the start where
    there is none. A new list in which only that message is another object; nothing given is changed."""
    out = list(messages)
    for index, message in enumerate(out):
        if message.get("role") == "system":
            content = message.get("content")
            if isinstance(content, list):
                changed: Any = [*content, {"type": "text", "text": block}]
            else:
                changed = f"{content}\n\n{block}" if content else block
            out[index] = {**message, "content": changed}
            return out
    return [{"role": "system", "content": block}, *out]
