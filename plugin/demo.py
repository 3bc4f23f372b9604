"""The main job in under a minute: real recorded runs, played through the real framework, recorded and learned from.

The runs come with the package (``data/``), so this works from an installed wheel in an empty folder, without a model,
a key or a network. Everything is written to a scratch home of its own; the settings of the folder that it is started
in do not count. After each run its experience is learned, as in an application whose runs follow one another at a
human pace, so that what the last agent receives does not depend on how fast this machine is.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import tempfile
import time
import warnings
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..instrumentation import home as home_folder
from ..instrumentation.errors import MissingExtra, StoreError
from . import runtime
from .cli.output import one_line, plain, table
from .config import ENVIRONMENT, Config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from sqlalchemy import Connection

    from ..adapters.recorded import RecordedRun
    from ..instrumentation.events import Event
    from .runtime import Runtime

BUNDLED = ("runs_tau_airline.jsonl.gz", "runs_tau_retail.jsonl.gz")
"""The recorded runs that come with the package; see ``data/README.md`` for where they are from."""

NAMESPACE = "demo"
REVIEWED = 8
"""After so many runs templates are brought up to date, as the background of an application does every few seconds."""

SKILLS_SHOWN = 6
"""Skills shown for each agent."""


@dataclass(frozen=True)
class DemoResult:
    """What a demo did.

    Attributes:
        home: the folder with journal and database.
        procedure: the last procedure that an agent was given with its block, or "" if none was.
        templates: how many templates the library has learned, and how many of them are ready.
        report: the HTML page.
        runs: how many runs were played.
        block: the text that an agent received in the last run, or "" if none did.
        receiver: which agent that was, or None.
        before, after: the agents' profiles, as ``seasoned growth --json`` prints them.
        seconds: how long it took.
    """

    home: Path
    report: Path
    runs: int
    block: str
    receiver: str | None
    procedure: str
    templates: tuple[int, int]
    before: list[dict[str, Any]]
    after: list[dict[str, Any]]
    seconds: float


def bundled_runs(limit: int | None = None) -> Iterator[RecordedRun]:
    """The recorded runs that come with the package, in their order; the first ``limit`` of them if given."""
    from ..adapters.recorded import read

    with contextlib.ExitStack() as stack:
        data = resources.files(str(__package__)) / "data"
        paths = [stack.enter_context(resources.as_file(data / name)) for name in BUNDLED]
        yield from itertools.islice(read(paths), limit)


def run_demo(
    console: Console, home: str | Path | None = None, runs: int | None = None, *, db: str | None = None
) -> DemoResult:
    """Play the bundled runs with recording and experience switched on, show what came of it, and write a report.

    Args:
        console: where to show it.
        home: the folder to record in; a new temporary one where not given. It is left there.
        runs: how many of the runs to play; all where not given.
        db: another database, as an SQLAlchemy URL.

    Raises:
        MissingExtra: AutoGen is not installed.
        StoreError: the database cannot be used.
    """
    started = time.monotonic()
    from .reenact_classic import framework

    if importlib.util.find_spec("autogen") is None:
        raise MissingExtra("autogen", "autogen")
    console.print(plain("seasoned demo: recorded runs of an airline's and a shop's customer service", "bold"))
    with console.status("Loading AutoGen"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the framework's own, about what it would like to be installed
        version = getattr(framework(), "__version__", "?")
    folder = Path(home).resolve() if home else Path(tempfile.mkdtemp(prefix="seasoned-demo-"))
    records = list(bundled_runs(runs))
    console.print(
        plain(
            f"{len(records)} runs of tau-bench (GPT-4o, GPT-4.1) through AutoGen {version}: customer, agent and tools "
            f"in a real GroupChat.\nModel and tools answer as recorded, so no key is needed. Recorded in {folder}\n"
        )
    )
    with _recording(folder, db) as active:
        before = _profiles(active)
        last = _play(console, active, records)
        with active.store.reading() as connection:
            _show_recorded(console, connection, active)
        after = _profiles(active)
        _show_growth(console, before, after)
        templates = _show_library(console, active)
        injection = _injection(active, last)
        _show_block(console, injection)
        given = _last_given(active)
        if given is not None and (injection is None or given.run_id != injection.run_id):
            _show_procedure(console, active, given)
        report = _report(active, folder)
    seconds = time.monotonic() - started
    _show_end(console, folder, report, db, seconds)
    return DemoResult(
        home=folder,
        report=report,
        runs=len(records),
        block=injection.payload["text"] if injection else "",
        receiver=injection.agent if injection else None,
        procedure=_procedure(given) if given else "",
        templates=templates,
        before=before,
        after=after,
        seconds=seconds,
    )


@contextlib.contextmanager
def _recording(folder: Path, db: str | None) -> Iterator[Runtime]:
    """Recording into ``folder``, whatever the flag and the settings here say; off again at the end."""
    from ..growth.roster import AIRLINE

    config = Config(enabled=True, home=str(folder), db=db, namespace=NAMESPACE, roster=str(AIRLINE), summary=False)
    name = ENVIRONMENT + "ENABLED"
    said = os.environ.get(name)
    runtime.disable()
    home_folder.prepare(folder)
    os.environ[name] = "1"
    try:
        active = runtime.enable(config)
        if active is None:  # pragma: no cover  the flag has just been set
            raise StoreError("recording cannot be switched on here")
        active.store.prepare()  # a database that cannot be used is told now, not after a flush has tried for long
        _flush(active)
        yield active
    finally:
        runtime.disable()
        if said is None:
            del os.environ[name]
        else:
            os.environ[name] = said


def _flush(active: Runtime, *, review: bool = True) -> None:
    report = active.service.flush(review="asked" if review else None)
    if report.error:
        raise StoreError(report.error)


def _play(console: Console, active: Runtime, records: list[RecordedRun]) -> str | None:
    """Play the runs one after another; returns the id of the last one."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from .testing import reenact

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    last: str | None = None
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("Playing", total=len(records))
        for number, record in enumerate(records, 1):
            last = reenact(record).run_id
            _flush(active, review=number % REVIEWED == 0 or number == len(records))
            bar.advance(task)
    console.print()
    return last


