"""One transaction of the ingester: what was read from journals lands in the database, all of it or nothing.

A chunk lands only if the database still stands where the chunk begins; the segment's offset moves in the same
transaction. So every event lands once, however many ingesters read the same journals and whenever they are killed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from .bulk import bulk
from .events import KIND_NUMBER
from .learning import relearn_above
from .packing import pack, ref_hash, references
from .runrows import fold
from .tail import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from .bulk import Bulk, EventRow
    from .events import Line
    from .tail import Chunk

_OURS = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
_REFUSALS = ("malformed JSON", "too big")

REMEMBERED = 10_000
"""Numbers of texts that one generation of :class:`Memory` holds: about 2 MB."""


class Memory:
    """The numbers of texts met lately, so that most references need no look into the database.

    Bounded by two generations. It is void once something was forgotten, by whichever process.
    """

    def __init__(self) -> None:
        self.forgotten = -1
        self._young: dict[str, int] = {}
        self._old: dict[str, int] = {}

    def get(self, ref: str) -> int | None:
        """The number of the text, if it was met lately."""
        number = self._young.get(ref)
        return number if number is not None else self._old.get(ref)

    def keep(self, numbers: Mapping[str, int]) -> None:
        """Remember numbers; only after the transaction that gave them is committed."""
        if len(self._young) > REMEMBERED:
            self._old, self._young = self._young, {}
        self._young.update(numbers)

    def void(self, forgotten: int) -> None:
        """Start again, because this many times something was forgotten."""
        self.forgotten = forgotten
        self._young, self._old = {}, {}


class Landed:
    """What a transaction did; to be believed only once it is committed.

    Attributes:
        chunks: those that landed.
        stale: the true offsets of segments whose chunk did not, because somebody else was there first.
        events: how many events landed.
        recorded: each with its writer and its payload as stored, if that was asked for.
        runs: ids of the runs touched.
        finished: ids of those that ended or were judged.
        numbers: numbers of the texts referred to.
        problems: lines that the database would not take.
    """

    def __init__(self, *, record: bool) -> None:
        self.chunks: list[Chunk] = []
        self.stale: dict[tuple[str, int], int] = {}
        self.events = 0
        self.recorded: list[tuple[str, Line, Any]] | None = [] if record else None
        self.runs: set[str] = set()
        self.finished: set[str] = set()
        self.numbers: dict[str, int] = {}
        self.problems: list[tuple[Chunk, Problem]] = []


def about_the_data(error: Exception) -> bool:
    """Whether an error is about what a line holds, so that the line may be skipped. A database that is away, or lacks a
    table, refuses every line: then none may be."""
    if isinstance(error, (exc.DataError, exc.IntegrityError, *_OURS)):
        return True
    if isinstance(error, exc.OperationalError):
        return any(clue in str(error.orig) for clue in _REFUSALS)
    return isinstance(error, exc.StatementError) and not isinstance(error, exc.DBAPIError)


def said_by(error: Exception) -> str:
    """What an error says, in one line; a driver's further lines may quote what was recorded."""
    return str(getattr(error, "orig", None) or error).split("\n")[0][:200]


def land(
    connection: Connection, memory: Memory, chunks: list[Chunk], *, record: bool = False, careful: bool = False
) -> Landed:
    """Put chunks into the database, inside the caller's transaction. Their payloads are used up.

    ``careful`` does it line by line, each in a savepoint, so that one that the database refuses is skipped alone.
    """
    statements = bulk(connection)
    statements.lock(alone=False)
    forgotten = statements.forgotten()
    if forgotten != memory.forgotten:
        memory.void(forgotten)
    landed = Landed(record=record)
    inner: set[str] = set()
    claimed: list[tuple[int, Chunk]] = []
    for chunk in sorted(chunks, key=lambda chunk: chunk.segment[:2]):
        writer, number, _ = chunk.segment
        journal_pk, offset = statements.claim(writer, number)
        if offset == chunk.start:
            claimed.append((journal_pk, chunk))
            landed.chunks.append(chunk)
        else:
            landed.stale[writer, number] = offset
    if not claimed:
        return landed
    if careful:
        for journal_pk, chunk in claimed:
            _one_by_one(connection, statements, memory, landed, inner, journal_pk, chunk)
    else:
        refs: dict[str, bytes] = {}
        texts: dict[bytes, str | None] = {}
        for _, chunk in claimed:
            refs.update(chunk.refs)
            texts.update(chunk.texts)
        _store(statements, memory, landed, inner, claimed, refs, texts)
    if inner:  # what happened inside a run is part of the work on it
        relearn_above(connection, inner)
    for journal_pk, chunk in claimed:
        if not statements.move(journal_pk, chunk.start, chunk.end):
            raise RuntimeError(f"{chunk.segment.path}: its offset moved inside our transaction")
        refused = [problem for where, problem in landed.problems if where is chunk]
        statements.problems(chunk.segment.writer, chunk.segment.number, [*chunk.problems, *refused])
    return landed


