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
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from ..instrumentation.reading import RunRecord
    from ..instrumentation.runs import Run
    from ..instrumentation.store import Store
    from .library import SkillLibrary

SMALL = 2_000
"""Tasks up to which the end of a program may be held up for the library: more take seconds to load."""


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


class Templates:
    """Learns skill templates from the runs that were filed (:mod:`.learner`)."""

    def __init__(self) -> None:
        self._libraries: dict[str, SkillLibrary] = {}

    @hookimpl
    def review(self, store: Store, namespaces: Collection[str], occasion: str, until: float | None) -> bool | None:
        """Bring the templates up to date; True where some are left for another time."""
        from .changes import library_reviewed, unreviewed

        left = False
        for namespace in unreviewed(store, namespaces):
            library = self._libraries.get(namespace)
            if library is None or library.store is not store:
                if occasion == "ending" and not self._is_small(store, namespace):
                    continue
                from .library import SkillLibrary

                library = self._libraries[namespace] = SkillLibrary(store, namespace)
            if library.learn(in_passing=occasion != "asked", until=until).waiting:
                left = True
            else:
                library_reviewed(store, namespace)
        return left

    @staticmethod
    def _is_small(store: Store, namespace: str) -> bool:
        from sqlalchemy import func, select

        from .tables import task_fingerprints

        with store.reading() as connection:
            table = task_fingerprints.c
            count = connection.execute(select(func.count()).where(table.namespace == namespace)).scalar()
        return (count or 0) <= SMALL

    @hookimpl
    def unlearn(self) -> None:
        """What is in memory may rest on runs that are gone."""
        self._libraries.clear()
