"""Prompts as sent, kept as what is new in them.

The n-th call of an agent sends the whole history again, so keeping copies costs the square of its length.
Here a prompt is ``{"base", "keep", "new", "block"}``: the first ``keep`` messages of the prompt of the same
agent's model call number ``base`` (its ``seq``; None for none), then the ``new`` ones, and ``block``, the
reference of the injected text, if any. A new message is ``[role, name, content, rest]``, where ``content``
and ``rest`` (everything else in it, as JSON) are references of texts.

Finding what is unchanged must cost next to nothing, although frameworks keep their history as dictionaries that
anybody may change in place (AutoGen itself does so with the system message). Nothing is hashed or copied for it:

- the list's messages are compared with those of the last prompt by identity, in C;
- so are their contents: all of them in a prompt of up to :data:`EXACT` messages. In a longer one, where looking
  into every message would cost more than all the rest (each is three places of memory, none of them in a cache), it
  is :data:`WINDOW` of them in turn, so that a content changed far back is noticed some calls later;
- the first and the last few messages are compared as a whole, with copies.

What is found changed counts as new, with everything behind it. So does a message whose content is not a string,
because a list may change inside.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Message = dict[str, Any]

EXACT = 128
"""Up to how many messages every content is compared at every call."""

WINDOW = 32
"""How many contents are compared at a call of a longer prompt."""

FIRST, RECENT = 2, 4
"""How many of the first and of the last messages are compared as a whole."""

_content = itemgetter("content")
_SAFE = frozenset((str, type(None)))
"""Types of content that cannot change in place."""


class PromptState:
    """The last prompt that an agent sent in a run: what the next one is compared with.

    Not to be used by two threads at once: whoever takes it removes it from where it is kept.

    Attributes:
        writer, seq: the journal and number of the model call.
        messages, contents: the host's messages, and the content of each.
        safe: how many messages at the start have a content that cannot change in place.
        first, recent: copies of the first and of the last messages.
        turn: where the next window of contents begins.
    """

    __slots__ = ("contents", "first", "messages", "recent", "safe", "seq", "turn", "writer")

    def __init__(self, writer: object) -> None:
        self.writer = writer
        self.seq = -1
        self.messages: list[Message] = []
        self.contents: list[Any] = []
        self.safe = 0
        self.first: list[Message] = []
        self.recent: list[Message] = []
        self.turn = 0

    def unchanged(self, listed: list[Message]) -> int:
        """How many messages at the start of a prompt are those of the last one, untouched."""
        kept = _common(self.messages, listed, min(len(self.messages), len(listed), self.safe))
        if not kept:
            return 0
        kept = min(kept, self._edge(listed, 0, self.first, kept))
        kept = min(kept, self._edge(listed, len(self.messages) - len(self.recent), self.recent, kept))
        if kept <= EXACT:
            return self._contents(listed, 0, kept, kept)
        start = self.turn if self.turn < kept else 0
        self.turn = start + WINDOW
        return self._contents(listed, start, min(self.turn, kept), kept)

    @staticmethod
    def _edge(listed: list[Message], start: int, copies: list[Message], kept: int) -> int:
        for index, copied in enumerate(copies, start):
            if index < kept and listed[index] != copied:
                return index
        return kept

    def _contents(self, listed: list[Message], start: int, end: int, kept: int) -> int:
        now = contents_of(listed[start:end])
        before = self.contents[start:end]
        return kept if now == before else start + _common(before, now, end - start)

    def take(self, seq: int, listed: list[Message], kept: int) -> None:
        """This prompt is the last one now; ``kept`` of its messages were found unchanged."""
        self.seq = seq
        new = contents_of(listed[kept:])
        del self.messages[kept:]
        del self.contents[kept:]
        self.messages += listed[kept:]
        self.contents += new
        self.safe = kept
        for content in new:
            if type(content) not in _SAFE:
                break
            self.safe += 1
        if kept < FIRST or not self.first:
            self.first = list(map(dict, listed[:FIRST]))
        self.recent = list(map(dict, listed[-RECENT:]))


def contents_of(messages: list[Message]) -> list[Any]:
    """The content of each message; None where it has none."""
    try:
        return list(map(_content, messages))
    except KeyError:
        return [message.get("content") for message in messages]


def _common(before: list[Any], now: list[Any], most: int) -> int:
    """How many of the first ``most`` items are equal: by halving, so that all comparing is done in C."""
    if most == len(before) and before == now[:most]:  # the usual case, with one copy less
        return most
    low = 0
    middle = most
    while low < most:
        if before[low:middle] == now[low:middle]:
            low = middle
        else:
            most = middle - 1
        middle = (low + most + 1) // 2
    return low


def describe(last: PromptState | None, listed: list[Message], refer: Callable[[Any], str | None]) -> dict[str, Any]:
    """The prompt as stored. ``refer`` turns a text (or a value to be kept as JSON) into its reference."""
    keep = last.unchanged(listed) if last is not None else 0
    base = last.seq if last is not None and keep else None
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
