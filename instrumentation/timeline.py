"""A run's events in their order, with their texts in full and, if wanted, prompts as the model saw them.

Everything is read in blocks, so that a run of any length takes little memory: texts are fetched for one block at a
time, and of the prompts, each of which repeats the one before, only the last of each agent is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from sqlalchemy import select

from .errors import NotFound
from .events import KIND_NUMBER, KINDS, TEXT_KEYS, UNKNOWN, Event, Line, encode
from .packing import StoredPrompt, numbers, unpack, unpack_prompt
from .prompts import with_block
from .schema import events as events_table
from .schema import journals, runs, texts

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

BLOCK = 500
"""Events that are read at a time, and numbers in one query."""

_MODEL_CALL = KIND_NUMBER["model_call"]
_Messages = list[dict[str, Any]]
_decode = msgspec.json.decode


def events(
    connection: Connection,
    run_id: str,
    *,
    prompts: bool = False,
    kinds: Collection[str] | None = None,
    turn: int | None = None,
    seq: int | None = None,
    place: Place | None = None,
) -> Generator[Event, None, None]:
    """The events of a run, in order: by time, then journal, then number.

    A text that was forgotten, or has not arrived, is None. Values that are no strings come as what they were.

    Args:
        connection: from :meth:`.store.Store.reading`; it must stay open while events are taken.
        run_id: the run's full id.
        prompts: whether model calls have a ``prompt``: the list of messages as sent, the injected block among them,
            and ``injected``, that block alone. The dictionaries in it are shared between calls: do not change them.
        kinds: only events of these kinds.
        turn: only those of this turn.
        seq: only those with this number.
        place: only those in this part of the run.

    Raises:
        NotFound: there is no such run.
    """
    part = _Part(kinds, turn, seq, place or Place())
    return _stream(connection, _numbered(connection, [run_id]), part, prompts=prompts)


def tree_events(
    connection: Connection, run_id: str, *, prompts: bool = False, kinds: Collection[str] | None = None
) -> Generator[Event, None, None]:
    """The events of a run and of all runs inside it, in one order; otherwise as :func:`events`."""
    return _stream(connection, _numbered(connection, tree(connection, [run_id])), _Part(kinds), prompts=prompts)


def tree(connection: Connection, run_ids: Iterable[str]) -> list[str]:
    """The ids of these runs and of all runs inside them, each once."""
    found = dict.fromkeys(run_ids)
    front = list(found)
    while front:
        children: list[str] = []
        for first in range(0, len(front), BLOCK):
            query = select(runs.c.run_id).where(runs.c.parent_run_id.in_(front[first : first + BLOCK]))
            children.extend(connection.execute(query.order_by(runs.c.run_id)).scalars())
        front = [child for child in children if child not in found]
        found.update(dict.fromkeys(front))
    return list(found)


def in_full(connection: Connection, recorded: Sequence[tuple[str, Line, Any]]) -> list[Event]:
    """Events as a sink is given them, from what the ingester has just stored: writer, line and payload as stored."""
    payloads = [unpack(line.kind, encode(packed).decode()) for _, line, packed in recorded]
    wanted: set[int] = set()
    for (_, line, _), payload in zip(recorded, payloads, strict=True):
        payload.pop("prompt", None)
        wanted.update(numbers(line.kind, payload))
    known = fetch_texts(connection, wanted)
    for (_, line, _), payload in zip(recorded, payloads, strict=True):
        _fill(line.kind, payload, known)
    return [
        Event(
            run_id=line.run_id, writer=writer, seq=line.seq, kind=line.kind, at=line.at, turn=line.turn,
            agent=line.agent, payload=payload,
        )
        for (writer, line, _), payload in zip(recorded, payloads, strict=True)
    ]  # fmt: skip


def fetch_texts(connection: Connection, wanted: Collection[int]) -> dict[int, str]:
    """These texts by their numbers; those that are not there are left out."""
    found: dict[int, str] = {}
    ordered = sorted(wanted)
    for first in range(0, len(ordered), BLOCK):
        query = select(texts.c.text_pk, texts.c.text).where(texts.c.text_pk.in_(ordered[first : first + BLOCK]))
        found.update((number, text) for number, text in connection.execute(query) if text is not None)
    return found


def _numbered(connection: Connection, run_ids: Sequence[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for first in range(0, len(run_ids), BLOCK):
        query = select(runs.c.run_pk, runs.c.run_id).where(runs.c.run_id.in_(run_ids[first : first + BLOCK]))
        found.update((run_pk, run_id) for run_pk, run_id in connection.execute(query))
    if run_ids and run_ids[0] not in found.values():
        raise NotFound(f"there is no run {run_ids[0][:80]!r}. List what there is: seasoned runs")
    return found


class Place(NamedTuple):
    """A part of a run.

    Attributes:
        from_ns, until_ns: its first and last moment, in nanoseconds since the epoch; None is no bound.
        stretch: the journal's number and the first and last offset in it, where the part is known to lie within.
    """

    from_ns: int | None = None
    until_ns: int | None = None
    stretch: tuple[int, int, int] | None = None

    def of(self, query: Any) -> Any:  # a Select of whatever columns; its type has one argument for each
        """The query with these conditions."""
        table = events_table.c
        if self.from_ns is not None:
            query = query.where(table.at >= self.from_ns)
        if self.until_ns is not None:
            query = query.where(table.at <= self.until_ns)
        if self.stretch is not None:
            journal, low, high = self.stretch
            # by the primary key: the index of runs would be asked for the whole run
            query = query.where(table.journal_pk == journal, table.offset.between(low, high))
        return query


class _Part(NamedTuple):
    """Which events of the runs are wanted; None is no condition."""

    kinds: Collection[str] | None = None
    turn: int | None = None
    seq: int | None = None
    place: Place = Place()

    def of(self, query: Any) -> Any:  # a Select of whatever columns; its type has one argument for each
        """The query with these conditions."""
        table = events_table.c
        if self.kinds is not None:
            query = query.where(table.kind.in_([KIND_NUMBER[kind] for kind in self.kinds]))
        if self.turn is not None:
            query = query.where(table.turn == self.turn)
        if self.seq is not None:
            query = query.where(table.seq == self.seq)
        return self.place.of(query)


def _stream(
    connection: Connection, numbered: Mapping[int, str], part: _Part, *, prompts: bool
) -> Generator[Event, None, None]:
    history = _Prompts(connection, numbered, part.place.until_ns) if prompts else None
    table = events_table.c
    query = (
        select(table.run_pk, journals.c.writer, table.seq, table.kind, table.at, table.turn, table.agent, table.payload)
        .join_from(events_table, journals, table.journal_pk == journals.c.journal_pk)
        .where(table.run_pk.in_(list(numbered)))
        .order_by(table.at, journals.c.writer, table.seq, table.journal_pk, table.offset)
        .execution_options(yield_per=BLOCK)
    )
    with connection.execute(part.of(query)) as result:
        for block in result.partitions():
            payloads: list[dict[str, Any]] = []
            wanted: set[int] = set()
            for row in block:
                if not 0 <= row.kind < len(KINDS):
                    payloads.append({"number": row.kind, "stored": row.payload})
                    continue
                payload = unpack(KINDS[row.kind], row.payload)
                if history is None:
                    payload.pop("prompt", None)
                wanted.update(numbers(KINDS[row.kind], payload))
                payloads.append(payload)
            known = fetch_texts(connection, wanted)
            for row, payload in zip(block, payloads, strict=True):
                kind = KINDS[row.kind] if 0 <= row.kind < len(KINDS) else UNKNOWN
                if history is not None and row.kind == _MODEL_CALL:
                    payload["prompt"] = history.prompt(row.run_pk, row.writer, row.agent, row.seq, known)
                    payload["injected"] = history.injected
                if kind != UNKNOWN:
                    _fill(kind, payload, known)
                yield Event(
                    run_id=numbered[row.run_pk], writer=row.writer, seq=row.seq, kind=kind, at=row.at,
                    turn=row.turn, agent=row.agent, payload=payload,
                )  # fmt: skip


def _fill(kind: str, payload: dict[str, Any], known: Mapping[int, str]) -> None:
    """Put texts in the place of their numbers."""
    as_json = payload.pop("json", None) or ()
    for key in TEXT_KEYS[kind]:
        number = payload.get(key)
        if isinstance(number, int):
            text = known.get(number)
            payload[key] = _loads(text) if text is not None and key in as_json else text


def _loads(text: str) -> Any:
    try:
        return _decode(text)
    except (ValueError, RecursionError):  # redacted across its syntax: better as it is than not at all
        return text


class _Prompts:
    """Puts prompts together from what was new in each.

    A prompt builds on an earlier call of the same agent, almost always the last; the list of that one is at hand.
    Where it is another (two calls at once), the way back is gone through the stored prompts, which are small.
    """

    injected: str | None = None
    """The block in the prompt that was last put together."""

    def __init__(self, connection: Connection, numbered: Mapping[int, str], until_ns: int | None) -> None:
        self._connection = connection
        self._stored: dict[tuple[int, str, int], StoredPrompt | None] = {}
        self._last: dict[tuple[int, str, str | None], tuple[int, _Messages]] = {}
        table = events_table.c
        query = (
            select(table.run_pk, journals.c.writer, table.seq, table.payload)
            .join_from(events_table, journals, table.journal_pk == journals.c.journal_pk)
            .where(table.run_pk.in_(list(numbered)), table.kind == _MODEL_CALL)
            .execution_options(yield_per=BLOCK)
        )
        with connection.execute(Place(until_ns=until_ns).of(query)) as result:
            for row in result:
                prompt = unpack_prompt(unpack("model_call", row.payload)["prompt"])
                self._stored[row.run_pk, row.writer, row.seq] = prompt

    def prompt(
        self, run_pk: int, writer: str, agent: str | None, seq: int, known: Mapping[int, str]
    ) -> _Messages | None:
        """The messages of one call as they were sent; None where prompts are not recorded."""
        chain: list[tuple[int, StoredPrompt]] = []
        messages: _Messages = []
        last_seq, last = self._last.get((run_pk, writer, agent), (-1, []))
        at: int | None = seq
        while at is not None:
            if at == last_seq and at != seq:
                messages = last
                break
            stored = self._stored.get((run_pk, writer, at))
            if stored is None or len(chain) > len(self._stored):
                break
            chain.append((at, stored))
            at = stored.base
        self.injected = None
        if not chain:
            return None
        if len(chain) > 1:
            wanted = {
                number for _, stored in chain for entry in stored.new for number in entry[2:] if number is not None
            }
            known = {**known, **fetch_texts(self._connection, wanted)}
        for _, stored in reversed(chain):
            lost = stored.keep - len(messages)
            messages = messages[: stored.keep]
            if lost > 0:  # the call that it builds on is missing: its messages are not known
                messages = messages + [{"role": None, "content": None}] * lost
            messages = messages + [_message(*entry, known) for entry in stored.new]
        self._last[run_pk, writer, agent] = (seq, messages)
        block = chain[0][1].block
        injected = self.injected = known.get(block) if block is not None else None
        return with_block(messages, injected) if injected else list(messages)


def _message(role: Any, name: Any, content: int | None, rest: int | None, known: Mapping[int, str]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": role, "content": _value(content, known)}
    if role is None:
        del message["role"]
    if name is not None:
        message["name"] = name
    if rest is not None:
        more = _value(rest, known)
        message.update(more if isinstance(more, dict) else {"unreadable": more})
    return message


def _value(number: int | None, known: Mapping[int, str]) -> Any:
    """A text, or what it is the JSON of (marked by its first character)."""
    text = known.get(number) if number is not None else None
    return _loads(text[1:]) if text is not None and text.startswith("\x01") else text
