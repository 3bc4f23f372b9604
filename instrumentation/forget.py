"""Forgetting: runs, what they said and what was learned from them, out of the database and out of the journals.

Texts are shared between runs, so one goes only when no other run refers to it. Journals of dead processes are gone
once they are ingested; in the journal of a living process the lines of forgotten runs are overwritten with blanks,
in place, which its writer does not notice. On SQLite the bytes are really gone afterwards: what is deleted is
overwritten, the file is written anew without the remains in half-full pages, and the log is emptied.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import delete, select, update

from .bulk import FORGOTTEN, bulk
from .errors import NotFound
from .events import KINDS, decode_line
from .journal import segments
from .packing import numbers, unpack
from .schema import events, journals, meta, runs, texts
from .search import mentioning
from .timeline import tree

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from sqlalchemy import Connection

    from .ingest import Ingester
    from .journal import Segment
    from .store import Store

log = logging.getLogger("seasoned")

_PART = 500
_BLOCK = 1_000


class ForgetResult(msgspec.Struct, frozen=True):
    """What was forgotten.

    Attributes:
        runs: how many runs, those inside others among them.
        events: how many events.
        texts: how many texts that no other run refers to.
        journals: how many journal files were deleted or had lines blanked out.
    """

    runs: int = 0
    events: int = 0
    texts: int = 0
    journals: int = 0


def forget(
    store: Store,
    ingester: Ingester,
    *,
    run_ids: Collection[str] | None = None,
    before_ns: int | None = None,
    match: str | None = None,
    hooks_unlearn: Callable[[Sequence[str], Connection], Any],
) -> ForgetResult:
    """Remove runs, and the runs inside them. This cannot be undone.

    Args:
        store: the database.
        ingester: brings in what still waits in the journals first, so that nothing of the runs comes later.
        run_ids: these runs.
        before_ns: runs that started before this time, in nanoseconds since the epoch.
        match: runs in which this text occurs, in whatever place, in capitals or not.
        hooks_unlearn: called once, inside the transaction, with the ids of all runs that go; what it raises undoes
            everything.

    Of ``run_ids``, ``before_ns`` and ``match`` those given must all fit; at least one must be given.

    Raises:
        ValueError: none of the three was given, or an empty ``match``.
        NotFound: one of ``run_ids`` is no run.
        StoreUnavailable: the database cannot be written; then nothing is forgotten.
    """
    if (run_ids is None and before_ns is None and match is None) or match == "":
        raise ValueError("say what to forget: run_ids, before_ns or match")
    before = {segment[:2] for segment in segments(ingester.home)}
    _catch_up(ingester)
    with store.writing() as connection:
        if store.dialect == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        bulk(connection).lock(alone=True)
        going = _chosen(connection, run_ids, before_ns, match)
        result = _remove(connection, going, hooks_unlearn) if going else ForgetResult()
    if not going:
        return result
    store.scrub()
    ingester.release(0)
    blanked = _blank(ingester, set(going), _offsets(store))
    left = {segment[:2] for segment in segments(ingester.home)}
    return msgspec.structs.replace(result, journals=len((before - left) | blanked))


def _catch_up(ingester: Ingester) -> None:
    while ingester.step().bytes:
        pass


# -- the database ------------------------------------------------------------------------------------------------


def _chosen(
    connection: Connection, run_ids: Collection[str] | None, before_ns: int | None, match: str | None
) -> dict[str, int]:
    """The runs that go, with their numbers."""
    known: dict[str, int] = {}
    query = select(runs.c.run_id, runs.c.run_pk)
    if before_ns is not None:
        query = query.where(runs.c.started_at < before_ns)
    for run_id, run_pk in connection.execute(query):
        known[run_id] = run_pk
    chosen = set(known)
    if run_ids is not None:
        every = set(connection.execute(select(runs.c.run_id)).scalars()) if before_ns is not None else chosen
        for run_id in run_ids:
            if run_id not in every:
                raise NotFound(
                    f"there is no run {run_id[:80]!r}, so nothing was forgotten. List what there is: seasoned runs"
                )
        chosen &= set(run_ids)
    if match is not None:
        chosen &= mentioning(connection, match)
    if not chosen:
        return {}
    going = tree(connection, sorted(chosen))
    found: dict[str, int] = {}
    for part in _parts(going):
        rows = connection.execute(select(runs.c.run_id, runs.c.run_pk).where(runs.c.run_id.in_(part)))
        found.update((run_id, run_pk) for run_id, run_pk in rows)
    return found


def _remove(
    connection: Connection, going: dict[str, int], hooks_unlearn: Callable[[Sequence[str], Connection], Any]
) -> ForgetResult:
    hooks_unlearn(sorted(going), connection)
    gone = set(going.values())
    mine: set[int] = set()
    others: set[int] = set()
    for run_pk, referred in _references(connection):
        (mine if run_pk in gone else others).update(referred)
    lonely = sorted(mine - others)
    count = 0
    for part in _parts(sorted(gone)):
        count += connection.execute(delete(events).where(events.c.run_pk.in_(part))).rowcount
        connection.execute(delete(runs).where(runs.c.run_pk.in_(part)))
    for part in _parts(lonely):
        connection.execute(delete(texts).where(texts.c.text_pk.in_(part)))
    statements = bulk(connection)
    times = statements.forgotten()
    if times:
        connection.execute(update(meta).where(meta.c.key == FORGOTTEN).values(value=str(times + 1)))
    else:
        connection.execute(meta.insert().values(key=FORGOTTEN, value="1"))
    return ForgetResult(runs=len(going), events=count, texts=len(lonely))


def _references(connection: Connection) -> Iterator[tuple[int, Iterable[int]]]:
    """Every run's number with the texts that one of its events, or its row, refers to."""
    query = select(events.c.run_pk, events.c.kind, events.c.payload).execution_options(yield_per=_BLOCK)
    with connection.execute(query) as result:
        for run_pk, kind, payload in result:
            yield run_pk, numbers(KINDS[kind], unpack(KINDS[kind], payload))
    tasks = connection.execute(select(runs.c.run_pk, runs.c.task_pk).where(runs.c.task_pk.is_not(None)))
    for run_pk, task in tasks:
        yield run_pk, (task,)


