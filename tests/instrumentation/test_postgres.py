"""What only a server has: several who write at once. The other tests of the store run against it beside SQLite."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from seasoned.instrumentation import home as home_folder
from seasoned.instrumentation import migrations, reading
from seasoned.instrumentation.forget import forget
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.ingest import Ingester
from seasoned.instrumentation.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.instrumentation.conftest import Recording

THREADS = 4


@pytest.fixture
def team(
    tmp_path: Path, new_postgres_database: Callable[[], str], record_into: Callable[[Path, str], Recording]
) -> Recording:
    home = home_folder.prepare(tmp_path / "home").parent
    return record_into(home, new_postgres_database())


def at_once(*functions: Callable[[], object]) -> None:
    """Run functions in threads, and raise what any of them raised."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(len(functions))

    def guarded(function: Callable[[], object]) -> None:
        try:
            barrier.wait()
            function()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def ingest_all(recording: Recording) -> None:
    """As another process does: with connections of its own."""
    store = Store(recording.url)
    try:
        ingester = Ingester(store, recording.home, None, Guard())
        while ingester.step(max_bytes=3_000).bytes:
            pass
    finally:
        store.dispose()


def test_several_may_make_the_tables_at_once(team: Recording) -> None:
    stores = [Store(team.url) for _ in range(THREADS)]
    at_once(*(store.prepare for store in stores))
    assert {store.version() for store in stores} == {migrations.HEAD}
    for store in stores:
        store.dispose()


def test_several_ingesters_double_and_lose_nothing(team: Recording) -> None:
    team.store.prepare()
    runs = []
    for number in range(4):
        recorder = team.recorder(segment=10_000)
        run = recorder.begin("Something that all of them say")
        for index in range(100):
            recorder.message(run, "ann", ["bob"], "user", f"{index} the same words in every run")
            recorder.message(run, "ann", ["bob"], "user", f"{index} words of run {number}")
        recorder.finish(run, "done")
        runs.append(run.run_id)
        if number % 2:
            recorder.writer.close()
    at_once(*[lambda: ingest_all(team)] * THREADS)
    team.ingest()
    for run_id in runs:
        assert team.record(run_id).messages == 200
        assert [event.seq for event in team.events(run_id)] == list(range(202))
    assert team.scalar("SELECT count(*) FROM texts") == 100 + 400 + 1


def test_what_comes_in_while_others_forget_keeps_its_texts(team: Recording) -> None:
    """A text must not be deleted as nobody's while an event that refers to it is on its way."""
    old = team.recorder()
    going = old.begin("Words that are said again")
    for index in range(50):
        old.message(going, "ann", ["bob"], "user", f"{index} shared")
    team.ingest()
    new = team.recorder()
    staying = new.begin("Words that are said again")
    for index in range(50):
        new.message(staying, "ann", ["bob"], "user", f"{index} shared")
    ingester = Ingester(team.store, team.home, None, Guard())
    at_once(
        lambda: ingest_all(team),
        lambda: forget(team.store, ingester, run_ids=[going.run_id], hooks_unlearn=lambda ids, connection: None),
    )
    team.ingest()
    contents = [event.payload["content"] for event in team.events(staying.run_id, kinds=["message"])]
    assert contents == [f"{index} shared" for index in range(50)]
    with team.store.reading() as connection:
        assert [record.run_id for record in reading.runs(connection)] == [staying.run_id]