def _profiles(active: Runtime) -> list[dict[str, Any]]:
    from .report import profiles

    with active.store.reading() as connection:
        return profiles(active, connection)


def _injection(active: Runtime, run_id: str | None) -> Event | None:
    """What an agent received in a run, as it was recorded there."""
    from ..instrumentation import reading

    if run_id is None:
        return None
    with active.store.reading() as connection:
        return next(iter(reading.events(connection, run_id, kinds=("injection",))), None)


def _last_given(active: Runtime) -> Event | None:
    """The last injection that brought a procedure."""
    from ..instrumentation import reading

    with active.store.reading() as connection:
        for run in reading.runs(connection, namespace=active.config.namespace):
            for event in reading.events(connection, run.run_id, kinds=("injection",)):
                if event.payload.get("templates"):
                    return event
    return None


def _procedure(injection: Event) -> str:
    sections = injection.payload.get("sections") or ()
    return next((section["text"] for section in sections if section["name"] == "procedure"), "")


def _report(active: Runtime, folder: Path) -> Path:
    from .report import write_report

    return write_report(active, folder / "report.html", title="seasoned demo")


# -- what is shown ---------------------------------------------------------------------------------------------------


def _show_recorded(console: Console, connection: Connection, active: Runtime) -> None:
    from sqlalchemy import func, select

    from ..instrumentation import reading
    from ..instrumentation.events import KINDS
    from ..instrumentation.schema import events, runs
    from .report import overview

    found = overview(reading.runs(connection, namespace=active.config.namespace))
    counts = connection.execute(
        select(events.c.kind, func.count())
        .join(runs, runs.c.run_pk == events.c.run_pk)
        .where(runs.c.namespace == active.config.namespace)
        .group_by(events.c.kind)
        .order_by(events.c.kind)
    ).all()
    total = sum(count for _, count in counts)
    console.print(plain("What was recorded", "bold"))
    figures = [
        ("runs", f"{found['runs']:,}, {found['succeeded']:,} of them successful by the benchmark's reward"),
        ("tool calls", f"{found['tool_calls']:,}"),
        ("failures", f"{found['errors']:,} (tools that answered with an error, exceptions)"),
        ("model calls", f"{found['model_calls']:,}"),
        ("tokens", f"{found['input_tokens']:,} sent, {found['output_tokens']:,} answered"),
        ("events", f"{total:,}: " + ", ".join(f"{KINDS[kind]} {count:,}" for kind, count in counts)),
    ]
    if found["cost_usd"]:
        figures.insert(5, ("cost", f"${found['cost_usd']:,.2f}: what these calls cost at the model's list price"))
    shown = table("", "")
    shown.show_header = False
    shown.columns[1].no_wrap = False
    for name, value in figures:
        shown.add_row(plain(name, "dim"), plain(value))
    console.print(shown)
    console.print()


