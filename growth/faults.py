"""Who caused a failure, where the record shows it: by calls and exit codes, never by what anybody says.

A failed run's award is small, and what of it an agent gets should not depend only on how much it wrote: whoever broke
the run gets less of it (:attr:`.rules.Rules.fault_percent`). And a failure that somebody else caused makes nobody
cautious. Three things show it, in this order:

1. a call or program that failed and was never put right: whoever asked for it;
2. an exception that came out of an agent's reply: that agent;
3. otherwise the last correction: whoever last put an earlier failure right, because the failed end rests on it.

Where none of them is found, nobody is known to have caused it, and the award follows the work alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .credit import pair_results

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..instrumentation.events import Event

_PROGRAM = "\x00program"
"""Stands for the tool of code that was run: no tool can have this name."""


def at_fault(events: Sequence[Event], working: Collection[str]) -> frozenset[str]:
    """Those of the agents ``working`` in a failed run that caused the failure; empty where the record shows nobody.
    ``events`` are the run's and its child runs', in their order."""
    broken: dict[tuple[str, str], set[str]] = {}
    corrected: str | None = None
    for place, agent, ok in _attempts(events):
        if not ok:
            broken.setdefault(place, set()).add(agent)
        elif broken.pop(place, None) is not None:
            corrected = agent
    raised = {event.agent for event in events if event.kind == "error" and event.agent is not None}
    found = raised.union(*broken.values()).intersection(working)
    if not found and corrected is not None and corrected in working:
        found = {corrected}
    return frozenset(found)


def _attempts(events: Sequence[Event]) -> list[tuple[tuple[str, str], str, bool]]:
    """Each call and each program that was run: what it was, who asked for it, and whether it worked; in order."""
    callers = pair_results(events)
    last_words: dict[str, str] = {}
    found: list[tuple[tuple[str, str], str, bool]] = []
    for index, event in enumerate(events):
        payload = event.payload
        if event.kind in ("message", "model_call") and event.agent and not payload.get("internal"):
            if payload.get("role") != "tool":
                last_words[event.run_id] = event.agent
        elif event.kind == "tool_result":
            caller, tool = callers.get(index), payload.get("tool")
            if caller is not None and isinstance(tool, str):
                found.append(((event.run_id, tool), caller, payload.get("ok") is not False))
        elif event.kind == "code_execution":
            author, code = last_words.get(event.run_id), payload.get("exit_code")
            if author is not None and author != event.agent and isinstance(code, int):  # None: it was not run at all
                found.append(((event.run_id, _PROGRAM), author, code == 0))
    return found
