"""What somebody who looks at a run should know about its record: that it has no end, or that something is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ...instrumentation.journal import adopted
from ...instrumentation.schema import events, journals, runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ...instrumentation.reading import RunRecord
    from ..config import Config


def notes(config: Config, connection: Connection, record: RunRecord, missing: int = 0) -> list[str]:
    """A line for each thing; ``missing`` are events whose numbers are not there."""
    found: list[str] = []
    if record.status != "finished":
        alive = going_on(config, connection, record.run_id)
        if alive:
            found.append(
                f"This run is still going on, and shown as far as it has come. Follow it: seasoned tail {record.run_id}"
            )
        elif alive is None:
            found.append(
                "This run has no end: it is still going on somewhere else, or its program was killed. "
                "Shown is what was recorded until now."
            )
        else:
            found.append(
                "This run has no end: its program was killed, or ended in the middle of it. "
                "Shown is everything that was recorded until then."
            )
    if record.lost:
        found.append(
            f"{_events(record.lost)} of this run could not be written when they happened (see `gap` in it for why)."
        )
    if missing > 0:
        found.append(f"{_events(missing)} of this run are missing between others: seasoned doctor says what is known.")
    return found


def _events(count: int) -> str:
    return f"{count} event{'s' * (count != 1)}"


def going_on(config: Config, connection: Connection, run_id: str) -> bool | None:
    """Whether the process that wrote a run's last event lives and can go on with it; None where that cannot be known,
    because it may write its journal on another machine."""
    query = (
        select(journals.c.writer)
        .join_from(events, journals, events.c.journal_pk == journals.c.journal_pk)
        .join(runs, events.c.run_pk == runs.c.run_pk)
        .where(runs.c.run_id == run_id)
        .order_by(events.c.at.desc())
        .limit(1)
    )
    writer = connection.execute(query).scalar()
    folder = config.home_path / "journal" / str(writer)
    if writer is None or not folder.is_dir():
        return False if config.db is None else None
    if not (folder / "lock").exists():
        return False
    with adopted(folder) as dead:  # a living writer holds its lock
        return not dead