def _show_growth(console: Console, before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """Each agent's levels before and after."""
    console.print(plain("What the agents have become", "bold"))
    was = {profile["agent"]: profile for profile in before}
    shown = table("Agent", "Skill", ">Level before", ">now", ">XP", ">Success rate")
    for profile in after:
        name = profile["agent"]
        old = was.get(name, {})
        skills = {skill["slug"]: skill["level"] for skill in old.get("skills", ())}
        shown.add_row(
            plain(one_line(name, 24), "bold"), plain(one_line(profile["title"], 40), "bold"),
            str(old.get("agent_level", 1)), str(profile["agent_level"]), f"{profile['total_xp']:,}", "",
        )  # fmt: skip
        for skill in profile["skills"][:SKILLS_SHOWN]:
            rate = skill["success_rate"]
            level = skills.get(skill["slug"])
            shown.add_row(
                "", plain("  " + one_line(skill["name"], 38)), "-" if level is None else str(level),
                str(skill["level"]), f"{skill['xp']:,}", "" if rate is None else f"{rate:.0%}",
            )  # fmt: skip
        rest = len(profile["skills"]) - SKILLS_SHOWN
        if rest > 0:
            shown.add_row("", plain(f"  and {rest} more", "dim"), "", "", "", "")
    console.print(shown)
    console.print()


def _show_library(console: Console, active: Runtime) -> tuple[int, int]:
    """The templates that are ready; returns how many there are, and how many of them are ready."""
    from ..skills_lib.library import SkillLibrary

    templates = SkillLibrary(active.store, NAMESPACE).templates()
    ready = [record for record in templates if record.state in ("ready", "withdrawn")]
    console.print(plain("What the library has learned", "bold"))
    shown = table("Procedure", ">tasks", ">solved", ">failed", ">given", "steps")
    shown.columns[5].no_wrap = False
    for record in sorted(ready, key=lambda record: (-record.solved, record.name)):
        steps = ", ".join(step["tool"] for step in record.procedure if not step["optional"])
        shown.add_row(
            plain(one_line(record.name, 40)), str(record.tasks), str(record.solved), str(record.failed),
            str(record.metrics.get("given", 0)), plain(steps, "dim"),
        )  # fmt: skip
    console.print(shown)
    console.print(plain(f"and {len(templates) - len(ready)} that rest on too little yet to be given to anybody", "dim"))
    console.print()
    return len(templates), len(ready)


def _show_procedure(console: Console, active: Runtime, injection: Event) -> None:
    """The last procedure that was given, and what for."""
    from rich.panel import Panel

    from ..instrumentation import reading

    with active.store.reading() as connection:
        run = reading.find(connection, injection.run_id)
    console.print(plain(f"What {injection.agent} was given for a task that it knew", "bold"))
    console.print(plain(one_line(run.task, 110), "dim"))
    console.print(Panel(plain(_procedure(injection)), padding=(0, 1), expand=False))
    console.print()


def _show_block(console: Console, injection: Event | None) -> None:
    from rich.panel import Panel

    if injection is None:
        console.print(plain("No agent received anything in the last run: nothing had been earned yet.\n"))
        return
    who, length = injection.agent, injection.payload.get("tokens")
    heading = f"What {who} received in the last run, at the end of its system prompt ({length} tokens)"
    console.print(plain(heading, "bold"))
    console.print(Panel(plain(injection.payload["text"]), padding=(0, 1), expand=False))
    console.print()


def _show_end(console: Console, folder: Path, report: Path, db: str | None, seconds: float) -> None:
    place = f"--home {folder}" + (f" --db '{db}'" if db else "")
    console.print(plain("Look further", "bold"))
    console.print(plain(f"  report   {report}"), soft_wrap=True)
    console.print(plain(f"  runs     seasoned runs {place}"), soft_wrap=True)
    console.print(plain(f"  a run    seasoned show last {place}"), soft_wrap=True)
    console.print(plain(f"  growth   seasoned growth agent {place}"), soft_wrap=True)
    console.print(plain(f"  library  seasoned skills list {place} --namespace {NAMESPACE}"), soft_wrap=True)
    console.print(plain(f"Done in {seconds:.0f} s. Everything is in that folder; delete it when you like."))
