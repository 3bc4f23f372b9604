"""The database: opening it, bringing its tables up to date, and transactions.

SQLite in WAL mode by default; any other SQLAlchemy URL goes too. This module imports SQLAlchemy and is therefore
imported only in the background thread and by commands.

SQLite is opened so that it never makes a file by itself: a database that is away (a disk not mounted, a folder
moved) is then an error to wait out, not an empty database that swallows what is recorded. For the same reason a
connection whose file has been replaced is not used again.

An SQLite connection must not be open while its process forks: the child inherits the library's belief in locks
that only the parent holds. So open transactions are waited for, shortly, and idle connections closed at a fork.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import create_engine, event, exc, inspect, make_url, select, text

from . import migrations
from .errors import ConfigError, MissingExtra, StoreError, StoreUnavailable, StoreVersionError
from .schema import metadata
from .troubles import BUSY_SECONDS, WAITS, explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, Engine

log = logging.getLogger("seasoned")

FORK_SECONDS: Final = 1.0
"""How long a fork waits for a transaction in another thread to end."""

CACHE_KB: Final = 8_000
"""Memory for pages of an SQLite file. The default of 2 MB does not hold the index of 100,000 texts, whose every page
is written to in each batch."""

WAL_BYTES: Final = 4_000_000
"""Size to which SQLite cuts its write-ahead log once it is checkpointed."""


class Store:
    """A database of recorded runs. Nothing is opened before it is needed.

    Args:
        url: an SQLAlchemy URL, such as ``sqlite:////home/me/.seasoned/seasoned.db`` or
            ``postgresql://team@host/agents``.

    Attributes:
        dialect: ``sqlite``, ``postgresql`` or another of SQLAlchemy's names.
        shown: the database as messages name it: a path, or the URL without its password.

    Raises:
        ConfigError: for something that is no such URL.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except exc.ArgumentError as error:
            raise ConfigError(
                f"the database {url[:80]!r} is no SQLAlchemy URL; write one like sqlite:///runs.db or "
                "postgresql://user@host/name"
            ) from error
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.url: URL = parsed
        self.dialect: str = parsed.get_backend_name()
        self.path: Path | None = None
        if self.dialect == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise ConfigError(f"the database {url!r} would be gone at the end; name a file: sqlite:///runs.db")
            self.path = Path(parsed.database).absolute()
        self.shown: str = str(self.path) if self.path is not None else _without_password(parsed)
        self._engine: Engine | None = None
        self._opening = threading.Lock()
        self._users = _Users()
        self._prepared = False
        self._was_there = False
        _stores.add(self)

    # -- opening ---------------------------------------------------------------------------------------------

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, made at the first use."""
        with self._opening:
            if self._engine is None:
                self._engine = self._create()
            return self._engine

    def _create(self) -> Engine:
        try:
            if self.path is None:
                return create_engine(self.url, pool_pre_ping=True, hide_parameters=True)
            engine = create_engine(self.url, creator=self._connect, hide_parameters=True)
        except exc.NoSuchModuleError as error:
            raise ConfigError(
                f"{self.shown}: SQLAlchemy knows no database {self.url.drivername!r}; use sqlite or postgresql"
            ) from error
        except ModuleNotFoundError as error:
            if self.dialect == "postgresql":
                raise MissingExtra("psycopg", "postgres") from error
            raise ConfigError(
                f"{self.shown}: its driver {error.name!r} is not installed. To mend it: pip install {error.name}"
            ) from error
        event.listen(engine, "begin", _begin)
        event.listen(engine, "checkout", self._still_there)
        return engine

    def _connect(self) -> sqlite3.Connection:
        """Open the SQLite file, which must exist. Autocommit, because transactions are begun by :func:`_begin`."""
        connection = sqlite3.connect(
            f"file:{quote(str(self.path))}?mode=rw", uri=True, timeout=BUSY_SECONDS, check_same_thread=False,
            isolation_level=None,
        )  # fmt: skip
        try:
            for pragma in (
                "journal_mode=WAL",
                "synchronous=NORMAL",
                "foreign_keys=OFF",
                f"cache_size=-{CACHE_KB}",
                f"journal_size_limit={WAL_BYTES}",
            ):
                connection.execute(f"PRAGMA {pragma}").close()
        except BaseException:
            connection.close()
            raise
        return connection

    def _still_there(self, _connection: Any, record: Any, _proxy: Any) -> None:
        """Give up a pooled connection whose file was moved, deleted or replaced since it was opened."""
        try:
            found = os.stat(str(self.path))
            now: tuple[int, int] | None = (found.st_dev, found.st_ino)
        except OSError:
            now = None
        if record.info.setdefault("file", now) != now or now is None:
            raise exc.DisconnectionError("the database file was moved or replaced")

    def prepare(self) -> None:
        """Make the database, or bring it to this version's tables. Cheap once done.

        The folder of an SQLite file must exist; the file itself is made, readable by its owner only. One that was
        there before and has gone is not made again by this object: it may come back.

        Raises:
            StoreUnavailable: it cannot be reached, is locked, or is no database.
            StoreVersionError: another version of this package wrote it, and it is not brought up by itself.
        """
        if self._prepared:
            return
        if self.path is not None and not self._was_there and not self.path.exists():
            try:
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            except OSError as error:
                raise StoreUnavailable(
                    f"the database {self.shown} cannot be made ({error.strerror}). {WAITS}. To mend it: check that "
                    f"the folder {self.path.parent} exists and may be written"
                ) from error
        version = self.version()
        if version != migrations.HEAD:
            if version is not None and version not in migrations.REVISIONS:
                raise StoreVersionError(
                    f"the database {self.shown} has the tables of a newer version of this package ({version}; this one "
                    f"knows {migrations.HEAD}). {WAITS}. To mend it: pip install --upgrade seasoned"
                )
            if version is not None and self.dialect != "sqlite":
                raise StoreVersionError(
                    f"the database {self.shown} has the tables of an older version of this package ({version}; this "
                    f"one wants {migrations.HEAD}). {WAITS}. To mend it: seasoned doctor --migrate"
                )
            self.migrate()
        self._prepared = self._was_there = True

    def version(self) -> str | None:
        """The revision of the tables; None for a database without any.

        Raises :class:`StoreVersionError` for one with tables of the same names that are not ours.
        """
        with self.reading() as connection:
            return self._version(connection)

    def _version(self, connection: Connection) -> str | None:
        found = inspect(connection)
        if found.has_table(migrations.TABLE):
            return connection.execute(text(f"SELECT version_num FROM {migrations.TABLE}")).scalar()  # noqa: S608
        taken = sorted(set(found.get_table_names()) & set(metadata.tables))
        if taken:
            raise StoreVersionError(
                f"the database {self.shown} has a table {taken[0]!r} that is not of this package. To mend it: give "
                "seasoned a database (or a PostgreSQL schema) of its own"
            )
        return None

    def migrate(self) -> None:
        """Bring the tables to this version's, in one transaction. Harmless where they are already."""
        with self.writing() as connection:
            if self.dialect == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
            if self._version(connection) != migrations.HEAD:
                migrations.upgrade(connection)

    # -- transactions ----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection in a transaction that sees one state of the database, for reading."""
        with self._transaction(write=False) as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction that may write; committed at the end of the block, rolled back on an
        exception. On SQLite it holds the write lock from its beginning."""
        with self._transaction(write=True) as connection:
            yield connection

    @contextlib.contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        with self._users:
            try:
                with self.engine.connect() as connection:
                    connection = connection.execution_options(seasoned_write=write)
                    with connection.begin():
                        yield connection
            except (exc.DBAPIError, exc.TimeoutError, exc.DisconnectionError) as error:
                said = explain(error, self.shown, sqlite=self.path is not None)
                if said is None:
                    raise
                self._prepared = False
                raise StoreUnavailable(said) from error

    # -- the rest --------------------------------------------------------------------------------------------

    def checkpoint(self) -> None:
        """Write SQLite's log into the database file and empty it, as far as no reader is in the way."""
        if self.path is None:
            return
        with self._users:
            try:
                pooled = self.engine.raw_connection()
                try:
                    pooled.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
                finally:
                    pooled.close()
            except (exc.DBAPIError, exc.DisconnectionError, sqlite3.Error) as error:
                raise StoreUnavailable(f"the database {self.shown} could not be checkpointed ({error})") from error

    def scrub(self) -> None:
        """After something was deleted from an SQLite file: write it anew without the remains that stay behind in
        half-full pages and in the log. Other databases clean up by themselves, in their own time."""
        if self.path is None:
            return
        with self._users:
            try:
                pooled = self.engine.raw_connection()
                try:
                    pooled.cursor().execute("VACUUM")
                finally:
                    pooled.close()
            except (exc.DBAPIError, exc.DisconnectionError, sqlite3.Error) as error:
                log.warning(
                    "seasoned: %s could not be written anew after something was deleted (%s)", self.shown, error
                )
        self.checkpoint()

    def size_bytes(self) -> int:
        """How much the database occupies, its write-ahead log included; 0 where that cannot be said."""
        if self.path is not None:
            total = 0
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(OSError):
                    total += os.stat(str(self.path) + suffix).st_size
            return total
        if self.dialect == "postgresql":
            with self.reading() as connection:
                return connection.execute(select(text("pg_database_size(current_database())"))).scalar_one()
        return 0

    def dispose(self, close: bool = True) -> None:
        """Close the pooled connections. A forked child passes ``close=False``: they are its parent's to close."""
        with self._opening:
            engine, self._engine = self._engine, None
        if engine is not None:
            if not close:
                _inherited.append(engine.pool)
            engine.dispose(close=close)

    # -- forks -----------------------------------------------------------------------------------------------

    def _before_fork(self) -> None:
        if self.path is not None and self._engine is not None:
            self._users.pause(FORK_SECONDS)
            self._engine.dispose()

    def _after_fork(self, *, child: bool) -> None:
        if child:
            self._opening = threading.Lock()
            self._users = _Users()
            self.dispose(close=False)
        elif self.path is not None:
            self._users.go_on()


