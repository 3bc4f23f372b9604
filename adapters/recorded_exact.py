"""The part of a recorded run that the format itself has no words for: its events, exactly as they were recorded.

A record that this package wrote (:mod:`.recorded_export`) has a key ``seasoned``::

    {"version": 1, "writers": 1, "events": [[writer, seq, kind, at, turn, agent, payload, texts], ...]}

Texts are numbered through the run and stand where they are first needed: ``texts`` are those that an event brings, and
a payload refers to them by number. Of a prompt there is what is new in it, as in the journal
(:mod:`..instrumentation.prompts`). ``writer`` is which of the run's journals an event was written to; their names mean
nothing elsewhere and are left out.

A file is data, wherever it comes from: everything is checked before the first event is written, and it is redacted
again on its way in. Each journal of the run is written to a journal of its own, because an event is known by its
journal and number, and prompts build on each other by these numbers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import msgspec

from ..instrumentation.errors import JournalError, RunFormatError
from ..instrumentation.events import KIND_NUMBER, PAYLOAD_KEYS, TEXT_KEYS, as_text, encode, storable, text_ref
from ..instrumentation.journal import Writer
from ..instrumentation.recorder import INLINE_KEYS
from ..instrumentation.tail import LONGEST_ID

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..instrumentation.recorder import Recorder

VERSION = 1
"""Version of the key ``seasoned`` that is written, and the newest that is read."""

KEY = "seasoned"
"""The key in a record."""

MOST_WRITERS = 200
"""Journals that a run may have: each is two open files while it is imported. One comes from each process that wrote
to the run, so a pool of this many forked workers may share one."""

_MARKED = "\x01"
"""How a prompt's value begins that is no text but JSON."""

_Index = Annotated[int, msgspec.Meta(ge=0)]
_Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)]


class ExactEvent(msgspec.Struct, array_like=True, gc=False):
    """An event as the record has it; the payload's texts are numbers."""

    writer: _Index
    seq: _Number
    kind: str
    at: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
    turn: _Number
    agent: str | None
    payload: dict[str, Any]
    texts: list[str] = []


class Exact(msgspec.Struct, gc=False):
    """The events of a record, checked. Make one with :func:`checked`."""

    writers: Annotated[int, msgspec.Meta(ge=1, le=MOST_WRITERS)]
    events: list[ExactEvent]
    version: int = VERSION


class _Prompt(msgspec.Struct):
    new: list[tuple[Any, Any, _Index | None, _Index | None]]
    base: _Number | None = None
    keep: _Number = 0
    block: _Index | None = None


class _Outcome(msgspec.Struct):
    success: bool | None = None
    quality: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    source: str | None = None
    complexity: str | None = None
    flags: dict[str, Any] | None = None
    cost_usd: float | None = None
    excluded: list[str] | None = None


class _Work(msgspec.Struct):
    usage: Any = None
    cost_usd: float | None = None
    duration_ms: float | None = None


class _Started(msgspec.Struct):
    parent: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_ID)] | None = None
    session: str | None = None
    namespace: str | None = None
    agents: list[str] | None = None


_SHAPES: dict[str, type[msgspec.Struct]] = {
    "run_started": _Started, "outcome": _Outcome, "model_call": _Work, "tool_result": _Work, "code_execution": _Work,
}  # fmt: skip
"""What the ingester reckons with, by kind; everything else in a payload is kept as it is."""


# -- checking ----------------------------------------------------------------------------------------------------------


def checked(raw: bytes | msgspec.Raw, run_id: str, place: str) -> Exact:
    """The key ``seasoned`` of a record, from its JSON; raises :class:`RunFormatError` that names ``place``, what is
    wrong with it and the mend."""
    try:
        version = msgspec.json.decode(raw, type=_Versioned).version
        if version > VERSION:
            raise RunFormatError(
                f"{place}: its part `{KEY}` is of version {version}, and this version of the package reads "
                f"{VERSION}; to mend it: pip install --upgrade seasoned"
            )
        exact = msgspec.json.decode(raw, type=Exact)
        if not 0 < len(run_id) <= LONGEST_ID or "\x00" in run_id:
            _refuse("the run_id is none")
        _check(exact)
    except (ValueError, RecursionError) as error:
        raise damaged(place, error) from None
    return exact


