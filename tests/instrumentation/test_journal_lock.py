"""Beginning a journal while an adopter is looking: the writer must end up with a folder that is its own."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

from seasoned.instrumentation.journal import Writer, segments

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_lock_that_was_removed_meanwhile_is_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The adopter had the lock first, removed it with the folder, and let go of it."""
    writer = Writer(tmp_path)
    first = writer.writer_id
    lock = fcntl.flock

    def late(fd: int, operation: int) -> None:
        if writer.writer_id == first:
            (writer.folder / "lock").unlink()
            writer.folder.rmdir()
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    assert writer.append(b"[]", "r1")
    assert writer.writer_id != first
    assert [segment.writer for segment in segments(tmp_path)] == [writer.writer_id]
    writer.close()


def test_a_lock_that_an_adopter_holds_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path)
    first = writer.writer_id
    lock = fcntl.flock

    def held(fd: int, operation: int) -> None:
        if writer.writer_id == first:
            raise BlockingIOError
        lock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", held)
    assert writer.append(b"[]", "r1")
    assert writer.writer_id != first
    assert [segment.writer for segment in segments(tmp_path)] == [writer.writer_id]
    writer.close()
