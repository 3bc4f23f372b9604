"""``seasoned outcome``: say afterwards how runs went.

An outcome is an event like any other, so it goes into a journal of this process first and from there into the
database: judging works the same while an application is writing to the same records.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...instrumentation.errors import OutcomeError
from . import options, output

if TYPE_CHECKING:
    from ...instrumentation.reading import RunRecord
    from ..runtime import Workspace


def outcome(
    run: Annotated[
        list[str] | None, typer.Argument(metavar="RUN…", help="Run ids, beginnings of them, or `last`.")
    ] = None,
    success: Annotated[bool, typer.Option("--success", help="The task was solved.")] = False,
    failure: Annotated[bool, typer.Option("--failure", help="The task was not solved.")] = False,
    quality: Annotated[float | None, typer.Option(metavar="Q", help="How well, from 0 to 1.")] = None,
    complexity: Annotated[str | None, typer.Option(metavar="C", help="low, medium, high or critical.")] = None,
    flag: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="A fact for the growth rules; may be repeated.")
    ] = None,
    agent: options.Agent = None,
    domain: options.Domain = None,
    since: options.Since = None,
    text: options.Text = None,
    namespace: options.Namespace = None,
    unknown: Annotated[bool, typer.Option("--unknown", help="Only runs that nobody has judged.")] = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Say how runs went: those named, or all that the filters fit.

    Nested runs are judged only where they are named.

    JSON: {"judged": n, "success": true or false, "runs": the ids, "learned": n}.
    """
    from ...instrumentation.runs import Run, outcome_payload

    if success == failure:
        raise typer.BadParameter("give one of --success and --failure", param_hint="--success")
    filtered = any(value is not None for value in (agent, domain, since, text)) or unknown
    if bool(run) == filtered:
        raise typer.BadParameter(
            "name the runs, or choose them by --agent, --domain, --since, --text or --unknown (not both)",
            param_hint="RUN…",
        )
    since_ns = options.when(since)
    try:
        payload = outcome_payload(success, quality, complexity, None, _flags(flag or []))
    except OutcomeError as error:
        raise typer.BadParameter(str(error)) from None
    config = options.configured(home, db, namespace=namespace)
    with options.workspace(config) as opened:
        filters: dict[str, Any] = {"agent": agent, "domain": domain, "since_ns": since_ns, "text": text}
        filters["namespace"] = namespace
        if unknown:
            filters["success"] = None
        chosen = _named(opened, run) if run else _fitting(opened, filters)
        for record in chosen:
            shell = Run(opened.recorder, namespace=record.namespace, session_id=record.session_id, run_id=record.run_id)
            opened.recorder.record(shell, "outcome", None, dict(payload))
        lost = opened.recorder.writer.lost
        if lost:
            raise OSError(f"{lost} outcomes could not be written: {opened.recorder.writer.error}; make room and repeat")
        report = options.bring_up_to_date(opened)
    if report.error:
        output.hint(f"seasoned: the outcomes are written, but not in the database yet: {report.error}")
    verdict = "success" if success else "failure"
    if json:
        ids = [record.run_id for record in chosen]
        output.print_json({"judged": len(ids), "success": success, "runs": ids, "learned": report.learned})
        return
    if not chosen:
        output.show("No run fits, so none was judged.")
        return
    output.show(f"Judged {len(chosen)} run{'s' * (len(chosen) != 1)} a {verdict}; learned from {report.learned}.")
    elsewhere = Counter(record.namespace for record in chosen if record.namespace != config.namespace)
    for name, count in elsewhere.items():
        output.hint(options.waiting_in(name, count))


def _flags(pairs: list[str]) -> dict[str, Any]:
    """``["escalated=true", "stars=4"]`` as a dictionary; values are JSON where they can be, else text."""
    from json import loads

    flags: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key.strip():
            raise typer.BadParameter(f"{pair!r} has no name; write NAME=VALUE", param_hint="--flag")
        try:
            flags[key.strip()] = loads(value) if equals else True
        except ValueError:
            flags[key.strip()] = value
    return flags


def _named(opened: Workspace, refs: list[str]) -> list[RunRecord]:
    from ...instrumentation import reading

    with opened.store.reading() as connection:
        found = {record.run_id: record for record in (reading.find(connection, ref) for ref in refs)}
    return list(found.values())


def _fitting(opened: Workspace, filters: dict[str, Any]) -> list[RunRecord]:
    from ...instrumentation import reading

    with opened.store.reading() as connection:
        found = reading.runs(connection, newest_first=False, **filters)
    return [record for record in found if record.parent_run_id is None]
