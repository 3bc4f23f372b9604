"""Commands that start something: ``run``, ``install-hook`` and ``demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options, output

if TYPE_CHECKING:
    from ..config import Config

_PROGRAM_HELP = "A Python script, `-m MODULE`, or a console command such as uvicorn or pytest; then its arguments."


def run(
    program: Annotated[
        list[str] | None, typer.Argument(metavar="SCRIPT|-m MODULE|COMMAND [ARG…]", help=_PROGRAM_HELP)
    ] = None,
    no_inject: Annotated[bool, typer.Option("--no-inject", help="Record and learn, but change no prompt.")] = False,
    no_content: Annotated[
        bool, typer.Option("--no-content", help="Record who did what and when, but no texts.")
    ] = False,
    namespace: options.Own = None,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Run a program with recording on, its code unchanged, child processes included.

    Options of this command stand before the program; everything after its name is the program's own.
    """
    from .. import switch
    from ..runtime import Workspace

    module, arguments = _program(program or [])
    config = options.configured(
        home,
        db,
        namespace=namespace,
        inject=False if no_inject else None,
        content=False if no_content else None,
    )
    Workspace(config)  # a mistake in roster, prices or patterns is told now, not by a program that goes unrecorded
    switch.launch(arguments, module=module, environment=_environment(config))


def _program(words: list[str]) -> tuple[bool, list[str]]:
    """Whether a module is meant, and the program with its arguments."""
    if not words:
        raise typer.BadParameter("name a script, `-m MODULE` or a command", param_hint="PROGRAM")
    first = words[0]
    if first == "-m":
        if len(words) == 1:
            raise typer.BadParameter("name the module after -m", param_hint="-m")
        return True, words[1:]
    if first.startswith("-m") and not first.startswith("--"):
        return True, [first[2:], *words[1:]]
    if first.startswith("-"):
        raise typer.BadParameter(
            f"no such option: {first}. Options of the program stand after its name", param_hint="PROGRAM"
        )
    return False, words


def _environment(config: Config) -> dict[str, str]:
    """The settings for the program. Folders are made absolute and the namespace is fixed, because the program, or
    a child process of it, may work in another folder than this one."""
    settings = {
        "SEASONED_HOME": str(config.home_path),
        "SEASONED_NAMESPACE": config.namespace,
        "SEASONED_INJECT": "1" if config.inject else "0",
        "SEASONED_CONTENT": "1" if config.content else "0",
    }
    if config.db is not None:
        settings["SEASONED_DB"] = config.db
    if config.file is not None:
        settings["SEASONED_CONFIG"] = str(Path(config.file).absolute())
    return settings


def install_hook(
    remove: Annotated[bool, typer.Option("--remove", help="Take the hook away again.")] = False,
    json: options.Json = False,
    home: options.Home = None,
    db: options.Db = None,
) -> None:
    """Let the flag alone switch recording on: add a start-up hook to this Python environment.

    With it, SEASONED_ENABLED=1 or `enabled = true` in seasoned.toml records any program of this environment.
    JSON: {"installed": true or false, "path": where, "changed": whether anything was}.
    """
    from .. import switch

    del home, db  # taken because every command takes them; the hook belongs to the environment
    folder = switch.hook_folder()
    try:
        if remove:
            changed, path = switch.remove_hook(), folder / f"{switch.HOOK}.pth"
        else:
            path = switch.install_hook()
            changed = True
    except OSError as error:
        raise OSError(
            f"the start-up hook in {folder} cannot be {'removed' if remove else 'written'}: "
            f"{error.strerror or error}; use an environment of your own (python -m venv), or `seasoned run`"
        ) from error
    if json:
        output.print_json({"installed": not remove, "path": str(path), "changed": changed})
    elif not remove:
        output.show(output.plain(f"Installed {path}. SEASONED_ENABLED=1 now records any program of this environment."))
    else:
        output.show(output.plain(f"Removed {path}." if changed else f"There was no hook in {folder}."))


def demo(
    runs: Annotated[int | None, typer.Option(min=1, metavar="N", help="Play only the first N of the runs.")] = None,
    json: options.Json = False,
    home: Annotated[
        Path | None, typer.Option("--home", metavar="DIR", help="Folder to record in. Default: a new temporary one.")
    ] = None,
    db: options.Db = None,
) -> None:
    """See it work: real recorded runs, played through the real framework, recorded and learned from.

    Needs AutoGen, but no key and no network. Settings of the folder that it is started in do not count.

    JSON: {"home", "report", "runs", "receiver", "block", "before", "after", "seconds"}: the agents' profiles before
    and after are as in `seasoned growth`.
    """
    from dataclasses import asdict

    from ..demo import run_demo

    result = run_demo(output.console(stderr=json), home, runs, db=db)
    if json:
        output.print_json({**asdict(result), "home": str(result.home), "report": str(result.report)})
