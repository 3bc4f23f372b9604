"""Summing up: how a run's row follows from its events.

Events of one run may come in any order between two journals (a forked child, an outcome from another process), so
nothing here depends on it: counters add up, the newest end and the newest start decide whether the run is over, and
an outcome replaces another by trust, then by time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from .outcomes import trust
from .packing import COST_DIGITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .events import Line

QUALITY_DIGITS = 6
"""Digits of a quality that are kept, so that a value read back equals the one given."""


class RunRow(msgspec.Struct, array_like=True):
    """A row of the table ``runs``, in the order of its columns. SQLite's truth values may be 0 and 1."""

    run_pk: int
    run_id: str
    session_id: str
    namespace: str
    parent_run_id: str | None
    task_pk: int | None
    domain: str | None
    task_type: str | None
    framework: str | None
    model: str | None
    source: str | None
    agents: list[str] | None
    opened_at: int | None
    started_at: int
    finished_at: int | None
    status: str
    end_reason: str | None
    messages: int
    model_calls: int
    tool_calls: int
    errors: int
    turns: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    cost_given: bool | int
    success: bool | int | None
    quality: float | None
    complexity: str | None
    outcome_source: str | None
    outcome_trust: int | None
    outcome_at: int | None
    flags: dict[str, Any] | None
    excluded: list[str] | None
    judged: bool | int
    learned: int | None
    lost: int
    task_group: str | None = None


def fold(row: RunRow, line: Line, pks: Mapping[str, int]) -> bool:
    """Add one event to its run's row; True where the run ended or was judged by it.

    ``line.payload`` still holds references; ``pks`` gives their numbers. Values of a wrong type are passed over.
    """
    kind = line.kind
    payload = line.payload
    if line.turn > row.turns:
        row.turns = line.turn
    if row.learned is not None and kind != "outcome":  # it was learned from without this event
        row.learned = None
    if kind == "message":
        row.messages += 1
        _met(row, line.agent)
        if payload.get("task") is True and payload.get("content") is not None:
            row.task_pk = pks[payload["content"]]
    elif kind == "model_call":
        _model_call(row, payload)
    elif kind == "tool_call":
        row.tool_calls += 1
    elif kind == "tool_result":
        if payload.get("ok") is False:
            row.errors += 1
    elif kind == "error":
        row.errors += 1
    elif kind == "run_started":
        _started(row, line.at, payload, pks)
    elif kind == "run_finished":
        return _finished(row, line.at, payload, pks)
    elif kind == "outcome":
        return _judged(row, line.at, payload)
    elif kind == "gap":
        row.lost += _count(payload.get("lost"))
    return False


def _count(value: Any) -> int:
    return value if value.__class__ is int and 0 <= value < 1 << 31 else 0


def _text(value: Any) -> str | None:
    return value if value.__class__ is str and "\x00" not in value else None


def _met(row: RunRow, *agents: Any) -> None:
    known = row.agents
    for agent in agents:
        if known is not None and agent in known:
            continue
        if _text(agent):
            known = row.agents = [*(known or ()), agent]


def _model_call(row: RunRow, payload: Mapping[str, Any]) -> None:
    row.model_calls += 1
    usage = payload.get("usage")
    if isinstance(usage, dict):
        row.input_tokens += _count(usage.get("input_tokens"))
        row.output_tokens += _count(usage.get("output_tokens"))
    cost = payload.get("cost_usd")
    if isinstance(cost, (int, float)) and not row.cost_given:
        row.cost_usd = round((row.cost_usd or 0.0) + cost, COST_DIGITS)
    if payload.get("error") is not None or payload.get("error_type") is not None:
        row.errors += 1
    if row.model is None and not payload.get("internal"):
        row.model = _text(payload.get("model"))


def _started(row: RunRow, at: int, payload: Mapping[str, Any], pks: Mapping[str, int]) -> None:
    """The first start says what the run is; a resumption only what is not known yet, and a newer task."""
    resumed = payload.get("resumed") is True
    for column, key in (
        ("session_id", "session"),
        ("namespace", "namespace"),
        ("parent_run_id", "parent"),
        ("framework", "framework"),
        ("domain", "domain"),
        ("task_type", "task_type"),
        ("model", "model"),
        ("source", "source"),
    ):
        value = _text(payload.get(key))
        if value is not None and (not resumed or not getattr(row, column)):
            setattr(row, column, value)
    task = payload.get("task")
    if task is not None and (resumed or row.task_pk is None):
        row.task_pk = pks[task]
    agents = payload.get("agents")
    if isinstance(agents, list):
        _met(row, *agents)
    if not resumed:
        row.started_at = at
    if row.opened_at is None or at > row.opened_at:
        row.opened_at = at
    if row.finished_at is not None and at > row.finished_at:
        row.status, row.finished_at, row.end_reason = "running", None, None


def _finished(row: RunRow, at: int, payload: Mapping[str, Any], pks: Mapping[str, int]) -> bool:
    agents = payload.get("agents")
    if isinstance(agents, list):
        _met(row, *agents)
    if not row.framework:  # a run that the application opened learns it from its first chat
        row.framework = _text(payload.get("framework")) or None
    if at < (row.finished_at or row.opened_at or 0):
        return False
    if payload.get("task") is not None:
        row.task_pk = pks[payload["task"]]
    row.status, row.finished_at, row.end_reason = "finished", at, _text(payload.get("reason"))
    row.judged = False
    return True


def _judged(row: RunRow, at: int, payload: Mapping[str, Any]) -> bool:
    """Take an outcome, unless one that is trusted more, or is as good and newer, is known already."""
    success, source = payload.get("success"), _text(payload.get("source"))
    if not isinstance(success, bool) or source is None:
        return False
    rank = trust(source)
    if row.outcome_trust is not None and (rank, at) < (row.outcome_trust, row.outcome_at or 0):
        return False
    before = (row.success, row.quality, row.complexity, row.flags, row.excluded)
    quality, flags, excluded = payload.get("quality"), payload.get("flags"), payload.get("excluded")
    row.success = success
    row.quality = round(float(quality), QUALITY_DIGITS) if isinstance(quality, (int, float)) else None
    row.complexity = _text(payload.get("complexity")) or row.complexity
    row.flags = flags if isinstance(flags, dict) and flags else None
    row.excluded = [name for name in excluded if _text(name)] if isinstance(excluded, list) and excluded else None
    row.outcome_source, row.outcome_trust, row.outcome_at = source, rank, at
    cost = payload.get("cost_usd")
    if isinstance(cost, (int, float)):
        row.cost_usd, row.cost_given = round(float(cost), COST_DIGITS), True
    if before != (row.success, row.quality, row.complexity, row.flags, row.excluded):
        row.learned = None
    return True
