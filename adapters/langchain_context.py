"""What the nodes of a graph share beside their messages: the other channels of its state.

A node returns only what it changes, so that is what is recorded, for each channel once until it changes again: a
state may hold whole documents, and most nodes hand them on as they are. What the channels come to (reducers may add
up what several nodes return) is seen when the graph has ended.

A state is the application's own data and may be of any size. So a value is cut before anything of it is encoded:
:data:`LIMIT` characters of it are kept. It is redacted before it is cut, because half a secret is not recognised.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ..instrumentation.events import as_text
from ..instrumentation.media import describe
from .langchain_messages import MESSAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..instrumentation.recorder import Recorder
    from ..instrumentation.runs import Run
    from .langchain_state import Memory

LIMIT = 20_000
"""Characters of a channel's value that are kept."""

_MARGIN = 4096
"""How far a secret may reach behind the place where a text is cut: a private key in text form takes up to 3,300."""

_DEPTH = 12
"""How many containers may lie in each other."""

_PASSING = frozenset((MESSAGES, "jump_to"))
"""Channels that are recorded as messages, or only say where to go."""

_EMPTY = frozenset(("null", '""', "[]", "{}"))
"""What a channel holds before anything was put into it."""

_PLAIN = (bool, int, float, type(None))


def share(
    recorder: Recorder, run: Run, memory: Memory, agent: str | None, update: Any, reason: str, said: Iterable[Any] = ()
) -> bool:
    """Record the channels that ``update`` changes; False where there are none.

    Args:
        recorder: where to.
        run: whose state.
        memory: what is known about the run.
        agent: the node that returned it.
        update: a state, or what a node returned.
        reason: ``input`` of the graph, ``node`` or ``output``.
        said: texts that are recorded as messages already.
    """
    changed: dict[str, Any] = {}
    for name, value in channels(update).items():
        short = bounded(recorder, value)
        text = as_text(short)
        mark = len(text), hash(value if value.__class__ is str else text)  # a text may change where it is cut off
        if memory.channels.get(name) == mark or (name not in memory.channels and text in _EMPTY):
            continue
        memory.channels[name] = mark
        if not (isinstance(value, str) and value in said):
            changed[name] = short
    if not changed:
        return False
    recorder.record(run, "context_snapshot", agent, {"content": changed, "reason": reason})
    return True


def channels(update: Any) -> dict[str, Any]:
    """The channels in a state or an update of it, without those that hold messages."""
    found: Mapping[Any, Any] | Iterable[Any]
    if isinstance(update, dict):
        found = update
    elif isinstance(update, (list, tuple)):  # pairs, as a Command may have them
        found = [pair for pair in update if isinstance(pair, tuple) and len(pair) == 2]
    elif isinstance(fields := getattr(update, "__pydantic_fields_set__", None), set) and not _is_message(update):
        found = {name: value for name, value in vars(update).items() if name in fields}
    elif dataclasses.is_dataclass(update) and not isinstance(update, type):
        found = {name: value for name, value in vars(update).items() if value is not None}
    else:
        return {}
    return {
        name: value.value if type(value).__name__ == "Overwrite" and hasattr(value, "value") else value
        for name, value in dict(found).items()
        if isinstance(name, str) and name not in _PASSING and name[:2] != "__" and not _of_messages(value)
    }


def _is_message(value: Any) -> bool:
    return hasattr(value, "content") and isinstance(getattr(value, "type", None), str)


def _of_messages(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(_is_message, value))
    return _is_message(value)


def bounded(recorder: Recorder, value: Any) -> Any:
    """``value`` as plain data of about :data:`LIMIT` characters at most, without media and without secrets in texts
    that are cut."""
    return _Cutter(recorder).cut(value, 0)


class _Cutter:
    """Copies a value until there is no room any more."""

    def __init__(self, recorder: Recorder) -> None:
        self.redactor = recorder.redactor
        self.room = LIMIT

    def cut(self, value: Any, depth: int) -> Any:
        """What of ``value`` there is room for."""
        if isinstance(value, str):
            return self._text(value) if value[:5].lower() != "data:" else describe(value) or self._text(value)
        if isinstance(value, _PLAIN):
            self.room -= 8
            return value
        if depth >= _DEPTH:
            return self._text(f"<{type(value).__name__}>")
        if isinstance(value, dict):
            return self._items(value, depth)
        if isinstance(value, (list, tuple, set, frozenset)):
            parts: list[Any] = []
            for number, part in enumerate(value):
                if self.room <= 0:
                    parts.append(f"({len(value) - number} more)")
                    break
                parts.append(self.cut(part, depth + 1))
            return parts
        fields = getattr(value, "__pydantic_fields__", None)
        if isinstance(fields, dict) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
            return self._items(vars(value), depth)
        return describe(value) or self._text(as_text(value))

    def _items(self, items: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for number, (name, value) in enumerate(list(items.items())):
            if self.room <= 0:
                kept["..."] = f"({len(items) - number} more)"
                break
            name = name if isinstance(name, str) else as_text(name)
            kept[self._text(name)] = self.cut(value, depth + 1)
        return kept

    def _text(self, text: str) -> str:
        room, self.room = max(self.room, 0), self.room - len(text) - 4
        if len(text) <= room:
            return text
        return f"{self.redactor.text(text[: room + _MARGIN])[:room]}... ({len(text)} characters)"
