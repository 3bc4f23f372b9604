"""The task classifier as a plugin: answers ``classify_task`` after everybody else had the chance to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..plugin.hookspecs import hookimpl
from .task_types import classify

if TYPE_CHECKING:
    from ..instrumentation.reading import RunRecord


class TaskTypes:
    """Names the type of a run's task by its words; see :mod:`.task_types`."""

    @hookimpl(trylast=True)
    def classify_task(self, run: RunRecord) -> str | None:
        """The task's type, or None where the run has no task or its words do not tell."""
        return classify(run.task) if run.task else None
