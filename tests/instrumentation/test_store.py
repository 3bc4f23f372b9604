"""Opening a database, bringing it up to date, and what is said when it does not answer."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy
import sqlalchemy.exc
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import seasoned.growth.tables
import seasoned.skills_lib.tables  # noqa: F401  their tables are part of the metadata
from seasoned.instrumentation import migrations
from seasoned.instrumentation.errors import ConfigError, MissingExtra, StoreUnavailable, StoreVersionError
from seasoned.instrumentation.schema import metadata
from seasoned.instrumentation.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.instrumentation.conftest import Recording


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    made = Store(f"sqlite:///{path}")
    yield made
    made.dispose()


# -- tables --------------------------------------------------------------------------------------------------------


def test_the_migrations_make_the_tables_of_the_code(anywhere: Recording) -> None:
    anywhere.store.prepare()
    with anywhere.store.reading() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"version_table": migrations.TABLE, "compare_type": True, "compare_server_default": True},
        )
        assert compare_metadata(context, metadata) == []


def test_every_migration_is_listed() -> None:
    folder = Path(migrations.__file__).parent / "versions"
    numbers = sorted(file.name.split("_")[0] for file in folder.glob("[0-9]*.py"))
    assert tuple(numbers) == migrations.REVISIONS


def test_events_have_no_second_index_on_their_place(store: Store) -> None:
    store.prepare()
    with store.reading() as connection:
        sql = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'events'").scalar_one()
    assert "WITHOUT ROWID" in sql


def test_a_new_database_belongs_to_its_owner_alone(store: Store, path: Path) -> None:
    store.prepare()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_preparing_twice_changes_nothing(anywhere: Recording) -> None:
    anywhere.store.prepare()
    anywhere.store.prepare()
    again = Store(anywhere.url)
    again.prepare()
    assert again.version() == migrations.HEAD
    again.migrate()
    again.dispose()


def test_an_up_to_date_database_opens_without_alembic(store: Store) -> None:
    store.prepare()
    code = (
        "import sys\nfrom seasoned.instrumentation.store import Store\n"
        f"store = Store({str(store.url)!r})\nstore.prepare()\n"
        "assert not [name for name in sys.modules if name.startswith('alembic')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_several_processes_may_make_the_database_at_once(path: Path) -> None:
    code = (
        "import sys\nfrom seasoned.instrumentation.store import Store\n"
        f"sys.stdin.readline()\nstore = Store('sqlite:///{path}')\nstore.prepare()\nprint(store.version())\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [child.communicate(timeout=60)[0].strip() for child in children] == [migrations.HEAD] * 4


def test_several_threads_may_make_databases_at_once(tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def make(number: int) -> None:
        try:
            store = Store(f"sqlite:///{tmp_path}/{number % 3}.db")
            store.prepare()
            store.dispose()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# -- versions ------------------------------------------------------------------------------------------------------


def test_a_database_of_a_newer_version_is_left_alone(anywhere: Recording) -> None:
    anywhere.store.prepare()
    with anywhere.store.writing() as connection:
        connection.exec_driver_sql(f"UPDATE {migrations.TABLE} SET version_num = '9999'")  # noqa: S608
    other = Store(anywhere.url)
    with pytest.raises(StoreVersionError, match=r"newer version .*9999.* pip install --upgrade seasoned"):
        other.prepare()
    other.dispose()


def test_an_older_postgresql_is_not_migrated_by_itself(
    new_postgres_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(new_postgres_database())
    store.prepare()
    later = f"{int(migrations.HEAD) + 1:04}"
    monkeypatch.setattr(migrations, "REVISIONS", (*migrations.REVISIONS, later))
    monkeypatch.setattr(migrations, "HEAD", later)
    other = Store(str(store.url.render_as_string(hide_password=False)))
    with pytest.raises(StoreVersionError, match="seasoned doctor --migrate"):
        other.prepare()
    store.dispose()
    other.dispose()


def test_somebody_elses_tables_are_left_alone(anywhere: Recording) -> None:
    if anywhere.store.path is not None:
        anywhere.store.path.touch()
    with anywhere.store.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE runs (distance INTEGER)")
    with pytest.raises(StoreVersionError, match="table 'runs' that is not of this package"):
        anywhere.store.prepare()


# -- transactions --------------------------------------------------------------------------------------------------


def test_what_a_writing_block_did_is_kept_or_undone_as_a_whole(anywhere: Recording) -> None:
    anywhere.store.prepare()
    add = sqlalchemy.text("INSERT INTO meta VALUES ('a', '1')")

    def add_and_fail() -> None:
        with anywhere.store.writing() as connection:
            connection.execute(add)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        add_and_fail()
    assert anywhere.scalar("SELECT count(*) FROM meta") == 0
    with anywhere.store.writing() as connection:
        connection.execute(add)
    assert anywhere.scalar("SELECT count(*) FROM meta") == 1


def test_a_writer_on_sqlite_holds_the_lock_from_its_beginning(store: Store, path: Path) -> None:
    store.prepare()
    with store.writing(), sqlite3.connect(path, timeout=0) as other:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.execute("SELECT count(*) FROM runs").fetchone()
    other.close()


def test_readers_see_one_state(recording: Recording) -> None:
    recording.store.prepare()
    count = sqlalchemy.text("SELECT count(*) FROM meta")
    with recording.store.reading() as reader:
        assert reader.execute(count).scalar() == 0
        with recording.store.writing() as writer:
            writer.execute(sqlalchemy.text("INSERT INTO meta VALUES ('a', '1')"))
        assert reader.execute(count).scalar() == 0
    assert recording.scalar("SELECT count(*) FROM meta") == 1


def test_checkpoint_empties_the_log(recording: Recording) -> None:
    recording.store.prepare()
    path = recording.store.path
    assert path is not None
    log = path.with_name(path.name + "-wal")
    assert log.stat().st_size > 0
    recording.store.checkpoint()
    assert log.stat().st_size == 0
    assert recording.store.size_bytes() >= path.stat().st_size


def test_postgresql_says_its_size(new_postgres_database: Callable[[], str]) -> None:
    store = Store(new_postgres_database())
    assert store.size_bytes() > 0
    store.checkpoint()
    store.scrub()
    store.dispose()


# -- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "is no SQLAlchemy URL"),
        ("sqlite://", "would be gone at the end"),
        ("sqlite:///:memory:", "would be gone at the end"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Store(url)


def test_an_unknown_database_is_refused() -> None:
    with pytest.raises(ConfigError, match="use sqlite or postgresql"):
        Store("dbase3://host/name").prepare()


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtra, match=r"pip install 'seasoned\[postgres\]'"):
        Store("postgresql://host/name").prepare()


def test_a_server_that_is_away_is_named_without_its_password() -> None:
    store = Store("postgresql://team:geheim@127.0.0.1:9/agents")
    with pytest.raises(StoreUnavailable, match=r"does not answer .* To mend it: check the server") as caught:
        store.prepare()
    assert "127.0.0.1" in str(caught.value)
    assert "geheim" not in str(caught.value)
    store.dispose()


def test_a_file_that_is_no_database(store: Store, path: Path) -> None:
    path.write_bytes(b"this is a diary, not a database\n" * 100)
    with pytest.raises(StoreUnavailable, match=r"runs\.db is a file of another kind"):
        store.prepare()


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/gone/runs.db")
    with pytest.raises(StoreUnavailable, match=r"cannot be made .* check that the folder .*gone exists"):
        store.prepare()
    with pytest.raises(StoreUnavailable, match="cannot be opened"), store.reading():
        pass
    assert store.size_bytes() == 0


def test_reading_never_makes_a_file(store: Store, path: Path) -> None:
    with pytest.raises(StoreUnavailable), store.reading():
        pass
    assert not path.exists()


def test_a_replaced_file_is_noticed(store: Store, path: Path) -> None:
    store.prepare()
    with store.writing() as connection:
        connection.exec_driver_sql("INSERT INTO meta VALUES ('which', 'old')")
    store.checkpoint()
    other = Store(f"sqlite:///{path}.new")
    other.prepare()
    other.checkpoint()
    other.dispose()
    path.with_name(path.name + ".new").rename(path)
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM meta").scalar() == 0


def test_our_own_mistakes_are_not_called_an_absence(store: Store) -> None:
    store.prepare()
    with pytest.raises(sqlalchemy.exc.OperationalError, match="no such table"), store.reading() as connection:
        connection.exec_driver_sql("SELECT * FROM nowhere")
