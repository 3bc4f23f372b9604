"""``seasoned report``: recorded runs as one HTML file, to be opened with a double click and shown to others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options, output

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ...instrumentation.reading import RunRecord
    from ..runtime import Workspace

OUT = "seasoned-report.html"
"""The file that is written unless ``--out`` names one; of one run its id stands in the name."""


def report(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run id, the beginning of one, or `last`. Default: all runs."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help=f"The file. Default: {OUT}")] = None,
    runs: Annotated[
        int | None,
        typer.Option("--runs", min=0, metavar="N", help="Put the details of so many runs into the file. Default: 100."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Put the details of all runs into the file.")] = False,
    agent: options.Agent = None,
    domain: options.Domain = None,
    namespace: options.Namespace = None,
    success: Annotated[bool, typer.Option("--success", help="Only runs that succeeded.")] = False,
    failure: Annotated[bool, typer.Option("--failure", help="Only runs that failed.")] = False,
    unknown: Annotated[bool, typer.Option("--unknown", help="Only runs that nobody has judged.")] = False,
    since: options.Since = None,
    text: options.Text = None,
    session: options.Session = None,
    framework: options.Framework = None,
    cost_above: Annotated[
        float | None, typer.Option("--cost-above", min=0, metavar="USD", help="Only runs that cost more US dollars.")
    ] = None,
    errors: Annotated[bool, typer.Option("--errors", help="Only runs with errors.")] = False,
    no_flush: options.NoFlush = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Write recorded runs to one HTML file that needs no network: of one run everything, of all an overview with a list
    to search, agents, library, cost, failures, and the details of some.

    JSON: {"report": file, "runs": how many it is about, "bytes": its size}.
    """
    verdicts = options.judged(success=success, failure=failure, unknown=unknown)
    if every and runs is not None:
        raise typer.BadParameter("give --runs N or --all, not both", param_hint="--all")
    filters: dict[str, Any] = {
        "agent": agent, "domain": domain, "namespace": namespace, "since_ns": options.when(since), "text": text,
        "session_id": session, "framework": framework, "cost_above": cost_above,
    }  # fmt: skip
    given = {
        "agent": agent, "domain": domain, "namespace": namespace, "since": since, "text": text, "session": session,
        "framework": framework, "cost above $": cost_above,
    }  # fmt: skip
    told = [f"{name} {value}" for name, value in given.items() if value is not None]
    if errors:
        filters["errors"] = True
        told.append("those with errors")
    filters.update(verdicts)
    if verdicts:
        told.append("those that succeeded" if success else "those that failed" if failure else "those nobody judged")
    if run is not None and (told or every or runs is not None):
        raise typer.BadParameter("a report of one RUN has no filters, --runs or --all", param_hint="RUN")
    config = options.configured(home, db, namespace=namespace)
    with options.records(config, update=not no_flush) as (opened, connection):
        if run is not None:
            path, number = _one(opened, connection, run, out), 1
        else:
            path, number = _many(opened, out, filters, ", ".join(told), 10**9 if every else runs)
    if json:
        size = path.stat().st_size if path.is_file() else None
        output.print_json({"report": str(path), "runs": number, "bytes": size})
    else:
        output.show(output.plain(f"Written: {path}"))
        if not number:
            output.hint("No run is in it.")


def _one(opened: Workspace, connection: Connection, run: str, out: Path | None) -> Path:
    from ...instrumentation import reading
    from ..report import write_run

    record = reading.find(connection, run)
    return write_run(opened, out or Path(_file_of(record)), record)


def _file_of(record: RunRecord) -> str:
    """A file name for a run; ids of imported runs may hold anything."""
    plain = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "-" for letter in record.run_id
    )
    return f"seasoned-{plain[:80].strip('-') or 'run'}.html"


def _many(
    opened: Workspace,
    out: Path | None,
    filters: dict[str, Any],
    told: str,
    details: int | None,
) -> tuple[Path, int]:
    from ..report import write_report

    written: dict[str, int] = {}
    with output.progress("Writing the report") as update:
        path = write_report(
            opened, out or Path(OUT), filters=filters, told=told, details=details, progress=update, counts=written
        )
    return path, written["runs"]