def damaged(place: str, error: Exception) -> RunFormatError:
    """The error for a part that cannot be read."""
    return RunFormatError(
        f"{place}: its part `{KEY}` is damaged ({str(error)[:200]}), so nothing of the run is taken; export it again, "
        "or leave the key out to import what the messages tell"
    )


class _Versioned(msgspec.Struct):
    version: Annotated[int, msgspec.Meta(ge=1)]


def _check(exact: Exact) -> None:
    if not exact.events:
        _refuse("it has no events")
    known = 0
    for number, event in enumerate(exact.events):
        known += len(event.texts)
        try:
            _check_event(event, exact.writers, known)
        except ValueError as error:
            raise ValueError(f"{error} - in `events[{number}]`") from None


def _check_event(event: ExactEvent, writers: int, known: int) -> None:
    if event.kind not in KIND_NUMBER:
        _refuse(f"{event.kind[:40]!r} is no kind of event that this version knows")
    if event.writer >= writers:
        _refuse(f"there is no writer {event.writer}")
    if event.agent is not None and "\x00" in event.agent:
        _refuse("the agent's name is none")
    payload = event.payload
    for key in TEXT_KEYS[event.kind]:
        _check_text(payload.get(key), known)
    as_json = payload.get("json", [])
    if not isinstance(as_json, list) or not set(map(repr, as_json)) <= set(map(repr, TEXT_KEYS[event.kind])):
        _refuse("`json` does not name texts")
    shape = _SHAPES.get(event.kind)
    if shape is not None:
        told = msgspec.convert(payload, shape)
        for key in ("cost_usd", "duration_ms"):
            if not math.isfinite(getattr(told, key, None) or 0.0):
                _refuse(f"{key} is no number")
    prompt = payload.get("prompt") if event.kind == "model_call" else None
    if isinstance(prompt, dict) and "new" in prompt:
        told = msgspec.convert(prompt, _Prompt)
        for _, _, content, rest in told.new:
            _check_text(content, known)
            _check_text(rest, known)
        _check_text(told.block, known)


def _check_text(number: Any, known: int) -> None:
    if number is not None and (number.__class__ is not int or not 0 <= number < known):
        _refuse(f"there is no text {str(number)[:40]}")


def _refuse(why: str) -> NoReturn:
    raise ValueError(why)


# -- writing to the journal --------------------------------------------------------------------------------------------


class Journals:
    """The journals that exact events are written to: the recorder's own, and as many beside it as a run had.

    They are in the order of their names, which decides between events of one moment. Use it as a context manager for
    as many runs as there are, and close it before the next flush where another process shall ingest.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._more: list[Writer] = []

    def writer(self, number: int) -> Writer:
        """The journal for the events of a run's ``number``-th writer."""
        while number > len(self._more):
            before = self._more[-1] if self._more else self._recorder.writer
            made = Writer(before.home)
            while made.writer_id <= before.writer_id:
                made = Writer(before.home)
            self._more.append(made)
        return self._more[number - 1] if number else self._recorder.writer

    def close(self) -> None:
        """Let go of the journals beside the recorder's own; whoever ingests next finishes them."""
        for writer in self._more:
            writer.close()
        self._more = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def restore(recorder: Recorder, run_id: str, exact: Exact, journals: Journals, *, namespace: str | None = None) -> None:
    """Write the events of a run to the journal, as they were recorded.

    Args:
        recorder: whose redaction and settings count.
        run_id: the run.
        exact: its events.
        journals: where to.
        namespace: the namespace that the run shall belong to; its own where not given.

    Raises:
        JournalError: the journal cannot be written.
    """
    restored = _Restored(recorder)
    recorder.runs_started += 1
    for event in exact.events:
        payload, texts = restored.event(event)
        if namespace is not None and event.kind == "run_started":
            payload["namespace"] = namespace
        line = encode((run_id, event.seq, event.kind, event.at, event.turn, event.agent, payload, texts))
        writer = journals.writer(event.writer)
        if not writer.append(line, run_id):
            raise JournalError(
                f"run {run_id} could not be written to {writer.folder} ({writer.error}), and is there in part only; "
                f"make room, remove it (seasoned forget {run_id}) and import it again"
            )
        recorder.events += 1


