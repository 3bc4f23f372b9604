"""``seasoned replay RUN --execute APP``: an application's own code again, with recorded answers (:mod:`..rerun`)."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ...instrumentation.describing import text_of
from ...instrumentation.errors import ConfigError
from . import output

if TYPE_CHECKING:
    from ..config import Config
    from ..rerun import Execution
    from ..rerun_script import Edit

SHOWN = 40
"""Lines of a difference that are shown."""


def play(
    config: Config,
    run: str,
    app: str,
    args: list[str],
    *,
    live_tools: bool = False,
    strict: bool = False,
    from_turn: int | None = None,
    edit: list[str] | None = None,
    json: bool = False,
) -> None:
    """Play a run through an application and tell what came of it; ends the command with exit code 1 where the
    application does not do again what was recorded."""
    from .. import replay, rerun

    with replay.load(run, config=config) as original:
        with contextlib.redirect_stdout(sys.stderr) if json else contextlib.nullcontext():  # the application's output
            execution = rerun.execute(
                original, app, args, live_tools=live_tools, strict=strict, from_turn=from_turn,
                edit=_edit(edit) if edit else None,
            )  # fmt: skip
        if json:
            output.print_json(public(execution))
        else:
            _tell(execution)
        well = execution.forked if from_turn is not None else execution.identical
    if not well:
        raise typer.Exit(1)


def _edit(given: list[str]) -> Edit:
    """``answer=TEXT``, ``tool=TEXT`` or ``human=TEXT``; ``@FILE`` instead of a text reads it."""
    from ..rerun_script import Edit

    values: dict[str, str] = {}
    for entry in given:
        key, equals, text = entry.partition("=")
        if not equals or key not in ("answer", "tool", "human"):
            raise typer.BadParameter(
                f"{entry[:80]!r} is none of answer=TEXT, tool=TEXT and human=TEXT", param_hint="--edit"
            )
        if text.startswith("@"):
            try:
                text = Path(text[1:]).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ConfigError(f"--edit {entry[:80]}: the file cannot be read ({error}); check its name") from None
        values[key] = text
    if len(values) > 1:
        raise typer.BadParameter("one edit at a time: the first one ends what is recorded", param_hint="--edit")
    return Edit(**values)


def public(execution: Execution) -> dict[str, Any]:
    """What came of it, as ``--json`` prints it."""
    difference = execution.difference
    pairs = [pair for pair in difference.pairs if not pair.same] if difference is not None else []
    return {
        "run_id": execution.original.record.run_id,
        "identical": execution.identical,
        "forked": execution.forked,
        "fork_run_id": execution.replay.record.run_id if execution.forked and execution.replay is not None else None,
        "turn": execution.turn,
        "served": execution.served,
        "departed": execution.departed,
        "left": execution.left,
        "error": None if execution.error is None else f"{type(execution.error).__name__}: {execution.error}",
        "prompt_changes": [change._asdict() for change in execution.prompt_changes],
        "differences": [
            {
                "turn": next((turn.number for turn in (pair.left, pair.right) if turn is not None), None),
                "changes": [
                    change._asdict() for change in pair.changes
                ] or [{"kind": "turn", "left": pair.left is not None, "right": pair.right is not None}],
            }
            for pair in pairs
        ],
        "outcome": [change._asdict() for change in difference.outcome] if difference is not None else [],
    }  # fmt: skip


def _tell(execution: Execution) -> None:
    good = execution.identical or execution.forked
    output.show(output.plain(output.one_line(execution.summary, 600), "green" if good else "red"))
    if execution.forked and execution.replay is not None:
        output.hint(f"The fork is run {execution.replay.record.run_id}: seasoned show {execution.replay.record.run_id}")
        return
    for line in difference_lines(execution)[:SHOWN]:
        style = {"+": "green", "-": "red"}.get(line[:1], "")
        output.show(output.plain(output.clean(line), style))
    for line in execution.left[:5]:
        output.hint(f"Not asked for: {output.one_line(line, 200)}")
    if len(execution.left) > 5:
        output.hint(f"... and {len(execution.left) - 5} recorded answers more")


def difference_lines(execution: Execution) -> list[str]:
    """The first turn that differs, as a difference: ``-`` as recorded, ``+`` as it is now."""
    out: list[str] = []
    parting = execution.difference.parting if execution.difference is not None else None
    if parting is not None:
        for turn, mark in ((parting.left, "-"), (parting.right, "+")):
            if turn is not None and not parting.changes:
                out.extend(f"{mark} {step.title}" for step in turn.steps)
        for change in parting.changes:
            out.append(f"{change.kind} {change.name}: {change.key}")
            lines = change.lines()
            out.extend(lines[1:] if lines[:1] and lines[0].startswith("@@") else lines)
    for change in execution.prompt_changes[:1]:
        out.append(f"the model of {text_of(change.agent)} in turn {change.turn} is asked")
        out.extend(f"- {line}" for line in change.recorded)
        out.extend(f"+ {line}" for line in change.asked)
    return [piece for line in out for piece in line.split("\n")]
