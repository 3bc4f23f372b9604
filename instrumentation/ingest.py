"""The ingester: follows the journals and brings what they hold into the database.

The same loop serves the background thread of an application, ``seasoned ingest`` and every command. Several may
read the same journals at once; :mod:`.batch` sees to it that every event lands once. Nothing is lost when the
database is away: the journal waits, and the next step goes on where the last one that succeeded ended.

A segment is *sealed* when nobody can write to it any more. Only then is a last line without its end taken for
torn, and only then, once all of it is in the database, is the file deleted. The journal of a dead writer is sealed as
a whole and is adopted under the lock that its death released.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from sqlalchemy import false, select
from sqlalchemy.exc import SQLAlchemyError

from . import reading, tail
from .batch import Memory, about_the_data, land, said_by
from .bulk import bulk
from .errors import StoreError
from .events import Event
from .journal import Segment, adopted, segments_of, writing_here
from .schema import journals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .batch import Landed
    from .guard import Guard
    from .journal import Writer
    from .store import Store
    from .tail import Chunk

log = logging.getLogger("seasoned")

STEP_BYTES = 4_000_000
"""How much of the journals one step reads at most."""

BATCH_BYTES = 2_000_000
"""How much of it goes into one transaction: bounds memory, and how long others wait. Measured: smaller ones write the
pages of the texts' index too often, larger ones keep the garbage collector busy."""

LATE_SECONDS = 5.0
"""How long after another process went on to its next segment a thread of it may still write to the old one."""

ROTATE_BYTES = 1_000_000
"""Size from which a committed segment of this process is finished early, so that it can be deleted."""

RELEASE_BYTES = 8_000
"""The same for :meth:`Ingester.release`."""

LEFTOVER_SECONDS = 60.0
"""Age from which an empty folder without a lock is a leftover, not the beginning of a journal."""

MOST_PROBLEMS = 1_000
_TRIES = 5


class IngestResult(msgspec.Struct):
    """What a step did.

    Attributes:
        events: how many events landed.
        bytes: how much of the journals was dealt with; 0 when nothing complete is left.
        runs: ids of the runs that they belong to.
        finished: ids of the runs that ended or were judged.
        recorded: the events in full, if they were asked for; without the prompts of model calls.
    """

    events: int = 0
    bytes: int = 0
    runs: set[str] = msgspec.field(default_factory=set)
    finished: set[str] = msgspec.field(default_factory=set)
    recorded: list[Event] = msgspec.field(default_factory=list)


class _Found(NamedTuple):
    """A segment on disk, as this step sees it."""

    segment: Segment
    size: int
    sealed: bool
    own: bool