class _Restored:
    """Turns the numbers of one run's texts into references of redacted texts."""

    def __init__(self, recorder: Recorder) -> None:
        self._redactor = recorder.redactor
        self._content = recorder.content
        self._refs: list[str] = []
        self._lengths: list[int] = []

    def event(self, event: ExactEvent) -> tuple[dict[str, Any], dict[str, str]]:
        """The payload as a journal has it, and the texts that the line brings."""
        payload = dict(event.payload)
        as_json = set(payload.get("json", ()))
        values = {payload.get(key) for key in as_json if payload.get(key) is not None}
        first = len(self._lengths)
        texts: dict[str, str] = {}
        for number, text in enumerate(event.texts, first):
            self._lengths.append(len(text))
            if not self._content:
                continue
            stored = self._redacted(text, as_json=number in values)
            ref = text_ref(stored)
            self._refs.append(ref)
            texts[ref] = stored
        for key, value in payload.items():
            if value.__class__ is not int or key not in TEXT_KEYS[event.kind]:
                payload[key] = self._inline(key, value, PAYLOAD_KEYS[event.kind])
        for key in TEXT_KEYS[event.kind]:
            number = payload.get(key)
            if number is not None:
                payload[key] = self._refs[number] if self._content else None
                if not self._content:
                    payload[key + "_chars"] = self._lengths[number]
        if isinstance(payload.get("prompt"), dict):
            payload["prompt"] = self._prompt(payload["prompt"])
        return payload, texts

    def _redacted(self, text: str, *, as_json: bool) -> str:
        """A text as it is stored. Where nothing is to be redacted it stays the same to the letter."""
        if as_json or text.startswith(_MARKED):
            mark = _MARKED if text.startswith(_MARKED) else ""
            try:
                value = msgspec.json.decode(text[len(mark) :])
            except (ValueError, RecursionError):
                value = None
            redacted = self._redactor.deep(value)
            if redacted is not value:
                text = mark + as_text(redacted)
        return storable(self._redactor.text(text))

    def _inline(self, key: str, value: Any, known: tuple[str, ...]) -> Any:
        """A value that stays inside the event, as the recorder would have kept it; what no recorder of ours writes is
        redacted as well."""
        if key not in INLINE_KEYS:
            return self._redactor.deep(value) if key not in known else value
        if self._content or key in ("reason", "flags", "caller"):
            return self._redactor.deep(value)
        if key == "tool_calls" and value:
            return [{**call, "arguments": None} if isinstance(call, dict) else None for call in value]
        return None

    def _prompt(self, prompt: dict[str, Any]) -> dict[str, Any]:
        if "new" not in prompt:
            return prompt
        if not self._content:
            return {"messages": (prompt.get("keep") or 0) + len(prompt["new"])}

        def ref(number: int | None) -> str | None:
            return None if number is None else self._refs[number]

        new = [[role, name, ref(content), ref(rest)] for role, name, content, rest in prompt["new"]]
        return {
            "base": prompt.get("base"),
            "keep": prompt.get("keep") or 0,
            "new": new,
            "block": ref(prompt.get("block")),
        }
