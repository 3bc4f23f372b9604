"""The typer application: every command under one name, and one end for everything that goes wrong.

Whatever a person can cause (a missing run, a locked database, a file that is no import) ends as one line on stderr
and exit code 1, because :class:`Commands` stands around each command, those of plugins included. A fault of our own
ends the same way, with the way to its traceback: set ``SEASONED_DEBUG=1``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command_name

from ...instrumentation.errors import SeasonedError
from . import (
    capture,
    differing,
    doctor,
    exporting_runs,
    growing,
    judging,
    library,
    looking,
    output,
    recording,
    replaying,
    reporting,
    running,
    tailing,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DEBUG = "SEASONED_DEBUG"
"""Environment variable that shows tracebacks where a command fails."""

COMMANDS: tuple[tuple[Callable[..., None], str], ...] = (
    (running.demo, "Start here"),
    (running.run, "Start here"),
    (running.install_hook, "Start here"),
    (looking.runs, "Look"),
    (looking.show, "Look"),
    (replaying.replay, "Look"),
    (differing.diff, "Look"),
    (tailing.tail, "Look"),
    (reporting.report, "Look"),
    (growing.growth, "Look"),
    (growing.agents, "Look"),
    (growing.prompt, "Look"),
    (library.skills, "Look"),
    (library.similar, "Look"),
    (judging.outcome, "Judge"),
    (judging.feedback, "Judge"),
    (capture.capture, "Keep"),
    (recording.import_, "Keep"),
    (exporting_runs.export, "Keep"),
    (recording.flush, "Keep"),
    (recording.ingest, "Keep"),
    (library.learn, "Keep"),
    (recording.rebuild, "Keep"),
    (recording.forget, "Keep"),
    (doctor.doctor, "Keep"),
)
"""Every command of our own with the panel of ``--help`` that it stands in."""

_SETTINGS: dict[Callable[..., None], dict[str, Any]] = {
    running.run: {"context_settings": {"ignore_unknown_options": True, "allow_interspersed_args": False}},
    capture.capture: {"cls": capture.CaptureCommand},
}


WRONG_USAGE: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""What typer raises for wrong usage and prints itself, with exit code 2. It has no public name of its own."""


class Commands(TyperGroup):
    """The group of commands; see the module's docstring for how it ends them."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command, and turn what it raises into a line and an exit code."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # `seasoned show RUN | head`: nobody reads on, which is no failure
            _discard_output()
            raise typer.Exit(0) from None
        except (typer.Exit, typer.Abort, WRONG_USAGE):
            raise
        except (SeasonedError, OSError) as error:
            _fail(error)
        except UnicodeEncodeError as error:
            _fail(error, "an argument or a setting holds bytes that are no text in UTF-8; give it as text")
        except Exception as error:  # noqa: BLE001  a traceback is no answer to somebody who typed a command
            said = f"{str(error) or 'no message'} ({type(error).__name__}: a fault of seasoned; {DEBUG}=1 shows where)"
            _fail(error, said)
        else:
            return result


def _fail(error: Exception, said: str | None = None) -> NoReturn:
    if os.environ.get(DEBUG):
        raise error
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    output.complain(said if said is not None else error)
    raise typer.Exit(1) from None


def _discard_output() -> None:
    """Point stdout to nowhere, so that Python's flush at the end does not fail again."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def build() -> typer.Typer:
    """The application with every command, those of plugins included."""
    app = typer.Typer(
        name="seasoned",
        cls=Commands,
        help="Experience for your agents: record what they do, and give back what they have earned.",
        epilog="Every command takes --home DIR and --db URL. Exit codes: 0 done, 1 failed, 2 wrong usage.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_version)
    for function, panel in COMMANDS:
        name = function.__name__.strip("_").replace("_", "-")
        app.command(name, rich_help_panel=panel, **_SETTINGS.get(function, {}))(function)
    _add_commands_of_plugins(app)
    return app


def _show_version(value: bool) -> None:
    if value:
        try:
            number = metadata.version("seasoned")
        except metadata.PackageNotFoundError:
            number = "(not installed)"
        typer.echo(f"seasoned {number}")
        raise typer.Exit


def _version(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def _add_commands_of_plugins(app: typer.Typer) -> None:
    """Let installed plugins add commands. They cannot replace ours, and their failure is one line on stderr."""
    if not metadata.entry_points(group="seasoned"):
        return
    from ...instrumentation.guard import Guard
    from ..config import load_config
    from ..manager import Hooks

    try:
        blocked = load_config().block
    except SeasonedError:  # the command itself will tell
        return
    ours = list(app.registered_commands)
    names = {command.name for command in ours}
    hooks = Hooks(Guard(), blocked)
    hooks.load_entry_points()
    hooks.hook.register_commands(app=app)
    for command in app.registered_commands[len(ours) :]:
        name = command.name or (get_command_name(command.callback.__name__) if command.callback else None)
        if name in names:
            app.registered_commands.remove(command)
            output.hint(f"seasoned: a plugin offers a command {name!r}, which there is already; it is left out")


class _OneLine(logging.Formatter):
    """Log records without their traceback: on a terminal, a failing plugin is worth a line."""

    def format(self, record: logging.LogRecord) -> str:
        return output.one_line(record.getMessage(), 500)


def run() -> None:
    """Run the command in ``sys.argv`` and exit."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us: nobody reads it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115  for the whole process
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a terminal that cannot show a letter must not end a command
            reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler()
    if not os.environ.get(DEBUG):
        handler.setFormatter(_OneLine())
    logging.getLogger("seasoned").addHandler(handler)
    build()(prog_name="seasoned")
