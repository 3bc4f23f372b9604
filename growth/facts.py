"""What a run was for one agent: the facts beside success and complexity that awards and traits follow from.

The application may state each of them as a flag of the outcome; then that counts. Otherwise it is derived here from
the record, or, where it depends on what the agent did before, later in the fold (None here). ``docs/growth.md`` lists
flags and derivations. Text that was said in the run decides nothing, only what was called and who was asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from .slugs import slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..instrumentation.events import Event
    from ..instrumentation.reading import RunRecord
    from .roster import RosterAgent
    from .rules import Rules

_MILLISECOND = 1_000_000

FLAGS = ("escalated", "cross_department", "cached", "cache_worthy", "novel_problem", "fast_completion", "bold")
"""The flags of an outcome that growth knows; true or false."""


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """The facts of one run for one agent; stored as a JSON array in this order, to which may only be appended.

    Attributes:
        group: the kind of task, as the hook ``task_group`` named it; None where nobody can say.
        duration_ms: from the run's start to its end; 0 where that is not known.
        escalated: whether the agent handed the task to a person.
        cross: whether the task lay outside the agent's own domains.
        cached: whether the answer was good enough to be kept.
        fast, novel, bold: as the outcome says; None where it does not, and the agent's history decides.
        fault: whether the agent caused the failure; None where the record shows nobody who did.
        praise: what was said of the whole run: 1, -1, or 0 for nothing or as much of both.
        own_praise: what was said of this agent.
    """

    group: str | None = None
    duration_ms: int = 0
    escalated: bool = False
    cross: bool = False
    cached: bool = False
    fast: bool | None = None
    novel: bool | None = None
    bold: bool | None = None
    fault: bool | None = None
    praise: int = 0
    own_praise: int = 0


def facts_of(
    run: RunRecord,
    agent: str,
    events: Sequence[Event],
    entry: RosterAgent | None,
    rules: Rules,
    *,
    fault: bool | None,
    praise: Mapping[str | None, int],
) -> Facts:
    """The facts of ``run`` for ``agent``, by ``rules``; ``events`` are the run's and its child runs', ``entry`` is what
    the roster says of the agent, ``fault`` as in :class:`Facts`, and ``praise`` comes from :func:`praised`."""
    escalated = flag(run.flags, "escalated")
    cross = flag(run.flags, "cross_department")
    if escalated is None:
        escalated = _escalates(agent, events, rules)
    if cross is None:
        cross = _outside(run, entry)
    cached = flag(run.flags, "cached")
    return Facts(
        group=run.task_group,
        duration_ms=max(0, (run.finished_ns or 0) - run.started_ns) // _MILLISECOND,
        escalated=escalated,
        cross=cross,
        cached=bool(flag(run.flags, "cache_worthy") if cached is None else cached),
        fast=flag(run.flags, "fast_completion"),
        novel=flag(run.flags, "novel_problem"),
        bold=flag(run.flags, "bold"),
        fault=fault,
        praise=praise.get(None, 0),
        own_praise=praise.get(agent, 0),
    )


def flag(flags: Mapping[str, Any], name: str) -> bool | None:
    """A flag of an outcome; None where it is not given, or is no truth value."""
    value = flags.get(name)
    return value if isinstance(value, bool) else None


def _escalates(agent: str, events: Iterable[Event], rules: Rules) -> bool:
    """Whether the agent called a tool that hands the task to a person."""
    if not rules.escalation_tools:
        return False
    for event in events:
        tool = event.payload.get("tool")
        if event.kind != "tool_call" or not isinstance(tool, str) or event.payload.get("internal"):
            continue
        if (event.payload.get("caller") or event.agent) == agent and slug(tool).startswith(rules.escalation_tools):
            return True
    return False


def _outside(run: RunRecord, entry: RosterAgent | None) -> bool:
    """Whether neither the run's domain nor its task type is one of the agent's core domains. An agent of which the
    roster names none has no department to be outside of."""
    own = {slug(domain) for domain in entry.core_domains} if entry is not None else set[str]()
    about = {slug(text) for text in (run.domain, run.task_type) if text}
    return bool(own) and bool(about) and not own & about


def praised(events: Iterable[Event], agents: Iterable[str]) -> dict[str | None, int]:
    """What feedback says of the whole run (key None) and of single agents: 1 for praise, -1 for complaint.

    The last word of each source counts, about the run and about each agent; then the majority of the sources. What
    names somebody who did no work in the run is about the whole run.
    """
    working = set(agents)
    last: dict[tuple[str | None, str], bool] = {}
    for event in events:
        positive = event.payload.get("positive")
        if event.kind == "feedback" and isinstance(positive, bool):
            about = event.agent if event.agent in working else None
            last[about, str(event.payload.get("source"))] = positive
    sums: dict[str | None, int] = {}
    for (about, _), positive in last.items():
        sums[about] = sums.get(about, 0) + (1 if positive else -1)
    return {about: (total > 0) - (total < 0) for about, total in sums.items()}
