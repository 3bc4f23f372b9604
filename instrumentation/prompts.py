"""Prompts as sent, kept as what is new in them.

The n-th call of an agent sends the whole history again, so keeping copies costs the square of its length.
Here a prompt is ``{"base", "keep", "new", "block"}``: the first ``keep`` messages of the prompt of the same
agent's model call number ``base`` (its ``seq``; None for none), then the ``new`` ones, and ``block``, the
reference of the injected text, if any. A new message is ``[role, name, content, rest]``, where ``content``
and ``rest`` (everything else in it, as JSON) are references of texts.

Finding what is unchanged must cost next to nothing (budget 0.1 microseconds for each unchanged message), so
nothing is hashed or copied for it: the list's messages are compared with those of the last prompt by identity
(which a list comparison does first), their contents by identity and their number of keys, all in C. A message
that the host changed in place gets a new content object or another number of keys, and so counts as new.
Messages whose content is not a string are always new, because a list may change inside.
"""

from __future__ import annotations

from operator import is_, itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Message = dict[str, Any]
_content = itemgetter("content")
_SAFE = frozenset((str, type(None)))
"""Types of content that cannot change in place."""


class PromptState:
    """The last prompt that an agent sent in a run: what the next one is compared with."""

    __slots__ = ("contents", "messages", "seq", "sizes", "writer")

    def __init__(
        self, writer: object, seq: int, messages: list[Message], contents: list[Any], sizes: list[int]
    ) -> None:
        self.writer = writer
        self.seq = seq
        self.messages = messages
        self.contents = contents
        self.sizes = sizes


def snapshot(messages: Sequence[Message]) -> tuple[list[Message], list[Any], list[int]]:
    """A prompt's messages, their contents and their sizes, for :func:`unchanged` and :class:`PromptState`."""
    listed = list(messages)
    try:
        contents = list(map(_content, listed))
    except KeyError:
        contents = [message.get("content") for message in listed]
    return listed, contents, list(map(len, listed))


def unchanged(last: PromptState, listed: list[Message], contents: list[Any], sizes: list[int]) -> int:
    """How many messages at the start of the prompt are those of ``last``, untouched."""
    most = min(len(last.messages), len(listed))
    if (
        last.messages[:most] == listed[:most]
        and last.sizes[:most] == sizes[:most]
        and all(map(is_, last.contents, contents[:most]))
    ):
        kept = most
    else:
        kept = 0
        for before, now, text_before, text_now, size_before, size_now in zip(
            last.messages, listed, last.contents, contents, last.sizes, sizes, strict=False
        ):
            same = before is now or before == now
            if not same or text_before is not text_now or size_before != size_now:
                break
            kept += 1
    if not _SAFE.issuperset(map(type, contents[:kept])):
        return next(index for index, content in enumerate(contents) if type(content) not in _SAFE)
    return kept


def describe(
    last: PromptState | None,
    writer: object,
    listed: list[Message],
    contents: list[Any],
    sizes: list[int],
    refer: Callable[[Any], str | None],
) -> dict[str, Any]:
    """The prompt as stored. ``refer`` turns a text (or a value to be kept as JSON) into its reference."""
    if last is not None and last.writer is writer:
        keep = unchanged(last, listed, contents, sizes)
        base: int | None = last.seq if keep else None
    else:
        keep, base = 0, None
    new: list[list[Any]] = []
    for message in listed[keep:]:
        rest = {key: value for key, value in message.items() if key not in ("role", "name", "content")}
        new.append(
            [message.get("role"), message.get("name"), refer(message.get("content")), refer(rest) if rest else None]
        )
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
