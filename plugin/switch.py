"""The flag: recording on or off without a line of code changed.

Three ways lead to :func:`at_startup`, which looks at the flag and enables: ``seasoned run`` starts a program with a
``sitecustomize`` of ours first on PYTHONPATH, which child processes inherit; ``seasoned install-hook`` puts a
``.pth`` file into the environment, so that the flag alone is enough; and ``enable()`` itself asks the flag.

The hook runs at the start of every Python program of the environment, so it does next to nothing unless the flag
is set, and whatever fails is one line on stderr, never the program's end.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOOK = "seasoned_hook"
_HOOK_SOURCE = '''"""Written by `seasoned install-hook`; `seasoned install-hook --remove` takes it away again."""

try:
    from seasoned.plugin.switch import at_startup
except ImportError:
    pass
else:
    at_startup()
'''


def at_startup() -> None:
    """Enable recording if the flag says so. Never raises."""
    try:
        from .config import flag

        if flag() is not True or _own_command():
            return
        from . import runtime

        runtime.enable()
    except Exception as error:  # noqa: BLE001  the program must start whatever is wrong with us
        sys.stderr.write(f"seasoned: not recording: {error}\n")


def _own_command() -> bool:
    """Whether this process is the command line ``seasoned``, which looks at what was recorded and records nothing."""
    words = sys.orig_argv[1:4]
    return any(Path(word).name == "seasoned" for word in words[:1]) or words[:2] == ["-m", "seasoned"]


def launch(arguments: Sequence[str], *, module: bool = False, environment: Mapping[str, str] | None = None) -> NoReturn:
    """Become the program that ``arguments`` name, with recording on for it and its child processes.

    Args:
        arguments: a Python script, or with ``module`` a module's name, or a console command; then its arguments.
        module: run ``python -m``.
        environment: settings for it, as ``SEASONED_*`` variables.

    Raises:
        NotFound: where there is no such script or command.
    """
    command = command_for(arguments, module=module)
    variables = environment_for(environment or {})
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(command[0], command, variables)  # noqa: S606  to run the user's own program is the purpose


def command_for(arguments: Sequence[str], *, module: bool = False) -> list[str]:
    """The command line to execute; raises NotFound where there is no such script or command."""
    from ..instrumentation.errors import NotFound

    name, rest = arguments[0], list(arguments[1:])
    if module:
        return [sys.executable, "-m", name, *rest]
    path = Path(name)
    if path.is_file() and (path.suffix == ".py" or not os.access(path, os.X_OK)):
        return [sys.executable, name, *rest]
    if path.is_dir() and (path / "__main__.py").is_file():
        return [sys.executable, name, *rest]
    found = shutil.which(name)
    if found is not None:
        return [found, *rest]
    what = "script" if path.suffix == ".py" or os.sep in name else "script or command"
    raise NotFound(f"there is no {what} {name!r} in {Path.cwd()} or on PATH; check the name, or use -m for a module")


def environment_for(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a recorded program: the flag, the settings, and our folder first on PYTHONPATH."""
    variables = dict(os.environ)
    variables.update(settings)
    variables["SEASONED_ENABLED"] = "1"
    start = str(Path(__file__).parent / "start")
    old = [place for place in variables.get("PYTHONPATH", "").split(os.pathsep) if place and place != start]
    variables["PYTHONPATH"] = os.pathsep.join([start, *old])
    return variables


def hook_folder() -> Path:
    """The site-packages of this environment, where the start-up hook is put."""
    return Path(sysconfig.get_paths()["purelib"])


def install_hook(folder: Path | None = None) -> Path:
    """Write the start-up hook into this environment; returns the ``.pth`` file. Raises OSError where it cannot."""
    folder = folder or hook_folder()
    (folder / f"{HOOK}.py").write_text(_HOOK_SOURCE, encoding="utf-8")
    path = folder / f"{HOOK}.pth"
    path.write_text(f"import {HOOK}\n", encoding="utf-8")
    return path


def remove_hook(folder: Path | None = None) -> bool:
    """Take the start-up hook away; False where there was none."""
    folder = folder or hook_folder()
    there = False
    for name in (f"{HOOK}.pth", f"{HOOK}.py"):
        path = folder / name
        if path.exists():
            path.unlink()
            there = True
    return there
