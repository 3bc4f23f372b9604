"""What commands share: their options, the way to the recorded data, and how dates are written."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...instrumentation import home as home_folder
from ...instrumentation.errors import NotFound
from . import output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from ..config import Config
    from ..runtime import Workspace
    from ..service import FlushReport

Home = Annotated[
    Path | None,
    typer.Option("--home", metavar="DIR", help="Folder of the records. Default: SEASONED_HOME, else .seasoned"),
]
Db = Annotated[
    str | None,
    typer.Option("--db", metavar="URL", help="Database, as an SQLAlchemy URL. Default: SQLite in the folder"),
]
Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="Recorded runs: JSONL, or JSONL with gzip.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
NoFlush = Annotated[
    bool, typer.Option("--no-flush", help="Read the database as it is, without bringing it up to date first.")
]
Namespace = Annotated[str | None, typer.Option("--namespace", metavar="NAME", help="Only this application or tenant.")]
Own = Annotated[
    str | None,
    typer.Option("--namespace", metavar="NAME", help="The application or tenant. Default: the project's name."),
]
Learned = Annotated[
    str | None,
    typer.Option("--namespace", metavar="NAME", help="Whose runs are learned from. Default: the project's name."),
]
Agent = Annotated[str | None, typer.Option("--agent", metavar="NAME", help="Only runs in which this agent took part.")]
Domain = Annotated[str | None, typer.Option("--domain", metavar="NAME", help="Only runs of this domain.")]
Since = Annotated[
    str | None,
    typer.Option(
        "--since", metavar="WHEN", help="Only runs since a date (2026-01-31) or for the last 90m, 2h, 3d, 1w."
    ),
]
Session = Annotated[
    str | None, typer.Option("--session", metavar="ID", help="Only runs of this conversation (see `runs --json`).")
]
Framework = Annotated[
    str | None, typer.Option("--framework", metavar="NAME", help="Only runs that this framework's adapter recorded.")
]
Text = Annotated[str | None, typer.Option("--text", metavar="TEXT", help="Only runs in which this text occurs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

PATIENCE = 5.0
"""Seconds after which a flush that does not get on at all is given up: a lock on the database is waited for."""

_MOST = 2**63 - 1
"""The last moment that a database can hold, in nanoseconds since the epoch: in the year 2262."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def configured(home: Path | None, db: str | None, **given: Any) -> Config:
    """The settings in force for a command; ``given`` are other options, None where not given."""
    from ..config import load_config

    return load_config(home=home, db=db, **given)


def judged(*, success: bool, failure: bool, unknown: bool) -> dict[str, bool | None]:
    """The filter ``success`` of :func:`.reading.runs` for three options of which at most one is given."""
    if success + failure + unknown > 1:
        raise typer.BadParameter("give at most one of --success, --failure and --unknown", param_hint="--success")
    return {"success": None if unknown else success} if success or failure or unknown else {}


@contextlib.contextmanager
def workspace(config: Config, *, update: bool = True) -> Iterator[Workspace]:
    """Everything that a command needs, let go of at the end; first the database is brought up to date.

    A database that can be read but not written now (another program holds it) is worth a remark, not a failure.
    """
    from ..runtime import Workspace

    opened = Workspace(config)
    if config.db is None:
        home_folder.prepare(config.home_path)
    try:
        _ = opened.store  # opened here, so that one that cannot be opened is told of once
        error = bring_up_to_date(opened).error if update else None
        yield opened
        if error is not None:
            output.hint(f"seasoned: this may be behind what was recorded: {error}")
    finally:
        opened.close(flush=False)


@contextlib.contextmanager
def records(config: Config, *, update: bool = True) -> Iterator[tuple[Workspace, Connection]]:
    """A :func:`workspace` and its database to read from; raises NotFound where nothing is recorded yet."""
    if not recorded(config):
        raise NotFound(nothing_yet(config))
    with workspace(config, update=update) as opened, opened.store.reading() as connection:
        yield opened, connection


def bring_up_to_date(opened: Workspace, description: str = "Bringing the database up to date") -> FlushReport:
    """Ingest and learn from everything written so far; goes on as long as it gets on."""
    from ..service import FlushReport

    ingested = judged = learned = 0
    with output.progress(description) as update:
        while True:
            report = opened.flush(PATIENCE)
            ingested, judged, learned = ingested + report.ingested, judged + report.judged, learned + report.learned
            update(ingested, None)
            if report.error is None or not (report.ingested or report.judged or report.learned):
                return FlushReport(ingested, learned, judged, report.pending_bytes, report.error)


def recorded(config: Config) -> bool:
    """Whether anything can have been recorded: else a command that only reads need not make a database."""
    return config.db is not None or home_folder.holds_records(config.home_path)


def nothing_yet(config: Config) -> str:
    """What to tell somebody who reads where nothing is."""
    return (
        f"Nothing is recorded in {config.home_path}. Record something with `seasoned run SCRIPT`, "
        "or name the folder that you mean with --home"
    )


def when(text: str | None, name: str = "--since") -> int | None:
    """A date or a length of time before now, in nanoseconds since the epoch.

    Dates without a time zone are local. Raises :class:`typer.BadParameter` for what is neither.
    """
    if text is None:
        return None
    text = text.strip()
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhdw])", text)
    try:
        if match:
            moment = datetime.now(timezone.utc) - timedelta(**{_UNITS[match[2]]: float(match[1])})
        else:
            moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text).astimezone()
    except (ValueError, OverflowError, OSError):
        raise typer.BadParameter(
            f"{text!r} is neither a date such as 2026-01-31 nor a length of time such as 90m, 2h, 3d or 1w",
            param_hint=name,
        ) from None
    nanoseconds = int(moment.timestamp()) * 1_000_000_000 + moment.microsecond * 1000
    return max(-_MOST, min(_MOST, nanoseconds))


@contextlib.contextmanager
def until_signal() -> Iterator[threading.Event]:
    """An event that SIGINT or SIGTERM sets, so that a step is never cut in two."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interactive() -> bool:
    """Whether there is somebody at the terminal who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def confirmed(question: str, *, yes: bool, json: bool = False) -> None:
    """Ask before something that cannot be undone. Raises :class:`typer.Exit` with code 1 for a no, and
    :class:`typer.BadParameter` where nobody can be asked."""
    if yes:
        return
    if json or not interactive():
        raise typer.BadParameter("nobody can be asked here; say --yes to do it without asking", param_hint="--yes")
    if not typer.confirm(output.clean(question), err=True):
        output.hint("Nothing was changed.")
        raise typer.Exit(1)


def waiting_in(namespace: str, count: int) -> str:
    """What to tell about judged runs of another namespace: its own settings decide what is learned from them."""
    return (
        f"{count} judged run{'s' * (count != 1)} of {namespace!r} wait{'s' * (count == 1)} to be learned from, which "
        f"is done under that application's settings: seasoned flush in its folder, or with --namespace {namespace!r}"
    )
