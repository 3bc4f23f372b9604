"""Writing runs in the recorded-run format, so that they can be read back without loss.

A record tells the run in the format's own words, for whoever reads it, and its events exactly in the key ``seasoned``
(:mod:`.recorded_exact`), which our own import takes. Both are written piece by piece while the events are read, so that
a run of any length takes little memory; it is one line all the same, and whoever reads it holds that line in memory.

What is written follows from the recorded facts alone, not from where they lie in a database, so that the export of an
import is the same to the byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select

from ..instrumentation import reading
from ..instrumentation.events import KIND_NUMBER, KINDS, PAYLOAD_KEYS, TEXT_KEYS, encode
from ..instrumentation.packing import FLAGS, StoredPrompt, numbers, unpack, unpack_prompt
from ..instrumentation.schema import events as events_table
from ..instrumentation.schema import journals, runs
from ..instrumentation.timeline import BLOCK, fetch_texts
from .recorded_exact import KEY, VERSION
from .recorded_messages import KINDS as TOLD
from .recorded_messages import Said, conversation, system_prompt, when

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sqlalchemy import Connection

    from ..instrumentation.reading import RunRecord

REMEMBERED = 50_000
"""Texts of which is remembered that they are written already, in each of two generations; one that fell out is written
once more. About 10 MB."""

PIECE = 1 << 16
"""Bytes that are collected before they are handed on."""


class Stored(NamedTuple):
    """An event as it lies in the database: its payload's texts are numbers, which ``known`` has.

    Attributes:
        writer: which of the run's journals it was written to, in the order of their names.
        prompt: of a model call, its prompt as stored, where contents are kept.
        known: the texts that it refers to, by their numbers; one that was forgotten is missing.
    """

    writer: int
    seq: int
    kind: str
    at: int
    turn: int
    agent: str | None
    payload: dict[str, Any]
    prompt: StoredPrompt | None
    known: Mapping[int, str]


def record(connection: Connection, run: RunRecord) -> Iterator[bytes]:
    """A run as one line of the format, in pieces.

    Args:
        connection: from :meth:`..instrumentation.store.Store.reading`; it must stay open until the end.
        run: which.
    """
    piece = bytearray()
    for part in _parts(connection, run):
        piece += part
        if len(piece) >= PIECE:
            yield bytes(piece)
            piece.clear()
    yield bytes(piece)


def family(connection: Connection, run_ids: Collection[str]) -> list[RunRecord]:
    """The runs with these ids and all runs inside them, each once: the oldest first, and none before the one that it
    happened in."""
    ids = reading.tree(connection, list(run_ids))
    found = {run.run_id: run for run in reading.runs(connection, run_ids=ids, newest_first=False)}
    inside: dict[str | None, list[RunRecord]] = {}
    for run in found.values():
        inside.setdefault(run.parent_run_id if run.parent_run_id in found else None, []).append(run)
    out: dict[str, RunRecord] = {}
    waiting = list(reversed(inside.get(None, [])))
    while waiting:
        run = waiting.pop()
        if run.run_id not in out:
            out[run.run_id] = run
            waiting.extend(reversed(inside.get(run.run_id, [])))
    out.update((run_id, run) for run_id, run in found.items() if run_id not in out)  # inside each other, somebody wrote
    return list(out.values())


def dialogue(connection: Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """The run's conversation as messages of the format. It begins with the system prompts that its models were sent,
    as the application gave them: without what was put in."""
    yield from _system_prompts(connection, run_id)
    yield from conversation(_said(event) for event in stored(connection, run_id, TOLD, prompts=False))


def _parts(connection: Connection, run: RunRecord) -> Iterator[bytes]:
    outcome = {"success": run.success, "reward": run.quality}
    head = {
        "run_id": run.run_id, "source": run.source, "task": run.task, "domain": run.domain, "framework": run.framework,
        "model": run.model, "outcome": outcome, "agents": run.agents, "started_at": when(run.started_ns),
    }  # fmt: skip
    yield encode(head)[:-1]
    yield b',"messages":['
    comma = b""
    for message in dialogue(connection, run.run_id):
        yield comma + encode(message)
        comma = b","
    writers = _writers(connection, run.run_id)
    yield b'],"%s":{"version":%d,"writers":%d,"events":[' % (KEY.encode(), VERSION, max(1, len(writers)))
    told = _Texts()
    comma = b""
    for event in stored(connection, run.run_id):
        yield comma + encode(told.event(event))
        comma = b","
    yield b"]}}\n"


# -- reading events as they are stored -------------------------------------------------------------------------------


def stored(
    connection: Connection, run_id: str, kinds: Collection[str] | None = None, *, prompts: bool = True
) -> Iterator[Stored]:
    """The events of a run in their order, as they are stored, read in blocks; model calls without what they were sent
    where ``prompts`` is False."""
    numbered = {name: number for number, name in enumerate(_writers(connection, run_id))}
    table = events_table.c
    query = (
        select(journals.c.writer, table.seq, table.kind, table.at, table.turn, table.agent, table.payload)
        .join_from(events_table, journals, table.journal_pk == journals.c.journal_pk)
        .where(table.run_pk == _run_pk(connection, run_id))
        .order_by(table.at, journals.c.writer, table.seq, table.journal_pk, table.offset)
        .execution_options(yield_per=BLOCK)
    )
    if kinds is not None:
        query = query.where(table.kind.in_([KIND_NUMBER[kind] for kind in kinds]))
    with connection.execute(query) as result:
        for block in result.partitions():
            payloads = [unpack(KINDS[row.kind], row.payload) for row in block]
            wanted: set[int] = set()
            for row, payload in zip(block, payloads, strict=True):
                if not prompts:
                    payload.pop("prompt", None)
                wanted.update(numbers(KINDS[row.kind], payload))
            known = fetch_texts(connection, wanted)
            for row, payload in zip(block, payloads, strict=True):
                yield Stored(
                    numbered[row.writer], row.seq, KINDS[row.kind], row.at, row.turn, row.agent, payload,
                    unpack_prompt(payload.get("prompt")), known,
                )  # fmt: skip


def _run_pk(connection: Connection, run_id: str) -> int:
    return connection.execute(select(runs.c.run_pk).where(runs.c.run_id == run_id)).scalar_one()


def _writers(connection: Connection, run_id: str) -> list[str]:
    """The journals of a run, by their names."""
    query = (
        select(journals.c.writer)
        .join_from(events_table, journals, events_table.c.journal_pk == journals.c.journal_pk)
        .where(events_table.c.run_pk == _run_pk(connection, run_id))
        .distinct()
    )
    return sorted(connection.execute(query).scalars())


def _said(event: Stored) -> Said:
    """An event for the conversation."""
    payload = dict(event.payload)
    for key in TEXT_KEYS[event.kind]:
        number = payload.get(key)
        if isinstance(number, int):
            payload[key] = event.known.get(number)
    return Said(event.kind, event.agent, event.at, payload)


def _system_prompts(connection: Connection, run_id: str) -> Iterator[dict[str, Any]]:
    """The system prompt in each agent's first model call, in the order of these calls."""
    table = events_table.c
    calls = (table.run_pk == _run_pk(connection, run_id), table.kind == KIND_NUMBER["model_call"])
    first = select(table.agent, func.min(table.at).label("at")).where(*calls).group_by(table.agent)
    for agent, at in sorted(connection.execute(first).all(), key=lambda row: (row[1], row[0] or "")):
        query = select(table.payload).where(*calls, table.agent.is_not_distinct_from(agent), table.at == at)
        payload = connection.execute(query.order_by(table.seq).limit(1)).scalar_one()
        prompt = unpack_prompt(unpack("model_call", payload).get("prompt"))
        texts = [content for role, _, content, _ in prompt.new if role == "system" and content] if prompt else []
        for text in fetch_texts(connection, texts[:1]).values():
            if not text.startswith("\x01"):  # which is no text, but JSON
                yield system_prompt(agent, text)


