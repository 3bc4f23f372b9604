"""Switches recording on at the start of a Python program that was started by ``seasoned run``.

Its folder is put first on PYTHONPATH, so that Python imports it before the program, in child processes too. A
``sitecustomize`` of the environment's own, which this one hides, is run first. Whatever fails here is told in one
line and the program goes on without us.
"""

import sys
from pathlib import Path


def _run_the_hidden_one(here: Path) -> None:
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    others = [place for place in sys.path if Path(place or ".").absolute() != here]
    spec = PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _start() -> None:
    try:
        from seasoned.plugin.switch import at_startup
    except ImportError:
        sys.stderr.write(
            f"seasoned: not installed for {sys.executable}, so this process is not recorded; "
            "install it there: pip install seasoned\n"
        )
        return
    at_startup()


_run_the_hidden_one(Path(__file__).absolute().parent)
_start()