class Ingester:
    """Reads the journals under ``home`` into ``store``.

    Args:
        writer: gives the journal that this process writes to now, which is finished early to be deleted; None where it
            writes none.
        guard: counts failures of what is not essential.
        everyone: whether the journals of other living processes are read too. An application that has a thread of its
            own in every process says no, and each reads its own.

    Attributes:
        problems: what could not be read, each told once.
    """

    def __init__(
        self,
        store: Store,
        home: Path,
        writer: Callable[[], Writer] | None,
        guard: Guard,
        *,
        everyone: bool = True,
    ) -> None:
        self.store = store
        self.home = home
        self.everyone = everyone
        self.problems: list[str] = []
        self._writer = writer
        self._guard = guard
        self._memory = Memory()
        self._offsets: dict[tuple[str, int], int] = {}
        self._left: dict[tuple[str, int], str] = {}
        self._known: set[str] = set()

    # -- a step ----------------------------------------------------------------------------------------------

    def step(self, max_bytes: int = STEP_BYTES, *, want_events: bool = False) -> IngestResult:
        """Bring in the next part of the journals, and delete what is safe in the database.

        Call it until ``bytes`` is 0. Raises :class:`StoreUnavailable` where the database cannot be written now, and
        :class:`StoreVersionError`; nothing is lost by either.
        """
        self.store.prepare()
        result = IngestResult()
        with contextlib.ExitStack() as locks:
            found, dead = self._look(locks)
            vain = 0
            while result.bytes < max_bytes and vain < _TRIES:
                chunks = self._read(found, min(BATCH_BYTES, max_bytes - result.bytes))
                if not chunks:
                    break
                landed = self._land(chunks, result.recorded if want_events else None)
                self._account(landed, result)
                vain = 0 if landed.chunks else vain + 1
            self._delete(found, dead)
        if not result.bytes:
            self._rotate(ROTATE_BYTES)
        return result

    def release(self, larger_than: int = RELEASE_BYTES) -> None:
        """Finish this process's segment if it is committed and larger than this, and delete it: what is in the
        database need not stay on the disk twice. For the end of a flush; what has come in since is left to the next
        step, which counts it and tells the sinks."""
        self._rotate(larger_than)
        self.step(max_bytes=0)

    def backlog(self) -> int:
        """How many bytes of the journals are not in the database yet. Does not raise where it cannot be asked: then
        by what was last known of it."""
        with contextlib.suppress(StoreError, SQLAlchemyError):
            self._refresh()
        root = self.home / "journal"
        total = 0
        for folder in _folders(root):
            for segment in segments_of(folder):
                if segment[:2] not in self._left:
                    total += max(0, tail.size_of(segment) - self._offsets.get(segment[:2], 0))
        return total

    # -- looking ---------------------------------------------------------------------------------------------

    def _look(self, locks: contextlib.ExitStack) -> tuple[list[_Found], dict[Path, bool]]:
        """The segments to follow, and the folders of dead writers, each with whether it has a lock, which is then
        held by ``locks``."""
        found: list[_Found] = []
        dead: dict[Path, bool] = {}
        here = writing_here()
        for folder in _folders(self.home / "journal"):
            writer = here.get(folder.name)
            locked = writer is None and locks.enter_context(adopted(folder))
            listed = segments_of(folder)  # after the lock is taken: the list of a dead writer is final
            # A writer makes its lock before its first segment: where there are segments, a missing lock is looked for
            # after them, or a journal that is just beginning would be taken for one that was left behind.
            gone = locked or (writer is None and not (folder / "lock").exists())
            if gone:
                dead[folder] = locked
            elif writer is None and not self.everyone:
                continue
            for segment in listed:
                if gone:
                    sealed = True
                elif writer is not None:
                    sealed = writer.sealed(segment.number)
                else:
                    sealed = segment is not listed[-1] and _rested(segment)
                found.append(_Found(segment, tail.size_of(segment), sealed, writer is not None))
        found.sort(key=lambda one: not one.own)
        return found, dead

    def _read(self, found: list[_Found], most: int) -> list[Chunk]:
        """Read what is behind, this process's own journal first."""
        if any(self._behind(one) and not one.own for one in found):
            self._refresh()
        chunks: list[Chunk] = []
        begun: set[str] = set()
        for one in found:
            if most <= 0:
                break
            segment = one.segment
            if not self._behind(one) or segment.writer in begun:
                continue
            try:
                chunk = tail.read(segment, self._offsets.get(segment[:2], 0), most, sealed=one.sealed)
            except tail.OtherVersion as error:
                self._leave(segment, str(error))
                continue
            except OSError as error:
                self._tell(
                    f"{segment.path}: cannot be read now ({error.strerror}); it is left where it is. To mend it: check "
                    "its permissions and its disk"
                )
                continue
            if chunk is not None:
                chunks.append(chunk)
                most -= chunk.end - chunk.start
                if chunk.end < one.size:  # what comes after it in the next segment is for the next batch
                    begun.add(segment.writer)
        return chunks

    def _behind(self, one: _Found) -> bool:
        return one.segment[:2] not in self._left and one.size > self._offsets.get(one.segment[:2], 0)

    def _refresh(self) -> None:
        """Learn how far others have come."""
        query = select(journals.c.writer, journals.c.segment, journals.c.offset).where(journals.c.done == false())
        with self.store.reading() as connection:
            for writer, number, offset in connection.execute(query):
                self._offsets[writer, number] = offset

    def _leave(self, segment: Segment, message: str) -> None:
        """Keep away from a segment, and say why."""
        self._left[segment[:2]] = message
        self._tell(message)
        with self.store.writing() as connection:
            bulk(connection).problems(segment.writer, segment.number, [tail.Problem(0, message)])

    def _tell(self, message: str) -> None:
        if message not in self._known and len(self._known) < MOST_PROBLEMS:
            self._known.add(message)
            self.problems.append(message)
            log.warning("seasoned: %s", message)

    # -- landing ---------------------------------------------------------------------------------------------

    def _land(self, chunks: list[Chunk], recorded: list[Event] | None) -> Landed:
        """Put chunks into the database in one transaction, and their events in full into ``recorded``."""
        try:
            return self._transaction(chunks, recorded, careful=False)
        except Exception as error:
            if not about_the_data(error):
                raise
            self._guard.caught("ingesting a batch (it is now done line by line)", StoreError(said_by(error)))
        again = [
            tail.read(chunk.segment, chunk.start, chunk.end - chunk.start, sealed=chunk.sealed) for chunk in chunks
        ]
        return self._transaction([chunk for chunk in again if chunk is not None], recorded, careful=True)

    def _transaction(self, chunks: list[Chunk], recorded: list[Event] | None, *, careful: bool) -> Landed:
        events: list[Event] = []
        with self.store.writing() as connection:
            landed = land(connection, self._memory, chunks, record=recorded is not None, careful=careful)
            if landed.recorded:
                events = reading.in_full(connection, landed.recorded)
        if recorded is not None:
            recorded.extend(events)
        return landed

    def _account(self, landed: Landed, result: IngestResult) -> None:
        """Believe a transaction, which is committed."""
        self._offsets.update(landed.stale)
        self._memory.keep(landed.numbers)
        for chunk in landed.chunks:
            self._offsets[chunk.segment[:2]] = chunk.end
            result.bytes += chunk.end - chunk.start
            for problem in chunk.problems:
                self._tell(problem.message)
        for _, problem in landed.problems:
            self._tell(problem.message)
        result.events += landed.events
        result.runs |= landed.runs
        result.finished |= landed.finished

    # -- deleting --------------------------------------------------------------------------------------------

    def _delete(self, found: list[_Found], dead: dict[Path, bool]) -> None:
        """Delete sealed segments that are wholly in the database, and what dead writers leave behind."""
        gone: list[Segment] = []
        for one in found:
            segment = one.segment
            offset = self._offsets.get(segment[:2])
            if not one.sealed or segment[:2] in self._left or (offset is None and one.size):
                continue
            if tail.size_of(segment) == (offset or 0):  # asked again: a line may have come since
                with contextlib.suppress(OSError):
                    segment.path.unlink()
                    gone.append(segment)
        for folder, locked in dead.items():
            if not segments_of(folder):
                _remove(folder, locked=locked)
        if gone:
            with self.store.writing() as connection:
                statements = bulk(connection)
                for segment in gone:
                    statements.done(segment.writer, segment.number)
            for segment in gone:
                self._offsets.pop(segment[:2], None)

    def _rotate(self, larger_than: int) -> bool:
        """Finish this process's segments that are large and committed; True where one was."""
        if self._writer is None:
            return False
        rotated = False
        for writer in writing_here().values():
            if writer.home == self.home:
                path = writer.folder / f"{writer.segment:06d}.jsonl"
                segment = Segment(writer.writer_id, writer.segment, path)
                if self._offsets.get(segment[:2]) == tail.size_of(segment):
                    rotated = writer.rotate(larger_than) or rotated
        return rotated


def _folders(root: Path) -> list[Path]:
    try:
        names = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except OSError:
        return []
    return [root / name for name in names]


def _rested(segment: Segment) -> bool:
    """Whether nothing was written to a segment of another process for a while; its last line began the next one."""
    try:
        return time.time() - segment.path.stat().st_mtime >= LATE_SECONDS
    except OSError:
        return False


def _remove(folder: Path, *, locked: bool) -> None:
    """Remove a dead writer's folder without segments. One that we hold no lock of may be a journal that is just
    beginning."""
    with contextlib.suppress(OSError):
        if locked:
            (folder / "lock").unlink()
        elif time.time() - folder.stat().st_mtime < LEFTOVER_SECONDS:
            return
        folder.rmdir()
