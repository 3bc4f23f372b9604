"""Who did what in a run, and how an award is divided among them.

In a group chat most messages are not work: managers pass turns on, executors relay what a tool or a program
printed, people answer. What counts is what was written or asked for by judgement: a reply of an agent's own, and
each tool call that it asked for, one piece of work each. The award of a run is one number; it is divided in
proportion to the pieces of work, in whole points, and nothing is lost or made on the way.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ..instrumentation.events import Event

K = TypeVar("K", bound=str)

MANAGERS = frozenset({"chat_manager", "speaker_selection_agent", "checking_agent"})
"""Names that AutoGen gives to a group's manager and to its own internal agents: they pass turns on. A manager of
another name is known by its events' being marked ``internal``, or by all its model calls' being so."""

_RELAYED = re.compile(r"\s*exitcode: -?\d+ \(execution (?:succeeded|failed)")
"""How AutoGen's executors begin the message that relays what a program printed."""

_ROLES = frozenset({"assistant", "user"})
"""Roles of those who speak; what tools and functions answer has others."""


def split(amount: int, weights: Mapping[K, float]) -> dict[K, int]:
    """``amount`` in whole parts proportional to ``weights``; the parts' sum is ``amount``.

    The largest-remainder method in exact arithmetic: everybody gets the whole part of their quota, then the
    points that are left go to the largest fractions, equal ones in the order of the names. So the result depends
    on nothing but the numbers and names. Weights must be positive and finite.
    """
    if not weights:
        return {}
    ratios = {name: _ratio(weight) for name, weight in weights.items()}
    common = math.lcm(*(denominator for _, denominator in ratios.values()))
    exact = {name: numerator * (common // denominator) for name, (numerator, denominator) in ratios.items()}
    total = sum(exact.values())
    parts: dict[K, int] = {}
    fractions: list[tuple[int, K]] = []
    for name, weight in exact.items():
        parts[name], fraction = divmod(amount * weight, total)
        fractions.append((-fraction, name))
    fractions.sort()
    for _, name in fractions[: amount - sum(parts.values())]:
        parts[name] += 1
    return parts


def _ratio(weight: float) -> tuple[int, int]:
    return weight.as_integer_ratio()


def work_by_agent(events: Iterable[Event], excluded: Collection[str] = ()) -> dict[str, int]:
    """The pieces of work of each agent that contributed to a run.

    Args:
        events: the run's and its child runs', in their order.
        excluded: agents whose own words the run's verdict rests on; they are left out.
    """
    events = list(events)
    outside = _managers(events).union(excluded)
    bystanders = _bystanders(events, outside)
    work: Counter[str] = Counter()
    replies: Counter[str] = Counter()
    relaying: dict[tuple[str, str], bool] = {}
    for event in events:
        agent, payload = event.agent, event.payload
        if event.kind == "tool_call":
            agent = payload.get("caller") or agent
            if agent and not payload.get("internal"):
                work[agent] += 1
            continue
        if not agent:
            continue
        place = (event.run_id, agent)
        if event.kind in ("code_execution", "human_input"):
            relaying[place] = True
        elif event.kind == "model_call":
            relaying[place] = False
        elif event.kind == "message":
            relays = relaying.pop(place, False) or _is_relay(payload)
            if event.turn < 1 or payload.get("task") or payload.get("internal") or not _has_content(payload):
                continue
            if relays or payload.get("role") not in _ROLES:
                continue
            replies[agent] += 1
            is_author = payload["role"] == "assistant" if bystanders is None else agent not in bystanders
            work[agent] += is_author
    counted = +work or replies  # the roles of agents without a model do not say who is an author
    return {agent: pieces for agent, pieces in counted.items() if agent not in outside}


def blamed(pieces: Mapping[str, int], guilty: Collection[str], fault_percent: int) -> dict[str, int]:
    """Weights for dividing a run's award. In a failed run that some of several agents caused (``guilty``), their
    pieces of work count only ``fault_percent`` of a hundred; all the others' count whole."""
    if not guilty or not pieces.keys() - set(guilty):
        return dict(pieces)
    return {agent: max(1, count * (fault_percent if agent in guilty else 100)) for agent, count in pieces.items()}


def _managers(events: Iterable[Event]) -> frozenset[str]:
    """Those who only manage: known names, and agents all of whose model calls are internal to the framework."""
    internal: dict[str, bool] = {}
    for event in events:
        if event.kind == "model_call" and event.agent:
            internal[event.agent] = internal.get(event.agent, True) and bool(event.payload.get("internal"))
    return MANAGERS.union(agent for agent, only in internal.items() if only)


def _bystanders(events: Iterable[Event], outside: Collection[str]) -> frozenset[str] | None:
    """Who is no author where the roles do not say so; None where they do.

    A log written from one participant's side calls that one "assistant" and everybody else "user". It is known by
    having been imported, and by an opening message from an "assistant" where no model was recorded at all. Then
    everybody is an author, except that of two the opener is the one who asks, and passes on what a program printed.
    """
    opening: tuple[str, Any] | None = None
    speakers: set[str] = set()
    imported = False
    for event in events:
        if event.kind == "model_call":
            return None
        if event.kind == "run_started":
            imported = imported or event.payload.get("source") == "import"
        if event.kind == "message" and event.agent:
            if opening is None and event.turn < 1 and event.payload.get("role") in _ROLES:
                opening = (event.agent, event.payload["role"])
            speakers.add(event.agent)
    if not imported or opening is None or opening[1] != "assistant":
        return None
    return frozenset({opening[0]}) if len(speakers.difference(outside)) == 2 else frozenset()


def _has_content(payload: Mapping[str, Any]) -> bool:
    """Whether a message says anything; one that only carries tool calls is counted by those."""
    content = payload.get("content")
    if content is None:
        return bool(payload.get("content_chars"))
    return not isinstance(content, str) or bool(content.strip())


def _is_relay(payload: Mapping[str, Any]) -> bool:
    content = payload.get("content")
    return isinstance(content, str) and _RELAYED.match(content) is not None


def tools_used(events: Sequence[Event]) -> dict[str, Counter[str]]:
    """For each agent, how often each tool that it asked for answered without an error."""
    used: dict[str, Counter[str]] = {}
    for index, caller in pair_results(events).items():
        payload = events[index].payload
        if payload.get("ok") is not False:
            used.setdefault(caller, Counter())[payload["tool"]] += 1
    return used


def pair_results(events: Sequence[Event]) -> dict[int, str]:
    """Who asked for each tool result, by the result's index in ``events``.

    A result belongs to the nearest earlier call of its tool that is still unanswered, of those with its call id
    where there are any: ids repeat within real runs, so an id alone is no key. Results are written by the agent
    that runs the tool; the credit, and the blame, is the caller's.
    """
    open_calls: list[tuple[str, str, str | None, str]] = []
    callers: dict[int, str] = {}
    for index, event in enumerate(events):
        payload = event.payload
        tool = payload.get("tool")
        if event.kind not in ("tool_call", "tool_result") or not isinstance(tool, str):
            continue
        if event.kind == "tool_call":
            caller = payload.get("caller") or event.agent
            if caller and not payload.get("internal"):
                open_calls.append((event.run_id, tool, payload.get("call_id"), caller))
            continue
        found = _call_of(event, open_calls)
        if found is not None:
            callers[index] = open_calls.pop(found)[3]
    return callers


def _call_of(result: Event, open_calls: list[tuple[str, str, str | None, str]]) -> int | None:
    """The index of the unanswered call that a result answers."""
    call_id = result.payload.get("call_id")
    same_tool: int | None = None
    for index in range(len(open_calls) - 1, -1, -1):
        run_id, tool, opened, _ = open_calls[index]
        if run_id != result.run_id or tool != result.payload.get("tool"):
            continue
        if call_id is not None and opened == call_id:
            return index
        if same_tool is None:
            same_tool = index
    return same_tool
