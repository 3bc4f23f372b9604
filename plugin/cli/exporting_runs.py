"""``seasoned export``: runs to a file, to be read elsewhere or looked at with tools for traces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...instrumentation.errors import NotFound
from . import options, output

if TYPE_CHECKING:
    from sqlalchemy import Connection

To = Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Where to; packed where the name ends in .gz.")]


def export(
    run: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN…]", help="Run ids, beginnings of them, or `last`.")
    ] = None,
    to: To = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="jsonl (recorded runs, for seasoned import) or otlp (OpenTelemetry spans). Default: by the name, "
            ".jsonl or .json.",
        ),
    ] = None,
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
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many, the newest.")] = None,
    no_flush: options.NoFlush = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Write runs to a file: those named, or all that the filters fit, each with the runs inside it, the oldest first.

    The file holds everything that was said, as far as it is recorded: look at it before you give it to others.

    JSON: {"exported": runs, "file": path, "format": name, "bytes": size}.
    """
    from .. import replay_export

    if to is None:
        raise typer.BadParameter("say where to, such as runs.jsonl.gz", param_hint="--to")
    verdicts = options.judged(success=success, failure=failure, unknown=unknown)
    filters: dict[str, Any] = {
        "agent": agent, "domain": domain, "since_ns": options.when(since), "text": text, "session_id": session,
        "framework": framework, "cost_above": cost_above, "limit": limit,
    }  # fmt: skip
    filters.update(verdicts)
    if errors:
        filters["errors"] = True
    filtered = any(value is not None for key, value in filters.items() if key != "success") or "success" in filters
    if run and (filtered or namespace is not None):
        raise typer.BadParameter("name the runs, or choose them by filters (not both)", param_hint="RUN…")
    chosen = replay_export.format_of(to, form)
    config = options.configured(home, db, namespace=namespace)
    if not options.recorded(config):
        raise NotFound(options.nothing_yet(config))
    with options.workspace(config, update=not no_flush) as opened:
        with opened.store.reading() as connection:
            ids = _ids(connection, run, {**filters, "namespace": namespace})
        if not ids:
            raise NotFound(f"no run fits, so {to} was not written. List what there is: seasoned runs")
        with output.progress("Exporting"):
            done = replay_export.export_runs(opened.store.reading, ids, to, chosen)
    if json:
        output.print_json({"exported": done.runs, "file": str(to), "format": chosen, "bytes": done.size})
    elif to.is_file():  # else stdout may be what it was written to
        output.show(output.plain(f"Exported {done.runs} run{'s' * (done.runs != 1)} to {to} ({done.size:,} bytes)."))


def _ids(connection: Connection, named: list[str] | None, filters: dict[str, Any]) -> list[str]:
    from ...instrumentation import reading

    if named:
        return list(dict.fromkeys(reading.find(connection, ref).run_id for ref in named))
    return [record.run_id for record in reading.runs(connection, **filters)]
