"""From one revision of the tables to the next: a database with data keeps it, and what was learned is made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, Table, inspect, select

from seasoned.growth import tables as growth
from seasoned.instrumentation import migrations
from seasoned.instrumentation.errors import StoreVersionError
from seasoned.instrumentation.schema import metadata, runs
from seasoned.instrumentation.store import Store
from seasoned.plugin.config import Config
from seasoned.plugin.runtime import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LEARNED = (
    growth.agent_profiles, growth.agent_skills, growth.agent_attributes, growth.agent_groups, growth.skill_events,
    growth.contributions, growth.achievements,
)  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Gives the URL of a new, empty database."""
    if request.param == "sqlite":
        return lambda name: f"sqlite:///{tmp_path / name}.db"
    make = request.getfixturevalue("new_postgres_database")
    return lambda _name: make()


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[str], Workspace]]:
    """Opens a workspace on a database, with a home of its own."""
    made: list[Workspace] = []

    def start(url: str) -> Workspace:
        home = tmp_path / f"home{len(made)}"
        home.mkdir()
        made.append(Workspace(Config(home=str(home), db=url, namespace="tests", summary=False)))
        return made[-1]

    yield start
    for each in made:
        each.close()


def record(space: Workspace) -> None:
    """A few runs: repeated, failed, in a group, praised, nested, and one that nobody judged."""
    recorder = space.recorder
    for number in range(7):
        run = recorder.begin("Look at the log", domain="code", agents=["user", "tess", "ann"])
        run.turn = 1
        inner = recorder.begin("Look at a part", agents=["ann"], parent=run)
        inner.turn = 1
        for agent, place in (("tess", run), ("ann", inner)):
            recorder.record(place, "model_call", agent, {"model": "m"})
            recorder.message(place, agent, ["user"], "assistant", "Done.")
        recorder.finish(inner, "done")
        recorder.finish(run, "done")
        if number:
            run.outcome(number != 3, complexity="critical", flags={"cached": True})
        if number == 4:
            run.feedback(positive=True, agent="tess")
    assert space.flush().error is None


def learned(space: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    with space.store.reading() as connection:
        return {table.name: sorted(map(tuple, connection.execute(select(table)))) for table in LEARNED}


def as_of_0001(source: Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a database of the first revision that holds what ``source`` does, as far as it had a place for it."""
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "REVISIONS", ("0001",))
        patch.setattr(migrations, "HEAD", "0001")
        store = Store(url)
        store.prepare()
    assert store.version() == "0001"
    with source.reading() as reader, store.writing() as writer:
        names = inspect(writer).get_table_names()
        assert "agent_groups" not in names
        for name in names:
            if name != migrations.TABLE:
                table = Table(name, MetaData(), autoload_with=writer)
                rows = [dict(row._mapping) for row in reader.execute(select(table))]
                if rows:
                    writer.execute(table.insert(), rows)
    store.dispose()


def test_a_database_with_data_is_brought_up_and_learned_from_again(
    new_database: Callable[[str], str], opened: Callable[[str], Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = opened(new_database("now"))
    record(now)
    expected = learned(now)
    assert all(expected.values())
    old = new_database("old")
    as_of_0001(now.store, old, monkeypatch)
    store = Store(old)
    if store.dialect == "postgresql":
        with pytest.raises(StoreVersionError, match="seasoned doctor --migrate"):
            store.prepare()
        store.migrate()
    store.prepare()
    with store.reading() as connection:
        options = {"version_table": migrations.TABLE, "compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        assert [table.name for table in LEARNED if connection.execute(select(table)).first()] == []
        kept = connection.execute(select(runs.c.learned, runs.c.task_group)).all()
    assert kept == [(None, None)] * 14
    store.dispose()
    space = opened(old)
    report = space.flush()
    assert (report.error, report.learned) == (None, 6)
    assert learned(space) == expected
    space.service.rebuild()
    assert learned(space) == expected
    with space.store.reading() as connection, now.store.reading() as before:
        query = select(runs).order_by(runs.c.run_id)
        assert connection.execute(query).all() == before.execute(query).all()


def test_what_is_there_survives_being_interrupted(
    tmp_path: Path, opened: Callable[[str], Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it happens in one transaction: a database is of one revision or the other."""
    now = opened(f"sqlite:///{tmp_path / 'now.db'}")
    record(now)
    old = f"sqlite:///{tmp_path / 'old.db'}"
    as_of_0001(now.store, old, monkeypatch)
    store = Store(old)
    real = migrations.upgrade

    def torn(connection: sqlalchemy.Connection) -> None:
        real(connection)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "upgrade", torn)
        with pytest.raises(KeyboardInterrupt):
            store.prepare()
    assert store.version() == "0001"
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM contributions").scalar_one() > 0
        assert "agent_groups" not in inspect(connection).get_table_names()
    store.prepare()
    assert store.version() == migrations.HEAD
    store.dispose()
