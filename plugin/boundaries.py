"""``seasoned.run``: a run whose boundaries the application sets."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from ..instrumentation import outcomes
from ..instrumentation.runs import CURRENT, Run
from . import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator


class Silent:
    """Stands in for the recorder while recording is off: takes events and forgets them."""

    namespace = ""

    def safely(self, *_given: Any) -> None:
        """Forget an event."""


@contextlib.contextmanager
def run(
    task: str | None,
    *,
    domain: str | None,
    task_type: str | None,
    session: str | None,
    namespace: str | None,
) -> Iterator[Run]:
    """See :func:`seasoned.run`."""
    active = runtime.get()
    if active is None:
        yield Run(Silent(), namespace=namespace or "", session_id=session, explicit=True)  # type: ignore[arg-type]
        return
    guard, recorder = active.guard, active.recorder
    parent = CURRENT.get()
    opened = guard.call(
        "seasoned.run", recorder.begin, task, domain=domain, task_type=task_type, session_id=session, parent=parent,
        explicit=True, namespace=namespace,
    )  # fmt: skip
    if opened is None:
        yield Run(Silent(), namespace=namespace or "", session_id=session, explicit=True)  # type: ignore[arg-type]
        return
    token = CURRENT.set(opened)
    try:
        yield opened
    except BaseException as error:
        guard.call("seasoned.run", _failed, active, opened, error)
        raise
    else:
        guard.call("seasoned.run", recorder.finish, opened, "closed")
    finally:
        CURRENT.reset(token)


def _failed(active: runtime.Runtime, opened: Run, error: BaseException) -> None:
    """An exception leaves the run. It counts as a failure only where an agent or a tool raised it (then the
    adapter has recorded it already); the application's own trouble says nothing about the agents."""
    from_agents = opened.last_error is error
    active.recorder.error(opened, None, error)
    if from_agents and not opened.judged and outcomes.classify_exception(error) == "failure":
        opened.outcome(False, source="exception")
    active.recorder.finish(opened, "exception", error_type=type(error).__name__)
