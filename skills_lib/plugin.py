"""What a task is, as a plugin: answers ``classify_task`` and ``task_group`` after everybody else had the chance to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plugin.hookspecs import hookimpl
from .grouping import group_of
from .task_types import classify

if TYPE_CHECKING:
    from ..instrumentation.reading import RunRecord


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
