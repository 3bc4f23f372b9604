"""What is said when the database does not answer: which one, what is wrong, and how to mend it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import exc

BUSY_SECONDS: Final = 5.0
"""How long a statement waits for another process's transaction before the database counts as locked."""

WAITS: Final = "What is recorded meanwhile is safe in the journal"

_SQLITE_TROUBLES: Final = (
    ("is locked", f"is locked by another program (waited {BUSY_SECONDS:g} s)", "close the program that holds it open"),
    ("disk is full", "has no space left on its disk", "free some space there"),
    ("unable to open", "cannot be opened", "check that its folder exists and may be read and written"),
    ("readonly", "cannot be written", "check the permissions of the file and of its folder"),
    ("disk I/O error", "cannot be read or written (disk I/O error)", "check the disk that it is on"),
    ("image is malformed", "is damaged", "restore it from a backup, or move it away and begin a new one"),
    ("not a database", "is a file of another kind", "move that file away, or name another with --db"),
    ("moved or replaced", "is not where it was", "put it back, or begin a new one"),
)
"""What stands in SQLite's messages, what that means, and the mend."""


def explain(error: exc.SQLAlchemyError, shown: str, *, sqlite: bool) -> str | None:
    """What to tell the user about an error of the database ``shown``; None where it is a mistake of ours, which must
    not be mistaken for a database that is away."""
    message = str(getattr(error, "orig", None) or error).strip() or type(error).__name__
    if sqlite:
        for clue, trouble, mend in _SQLITE_TROUBLES:
            if clue in message:
                return f"the database {shown} {trouble}. {WAITS}. To mend it: {mend}"
        if not isinstance(error, (exc.TimeoutError, exc.DisconnectionError)):
            return None
    elif isinstance(error, exc.DBAPIError) and not (
        isinstance(error, (exc.OperationalError, exc.InterfaceError)) or error.connection_invalidated
    ):
        return None
    first = message.splitlines()[0][:300]
    return (
        f"the database {shown} does not answer ({first}). {WAITS}. To mend it: check the server, the address and the "
        "password"
    )
