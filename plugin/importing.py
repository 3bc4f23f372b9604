"""Bringing recorded runs into the records: what ``seasoned import`` does.

Runs go through the journal like those recorded live, so they are redacted, ingested and learned from in the same
way. A run whose id is known is skipped: importing a file twice changes nothing. Runs that this package exported come
back exactly, in the namespace that they were recorded in.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..adapters.recorded import BadRecord, read
from ..adapters.recorded_events import write_run
from ..adapters.recorded_exact import Journals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .runtime import Workspace

PATIENCE = 5.0
"""Seconds for which the database is brought up to date at a time, before it is asked which runs it has."""


def import_files(
    workspace: Workspace,
    files: Iterable[str | Path],
    progress: Callable[[int], None] | None = None,
    *,
    namespace: str | None = None,
) -> dict[str, Any]:
    """Write the runs of these files to the journal; the caller flushes.

    Args:
        workspace: where to bring them.
        files: JSONL, or JSONL with gzip.
        progress: called with the number of runs read so far, after each.
        namespace: put every run into this namespace; where not given, an exported run keeps its own, and all others
            get the workspace's.

    Returns:
        ``{"imported": n, "skipped": n, "errors": [{"file", "line", "error"}]}``. ``skipped`` are runs that are
        there already; ``line`` is 0 where a file as a whole could not be read.

    Raises:
        StoreError: where the database cannot tell which runs are there.
        JournalError: an exported run could not be written in full.
    """
    known = _known(workspace)
    errors: list[BadRecord] = []
    imported = skipped = 0
    at = 0
    with Journals(workspace.recorder) as journals:
        for record in read(map(Path, files), errors):
            if record.run_id in known:
                skipped += 1
            else:
                known.add(record.run_id)
                base = max(time.time_ns(), at + 1_000)
                ended = write_run(workspace.recorder, record, base_ns=base, journals=journals, namespace=namespace)
                at = at if record.exact is not None else ended
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

    while (
        report := workspace.service.flush(PATIENCE, review=None)
    ).pending_bytes:  # what is left to learn from may wait
        if report.error and not report.ingested:
            raise StoreError(report.error)
    with workspace.store.reading() as connection:
        return set(connection.execute(select(runs.c.run_id)).scalars())