# -- the exact part --------------------------------------------------------------------------------------------------


class _Texts:
    """Numbers texts through a run, each where it is first needed."""

    def __init__(self) -> None:
        self._count = 0
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self._new: list[str] = []

    def event(self, event: Stored) -> list[Any]:
        """An event as :class:`.recorded_exact.ExactEvent` has it."""
        self._new = []
        payload = self._payload(event)
        out: list[Any] = [event.writer, event.seq, event.kind, event.at, event.turn, event.agent, payload]
        return [*out, self._new] if self._new else out

    def _payload(self, event: Stored) -> dict[str, Any]:
        kind, known = event.kind, event.known
        usual = PAYLOAD_KEYS[kind]
        payload = {key: value for key, value in event.payload.items() if value is not None or key not in usual}
        for key in TEXT_KEYS[kind]:
            number = payload.pop(key, None)
            number = self._number(number, known) if isinstance(number, int) else None
            if number is not None:
                payload[key] = number
        if "json" in payload:
            as_json = [key for key in payload.pop("json") or () if key in payload]
            if as_json:
                payload["json"] = as_json
        if kind == "model_call":
            for key in FLAGS:
                if payload.get(key) is False:
                    del payload[key]
            if event.prompt is not None:
                payload["prompt"] = self._prompt(event.prompt, known)
            elif payload.get("prompt").__class__ is int:  # contents are not recorded: how many messages there were
                payload["prompt"] = {"messages": payload["prompt"]}
        return payload

    def _prompt(self, prompt: StoredPrompt, known: Mapping[int, str]) -> dict[str, Any]:
        new = [
            [role, name, self._number(content, known), self._number(rest, known)]
            for role, name, content, rest in prompt.new
        ]
        out: dict[str, Any] = {"new": new}
        if prompt.base is not None:
            out["base"] = prompt.base
        if prompt.keep:
            out["keep"] = prompt.keep
        block = self._number(prompt.block, known)
        return out if block is None else {**out, "block": block}

    def _number(self, text_pk: int | None, known: Mapping[int, str]) -> int | None:
        """The number of a text in this record; None for none, and for one that was forgotten."""
        if text_pk is None or text_pk not in known:
            return None
        number = self._young.get(text_pk)
        if number is None:
            number = self._old.get(text_pk)
            if number is None:
                number = self._count
                self._count += 1
                self._new.append(known[text_pk])
            if len(self._young) >= REMEMBERED:
                self._old, self._young = self._young, {}
            self._young[text_pk] = number
        return number
