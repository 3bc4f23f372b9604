"""``seasoned replay``: a run in the whole terminal, step by step."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ...instrumentation.errors import MissingExtra, NotFound, SeasonedError
from . import options

if TYPE_CHECKING:
    from pathlib import Path

    from ...instrumentation.reading import RunRecord


def replay(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run id, the beginning of one, or `last`.")],
    args: Annotated[list[str] | None, typer.Argument(metavar="[ARG…]", help="Arguments of the application.")] = None,
    execute: Annotated[
        str | None, typer.Option("--execute", metavar="APP", help="Run this script with the recorded answers.")
    ] = None,
    live_tools: Annotated[
        bool, typer.Option("--live-tools", help="Execute tools for real; only models are served.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop also where a model is asked something else than recorded.")
    ] = False,
    from_turn: Annotated[
        int | None, typer.Option("--from", min=0, metavar="TURN", help="Fork: from here on the real model answers.")
    ] = None,
    edit: Annotated[
        list[str] | None,
        typer.Option("--edit", metavar="answer|tool|human=TEXT", help="What is changed at --from; @FILE reads it."),
    ] = None,
    no_flush: options.NoFlush = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Step through a run in the whole terminal, or run its application again with the recorded answers.

    Without --execute: turns, steps, tools, and prompts as they were sent; needs the extra `tui`, and the key ? shows
    the keys. With --execute APP: exit code 0 where the application does again what was recorded, 1 where it departs,
    which is then shown.

    JSON with --execute: {run_id, identical, forked, fork_run_id, turn, served, departed, left, error, prompt_changes,
    differences: [{turn, changes}], outcome}.
    """
    if execute is None:
        given = {"--live-tools": live_tools, "--strict": strict, "--from": from_turn is not None, "--edit": edit,
                 "--json": json, "an argument": args}  # fmt: skip
        wrong = next((name for name, value in given.items() if value), None)
        if wrong is not None:
            raise typer.BadParameter(f"{wrong} goes with --execute APP", param_hint="--execute")
        step_through(run, home, db, update=not no_flush)
        return
    from .executing import play

    play(
        options.configured(home, db), run, execute, args or [], live_tools=live_tools, strict=strict,
        from_turn=from_turn, edit=edit, json=json,
    )  # fmt: skip


def step_through(run: str, home: Path | None, db: str | None, *, update: bool) -> None:
    """Open a run in the step-through; raises SeasonedError where there is no terminal or no Textual."""
    from ...instrumentation import reading
    from .condition import notes

    config = options.configured(home, db)
    if not options.recorded(config):
        raise NotFound(options.nothing_yet(config))
    with options.workspace(config, update=update) as opened:
        with opened.store.reading() as connection:  # not kept: somebody may look at a run for hours
            record = reading.find(connection, run)
            said = notes(config, connection, record)
        if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # Textual writes to the last
            raise SeasonedError(f"a step-through needs a terminal. Without one: seasoned show {record.run_id}")
        try:
            from .. import stepper
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "textual":
                raise
            raise MissingExtra("textual", "tui") from None
        from ..stepper_source import Source

        def again() -> tuple[RunRecord, list[str]]:
            opened.service.flush(options.PATIENCE, review=None)
            with opened.store.reading() as now:
                found = reading.find(now, record.run_id)
                return found, notes(config, now, found)

        source = Source(opened.store.reading, record, said, again)
        stepper.run(source, light=_light())


def _light() -> bool:
    """Whether the terminal says that its ground is light (``COLORFGBG``, which some set)."""
    return os.environ.get("COLORFGBG", "").rpartition(";")[2] in ("7", "15")
