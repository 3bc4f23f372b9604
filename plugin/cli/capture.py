"""``seasoned capture``: record an execution that happened somewhere else.

For whoever runs agents that no adapter knows: a shell script, another program, a hook at the end of a session. The
options describe one execution; files hold as many as there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperCommand

from ...instrumentation.errors import RunFormatError
from . import options, output

if TYPE_CHECKING:
    from pathlib import Path

    from ...adapters.recorded import BadRecord
    from ..capture_files import Found
    from ..captured import Captured
    from ..service import FlushReport

SHOWN_ERRORS = 20
"""Bad records that are told one by one; the rest is counted."""

SHOWN_KEYS = 12
"""Unknown keys that are named."""


class CaptureCommand(TyperCommand):
    """Takes ``--success true`` and ``--success false`` too, as scripts write it that hold the verdict in a variable."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line; see the class."""
        return super().parse_args(ctx, _plain_verdict(args))


def _plain_verdict(args: list[str]) -> list[str]:
    """``args`` with ``--success false`` as ``--failure``, ``--success true`` as ``--success``, and so on."""
    turned = {"--success": "--failure", "--failure": "--success"}
    out: list[str] = []
    rest = iter(args)
    for arg in rest:
        if arg == "--":
            return [*out, arg, *rest]
        name, _, value = arg.partition("=")
        if arg in ("true", "false") and out and out[-1] in turned:
            out[-1] = out[-1] if arg == "true" else turned[out[-1]]
        elif name in turned and value in ("true", "false"):
            out.append(name if value == "true" else turned[name])
        else:
            out.append(arg)
    return out


