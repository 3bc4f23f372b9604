"""How a payload is kept in a row: a compact JSON array instead of a dictionary.

A payload's values stand in the order of :data:`.events.PAYLOAD_KEYS`, without the nulls at the end, so no row
repeats a name. Texts are the numbers that they have in the table ``texts``. Where a payload has other keys too, the
row is the object ``{"v": values, "+": {key: value}}``. Three values have a shorter form of their own:

- a prompt is ``[base, keep, [[role, name, content, rest], ...], block]``, also without nulls at the end, with the
  usual roles as their numbers in :data:`ROLES`; where contents are not recorded it is the number of messages, and
  one that JSON could not hold is the text that the recorder made of it;
- usage is ``[input_tokens, output_tokens, reasoning_tokens]`` as far as exactly these are known;
- costs are kept to a billionth of a dollar and durations to a hundredth of a millisecond.

A model call that says nothing of ``cached`` or ``internal`` is neither.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import TYPE_CHECKING, Any

import msgspec

from .events import PAYLOAD_KEYS, TEXT_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROLES: tuple[str, ...] = ("system", "user", "assistant", "tool", "function", "developer")
"""Roles of prompt messages that are kept as their number here. Append only."""

USAGE: tuple[str, ...] = ("input_tokens", "output_tokens", "reasoning_tokens")
"""Keys of a usage that is kept as an array. Append only."""

FLAGS: tuple[str, ...] = ("cached", "internal")
"""Values of a model call that are true or false; false is kept as nothing."""

COST_DIGITS = 9
DURATION_DIGITS = 2

_ROLE_NUMBER = {role: number for number, role in enumerate(ROLES)}
_MODEL_CALL = PAYLOAD_KEYS["model_call"]
_PROMPT, _USAGE, _COST = (_MODEL_CALL.index(key) for key in ("prompt", "usage", "cost_usd"))
_FLAG_AT = tuple(_MODEL_CALL.index(key) for key in FLAGS)
_PLANS: dict[str, tuple[tuple[str, ...], tuple[int, ...], int | None]] = {
    kind: (
        keys,
        tuple(keys.index(key) for key in TEXT_KEYS[kind]),
        keys.index("duration_ms") if "duration_ms" in keys else None,
    )
    for kind, keys in PAYLOAD_KEYS.items()
}
"""For each kind: its keys, where among them its texts are, and where its duration is."""

_is_ref = re.compile(r"[A-Za-z0-9_-]{22}").fullmatch

_decode = msgspec.json.decode


def ref_hash(ref: str) -> bytes:
    """The 16 bytes that a journal's reference stands for; raises where it is none, as :func:`references` does."""
    if _is_ref(ref):
        return a2b_base64(ref.replace("-", "+").replace("_", "/") + "==")
    raise ValueError(f"{str(ref)[:40]!r} is no reference of a text")


def references(kind: str, payload: Mapping[str, Any], into: dict[Any, None]) -> None:
    """Add every text reference in a payload, as it stands in the journal, to ``into``; not yet checked by
    :func:`ref_hash`. Raises :class:`ValueError`, :class:`TypeError` or :class:`LookupError` for a payload that no
    recorder wrote."""
    get = payload.get
    for key in TEXT_KEYS[kind]:
        ref = get(key)
        if ref is not None:
            into[ref] = None
    if kind == "model_call":
        prompt = get("prompt")
        if isinstance(prompt, dict) and "new" in prompt:
            for _, _, content, rest in prompt["new"]:
                if content is not None:
                    into[content] = None
                if rest is not None:
                    into[rest] = None
            ref = prompt.get("block")
            if ref is not None:
                into[ref] = None


def pack(kind: str, payload: dict[str, Any], pks: Mapping[str, int]) -> Any:
    """A payload from the journal as the value that its row keeps as JSON; ``pks`` has every reference in it.

    ``payload`` is used up. Raises as :func:`references` does.
    """
    keys, texts_at, duration_at = _PLANS[kind]
    take = payload.pop
    values: list[Any] = [take(key, None) for key in keys]
    for index in texts_at:
        ref = values[index]
        if ref is not None:
            values[index] = pks[ref]
    if kind == "model_call":
        if values[_PROMPT] is not None:
            values[_PROMPT] = _pack_prompt(values[_PROMPT], pks)
        if values[_USAGE] is not None:
            values[_USAGE] = _pack_usage(values[_USAGE])
        if values[_COST].__class__ is float:
            values[_COST] = round(values[_COST], COST_DIGITS)
        for index in _FLAG_AT:
            if values[index] is False:
                values[index] = None
    if duration_at is not None and values[duration_at].__class__ is float:
        values[duration_at] = round(values[duration_at], DURATION_DIGITS)
    while values and values[-1] is None:
        values.pop()
    return {"v": values, "+": payload} if payload else values


