"""The library on the public hooks: it says what a task is, after everybody else had the chance to, and keeps what was
tried.

Made when recording is switched on, in the application's thread, so everything that needs the database library is
imported when it is first called in the background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plugin.hookspecs import hookimpl
from .grouping import group_of
from .task_types import classify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from ..instrumentation.reading import RunRecord
    from ..instrumentation.runs import Run


class TaskTypes:
    """Names the type of a run's task by its words (:mod:`.task_types`), and its kind (:mod:`.grouping`)."""

    @hookimpl(trylast=True)
    def classify_task(self, run: RunRecord) -> str | None:
        """The task's type, or None where the run has no task or its words do not tell."""
        return classify(run.task) if run.task else None

    @hookimpl(trylast=True)
    def task_group(self, run: RunRecord) -> str | None:
        """The kind of task: the same for tasks that read the same apart from the values in them."""
        return group_of(run)


class Experience:
    """Files every judged run under its task (:mod:`.experience`).

    Args:
        namespace: the application's own.
    """

    def __init__(self, namespace: str) -> None:
        self._namespaces = {namespace}

    @hookimpl
    def run_started(self, run: Run) -> None:
        """Remember whose experience this process keeps."""
        self._namespaces.add(run.namespace)

    @hookimpl
    def learn(self, run: RunRecord, connection: Connection) -> None:
        """File the run, in place of what was filed of it before."""
        from .experience import file_run

        self._namespaces.add(run.namespace)
        file_run(connection, run)

    @hookimpl
    def unlearn(self, run_ids: Sequence[str] | None, connection: Connection) -> None:
        """Take runs out; None takes out everything of the namespaces that this process keeps."""
        from .experience import clear, forget_runs

        if run_ids is None:
            clear(connection, self._namespaces)
        else:
            forget_runs(connection, run_ids)
