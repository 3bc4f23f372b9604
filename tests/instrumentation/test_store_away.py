"""A database that is locked, full or away: nothing is lost, and the next step catches up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from seasoned.instrumentation.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.instrumentation.conftest import Recording


def test_a_locked_database_is_waited_out(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seasoned.instrumentation.store.BUSY_SECONDS", 0.05)
    recorder = recording.recorder()
    run = recorder.begin("Something before the lock")
    recording.store.prepare()
    recording.store.dispose()
    with recording.store.writing():
        for _ in range(3):
            recorder.message(run, "ann", ["bob"], "user", "meanwhile")
            with pytest.raises(StoreUnavailable, match=r"seasoned\.db is locked .* To mend it: "):
                recording.another_ingester().step()
    assert recording.ingest().events == 4
    assert recording.scalar("SELECT count(*) FROM events") == 4


def test_a_full_disk_is_waited_out(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recording.recorder()
    run = recorder.begin("Something large")
    recording.ingest()
    pages = recording.scalar("PRAGMA page_count")
    connect = recording.store._connect

    def small() -> Any:
        connection = connect()
        connection.execute(f"PRAGMA max_page_count={pages}")
        return connection

    recording.store.dispose()
    monkeypatch.setattr(recording.store, "_connect", small)
    for number in range(200):
        recorder.message(run, "ann", ["bob"], "user", f"{number} " * 200)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"no space left .* To mend it: free"):
            recording.ingester.step()
    recording.store.dispose()
    monkeypatch.setattr(recording.store, "_connect", connect)
    recording.ingest()
    assert recording.scalar("SELECT count(*) FROM events") == 201


def test_a_database_that_is_away_at_the_start_is_waited_for(
    tmp_path: Path, record_into: Callable[[Path, str], Recording]
) -> None:
    recording = record_into(tmp_path / "home", f"sqlite:///{tmp_path}/mount/runs.db")
    recorder = recording.recorder()
    recorder.begin("Something without a database")
    with pytest.raises(StoreUnavailable, match=r"mount/runs\.db cannot be made .* To mend it: check that the folder"):
        recording.ingester.step()
    assert recording.ingester.backlog() > 0
    (tmp_path / "mount").mkdir()
    assert recording.ingest().events == 1


def test_a_database_that_goes_away_and_comes_back_is_not_made_anew(recording: Recording) -> None:
    recorder = recording.recorder()
    run = recorder.begin("Something on a stick")
    recording.ingest()
    path = recording.store.path
    assert path is not None
    elsewhere = path.with_name("elsewhere.db")
    recording.store.checkpoint()
    path.rename(elsewhere)
    recorder.message(run, "ann", ["bob"], "user", "meanwhile")
    with pytest.raises(StoreUnavailable):
        recording.ingester.step()
    assert not path.exists()
    elsewhere.rename(path)
    assert recording.ingest().events == 1
    assert recording.scalar("SELECT count(*) FROM events") == 2
