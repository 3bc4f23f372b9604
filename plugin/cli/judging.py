"""``seasoned outcome`` and ``seasoned feedback``: say afterwards how runs went, and what somebody thought of them.

Both are events like any other, so they go into a journal of this process first and from there into the
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
    from ..service import FlushReport


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
    from ...instrumentation.runs import outcome_payload

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
            _tell(opened, record, "outcome", None, payload)
        report = _written(opened, "outcomes")
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


def feedback(
    run: Annotated[list[str], typer.Argument(metavar="RUN…", help="Run ids, beginnings of them, or `last`.")],
    positive: Annotated[bool, typer.Option("--positive", help="Praise.")] = False,
    negative: Annotated[bool, typer.Option("--negative", help="A complaint.")] = False,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Whom it is about. Default: all at work.")] = None,
    source: Annotated[str, typer.Option(metavar="WHO", help="Who says so; the last word of each counts.")] = "user",
    text: Annotated[str, typer.Option(metavar="WORDS", help="What was said.")] = "",
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Keep what a user said about runs: praise gives their agents XP, a complaint takes some of the run's back.

    JSON: {"runs": the ids, "positive": true or false, "agent": name or null, "learned": n, "unjudged": the ids of
    those without an outcome, whose feedback counts once they have one}.
    """
    from ...instrumentation.runs import feedback_payload

    if positive == negative:
        raise typer.BadParameter("give one of --positive and --negative", param_hint="--positive")
    payload = feedback_payload(text, positive, source.strip() or "user")
    config = options.configured(home, db)
    with options.workspace(config) as opened:
        chosen = _named(opened, run)
        for record in chosen:
            known = _taking_part(opened, record) if agent is not None else []
            if agent is not None and agent not in known:
                raise typer.BadParameter(
                    f"{agent!r} took no part in run {record.run_id}; {', '.join(known) or 'nobody'} did",
                    param_hint="--agent",
                )
        for record in chosen:
            _tell(opened, record, "feedback", agent, payload)
        report = _written(opened, "words")
    if report.error:
        output.hint(f"seasoned: the feedback is written, but not in the database yet: {report.error}")
    ids = [record.run_id for record in chosen]
    unjudged = [record.run_id for record in chosen if record.success is None]
    if json:
        output.print_json(
            {"runs": ids, "positive": positive, "agent": agent, "learned": report.learned, "unjudged": unjudged}
        )
        return
    kind = "Praise" if positive else "A complaint"
    output.show(f"{kind} for {len(ids)} run{'s' * (len(ids) != 1)}; learned again from {report.learned}.")
    if unjudged:
        rest = "it has an outcome" if len(unjudged) == 1 else "they have outcomes"
        output.hint(f"{len(unjudged)} of them will count once {rest}: seasoned outcome {unjudged[0]} --success")
    judged = [record for record in chosen if record.success is not None and record.namespace != config.namespace]
    for name, count in Counter(record.namespace for record in judged).items():
        output.hint(options.waiting_in(name, count))


def _taking_part(opened: Workspace, record: RunRecord) -> list[str]:
    """The agents of a run and of the runs inside it."""
    from ...instrumentation import reading

    with opened.store.reading() as connection:
        inside = reading.runs(connection, run_ids=reading.tree(connection, [record.run_id]))
    return list(dict.fromkeys([*record.agents, *(agent for inner in inside for agent in inner.agents)]))


def _tell(opened: Workspace, record: RunRecord, kind: str, agent: str | None, payload: dict[str, Any]) -> None:
    """Write an event of a run that is over."""
    from ...instrumentation.runs import Run

    shell = Run(opened.recorder, namespace=record.namespace, session_id=record.session_id, run_id=record.run_id)
    opened.recorder.record(shell, kind, agent, dict(payload))


def _written(opened: Workspace, what: str) -> FlushReport:
    """Bring what was told into the database; raises OSError where the journal did not take it."""
    lost = opened.recorder.writer.lost
    if lost:
        raise OSError(f"{lost} {what} could not be written: {opened.recorder.writer.error}; make room and repeat")
    return options.bring_up_to_date(opened)


def _flags(pairs: list[str]) -> dict[str, Any]:
    """``["escalated=true", "stars=4"]`` as a dictionary; values are JSON where they can be, else text."""
    from difflib import get_close_matches
    from json import loads

    from ...growth.facts import FLAGS

    flags: dict[str, Any] = {}
    for pair in pairs:
        name, equals, given = pair.partition("=")
        name = name.strip()
        if not name:
            raise typer.BadParameter(f"{pair!r} has no name; write NAME=VALUE", param_hint="--flag")
        try:
            value = loads(given) if equals else True
        except ValueError:
            value = given
        if name in FLAGS and not isinstance(value, bool):
            raise typer.BadParameter(f"{name} is {given!r}, but must be true or false", param_hint="--flag")
        close = [] if name in FLAGS else get_close_matches(name, FLAGS, n=1, cutoff=0.75)
        if close:
            output.hint(f"{name!r} is kept, but no rule of growth knows it; did you mean {close[0]}?")
        flags[name] = value
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