def _offsets(store: Store) -> dict[tuple[str, int], int]:
    with store.reading() as connection:
        rows = connection.execute(select(journals.c.writer, journals.c.segment, journals.c.offset))
        return {(writer, number): offset for writer, number, offset in rows}


def _parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(values), _PART):
        yield values[first : first + _PART]


# -- the journals ------------------------------------------------------------------------------------------------


def _blank(ingester: Ingester, going: set[str], offsets: dict[tuple[str, int], int]) -> set[tuple[str, int]]:
    """Blank out the lines of forgotten runs in the journals that are still there, as far as they are ingested."""
    changed: set[tuple[str, int]] = set()
    for segment in segments(ingester.home):
        committed = offsets.get(segment[:2], 0)
        if committed:
            try:
                if _blank_segment(segment, committed, going):
                    changed.add(segment[:2])
            except FileNotFoundError:
                continue
            except OSError as error:
                log.warning(
                    "seasoned: %s still holds lines of forgotten runs, because it cannot be written (%s)",
                    segment.path,
                    error.strerror,
                )
    return changed


def _blank_segment(segment: Segment, committed: int, going: set[str]) -> bool:
    """Overwrite lines in place: the file keeps its length, so whoever appends to it is not disturbed."""
    ids = [run_id.encode() for run_id in going]
    fd = os.open(segment.path, os.O_RDWR)
    try:
        changed = False
        offset = 0
        with os.fdopen(os.dup(fd), "rb") as file:
            for raw in file:
                if offset + len(raw) > committed:
                    break
                if _belongs(raw, going, ids):
                    blanks = b" " * len(raw.rstrip(b"\n"))
                    if os.pwrite(fd, blanks, offset) != len(blanks):
                        raise OSError(5, "a write came out short")
                    changed = True
                offset += len(raw)
        if changed:
            os.fsync(fd)
        return changed
    finally:
        os.close(fd)


def _belongs(raw: bytes, going: set[str], ids: list[bytes]) -> bool:
    """Whether a line is of one of these runs. Of one that cannot be read it is enough that it names one."""
    try:
        return decode_line(raw).run_id in going
    except (ValueError, RecursionError):
        return any(run_id in raw for run_id in ids)
