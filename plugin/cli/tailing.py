"""``seasoned tail``: what is being recorded, event by event as it comes.

It brings in what waits in the journals, as ``seasoned ingest`` does, and prints what lands in the database, whoever
brought it in. So it works beside an application that ingests for itself, beside one that does not, and for one on
another machine that has the same database; recording itself never waits for any of that.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...instrumentation.describing import text_of
from ...instrumentation.errors import NotFound, StoreError
from . import options, output
from .wording import STYLES, colour_of, words_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from ...instrumentation.events import Event
    from ...instrumentation.following import Follower
    from ..runtime import Workspace

REST_SECONDS = 0.2
"""Between two looks: with what a look takes, an event is shown in well under a second."""

STEP_SECONDS = 0.5
"""How long journals are brought in at a time before what landed is printed."""

LAST = 10
"""Events before the first new one that are printed, unless ``-n`` says otherwise."""

SHOWN = 200
"""Characters of an event's text that are printed behind its headline."""

SHORT = 12
"""Characters of a run's id: with so many, two that began in the same thousandth of a second are told apart."""


OWN = 19
"""Characters of the ids that this package gives (:mod:`....instrumentation.ids`); those of imported runs stay whole."""


def tail(
    run: Annotated[
        str | None, typer.Argument(metavar="RUN", help="Only this run and those inside it: an id, or `last`.")
    ] = None,
    runs: Annotated[
        list[str] | None, typer.Option("--run", metavar="RUN", help="The same for several: may be repeated.")
    ] = None,
    agent: Annotated[
        list[str] | None, typer.Option("--agent", metavar="NAME", help="Only what this agent does; may be repeated.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND", help="Only this kind, such as tool_call; may be repeated."),
    ] = None,
    last: Annotated[int, typer.Option("-n", "--last", min=0, metavar="N", help="Begin with the last N events.")] = LAST,
    json: Annotated[bool, typer.Option("--json", help="Print each event as a JSON object on a line.")] = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Follow what is being recorded, event by event, until Ctrl-C.

    JSON: a line for each event, {"run_id", ...} with the further keys of `seasoned show --json`.
    """
    from ...instrumentation import reading
    from ...instrumentation.following import Follower

    _check(kind)
    config = options.configured(home, db)
    if not options.recorded(config):
        raise NotFound(options.nothing_yet(config))
    with options.workspace(config, update=False) as opened, options.until_signal() as stop:
        _bring_in(opened)
        follower: Follower | None = None
        printer = _Printer(json=json)
        told: str | None = None
        while not stop.is_set():
            try:
                if follower is None:
                    with opened.store.reading() as connection:
                        refs = [*([run] if run is not None else []), *(runs or [])]
                        ids = [reading.find(connection, ref).run_id for ref in refs] if refs else None
                        follower = Follower(runs=ids, agents=agent, kinds=kind)
                        printer.print(follower.begin(connection, last))
                    if not json and sys.stdout.isatty():
                        output.hint("Following; Ctrl-C ends it.")
                trouble = _bring_in(opened)
                _print_new(opened, follower, printer)
            except StoreError as error:
                if follower is None:
                    raise
                trouble = str(error)
            if trouble is not None and trouble != told:
                output.hint(f"seasoned: waiting: {trouble}")
            told = trouble
            stop.wait(REST_SECONDS)


def _check(kinds: list[str] | None) -> None:
    from ...instrumentation.events import KINDS

    for kind in kinds or ():
        if kind not in KINDS:
            raise typer.BadParameter(f"{kind!r} is no kind of event; they are {', '.join(KINDS)}", param_hint="--kind")


def _bring_in(opened: Workspace) -> str | None:
    """Ingest for a moment; returns what is in the way, None where it only was not enough time."""
    report = opened.service.flush(STEP_SECONDS, review=None)
    return report.error if report.error and not report.error.startswith("not done after") else None


def _print_new(opened: Workspace, follower: Follower, printer: _Printer) -> None:
    while True:
        with opened.store.reading() as connection:
            found, more = follower.new(connection)
        printer.print(found)
        if not more:
            return


class _Printer:
    """Prints events, each at once."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._console: Console = output.console()
        self._colours = output.coloured(self._console)

    def print(self, found: list[Event]) -> None:
        """Print these, and see to it that whoever reads has them."""
        for event in found:
            if self._json:
                sys.stdout.write(output.as_json(_public(event), indent=None) + "\n")
            elif self._colours:
                self._console.print(line(event), soft_wrap=True)
            else:
                sys.stdout.write(line(event).plain + "\n")
        if found:
            sys.stdout.flush()


def _public(event: Event) -> dict[str, Any]:
    from .transcript import event_json

    return {"run_id": event.run_id, **event_json(event, prompts=False)}


def line(event: Event) -> Text:
    """An event in a line: when, in which run, what."""
    from ...instrumentation.steps import Step

    head, body = words_of(event)
    failed = Step(event).failed
    if event.kind == "tool_call":
        body = ""
    elif event.kind == "injection":
        body = f"{len(text_of(event.payload.get('text')))} characters"
    moment = datetime.fromtimestamp(event.at / 1e9).astimezone()
    text = output.plain("").append(f"{moment:%H:%M:%S}.{event.at // 1_000_000 % 1000:03d}  ", "dim")
    short = event.run_id[:SHORT] if len(event.run_id) == OWN else event.run_id
    text.append(f"{output.one_line(short, 40)}  ", colour_of(event.run_id))
    style = "red" if failed else STYLES.get(event.kind, "")
    text.append(f"{event.kind:<14} ", style)
    text.append(output.one_line(head, SHOWN), "red" if failed else "")
    words = output.one_line(body, SHOWN)
    if words:
        text.append(f": {words}", "red" if failed else "dim")
    return text
