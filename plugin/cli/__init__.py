"""The command line ``seasoned``: one module for each group of commands.

``app`` puts them together, ``options`` holds what they share, ``output`` is the only way to the terminal. What is
slow to import (the database, the frameworks) is imported inside the commands, so that ``--help`` is quick.
"""

from __future__ import annotations


def main() -> None:
    """The console script ``seasoned``: run the command in ``sys.argv`` and exit with its code."""
    from .app import run

    run()
