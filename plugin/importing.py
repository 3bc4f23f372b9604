"""Bringing recorded runs into the records: what ``seasoned import`` does.

Runs go through the journal like those recorded live, so they are redacted, ingested and learned from in the same
way. A run whose id is known is skipped: importing a file twice changes nothing.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..adapters.recorded import BadRecord, read
from ..adapters.recorded_events import write_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .runtime import Workspace


def import_files(
    workspace: Workspace, files: Iterable[str | Path], progress: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Write the runs of these files to the journal; the caller flushes.

    Args:
        workspace: where to bring them.
        files: JSONL, or JSONL with gzip.
        progress: called with the number of runs read so far, after each.

    Returns:
        ``{"imported": n, "skipped": n, "errors": [{"file", "line", "error"}]}``. ``skipped`` are runs that are
        there already; ``line`` is 0 where a file as a whole could not be read.

    Raises:
        StoreError: where the database cannot tell which runs are there.
    """
    known = _known(workspace)
    errors: list[BadRecord] = []
    imported = skipped = 0
    at = 0
    for record in read(map(Path, files), errors):
        if record.run_id in known:
            skipped += 1
        else:
            known.add(record.run_id)
            at = write_run(workspace.recorder, record, base_ns=max(time.time_ns(), at + 1_000))
            imported += 1
        if progress is not None:
            progress(imported + skipped)
    return {
        "imported": imported,
        "skipped": skipped,
        "errors": [{"file": bad.file, "line": bad.line, "error": bad.reason} for bad in errors],
    }


def _known(workspace: Workspace) -> set[str]:
    """The ids of the runs that are recorded, those still in journals included."""
    from sqlalchemy import select

    from ..instrumentation.errors import StoreError
    from ..instrumentation.schema import runs

    report = workspace.flush()
    if report.error:
        raise StoreError(report.error)
    with workspace.store.reading() as connection:
        return set(connection.execute(select(runs.c.run_id)).scalars())
