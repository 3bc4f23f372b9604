"""Commands that keep the records: ``import``, ``flush``, ``ingest``, ``rebuild`` and ``forget``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...instrumentation.errors import RunFormatError, StoreUnavailable
from . import options, output

if TYPE_CHECKING:
    from ..runtime import Workspace
    from ..service import FlushReport

FOLLOW_SECONDS = 0.5
"""Rest between two steps of ``ingest --follow``: as long as that of the thread in an application."""
SHOWN_ERRORS = 20
"""Errors of an import that are listed one by one; the rest is counted."""


def import_(
    files: options.Files,
    namespace: options.Own = None,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Take in runs that were recorded elsewhere, and learn from those with an outcome.

    What is good in a file is kept, and what is not is told with its line. A run that is there already is skipped.
    JSON: {"imported": n, "skipped": n, "errors": [{"file", "line", "error"}]}.
    """
    from .. import importing

    config = options.configured(home, db, namespace=namespace)
    with options.workspace(config) as opened:
        with output.progress("Importing") as update:
            result = importing.import_files(opened, files, lambda done: update(done, None), namespace=namespace)
        report = options.bring_up_to_date(opened, "Learning")
    errors = result["errors"]
    if json:
        output.print_json({**result, "learned": report.learned})
    if errors and not result["imported"] and not result["skipped"]:
        more = f" (and {len(errors) - 1} more errors; --json lists all)" if len(errors) > 1 else ""
        raise RunFormatError(f"nothing was imported: {_place(errors[0])}: {errors[0].get('error')}{more}")
    if not json:
        output.show(f"Imported {result['imported']}, skipped {result['skipped']} that were there already.")
    for error in errors[:SHOWN_ERRORS]:
        output.hint(f"seasoned: {_place(error)}: {error.get('error')}")
    if len(errors) > SHOWN_ERRORS:
        output.hint(f"seasoned: {len(errors) - SHOWN_ERRORS} more errors; --json lists all")
    if report.error:
        output.hint(f"seasoned: the runs are written, but not all are in the database yet: {report.error}")


def _place(error: dict[str, Any]) -> str:
    line = error.get("line")
    return f"{error.get('file')}:{line}" if line else str(error.get("file"))


def flush(
    namespace: options.Learned = None,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Bring everything written so far into the database, and learn from it.

    JSON: {"ingested": events, "judged": runs, "learned": runs, "pending_bytes": n, "error": text or null}.
    """
    config = options.configured(home, db, namespace=namespace)
    with options.workspace(config, update=False) as opened:
        report = options.bring_up_to_date(opened)
    _report(report, json=json)


def _report(report: FlushReport, *, json: bool) -> None:
    if json:
        import msgspec

        output.print_json(msgspec.structs.asdict(report))
    else:
        output.show(f"Ingested {report.ingested} events, judged {report.judged} runs, learned from {report.learned}.")
    if report.error:
        raise StoreUnavailable(f"{report.pending_bytes} bytes wait in the journal: {report.error}")


def ingest(
    follow: Annotated[bool, typer.Option("--follow", help="Go on until stopped (Ctrl-C or SIGTERM).")] = False,
    namespace: options.Learned = None,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Ingest and learn in a process of its own, beside applications that run with `ingest = "external"`.

    JSON, at the end: the keys of `seasoned flush`.
    """
    config = options.configured(home, db, namespace=namespace)
    with options.workspace(config, update=False) as opened:
        report = _followed(opened) if follow else options.bring_up_to_date(opened)
    _report(report, json=json)


def _followed(opened: Workspace) -> FlushReport:
    """Step until a signal says to stop. A database that is away is told once and waited for."""
    from ..service import FlushReport

    total = FlushReport()
    told: str | None = None
    with options.until_signal() as stop, output.progress("Following the journals") as update:
        while True:
            ending = stop.is_set()
            report = opened.flush(options.PATIENCE)
            total = FlushReport(
                total.ingested + report.ingested,
                total.learned + report.learned,
                total.judged + report.judged,
                report.pending_bytes,
                report.error,
            )
            update(total.ingested, None)
            if report.error and report.error != told:
                output.hint(f"seasoned: waiting: {report.error}")
            told = report.error
            if ending:
                return total
            stop.wait(FOLLOW_SECONDS)


def rebuild(
    namespace: options.Learned = None,
    regroup: Annotated[
        bool, typer.Option("--regroup", help="Also find anew which tasks are of the same kind.")
    ] = False,
    yes: options.Yes = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Make everything that was learned again from the recorded runs, in their canonical order.

    JSON: {"ingested": events, "learned": runs}.
    """
    config = options.configured(home, db, namespace=namespace)
    with options.workspace(config, update=False) as opened:
        before = options.bring_up_to_date(opened)
        if before.error:
            raise StoreUnavailable(f"the database is not up to date, so nothing was rebuilt: {before.error}")
        if not json and not yes and options.interactive():
            options.confirmed("Drop everything that was learned and learn it again from the recorded runs?", yes=False)
        with output.progress("Learning again") as update:
            learned = opened.service.rebuild(update, regroup=regroup)
    if json:
        output.print_json({"ingested": before.ingested, "learned": learned})
    else:
        output.show(f"Learned again from {learned} runs.")


def forget(
    run: Annotated[
        list[str] | None, typer.Argument(metavar="RUN…", help="Run ids, beginnings of them, or `last`.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Every run before a date, or older than 90d.")
    ] = None,
    match: Annotated[str | None, typer.Option(metavar="TEXT", help="Every run in which this text occurs.")] = None,
    yes: options.Yes = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Remove runs, their texts and journal copies, and what was learned from them. This cannot be undone.

    JSON: {"ingested": events, "runs": n, "events": n, "texts": n, "journals": n}.
    """
    import msgspec

    if sum((bool(run), before is not None, match is not None)) != 1:
        raise typer.BadParameter("name runs, or give one of --before and --match", param_hint="RUN…")
    if match is not None and not match.strip():
        raise typer.BadParameter("an empty text occurs in every run; give some of the text", param_hint="--match")
    before_ns = options.when(before, "--before")
    config = options.configured(home, db)
    with options.workspace(config, update=False) as opened:
        report = options.bring_up_to_date(opened)
        if report.error:
            raise StoreUnavailable(f"the database is not up to date, so nothing was forgotten: {report.error}")
        which: dict[str, Any] = {}
        if run:
            which["run_ids"] = _ids(opened, run)
            question = f"Forget {', '.join(which['run_ids'])}?"
        elif before_ns is not None:
            which["before_ns"] = before_ns
            question = f"Forget every run before {before}?"
        else:
            which["match"] = match
            question = f"Forget every run in which {match!r} occurs?"
        options.confirmed(f"{question} This cannot be undone.", yes=yes, json=json)
        with output.progress("Forgetting"):
            result = msgspec.structs.asdict(opened.service.forget(**which))
    if json:
        output.print_json({"ingested": report.ingested, **result})
    else:
        output.show(
            f"Forgot {result['runs']} runs: {result['events']} events, {result['texts']} texts and "
            f"{result['journals']} journal files."
        )


def _ids(opened: Workspace, refs: list[str]) -> list[str]:
    from ...instrumentation import reading

    with opened.store.reading() as connection:
        return list(dict.fromkeys(reading.find(connection, ref).run_id for ref in refs))
