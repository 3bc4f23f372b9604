"""Reading runs: their rows, as records that plugins and commands are given.

Events and prompts are in :mod:`.timeline`; its functions are offered here too, so that a reader needs one import.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

import msgspec
from sqlalchemy import Row, Select, func, select

from .errors import Ambiguous, NotFound
from .schema import events as events_table
from .schema import journal_problems, journals, texts
from .schema import runs as runs_table
from .search import mentioning
from .timeline import events, in_full, tree, tree_events

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

__all__ = [
    "RunRecord", "events", "find", "gaps", "in_full", "mentioning", "problems", "runs", "tree", "tree_events",
]  # fmt: skip

_PART = 500
_ANY: Final[Any] = object()


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A run, as far as it is in the database.

    Attributes:
        run_id: identifies it.
        session_id: shared by the runs that continue one conversation.
        namespace: the application or tenant that it belongs to.
        parent_run_id: the run inside which it happened, or None.
        task: what it was about: its first substantial user text, or what it was given.
        domain: such as ``retail``; None where nobody said.
        task_type: such as ``booking``; None where nobody said.
        framework: the adapter that recorded it.
        model: the model that was called first, unless the start named one.
        source: where an imported run comes from.
        agents: their names, in order of appearance.
        started_ns: when it began, in nanoseconds since the epoch.
        finished_ns: when it last ended; None while it is running.
        status: ``running`` or ``finished``.
        end_reason: why it ended.
        messages, model_calls, tool_calls: how many of each.
        errors: error events, failed tool results and failed model calls together.
        turns: the highest turn of an agent.
        input_tokens, output_tokens: summed over its model calls.
        cost_usd: what its model calls cost, or what its outcome said; None where neither is known.
        success: the verdict; None where nobody judged.
        quality: 0 to 1, or None.
        complexity: ``low``, ``medium``, ``high``, ``critical``, or None.
        outcome_source: who judged it.
        flags: facts that the outcome gave for the growth rules.
        excluded: agents on whose own words the verdict rests.
        judged: whether the rules have been asked about its present end.
        learned: null until it was learned from.
        lost: events that the journal could not take.
        task_group: the kind of task that the run was taken for when it was first learned from, or None.
    """

    run_id: str
    session_id: str
    namespace: str
    parent_run_id: str | None = None
    task: str | None = None
    domain: str | None = None
    task_type: str | None = None
    framework: str | None = None
    model: str | None = None
    source: str | None = None
    agents: tuple[str, ...] = ()
    started_ns: int = 0
    finished_ns: int | None = None
    status: str = "running"
    end_reason: str | None = None
    messages: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    errors: int = 0
    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = None
    success: bool | None = None
    quality: float | None = None
    complexity: str | None = None
    outcome_source: str | None = None
    flags: dict[str, Any] = msgspec.field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    judged: bool = False
    learned: int | None = None
    lost: int = 0
    task_group: str | None = None

    @property
    def duration_s(self) -> float | None:
        """From the start to the last end, in seconds; None while it is running."""
        return None if self.finished_ns is None else max(0, self.finished_ns - self.started_ns) / 1e9

    def public(self) -> dict[str, Any]:
        """The run as ``seasoned runs --json`` prints it; times are ISO 8601 in UTC."""
        return {
            "run_id": self.run_id,
            "session_id": self.session_id,
            "namespace": self.namespace,
            "task": self.task,
            "domain": self.domain,
            "framework": self.framework,
            "agents": list(self.agents),
            "started_at": _iso(self.started_ns),
            "duration_s": self.duration_s,
            "messages": self.messages,
            "tool_calls": self.tool_calls,
            "errors": self.errors,
            "success": self.success,
            "quality": self.quality,
            "outcome_source": self.outcome_source,
            "cost_usd": self.cost_usd,
            "parent_run_id": self.parent_run_id,
            "status": self.status,
            "finished_at": None if self.finished_ns is None else _iso(self.finished_ns),
            "end_reason": self.end_reason,
            "task_type": self.task_type,
            "model": self.model,
            "source": self.source,
            "model_calls": self.model_calls,
            "turns": self.turns,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "complexity": self.complexity,
            "flags": self.flags,
            "excluded": list(self.excluded),
            "lost": self.lost,
            "task_group": self.task_group,
        }


def runs(
    connection: Connection,
    *,
    namespace: str | None = None,
    agent: str | None = None,
    domain: str | None = None,
    success: bool | None = _ANY,
    since_ns: int | None = None,
    text: str | None = None,
    run_ids: Collection[str] | None = None,
    judged: bool | None = None,
    session_id: str | None = None,
    framework: str | None = None,
    cost_above: float | None = None,
    errors: bool | None = None,
    limit: int | None = None,
    newest_first: bool = True,
) -> list[RunRecord]:
    """Runs that fit every filter given, by when they started.

    Args:
        connection: from :meth:`.store.Store.reading`.
        namespace: only of this application or tenant.
        agent: only those in which this agent took part.
        domain: only of this domain.
        success: True, False, or None for those that nobody judged.
        since_ns: only those that started at this time or later, in nanoseconds since the epoch.
        text: only those in which it occurs, in whatever place, in capitals or not.
        run_ids: only these.
        judged: only those whose present end the rules have been asked about, or have not.
        session_id: only those of this conversation.
        framework: only those that this adapter recorded.
        cost_above: only those that are known to have cost more, in US dollars.
        errors: only those with errors, or without.
        limit: at most so many.
        newest_first: the other way round if False.
    """
    query = _records()
    exactly = {"namespace": namespace, "domain": domain, "session_id": session_id, "framework": framework,
               "judged": judged}  # fmt: skip
    for column, value in exactly.items():
        if value is not None:
            query = query.where(runs_table.c[column] == value)
    if success is None:
        query = query.where(runs_table.c.success.is_(None))
    elif success is not _ANY:
        query = query.where(runs_table.c.success.is_(success))
    if since_ns is not None:
        query = query.where(runs_table.c.started_at >= since_ns)
    if cost_above is not None:
        query = query.where(runs_table.c.cost_usd > cost_above)
    if errors is not None:
        query = query.where(runs_table.c.errors > 0 if errors else runs_table.c.errors == 0)
    if text is not None:
        said = mentioning(connection, text)
        run_ids = said if run_ids is None else said & set(run_ids)
    if run_ids is not None:
        return _named(connection, query, run_ids, agent, limit, newest_first=newest_first)
    order = (runs_table.c.started_at, runs_table.c.run_id)
    query = query.order_by(*(column.desc() if newest_first else column for column in order))
    if agent is None and limit is not None:
        query = query.limit(limit)
    found: list[RunRecord] = []
    with connection.execute(query) as result:
        for row in result:
            if limit is not None and len(found) >= limit:
                break
            record = _record(row)
            if agent is None or agent in record.agents:
                found.append(record)
    return found