def capture(
    file: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE…", help="JSON object, list of them, or JSONL; - for standard input."),
    ] = None,
    task: Annotated[str | None, typer.Option("--task", "--prompt", metavar="TEXT", help="What was asked for.")] = None,
    task_type: Annotated[
        str | None, typer.Option("--type", "--task-type", metavar="NAME", help="The type of the task.")
    ] = None,
    domain: Annotated[str | None, typer.Option(metavar="NAME", help="Its domain.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="NAME", help="Who mainly did it.")] = None,
    agent_chain: Annotated[
        str | None, typer.Option(metavar="A,B", help="All who had a turn, in order; also a JSON list.")
    ] = None,
    success: Annotated[bool, typer.Option("--success", help="The task was solved.")] = False,
    failure: Annotated[bool, typer.Option("--failure", help="The task was not solved.")] = False,
    quality: Annotated[
        float | None, typer.Option("--quality", "--quality-score", metavar="Q", help="How well, from 0 to 1.")
    ] = None,
    complexity: Annotated[str | None, typer.Option(metavar="C", help="low, medium, high or critical.")] = None,
    complexity_score: Annotated[float | None, typer.Option(metavar="S", help="The same as a number, 0 to 1.")] = None,
    user_acceptance: Annotated[
        Literal["true", "false"] | None, typer.Option(help="Whether the user accepted it: praise or a complaint.")
    ] = None,
    duration_ms: Annotated[float | None, typer.Option(metavar="N", help="How long it took, in milliseconds.")] = None,
    step: Annotated[
        list[str] | None,
        typer.Option(metavar="'TOOL {…}'", help="A step: a tool, and its arguments in JSON; may be repeated."),
    ] = None,
    steps_json: Annotated[str | None, typer.Option(metavar="JSON", help="All steps, as a list of objects.")] = None,
    tools_used: Annotated[
        str | None, typer.Option(metavar="A,B", help="The tools, where the steps are not known.")
    ] = None,
    artifact: Annotated[
        list[str] | None, typer.Option(metavar="PATH", help="A file that was made; may be repeated.")
    ] = None,
    artifacts_json: Annotated[
        str | None,
        typer.Option("--artifacts-json", "--artifacts", metavar="JSON", help="Artifacts, as a list of objects."),
    ] = None,
    file_patterns: Annotated[str | None, typer.Option(metavar="A,B", help="Kinds of files that it was about.")] = None,
    technology_stack: Annotated[str | None, typer.Option(metavar="A,B", help="Technologies that were used.")] = None,
    answer: Annotated[str | None, typer.Option(metavar="TEXT", help="What the agent answered in the end.")] = None,
    session: Annotated[
        str | None,
        typer.Option("--session", "--correlation-id", metavar="ID", help="Joins executions of one conversation."),
    ] = None,
    execution_id: Annotated[str | None, typer.Option(metavar="ID", help="Known again by it: captured once.")] = None,
    at: Annotated[str | None, typer.Option(metavar="WHEN", help="When it ended. Default: now.")] = None,
    namespace: options.Own = None,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Record an execution that happened somewhere else, and learn from it.

    JSON: {"run_id", "fingerprint", "steps", "artifacts", "learned", "similar": templates that fit the task, "skipped":
    whether it was there already}; for several, {"captured": n, "skipped": n, "errors": [{"file", "line", "error"}],
    "runs": a list of such objects}.
    """
    if success and failure:
        raise typer.BadParameter("give one of --success and --failure", param_hint="--success")
    raw: dict[str, Any] = {
        "task": task, "task_type": task_type, "domain": domain, "agent": agent, "agent_chain": agent_chain,
        "success": True if success else False if failure else None, "quality": quality, "complexity": complexity,
        "complexity_score": complexity_score, "duration_ms": duration_ms, "tools_used": tools_used,
        "user_acceptance": None if user_acceptance is None else user_acceptance == "true", "answer": answer,
        "file_patterns": file_patterns, "technology_stack": technology_stack, "session": session,
        "execution_id": execution_id,
    }  # fmt: skip
    lists = {"--step": step, "--steps-json": steps_json, "--artifact": artifact, "--artifacts-json": artifacts_json}
    described = any(value is not None for value in (*raw.values(), *lists.values(), at))
    if file and described:
        raise typer.BadParameter("name files, or describe one execution by options, not both", param_hint="FILE…")
    if file:
        from ..capture_files import read_file

        found = [read_file(name) for name in dict.fromkeys(file)]
    else:
        if task is None:
            raise typer.BadParameter("say what was asked for, or name a file of executions", param_hint="--task")
        raw["at"] = None if (ended := options.when(at, "--at")) is None else ended / 1e9
        raw["steps"] = _steps(step or [], steps_json)
        raw["artifacts"] = _artifacts(artifact or [], artifacts_json)
        found = [_described(raw)]
    _capture(found, namespace, home, db, json=json)


def _described(raw: dict[str, Any]) -> Found:
    from ..capture_files import Found
    from ..captured import parse

    return Found([parse(raw)], [], lone=True)


def _steps(given: list[str], steps_json: str | None) -> list[Any] | str | None:
    from ..capture_fields import decoded

    if given and steps_json is not None:
        raise typer.BadParameter("give --step or --steps-json, not both", param_hint="--step")
    steps: list[Any] = []
    for text in given:
        tool, _, arguments = text.strip().partition(" ")
        where = f"the arguments of --step {output.one_line(tool, 40)!r}"
        value = decoded(arguments, where) if arguments.strip() else {}
        if not isinstance(value, dict):
            raise RunFormatError(f'{where} must be a JSON object, such as --step \'{tool} {{"path": "a.txt"}}\'')
        steps.append({"tool": tool, "arguments": value})
    return steps or (None if steps_json is None else decoded(steps_json, "--steps-json"))


def _artifacts(paths: list[str], artifacts_json: str | None) -> list[Any] | None:
    from ..capture_fields import decoded
    from ..capture_files import artifact_of

    told = decoded(artifacts_json, "--artifacts-json") if artifacts_json is not None else []
    if not isinstance(told, list):
        raise RunFormatError("--artifacts-json must be a JSON list of objects; name a file itself with --artifact")
    return [*map(artifact_of, paths), *told]


def _capture(found: list[Found], namespace: str | None, home: Path | None, db: str | None, *, json: bool) -> None:
    from .. import capturing

    records = [record for one in found for record in one.records]
    errors = [bad for one in found for bad in one.errors]
    lone = len(found) == 1 and found[0].lone
    if errors and (lone or not records):
        if json and not lone:
            output.print_json({"captured": 0, "skipped": 0, "errors": list(map(_public, errors)), "runs": []})
        more = f" (and {len(errors) - 1} more bad records)" if len(errors) > 1 else ""
        raise RunFormatError(f"nothing was captured: {errors[0]}{more}")
    config = options.configured(home, db, namespace=namespace)
    with options.workspace(config) as opened:
        with output.progress("Capturing") as update:
            written = capturing.capture(opened, records, lambda done: update(done, len(records)))
        if lost := opened.recorder.writer.lost:
            raise OSError(f"{lost} events could not be written: {opened.recorder.writer.error}; make room and repeat")
        report = options.bring_up_to_date(opened, "Learning")
        runs = capturing.results(opened, written)
    skipped = sum(run["skipped"] for run in runs)
    if json and lone:
        output.print_json(runs[0])
    elif json:
        told = list(map(_public, errors))
        output.print_json({"captured": len(runs) - skipped, "skipped": skipped, "errors": told, "runs": runs})
    else:
        output.show_each(output.plain(_line(run)) for run in runs)
    _remark(records, report)
    for bad in errors[:SHOWN_ERRORS]:
        output.hint(f"seasoned: {output.one_line(str(bad), 500)}")
    if len(errors) > SHOWN_ERRORS:
        output.hint(f"seasoned: {len(errors) - SHOWN_ERRORS} more errors; --json lists all")
    if errors:
        raise typer.Exit(1)


def _public(bad: BadRecord) -> dict[str, Any]:
    return {"file": bad.file, "line": bad.line, "error": bad.reason}


def _line(run: dict[str, Any]) -> str:
    if run["skipped"]:
        return f"Skipped {run['run_id']}, which is there already."
    counts = ", ".join(f"{run[what]} {what[:-1]}{'s' * (run[what] != 1)}" for what in ("steps", "artifacts"))
    learned = "learned from it" if run["learned"] else "nothing learned from it yet"
    fitting = "" if run["similar"] is None else f"; {run['similar']} template{'s' * (run['similar'] != 1)} like it"
    return f"Captured {run['run_id']}: {counts}; {learned}{fitting}."


def _remark(records: list[Captured], report: FlushReport) -> None:
    """What somebody should know who wonders later why nothing came of it."""
    unknown = list(dict.fromkeys(key for record in records for key in record.unknown))
    if unknown:
        more = f" and {len(unknown) - SHOWN_KEYS} more" if len(unknown) > SHOWN_KEYS else ""
        named = output.one_line(", ".join(unknown[:SHOWN_KEYS]), 300)
        output.hint(f"seasoned: unknown keys were ignored: {named}{more}")
    open_ = sum(record.success is None for record in records)
    if open_:
        output.hint(
            f"seasoned: {open_} without an outcome, and nothing is learned from what nobody judged: say --success or "
            "--failure (in a file, success), or later `seasoned outcome RUN --success`"
        )
    idle = sum(record.success is not None and not record.steps and not record.answer for record in records)
    if idle:
        output.hint(f"seasoned: {idle} without steps and without an answer, so no agent earned anything by it")
    if not all(record.named for record in records):
        output.hint("seasoned: no agent was named, so `agent` is credited; name one with --agent")
    if report.error:
        output.hint(f"seasoned: what was captured is written, but not in the database yet: {report.error}")
