"""Numbered migrations of the database, run by :class:`..store.Store`.

Alembic is imported only when there is something to migrate, because it takes longer to import than everything
else that opening a database needs. The table that holds the revision has a name of its own, so that the package
can share a PostgreSQL database with an application that uses Alembic too.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import Connection

TABLE: Final = "seasoned_version"
"""Name of the table that holds the database's revision."""

REVISIONS: Final[tuple[str, ...]] = ("0001", "0002", "0003", "0004", "0005", "0006")
"""Every revision, oldest first. A test holds this equal to the files in ``versions/``."""

HEAD: Final = REVISIONS[-1]
"""The revision that this version of the package works with."""

_running = threading.Lock()  # Alembic keeps the migration that is under way in module globals


def upgrade(connection: Connection) -> None:
    """Bring the tables to :data:`HEAD` inside the transaction of ``connection``."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    with _running:
        command.upgrade(config, HEAD)
