"""What is said when a program that was recorded ends.

One line, and a second one where runs have no outcome: without outcomes nothing is learned, and nobody should have
to wonder why. Only the process that switched recording on speaks, and only if runs were recorded.
"""

from __future__ import annotations

import multiprocessing
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .runtime import Runtime


def summary(runtime: Runtime) -> str | None:
    """The text for stderr, or None where there is nothing to say."""
    recorder = runtime.recorder
    if (
        not runtime.config.summary
        or not recorder.runs_started
        or os.getpid() != runtime.pid
        or multiprocessing.parent_process() is not None
    ):
        return None
    runs, events = recorder.runs_started, recorder.events
    lines = [f"seasoned: recorded {runs} run{'s' * (runs != 1)}, {events} events in {runtime.config.home}"]
    if recorder.writer.lost:
        lines.append(f"seasoned: {recorder.writer.lost} events were lost ({recorder.writer.error}); seasoned doctor")
    missing = unknown_outcomes(runtime)
    if missing:
        lines.append(missing)
    return "\n".join(lines)


def unknown_outcomes(runtime: Runtime) -> str | None:
    """How many of this namespace's runs nobody judged; None where there is none."""
    from sqlalchemy import func, select

    from ..instrumentation.schema import runs

    with runtime.store.reading() as connection:
        count = connection.execute(
            select(func.count())
            .select_from(runs)
            .where(
                runs.c.namespace == runtime.config.namespace,
                runs.c.success.is_(None),
                runs.c.parent_run_id.is_(None),
            )
        ).scalar()
    return f"seasoned: {hint(count)}" if count else None


def hint(count: int) -> str:
    """What to tell about ``count`` runs that nobody judged: why that matters, and the shortest way to judge one."""
    return (
        f"{count} run{'s have' if count != 1 else ' has'} no outcome, so nothing is learned from "
        f"{'them' if count != 1 else 'it'}. Give one: seasoned outcome last --success (or --failure), or "
        "run.outcome(success=True) in code"
    )
