"""The folder that holds everything: ``.seasoned/`` by default.

::

    .seasoned/
        .gitignore          "*": the folder ignores itself
        seasoned.db         the database (unless another URL is configured)
        journal/<writer>/   one folder for each recording process
            lock            locked by that process as long as it lives
            000000.jsonl    segments, deleted once they are in the database

Made with mode 0700, because transcripts are private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DATABASE = "seasoned.db"


def prepare(home: Path) -> Path:
    """Make ``home`` and its journal folder if they are missing; raise :class:`OSError` where that fails.

    A folder that holds something else already (somebody's project) is not made to ignore itself.
    """
    journals = home / "journal"
    if not journals.is_dir():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not any(home.iterdir()):
            (home / ".gitignore").write_text("*\n", encoding="utf-8")
        journals.mkdir(mode=0o700, exist_ok=True)
    return journals


def holds_records(home: Path) -> bool:
    """Whether a folder is a home in which something can have been recorded."""
    return (home / "journal").is_dir() or (home / DATABASE).exists()


def database_url(home: Path) -> str:
    """The URL of the default database in ``home``."""
    return f"sqlite:///{(home / DATABASE).absolute()}"