def _one_by_one(
    connection: Connection,
    statements: Bulk,
    memory: Memory,
    landed: Landed,
    inner: set[str],
    journal_pk: int,
    chunk: Chunk,
) -> None:
    for entry in chunk.entries:
        offset, line = entry
        named: dict[str, None] = {}
        references(line.kind, line.payload, named)
        refs = {ref: chunk.refs[ref] for ref in named}
        texts: dict[bytes, str | None] = {ref_hash(ref): text for ref, text in line.texts.items()}
        savepoint = connection.begin_nested()
        try:
            _store(statements, memory, landed, inner, [(journal_pk, chunk._replace(entries=[entry]))], refs, texts)
        except Exception as error:
            savepoint.rollback()
            if not about_the_data(error):
                raise
            message = (
                f"{chunk.segment.path} (byte {offset}): skipped, because the database refuses it ({said_by(error)}); "
                "the lines around it are kept"
            )
            landed.problems.append((chunk, Problem(offset, message)))
        else:
            savepoint.commit()


def _store(
    statements: Bulk,
    memory: Memory,
    landed: Landed,
    inner: set[str],
    claimed: list[tuple[int, Chunk]],
    refs: dict[str, bytes],
    texts: dict[bytes, str | None],
) -> None:
    """Store the events of chunks, with the texts that they bring and refer to, and sum them up in their runs. The ids
    of those that happened inside others are added to ``inner``."""
    first_seen: dict[str, int] = {}
    for _, chunk in claimed:
        for _, line in chunk.entries:
            if first_seen.setdefault(line.run_id, line.at) > line.at:
                first_seen[line.run_id] = line.at
    if not first_seen:
        return
    numbers = _numbers(statements, memory, refs, texts)
    runs = statements.run_rows(first_seen)
    rows: list[EventRow] = []
    finished: set[str] = set()
    recorded: list[tuple[str, Line, Any]] = []
    for journal_pk, chunk in claimed:
        for offset, line in chunk.entries:
            kind = line.kind
            run = runs[line.run_id]
            if fold(run, line, numbers):
                finished.add(line.run_id)
            payload = pack(kind, line.payload, numbers)
            rows.append((
                journal_pk, offset, run.run_pk, line.seq, KIND_NUMBER[kind], line.at, line.turn, line.agent, payload,
            ))  # fmt: skip
            if landed.recorded is not None:
                recorded.append((chunk.segment.writer, line, payload))
    statements.add_events(rows)
    statements.save_runs(runs.values())
    landed.events += len(rows)
    if landed.recorded is not None:
        landed.recorded.extend(recorded)
    landed.runs.update(runs)
    inner.update(run.run_id for run in runs.values() if run.parent_run_id is not None)
    landed.finished.update(finished)
    landed.numbers.update(numbers)


def _numbers(
    statements: Bulk, memory: Memory, refs: dict[str, bytes], texts: dict[bytes, str | None]
) -> dict[str, int]:
    """The number of every text referred to; one that has not arrived yet gets its number now."""
    numbers: dict[str, int] = {}
    unknown: dict[str, bytes] = {}
    for ref, digest in refs.items():
        number = memory.get(ref)
        if number is None:
            unknown[ref] = digest
        else:
            numbers[ref] = number
    if texts:
        statements.add_texts(texts)
    if unknown:
        found = statements.text_numbers(list(unknown.values()))
        late: dict[bytes, str | None] = {digest: None for digest in unknown.values() if digest not in found}
        if late:
            statements.add_texts(late)
            found.update(statements.text_numbers(list(late)))
        for ref, digest in unknown.items():
            numbers[ref] = found[digest]
    return numbers
