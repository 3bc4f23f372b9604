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

An adapter whose framework keeps messages as objects of its own compares those, to know which dictionaries it need not
make again. It then knows what is unchanged already, and says so (:class:`Reader`): nothing is compared twice.
"""

from __future__ import annotations

from itertools import repeat
from operator import itemgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Message = dict[str, Any]

EXACT = 128
"""Up to how many messages every content is compared at every call."""

WINDOW = 32
"""How many contents are compared at a call of a longer prompt."""

FIRST, RECENT = 2, 4
"""How many of the first and of the last messages are compared as a whole."""

_known = itemgetter("role", "name", "content")
_KNOWN = frozenset(("role", "name", "content"))
"""What a message of a chat usually holds, and nothing else."""

SAFE = frozenset((str, type(None)))
"""Types of content that cannot change in place."""


class _End:
    """Stands behind the messages of the last prompt, to see at once whether a list begins with them all.

    Python orders two lists as their first unequal items. No message equals this, so ``[*messages, END] <= listed``
    is what ``END <= listed[len(messages)]`` gives, which is END itself, exactly where all messages before it are
    equal. It is found in C, without a copy of either list and without touching a message that is the same object.
    """

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other  # else it would be asked of the message, which may take long to say

    def __le__(self, other: object) -> Any:
        return self


END = _End()


class Reader(Protocol):
    """What an adapter keeps of an agent's prompts to find by itself what is unchanged.

    Attributes:
        kept: how many messages at the start of the prompt that it gives now are those of the prompt that it gave
            last, untouched, none of whose contents can change in place.
    """

    kept: int


class PromptState:
    """The last prompt that an agent sent in a run: what the next one is compared with.

    Not to be used by two threads at once: whoever takes it removes it from where it is kept.

    Attributes:
        writer, seq: the journal and number of the model call.
        reader: who gave that prompt and compares the next one with it; None where that is done here, by what follows.
        messages, contents: the host's messages with :data:`END` behind them, and the content of each.
        safe: how many messages at the start have a content that cannot change in place.
        first, recent: copies of the first and of the last messages.
        turn: where the next window of contents begins.
    """

    __slots__ = ("contents", "first", "messages", "reader", "recent", "safe", "seq", "turn", "writer")

    def __init__(self, writer: object, reader: Reader | None = None) -> None:
        self.writer = writer
        self.reader = reader
        self.seq = -1
        self.messages: list[Any] = [END]
        self.contents: list[Any] = []
        self.safe = 0
        self.first: list[Message] = []
        self.recent: list[Message] = []
        self.turn = 0

    def unchanged(self, listed: list[Message]) -> int:
        """How many messages at the start of a prompt are those of the last one, untouched."""
        kept = len(self.contents)
        try:
            begins = (  # the usual case, in a few comparisons
                self.safe == kept
                and (self.messages <= listed) is END
                and listed[: len(self.first)] == self.first
                and listed[kept - len(self.recent) : kept] == self.recent
            )
        except TypeError:  # messages have no order: the first unequal items are two messages
            begins = False
        if not begins:
            kept = self._beginning(listed, kept)
        if kept <= EXACT:
            start, end = 0, kept
        else:
            start = self.turn if self.turn < kept else 0
            self.turn = start + WINDOW
            end = min(self.turn, kept)
        now, before = contents_of(listed[start:end]), self.contents[start:end]
        return kept if now == before else start + common(before, now, end - start)

    def _beginning(self, listed: list[Message], count: int) -> int:
        """How many of the last prompt's ``count`` messages this one begins with, where not with all of them."""
        kept = common(self.messages, listed, min(count, len(listed), self.safe))
        kept = min(kept, self._edge(listed, 0, self.first, kept))
        return min(kept, self._edge(listed, count - len(self.recent), self.recent, kept))

    @staticmethod
    def _edge(listed: list[Message], start: int, copies: list[Message], kept: int) -> int:
        for index, copied in enumerate(copies, start):
            if index < kept and listed[index] != copied:
                return index
        return kept

    def take(self, seq: int, listed: list[Message], kept: int) -> None:
        """This prompt is the last one now; ``kept`` of its messages were found unchanged."""
        if self.reader is not None:
            self.seq = seq
            return
        new = listed[kept:]
        contents = contents_of(new)
        self.seq = seq
        self.messages[kept:] = [*new, END]
        self.contents[kept:] = contents
        self.safe = len(listed)
        if not SAFE.issuperset(map(type, contents)):
            self.safe = kept + next(index for index, content in enumerate(contents) if type(content) not in SAFE)
        if kept < FIRST or not self.first:
            self.first = list(map(dict, listed[:FIRST]))
        self.recent = list(map(dict, listed[-RECENT:]))


def contents_of(messages: list[Message]) -> list[Any]:
    """The content of each message; None where it has none. Looked up so that a ``defaultdict`` of the host's does not
    get one by being asked."""
    try:
        return list(map(dict.get, messages, repeat("content")))
    except TypeError:  # mappings of another kind
        return [message.get("content") for message in messages]


def common(before: list[Any], now: list[Any], most: int) -> int:
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
    listed: list[Message],
    refer: Callable[[Any], str | None],
    known: Mapping[str, str | None] = MappingProxyType({}),
) -> dict[str, Any]:
    """The prompt as stored. ``refer`` turns a text (or a value to be kept as JSON) into its reference; a text
    whose reference is ``known`` need not be asked for. The reader of ``last``, if it has one, gave this prompt too, and
    is believed what it says of it."""
    keep = 0
    if last is not None and last.reader is not None:
        keep = last.reader.kept if last.seq >= 0 else 0
    elif last is not None:
        try:
            keep = last.unchanged(listed)
        except Exception:  # noqa: BLE001  something in a message cannot be compared (an array): all of it is new
            keep = 0
    new: list[list[Any]] = []
    find = known.get
    role: Any
    name: Any
    content: Any
    for message in listed[keep:]:
        if message.keys() == _KNOWN:
            role, name, content = _known(message)
            new.append([role, name, (find(content) if content.__class__ is str else None) or refer(content), None])
            continue
        role, name, content = message.get("role"), message.get("name"), message.get("content")
        others = {key: value for key, value in message.items() if key not in _KNOWN}
        rest = refer(others) if others else None
        new.append([role, name, (find(content) if content.__class__ is str else None) or refer(content), rest])
    return {"base": last.seq if last is not None and keep else None, "keep": keep, "new": new}


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