def _named(
    connection: Connection,
    query: Select[Any],
    run_ids: Collection[str],
    agent: str | None,
    limit: int | None,
    *,
    newest_first: bool,
) -> list[RunRecord]:
    found: list[RunRecord] = []
    ids = sorted(set(run_ids))
    for first in range(0, len(ids), _PART):
        rows = connection.execute(query.where(runs_table.c.run_id.in_(ids[first : first + _PART])))
        found.extend(map(_record, rows))
    if agent is not None:
        found = [record for record in found if agent in record.agents]
    found.sort(key=lambda record: (record.started_ns, record.run_id), reverse=newest_first)
    return found[:limit]


def find(connection: Connection, ref: str) -> RunRecord:
    """The run with this id, or whose id begins so, or the newest one for ``last``.

    Raises:
        NotFound: there is none.
        Ambiguous: several ids begin so; the message names some.
    """
    exact = connection.execute(_records().where(runs_table.c.run_id == ref)).one_or_none()
    if exact is not None:
        return _record(exact)
    if ref == "last":
        newest = _records().order_by(
            runs_table.c.parent_run_id.is_not(None), runs_table.c.started_at.desc(), runs_table.c.run_id.desc()
        )
        row = connection.execute(newest.limit(1)).first()
        if row is None:
            raise NotFound("there is no run yet. Record one: seasoned run SCRIPT")
        return _record(row)
    rows = []
    if ref:
        begins = runs_table.c.run_id.startswith(ref, autoescape=True)
        rows = connection.execute(_records().where(begins).order_by(runs_table.c.run_id).limit(6)).all()
        rows = [row for row in rows if row.run_id.startswith(ref)]  # SQLite's LIKE does not mind capitals
    if not rows:
        raise NotFound(f"there is no run {ref[:80]!r}. List what there is: seasoned runs")
    if len(rows) > 1:
        names = ", ".join(row.run_id for row in rows[:5]) + (", ..." if len(rows) > 5 else "")
        raise Ambiguous(f"{ref!r} is the beginning of several runs ({names}). Give more of the id")
    return _record(rows[0])


def gaps(connection: Connection) -> list[tuple[str, str, int]]:
    """Runs with events missing: the run's id, the journal that lacks them, and how many."""
    seq = events_table.c.seq
    missing = func.max(seq) + 1 - func.count(seq.distinct())
    query = (
        select(runs_table.c.run_id, journals.c.writer, missing)
        .join_from(events_table, journals, events_table.c.journal_pk == journals.c.journal_pk)
        .join(runs_table, events_table.c.run_pk == runs_table.c.run_pk)
        .group_by(runs_table.c.run_id, journals.c.writer)
        .having(missing > 0)
        .order_by(runs_table.c.run_id, journals.c.writer)
    )
    return [(run_id, writer, int(count)) for run_id, writer, count in connection.execute(query)]


def problems(connection: Connection) -> list[str]:
    """Everything that could not be read in the journals so far, each as a message."""
    table = journal_problems.c
    return list(connection.execute(select(table.reason).order_by(table.writer, table.segment, table.offset)).scalars())


def _records() -> Select[Any]:
    return select(runs_table, texts.c.text.label("task")).join_from(
        runs_table, texts, runs_table.c.task_pk == texts.c.text_pk, isouter=True
    )


def _record(row: Row[Any]) -> RunRecord:
    return RunRecord(
        run_id=row.run_id,
        session_id=row.session_id,
        namespace=row.namespace,
        parent_run_id=row.parent_run_id,
        task=row.task,
        domain=row.domain,
        task_type=row.task_type,
        framework=row.framework,
        model=row.model,
        source=row.source,
        agents=tuple(row.agents or ()),
        started_ns=row.started_at,
        finished_ns=row.finished_at,
        status=row.status,
        end_reason=row.end_reason,
        messages=row.messages,
        model_calls=row.model_calls,
        tool_calls=row.tool_calls,
        errors=row.errors,
        turns=row.turns,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost_usd=row.cost_usd,
        success=row.success,
        quality=row.quality,
        complexity=row.complexity,
        outcome_source=row.outcome_source,
        flags=row.flags or {},
        excluded=tuple(row.excluded or ()),
        judged=row.judged,
        learned=row.learned,
        lost=row.lost,
        task_group=row.task_group,
    )


def _iso(nanoseconds: int) -> str:
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9, timezone.utc).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(nanoseconds)
