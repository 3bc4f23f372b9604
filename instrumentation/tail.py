"""Reading a journal's segments: from a byte on, line by line, without ever letting one line harm another.

A line that cannot be read is skipped and told of, with its file, number and byte. The last line without its end is
still being written as long as somebody may write to the segment; in a *sealed* segment it is torn. Texts are checked
against their references, so a line whose bytes were changed on the disk is noticed like a torn one.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from .events import KIND_NUMBER, Line, decode_line
from .journal import VERSION
from .packing import ref_hash, references

if TYPE_CHECKING:
    from .journal import Segment

MOST_PROBLEMS = 20
"""Unreadable lines of one chunk that are told of one by one; the rest of them are counted."""

LONGEST_ID = 200
"""Characters that a run's id may have; more is no id."""

_BIG = 1 << 63
_INT = 1 << 31
_decode = msgspec.json.decode
_sha256 = hashlib.sha256


class Problem(NamedTuple):
    """Something that could not be read: where (in bytes), and the whole message."""

    offset: int
    message: str


class Chunk(NamedTuple):
    """A part of a segment, read.

    Attributes:
        segment: which file.
        start: its first byte.
        end: the byte after the last one that is dealt with.
        sealed: whether its last line was taken for torn if it had no end.
        entries: the events in it, each after the byte at which its line begins.
        refs: every reference in their payloads, and its hash.
        texts: the texts that its lines bring, by their hash.
        problems: what could not be read.
    """

    segment: Segment
    start: int
    end: int
    sealed: bool
    entries: list[tuple[int, Line]]
    refs: dict[str, bytes]
    texts: dict[bytes, str]
    problems: list[Problem]


class OtherVersion(Exception):
    """The segment's header names another version of the format; the message says so in full."""


def size_of(segment: Segment) -> int:
    """The segment's size in bytes; 0 where it is gone."""
    try:
        return segment.path.stat().st_size
    except OSError:
        return 0


def read(segment: Segment, start: int, most: int, *, sealed: bool) -> Chunk | None:
    """What stands in ``segment`` from byte ``start`` on, about ``most`` bytes of it (at least one line).

    ``sealed`` says that nobody writes to it any more. None where nothing is complete yet, or the file is gone.
    Raises :class:`OtherVersion`, and :class:`OSError` where the file cannot be read.
    """
    try:
        fd = os.open(segment.path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        data = os.pread(fd, most, start)
        while data and b"\n" not in data:
            more = os.pread(fd, most, start + len(data))
            if not more:
                break
            data += more
        complete = data.rfind(b"\n") + 1
        if sealed and complete < len(data) and start + len(data) >= os.fstat(fd).st_size:
            return _Reader(segment, start, sealed).read(data + b"\n", torn=True)
        if not complete:
            return None
        return _Reader(segment, start, sealed).read(data[:complete], torn=False)
    finally:
        os.close(fd)


class _Reader:
    """Takes one chunk apart."""

    def __init__(self, segment: Segment, start: int, sealed: bool) -> None:
        self.segment = segment
        self.start = start
        self.sealed = sealed
        self.entries: list[tuple[int, Line]] = []
        self.refs: dict[str, bytes] = {}
        self.texts: dict[bytes, str] = {}
        self.problems: list[Problem] = []
        self.unread = 0
        self._counted = (0, 0)

    def read(self, data: bytes, *, torn: bool) -> Chunk:
        offset = self.start
        lines = data.split(b"\n")
        lines.pop()
        end = self.start + len(data) - torn
        last = len(lines) - 1 if torn else -1
        for number, raw in enumerate(lines):
            if offset or not self._header(raw):
                try:
                    self._take(offset, decode_line(raw))
                except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
                    if raw and not raw.isspace():
                        torn_here = number == last
                        self._skip(offset, "it was not written to its end" if torn_here else str(error))
            offset += len(raw) + 1
        if self.unread > MOST_PROBLEMS:
            more = self.unread - MOST_PROBLEMS
            self.problems.append(Problem(end, f"{self.segment.path}: {more} more lines up to byte {end} as well"))
        return Chunk(self.segment, self.start, end, self.sealed, self.entries, self.refs, self.texts, self.problems)

    def _header(self, raw: bytes) -> bool:
        """Whether the first line is the header. A segment without one is still read, because each line tells of
        itself what it is."""
        try:
            header: Any = _decode(raw)
        except (ValueError, RecursionError):
            header = None
        if isinstance(header, dict) and "seasoned_journal" in header:
            version = header["seasoned_journal"]
            if version != VERSION:
                raise OtherVersion(
                    f"{self.segment.path}: this journal was written in format {str(version)[:20]}, and this version of "
                    f"the package reads format {VERSION}; it is left where it is. To mend it: read it with the "
                    "version that wrote it (pip install --upgrade seasoned if that is newer)"
                )
            return True
        self.problems.append(
            Problem(0, f"{self.segment.path}, line 1: this is no journal's header; the rest is read all the same")
        )
        return not isinstance(header, list)

    def _take(self, offset: int, line: Line) -> None:
        """Keep a line, or raise because no recorder wrote it."""
        run_id, seq, kind, at, turn, agent, payload, texts = (
            line.run_id, line.seq, line.kind, line.at, line.turn, line.agent, line.payload, line.texts,
        )  # fmt: skip
        if kind not in KIND_NUMBER:
            raise ValueError(f"{kind[:40]!r} is no kind of event")
        if not (0 <= at < _BIG and 0 <= seq < _INT and 0 <= turn < _INT):
            raise ValueError("a number in it is out of range")
        if not 0 < len(run_id) <= LONGEST_ID or "\x00" in run_id or (agent is not None and "\x00" in agent):
            raise ValueError("the name of its run or agent is none")
        mine: dict[str, None] = {}
        references(kind, payload, mine)
        known = self.refs
        fresh = {ref: ref_hash(ref) for ref in mine if ref not in known}
        if texts:
            brought: dict[bytes, str] = {}
            for ref, text in texts.items():
                digest = _sha256(text.encode()).digest()[:16]
                if digest != (fresh.get(ref) or ref_hash(ref)) or "\x00" in text:
                    raise ValueError(f"the text {ref[:22]!r} is not what was written")
                brought[digest] = text
            self.texts.update(brought)
        if fresh:
            known.update(fresh)
        self.entries.append((offset, line))

    def _skip(self, offset: int, why: str) -> None:
        self.unread += 1
        if self.unread <= MOST_PROBLEMS:
            self.problems.append(
                Problem(
                    offset,
                    f"{self.segment.path}, line {self._line_number(offset)} (byte {offset}): skipped, because it "
                    f"cannot be read ({why[:200]}); the lines around it are kept",
                )
            )

    def _line_number(self, offset: int) -> int:
        """The number of the line at ``offset``, from 1: the line ends before it, counted on from the last one asked."""
        at, lines = self._counted
        try:
            with self.segment.path.open("rb") as file:
                file.seek(at)
                while at < offset:
                    part = file.read(min(1 << 20, offset - at))
                    if not part:
                        break
                    at += len(part)
                    lines += part.count(b"\n")
        except OSError:
            return 0
        self._counted = (at, lines)
        return lines + 1