class _Users:
    """Counts open transactions, so that a fork can wait until there is none in another thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count: dict[int, int] = {}
        self._paused_by: int | None = None

    def __enter__(self) -> None:
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: self._paused_by in (None, me), FORK_SECONDS)
            self._count[me] = self._count.get(me, 0) + 1

    def __exit__(self, *_: object) -> None:
        me = threading.get_ident()
        with self._changed:
            self._count[me] -= 1
            if not self._count[me]:
                del self._count[me]
            self._changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Let nobody else begin, and wait at most ``seconds`` for the others to end."""
        me = threading.get_ident()
        with self._changed:
            self._paused_by = me
            self._changed.wait_for(lambda: not self._count.keys() - {me}, seconds)

    def go_on(self) -> None:
        with self._changed:
            self._paused_by = None
            self._changed.notify_all()


LOCK_KEY: Final = 0x5EA50
"""Key of the PostgreSQL advisory lock that ingesting shares and forgetting and migrating take alone."""

_stores: weakref.WeakSet[Store] = weakref.WeakSet()
_inherited: list[object] = []
"""Connection pools of a parent process, kept for ever so that they are not closed here."""


def _without_password(url: URL) -> str:
    """The URL for messages: a password may also stand among its parameters."""
    hidden = {key: "hidden" for key in url.query if "pass" in key.lower()}
    return url.update_query_dict(hidden).render_as_string(hide_password=True)


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("seasoned_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _each_store(action: str, **arguments: Any) -> None:
    for store in list(_stores):
        with contextlib.suppress(StoreError, exc.SQLAlchemyError, sqlite3.Error):
            getattr(store, action)(**arguments)


os.register_at_fork(
    before=lambda: _each_store("_before_fork"),
    after_in_parent=lambda: _each_store("_after_fork", child=False),
    after_in_child=lambda: _each_store("_after_fork", child=True),
)
