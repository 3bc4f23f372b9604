"""Events: the immutable facts of a run, and how one is written as a journal line.

A journal line is one JSON array, ``[run_id, seq, kind, at, turn, agent, payload, texts]``, so that a line is a
record and a torn one harms no other. In it the payload's *texts* (the keys in :data:`TEXT_KEYS`) are
references, the hash of the redacted text; ``texts`` holds those that this run has not written before. A reader
gets them back in full from :mod:`.reading`.
"""

from __future__ import annotations

from binascii import b2a_base64
from hashlib import sha256
from typing import Any

import msgspec

KINDS: tuple[str, ...] = (
    "run_started",
    "message",
    "model_call",
    "tool_call",
    "tool_result",
    "code_execution",
    "transition",
    "human_input",
    "artifact",
    "context_snapshot",
    "injection",
    "error",
    "feedback",
    "outcome",
    "run_finished",
    "gap",
)
"""Every kind of event, in the order of its number in the database. Append only. ``gap`` says that events were
lost here, because the journal itself could not be written, and how many."""

UNKNOWN = "unknown"
"""What an event is called whose kind this version of the package does not know: a newer one has recorded it. Its
payload is the ``number`` of its kind, and what is ``stored`` of it."""

KIND_NUMBER: dict[str, int] = {kind: number for number, kind in enumerate(KINDS)}

TEXT_KEYS: dict[str, tuple[str, ...]] = {
    "run_started": ("task",),
    "message": ("content",),
    "model_call": ("response", "reasoning", "error"),
    "tool_call": (),
    "tool_result": ("content", "error"),
    "code_execution": ("code", "output"),
    "transition": (),
    "human_input": ("content",),
    "artifact": ("content",),
    "context_snapshot": ("content",),
    "injection": ("text",),
    "error": ("error",),
    "feedback": ("content",),
    "outcome": (),
    "run_finished": ("task",),
    "gap": (),
}
"""Payload keys, by kind, whose values are texts: redacted, hashed and stored once. A value that is no string
is stored as its JSON, and the key is then named in the payload's ``json`` list."""

PAYLOAD_KEYS: dict[str, tuple[str, ...]] = {
    "run_started": (
        "task", "session", "namespace", "parent", "framework", "domain", "task_type", "agents", "resumed", "model",
        "source",
    ),
    "message": ("recipients", "role", "content", "task"),
    "model_call": (
        "model", "prompt", "response", "usage", "cost_usd", "duration_ms", "tool_calls", "reasoning", "cached",
        "error", "error_type", "internal",
    ),
    "tool_call": ("tool", "call_id", "arguments", "caller"),
    "tool_result": ("tool", "call_id", "ok", "content", "error_type", "error", "duration_ms"),
    "code_execution": ("language", "code", "exit_code", "output", "duration_ms"),
    "transition": ("to_agent", "reason"),
    "human_input": ("content",),
    "artifact": ("path", "content"),
    "context_snapshot": ("content", "reason"),
    "injection": ("text", "tokens", "sections", "templates"),
    "error": ("error_type", "error", "ends_run"),
    "feedback": ("source", "content", "positive"),
    "outcome": ("success", "quality", "source", "complexity", "flags", "cost_usd"),
    "run_finished": ("reason", "task", "agents", "error_type", "framework"),
    "gap": ("lost", "reason"),
}  # fmt: skip
"""The order in which the database keeps a payload's values, so that it need not repeat their names in every
row. Append only: rows on disk are read by position. Keys that are not listed are kept with their names."""

AGENT_KEY: dict[str, str] = {"message": "sender", "transition": "from_agent"}
"""What an event's ``agent`` is called in the published payload, where that is not ``agent``."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One fact of a run, with its texts in full.

    Attributes:
        run_id: the run that it belongs to.
        writer: the journal that it was written to (one for each process).
        seq: its number in that run and journal, from 0 without holes; a hole is a lost event.
        kind: one of :data:`KINDS`.
        at: when, in nanoseconds since the epoch. For what takes time, when it ended.
        turn: the number of the agent's reply in the run, from 1; 0 before the first.
        agent: the agent that did it, or None where no agent did.
        payload: what happened; the keys of each kind are in :data:`PAYLOAD_KEYS`.
    """

    run_id: str
    writer: str
    seq: int
    kind: str
    at: int
    turn: int
    agent: str | None
    payload: dict[str, Any]

    def public(self) -> dict[str, Any]:
        """The event as ``seasoned show --json`` prints it: one flat dictionary."""
        out: dict[str, Any] = {"seq": self.seq, "kind": self.kind, "at": self.at, "turn": self.turn}
        out[AGENT_KEY.get(self.kind, "agent")] = self.agent
        for key in PAYLOAD_KEYS.get(self.kind, ()):
            out[key] = self.payload.get(key)
        for key, value in self.payload.items():
            if key not in out:
                out[key] = value
        out["writer"] = self.writer
        return out


class Line(msgspec.Struct, array_like=True, gc=False):
    """A journal line, decoded: the event with its texts still as references."""

    run_id: str
    seq: int
    kind: str
    at: int
    turn: int
    agent: str | None
    payload: dict[str, Any]
    texts: dict[str, str]


def plain(value: Any) -> Any:
    """A stand-in that JSON can hold for a value that it cannot (the encoder's hook): its ``repr``, cut."""
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump()
    return repr(value)[:10_000]


_URL_SAFE = bytes.maketrans(b"+/", b"-_")

_encoder = msgspec.json.Encoder(enc_hook=plain)
encode = _encoder.encode
decode_line = msgspec.json.Decoder(Line).decode


def text_ref(text: str) -> str:
    """The reference of a redacted text: 128 bits of its SHA-256, 22 characters of URL-safe base64."""
    return b2a_base64(sha256(text.encode()).digest()[:16])[:22].translate(_URL_SAFE).decode()


def storable(text: str) -> str:
    """``text`` without what UTF-8 and databases cannot hold: lone surrogates and NUL become visible escapes."""
    if "\x00" in text:
        text = text.replace("\x00", "\\x00")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "backslashreplace").decode()
    return text


def as_text(value: Any) -> str:
    """The text of a value that is no string: its JSON, or its ``repr`` where it has none. Never raises."""
    try:
        return encode(value).decode()
    except Exception:  # noqa: BLE001  a hostile __repr__, a cycle, a key that JSON cannot hold
        try:
            return repr(value)
        except Exception:  # noqa: BLE001
            return f"<{type(value).__name__} that cannot be shown>"


def encodable(value: Any) -> Any:
    """A value as it is where JSON can hold it; else with what JSON cannot hold in it as text."""
    try:
        encode(value)
    except Exception:  # noqa: BLE001  somebody else's object
        try:
            if isinstance(value, str):
                return storable(value)
            if isinstance(value, dict):
                return {storable(key if isinstance(key, str) else as_text(key)): encodable(each)
                        for key, each in value.items()}  # fmt: skip
            if isinstance(value, (list, tuple)):
                return [encodable(each) for each in value]
        except RecursionError:  # it holds itself
            pass
        return storable(as_text(value))
    return value
