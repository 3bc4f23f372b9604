"""``seasoned runs`` and ``seasoned show``: what was recorded, as a list and run by run."""

from __future__ import annotations

import contextlib
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from ...instrumentation.describing import duration, money, verdict
from ...instrumentation.errors import NotFound
from ..ending import hint
from . import options, output

if TYPE_CHECKING:
    from rich.text import Text
    from sqlalchemy import Connection

    from ...instrumentation.reading import RunRecord
    from ..runtime import Workspace
    from .transcript import Inside


SHOWN_RUNS = 50
"""Rows of the table of runs, unless ``--limit`` says otherwise."""


WIDE = 130
"""Columns of a terminal from which on the table of runs has all its columns."""

RULE = 100
"""Columns of the rules between turns, if the terminal has as many."""


def runs(
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
    """List recorded runs, the newest first. In a terminal, 50 of them unless --limit says otherwise.

    Runs inside others are marked with an arrow.

    JSON: [{run_id, session_id, namespace, task, domain, framework, agents, started_at, duration_s, messages,
    tool_calls, errors, success, quality, outcome_source, cost_usd, ...}].
    """
    from ...instrumentation import reading

    verdicts = options.judged(success=success, failure=failure, unknown=unknown)
    filters: dict[str, Any] = {
        "agent": agent, "domain": domain, "namespace": namespace, "since_ns": options.when(since), "text": text,
        "session_id": session, "framework": framework, "cost_above": cost_above,
    }  # fmt: skip
    if errors:
        filters["errors"] = True
    filters.update(verdicts)
    config = options.configured(home, db, namespace=namespace)
    if not options.recorded(config):
        output.hint(options.nothing_yet(config))
        if json:
            output.print_json([])
        return
    shown = limit if limit is not None else None if json else SHOWN_RUNS
    with options.workspace(config, update=not no_flush) as opened, opened.store.reading() as connection:
        found = reading.runs(connection, limit=None if shown is None else shown + 1, **filters)
        waiting = without_outcome(connection, namespace)
    more = shown is not None and len(found) > shown
    found = found[:shown]
    if json:
        output.print_json([record.public() for record in found])
        return
    if found:
        output.show(_table(found))
    else:
        output.hint(
            f"No run fits in {config.home_path}."
            if any(value is not None for value in filters.values()) or "success" in filters
            else options.nothing_yet(config)
        )
    if more and limit is None:
        output.hint(f"Only the newest {shown} are shown; --limit N shows more.")
    if waiting:
        output.hint(hint(waiting))


def without_outcome(connection: Any, namespace: str | None = None) -> int:
    """How many finished runs, nested ones left out, nobody has judged."""
    from sqlalchemy import func, select

    from ...instrumentation.schema import runs as table

    query = (
        select(func.count())
        .select_from(table)
        .where(table.c.success.is_(None), table.c.parent_run_id.is_(None), table.c.status == "finished")
    )
    if namespace is not None:
        query = query.where(table.c.namespace == namespace)
    return int(connection.execute(query).scalar_one())


def _table(found: list[RunRecord]) -> Any:
    """The runs as a table; with fewer columns where the terminal is narrow, so that ids are never cut."""
    from datetime import datetime

    from rich.text import Text

    wide = output.console().width >= WIDE
    if wide:
        made = output.table(
            "run", "started", "~domain", "~agents", ">messages", ">tools", ">errors", "outcome", ">cost", "~task"
        )
    else:
        made = output.table("run", "started", "~domain", ">errors", "outcome", "~task")
    styles = {True: "green", False: "red"}
    for record in found:
        started = datetime.fromtimestamp(record.started_ns / 1e9).astimezone()
        run, domain, errors = output.plain(record.run_id), output.elastic(record.domain, 16), str(record.errors)
        outcome = Text(verdict(record), style=styles.get(record.success, "dim"))  # type: ignore[arg-type]
        task = output.elastic(("↳ " if record.parent_run_id else "") + (record.task or ""), 60)
        if wide:
            agents = output.elastic(", ".join(record.agents), 30)
            cost = "" if record.cost_usd is None else money(record.cost_usd)
            counts = (str(record.messages), str(record.tool_calls), errors)
            made.add_row(run, f"{started:%Y-%m-%d %H:%M}", domain, agents, *counts, outcome, cost, task)
        else:
            made.add_row(run, f"{started:%m-%d %H:%M}", domain, errors, outcome, task)
    return made


def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run id, the beginning of one, or `last`.")],
    prompts: Annotated[
        bool, typer.Option("--prompts", help="With every model call, the prompt as it was sent.")
    ] = False,
    turn: Annotated[int | None, typer.Option(min=0, metavar="N", help="Only the events of this turn.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Long texts in full.")] = False,
    no_flush: options.NoFlush = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Show everything that happened in a run, in order.

    JSON: {"run": {...}, "events": [{seq, kind, at, at_ns, turn, agent, duration_ms, ...}]}; the further keys of
    each kind are in docs/cli.md.
    """
    from ...instrumentation import reading
    from . import condition, transcript

    config = options.configured(home, db)
    with options.records(config, update=not no_flush) as (opened, connection):
        record = reading.find(connection, run)
        # closed before the connection, also where the reader of our output goes away in the middle
        with contextlib.closing(reading.events(connection, record.run_id, prompts=prompts, turn=turn)) as recorded:
            if json:
                public = (transcript.event_json(event, prompts=prompts) for event in recorded)
                output.print_json_stream({"run": record.public()}, "events", public)
                return
            first = next(recorded, None) if turn is not None else None
            if turn is not None and first is None:
                _no_turn(opened, record.run_id, turn)
            output.show_each(_heading(record))
            console = output.console()
            made = transcript.Transcript(
                start_ns=record.started_ns,
                full=full,
                prompts=prompts,
                width=min(console.width, RULE),
                room=max(20, console.width - len(transcript.INDENT) - 4) if console.is_terminal and not full else None,
                colours=output.coloured(console),
                inside=_inside(connection, record.run_id) if turn is None else (),
            )
            output.show_each(made.lines(recorded if first is None else chain([first], recorded)))
        missing = made.missing if turn is None else 0
        said = condition.notes(config, connection, record, missing)
        output.show_each(["", *(output.plain(note, "yellow") for note in said)] if said else [])


def _no_turn(opened: Workspace, run_id: str, turn: int) -> NoReturn:
    from ...instrumentation.steps import Turns

    Turns(opened.store.reading, run_id).numbered(turn)
    raise NotFound(f"run {run_id} has no turn {turn}")


def _inside(connection: Connection, run_id: str) -> list[Inside]:
    """The runs directly inside a run, by when they began."""
    from sqlalchemy import select

    from ...instrumentation.schema import runs as table
    from ...instrumentation.schema import texts
    from .transcript import Inside

    query = (
        select(table.c.started_at, table.c.run_id, texts.c.text)
        .join_from(table, texts, table.c.task_pk == texts.c.text_pk, isouter=True)
        .where(table.c.parent_run_id == run_id)
        .order_by(table.c.started_at, table.c.run_id)
    )
    return [Inside(*row) for row in connection.execute(query)]


def _heading(record: RunRecord) -> list[Text]:
    facts = [
        verdict(record) + (f" ({record.outcome_source})" if record.outcome_source else ""),
        record.domain and f"domain {record.domain}",
        record.framework and f"framework {record.framework}",
        _count(record.messages, "message"),
        _count(record.model_calls, "model call"),
        _count(record.tool_calls, "tool call"),
        _count(record.errors, "error"),
        None if record.cost_usd is None else money(record.cost_usd),
        None if record.duration_s is None else duration(record.duration_s),
        record.parent_run_id and f"inside {record.parent_run_id}",
    ]
    colours = {True: "green", False: "red"}
    line = output.plain(output.one_line(" · ".join(fact for fact in facts if fact), 400), "dim")
    if record.success is not None:
        line.stylize(f"not dim {colours[record.success]}", 0, len(verdict(record)))
    return [
        output.plain(f"{record.run_id}  {output.one_line(record.task, 200)}", "bold"),
        output.plain(output.one_line(", ".join(record.agents), 200)),
        line,
    ]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
