"""Snapshots of what agents share beside their messages: a framework's context variables, or a graph's state.

Taken where a framework may have changed it, and recorded only where it has: the same content is stored once anyway, but
an event that says nothing new would only be in the way of a reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .events import as_text
from .media import slim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .recorder import Recorder
    from .runs import Run

_LAST = "context"


def snapshot(recorder: Recorder, run: Run, agent: str | None, values: Mapping[str, Any], reason: str) -> bool:
    """Record shared context as it is now; False where it is what it was at the last snapshot of the run.

    Args:
        recorder: where to.
        run: whose context.
        agent: after whose work.
        values: the context; what JSON cannot hold is kept as text, pictures by their hash.
        reason: what may have changed it, such as ``tool``.
    """
    text = as_text(recorder.redactor.deep(slim(dict(values))))
    if run.scratch.get(_LAST, "{}") == text:
        return False
    run.scratch[_LAST] = text
    recorder.record(run, "context_snapshot", agent, {"content": dict(values), "reason": reason})
    return True