def unpack(kind: str, row: str) -> dict[str, Any]:
    """A row's payload with every key of its kind; texts are still numbers, and the prompt is in its stored form."""
    data = _decode(row)
    extra: dict[str, Any] = {}
    if isinstance(data, dict):
        data, extra = data["v"], data["+"]
    keys = PAYLOAD_KEYS[kind]
    payload = dict.fromkeys(keys)
    payload.update(zip(keys, data, strict=False))
    if kind == "model_call":
        usage = payload["usage"]
        if isinstance(usage, list):
            payload["usage"] = dict(zip(USAGE, usage, strict=False))
        for key in FLAGS:
            if payload[key] is None:
                payload[key] = False
    payload.update(extra)
    return payload


class StoredPrompt(msgspec.Struct):
    """A prompt as stored: what is new in it since the call ``base``. Texts are numbers.

    Attributes:
        base: the ``seq`` of the model call that it builds on, or None.
        keep: how many messages of that one's prompt it begins with.
        new: the messages after them: role, name, content, everything else.
        block: the injected text, or None.
    """

    base: int | None = None
    keep: int = 0
    new: list[tuple[Any, Any, int | None, int | None]] = msgspec.field(default_factory=list)
    block: int | None = None


def unpack_prompt(value: Any) -> StoredPrompt | None:
    """The prompt in an unpacked payload; None where there is none (contents are not recorded)."""
    if not isinstance(value, list):
        return None
    base, keep, new, block = [*value, None, None, None, None][:4]
    messages: list[tuple[Any, Any, int | None, int | None]] = []
    for entry in new or ():
        role, name, content, rest = [*entry, None, None, None, None][:4]
        if role.__class__ is int:
            role = ROLES[role] if role < len(ROLES) else f"role {role}"  # of a newer version
        elif isinstance(role, list):
            role = role[0]
        messages.append((role, name, content, rest))
    return StoredPrompt(base, keep or 0, messages, block)


def numbers(kind: str, payload: Mapping[str, Any]) -> Iterator[int]:
    """The number of every text that an unpacked payload refers to, those of the prompt included."""
    for key in TEXT_KEYS[kind]:
        value = payload.get(key)
        if isinstance(value, int):
            yield value
    if kind == "model_call":
        prompt = unpack_prompt(payload.get("prompt"))
        if prompt is not None:
            for _, _, content, rest in prompt.new:
                if content is not None:
                    yield content
                if rest is not None:
                    yield rest
            if prompt.block is not None:
                yield prompt.block


def _cut(values: list[Any]) -> list[Any]:
    while values and values[-1] is None:
        values.pop()
    return values


def _pack_prompt(prompt: Any, pks: Mapping[str, int]) -> Any:
    if prompt.__class__ is not dict:
        return str(prompt)
    if "new" not in prompt:
        count = prompt.get("messages")
        return count if count.__class__ is int else None
    new: list[Any] = []
    for role, name, content, rest in prompt["new"]:
        if role.__class__ is str:
            role = _ROLE_NUMBER.get(role, role)
        elif role is not None:
            role = [role]
        new.append(_cut([
            role,
            name,
            None if content is None else pks[content],
            None if rest is None else pks[rest],
        ]))  # fmt: skip
    base, keep, block = prompt.get("base"), prompt.get("keep"), prompt.get("block")
    return _cut([
        base if base.__class__ is int else None,
        keep if keep and keep.__class__ is int else None,
        new or None,
        None if block is None else pks[block],
    ])  # fmt: skip


def _pack_usage(usage: Any) -> Any:
    if isinstance(usage, dict) and usage:
        known = [usage.get(key) for key in USAGE[: len(usage)]]
        if all(value.__class__ is int for value in known):
            return known
    return usage
