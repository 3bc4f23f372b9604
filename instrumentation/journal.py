"""The journal: where an event is safe.

Each process appends to files of its own, one ``os.write`` for each event, with no lock, no queue and no
database in the way. The operating system has the event when the call returns, so a killed process loses
nothing that a hook has returned from (a power cut may; nothing here calls ``fsync``).

A segment begins with a header line; every further line is one event (:class:`.events.Line`). A writer holds an
OS lock on its folder's ``lock`` file, which its death releases: whoever gets the lock may adopt the folder.
After a write that came out short, the next event starts on a new line, so that a torn line stays alone.

Where the journal itself cannot be written (disk full, folder gone), the application goes on: the loss is
counted for each run and told in a ``gap`` event as soon as writing works again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
import weakref
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from . import home as home_folder
from .ids import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VERSION = 1
"""Version of the journal's format. A journal of another version is left alone and reported."""

SEGMENT = 16 * 1024 * 1024
"""Size in bytes at which a new segment begins."""

RETRY_SECONDS = 1.0
"""How long a writer that could not open its file waits before it tries again."""


class _File:
    """An open segment. Every thread that is about to write to it holds a reference, so it is closed once nobody
    is, and as long as it exists a line may still come."""

    __slots__ = ("__weakref__", "fd")

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        try:
            close(self.fd)
        except OSError:
            pass


_writers: weakref.WeakValueDictionary[int, Writer] = weakref.WeakValueDictionary()


def writing_here() -> dict[str, Writer]:
    """The writers of this process that have a journal and hold its lock, by their ids."""
    found = [ref() for ref in _writers.valuerefs()]
    return {writer.writer_id: writer for writer in found if writer is not None and writer.holds_lock}


class Writer:
    """Appends events to this process's journal.

    Attributes:
        writer_id: names the folder; a new one for every process and for every fork.
        lost: how many events could not be written since the start.
        pending: events lost for each run since its last ``gap`` event.
    """

    def __init__(self, home: Path, *, segment: int = SEGMENT) -> None:
        self.home = home
        self.writer_id = new_id("w")
        self.lost = 0
        self.error: str | None = None
        self.pending: Counter[str] = Counter()
        self._limit = segment
        self._file: _File | None = None
        self._files: weakref.WeakValueDictionary[int, _File] = weakref.WeakValueDictionary()
        self._lock_fd = -1
        self._number = -1
        self._size = 0
        self._torn = False
        self._retry_at = 0.0
        self._opening = threading.Lock()
        self._closed = False
        self._pid = os.getpid()
        _writers[id(self)] = self

    @property
    def folder(self) -> Path:
        """The folder of this writer's segments."""
        return self.home / "journal" / self.writer_id

    @property
    def segment(self) -> int:
        """The number of the segment being written; -1 before the first event."""
        return self._number

    @property
    def holds_lock(self) -> bool:
        """Whether this writer's journal is open, and not by inheritance from a parent process."""
        return self._lock_fd >= 0 and self._pid == os.getpid()

    def sealed(self, number: int) -> bool:
        """Whether segment ``number`` is finished and no thread can be about to write to it."""
        return number < self._number and number not in self._files

    def append(self, line: bytes, run_id: str) -> bool:
        """Append one event (a JSON array without its newline); False where it is lost, which is counted.

        Never raises: an unwritable journal is the operator's trouble, not the application's.
        """
        file = self._file
        if file is None:
            file = self._open()
            if file is None:
                self._lose(run_id)
                return False
        data = line + b"\n"
        if self._torn:
            data = b"\n" + data
        try:
            written = os.write(file.fd, data)
        except OSError as error:
            self.error = str(error)
            self._lose(run_id)
            return False
        if written != len(data):
            self._torn = True
            self.error = f"a write of {len(data)} bytes stopped after {written}"
            self._lose(run_id)
            return False
        if self._torn:
            self._torn = False
        size = self._size = self._size + written
        if size > self._limit:
            self.rotate(self._limit)
        return True

    def _lose(self, run_id: str) -> None:
        self.lost += 1
        self.pending[run_id] += 1

    def _open(self) -> _File | None:
        """Open the first segment, or try again after a failure; None while it cannot be opened."""
        with self._opening:
            if self._file is not None:
                return self._file
            if self._closed or time.monotonic() < self._retry_at:
                return None
            try:
                home_folder.prepare(self.home)
                if self._lock_fd < 0:
                    self._lock_fd = self._take_lock()
                self._file = self._start(self._number + 1)
            except OSError as error:
                self.error = str(error)
                self._retry_at = time.monotonic() + RETRY_SECONDS
            return self._file

    def _take_lock(self) -> int:
        """Make the folder and lock it. An adopter may look at the new lock file before it is locked, hold it for a
        moment, and remove it with the folder: then this writer takes another name."""
        while True:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            lock = self.folder / "lock"
            fd = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(fd), os.stat(lock)):
                    return fd
            os.close(fd)
            self.writer_id = new_id("w")

    def _start(self, number: int) -> _File:
        path = self.folder / f"{number:06d}.jsonl"
        fd = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        header = json.dumps({"seasoned_journal": VERSION, "writer": self.writer_id, "segment": number}).encode()
        if os.write(fd, header + b"\n") != len(header) + 1:
            os.close(fd)
            with contextlib.suppress(OSError):
                path.unlink()
            raise OSError(28, "no space left for a journal header")
        file = self._files[number] = _File(fd)
        self._number = number
        self._size = 0
        return file

    def rotate(self, larger_than: int = 0) -> bool:
        """Begin the next segment if this one has more than ``larger_than`` bytes, so that it can be deleted once it
        is in the database; True where that was done. A thread that is just about to write to the old one still
        does; see :meth:`sealed`."""
        with self._opening:
            if self._file is None or self._size <= larger_than:
                return False
            try:
                self._file = self._start(self._number + 1)
            except OSError as error:  # stay in the old segment, which is still writable or will tell
                self.error = str(error)
                self._size = 0
                return False
            return True

    def abandon(self) -> None:
        """In a forked child: close the inherited files without a word. The parent keeps its lock, because a lock
        is released only when every copy of its file is closed. No Python lock is taken: it may be held for ever
        by a thread that the child does not have."""
        self._closed = True
        self._file = None
        if self._lock_fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._lock_fd)
            self._lock_fd = -1

    def close(self) -> None:
        """Close the files and release the lock. Events recorded later are counted as lost."""
        with self._opening:
            self.abandon()


class Segment(NamedTuple):
    """A journal file on disk."""

    writer: str
    number: int
    path: Path


def segments(home: Path) -> Iterator[Segment]:
    """Every segment under ``home``, a writer's in their order. Folders that vanish meanwhile are skipped."""
    root = home / "journal"
    try:
        folders = sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except OSError:
        return
    for name in folders:
        yield from segments_of(root / name)


def segments_of(folder: Path) -> list[Segment]:
    """The segments of one writer, in their order; none where the folder is gone."""
    try:
        stems = [entry[: -len(".jsonl")] for entry in os.listdir(folder) if entry.endswith(".jsonl")]
    except OSError:
        return []
    numbers = sorted((int(stem), stem) for stem in stems if stem.isascii() and stem.isdigit())
    return [Segment(folder.name, number, folder / f"{stem}.jsonl") for number, stem in numbers]


@contextlib.contextmanager
def adopted(folder: Path) -> Iterator[bool]:
    """Try to hold the lock of a dead writer's ``folder``; yields False where its writer lives (or it is gone)."""
    try:
        fd = os.open(folder / "lock", os.O_RDWR)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)
