"""What was tried before: runs filed under their tasks, and how often and how fast each task and kind was solved.

Called in the background, inside the transaction that learns from a run; rows of one run replace each other, so the
tables say the same in whatever order runs arrive, change and go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import bindparam, case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from .fingerprint import Fingerprint, fingerprint
from .tables import POOLED_RUNS, fingerprinted_runs, skill_templates, task_fingerprints, task_pools

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Connection

    from ..instrumentation.reading import RunRecord

_MILLISECOND = 1_000_000
_PART = 500
_encode = msgspec.json.encode


class Tried(msgspec.Struct, frozen=True):
    """How a task, or a kind of task, has gone.

    Attributes:
        executions: judged runs.
        successes, failures: of those.
        mean_duration_ms: over the runs whose duration is known; None where there is none.
    """

    executions: int = 0
    successes: int = 0
    failures: int = 0
    mean_duration_ms: float | None = None


_FILED = select(fingerprinted_runs).where(fingerprinted_runs.c.run_id == bindparam("which"))
_KNOWN = select(task_fingerprints.c.fingerprint).where(
    task_fingerprints.c.namespace == bindparam("owner"), task_fingerprints.c.fingerprint == bindparam("task")
)
_FILE, _KEEP = fingerprinted_runs.insert(), task_fingerprints.insert()
_KEEP_ONCE = {
    "sqlite": sqlite.insert(task_fingerprints).on_conflict_do_nothing(),
    "postgresql": postgresql.insert(task_fingerprints).on_conflict_do_nothing(),
}
"""Two processes may learn from two runs of one new task at once; databases of other kinds are asked first."""


def file_run(connection: Connection, run: RunRecord) -> None:
    """File a judged run under its task; one without a task or verdict is taken out. A new run takes three statements:
    it is looked for, its task is kept, and it is filed."""
    task = fingerprint(run.task) if run.task is not None else None
    row = _row(run, task)
    before = connection.execute(_FILED, {"which": run.run_id}).mappings().first()
    if before is not None:
        if row is not None and dict(before) == row:
            return
        withdraw(connection, [run.run_id])
    if row is not None and task is not None:
        _keep(connection, run.namespace, task)
        connection.execute(_FILE, row)


def _row(run: RunRecord, task: Fingerprint | None) -> dict[str, Any] | None:
    """The run's row; None for one that is not to be filed."""
    if task is None or run.success is None or run.finished_ns is None:
        return None
    duration = (run.finished_ns - run.started_ns) // _MILLISECOND
    return {
        "run_id": run.run_id,
        "namespace": run.namespace,
        "fingerprint": task.hash,
        "task_group": run.task_group,
        "task_type": run.task_type,
        "domain": run.domain,
        "complexity": run.complexity,
        "success": run.success,
        "duration_ms": duration if duration > 0 else None,
        "finished_ns": run.finished_ns,
    }


def _keep(connection: Connection, namespace: str, task: Fingerprint) -> None:
    once = _KEEP_ONCE.get(connection.dialect.name)
    if once is None and connection.execute(_KNOWN, {"owner": namespace, "task": task.hash}).first() is not None:
        return
    row = {
        "namespace": namespace,
        "fingerprint": task.hash,
        "text": task.text.replace("\x00", "\ufffd"),
        "keywords": _encode(task.keywords).decode(),
        "technologies": _encode(task.technologies).decode(),
        "files": _encode(task.files).decode(),
    }
    connection.execute(_KEEP if once is None else once, row)


def withdraw(connection: Connection, run_ids: Collection[str]) -> None:
    """Take runs out, and the tasks that no other run had: forgetting a run forgets its words."""
    table = fingerprinted_runs.c
    ids = sorted(run_ids)
    for first in range(0, len(ids), _PART):
        part = ids[first : first + _PART]
        tasks = connection.execute(
            select(table.namespace, table.fingerprint).where(table.run_id.in_(part)).distinct()
        ).all()
        connection.execute(delete(fingerprinted_runs).where(table.run_id.in_(part)))
        for namespace, task in tasks:
            left = select(table.run_id).where(table.namespace == namespace, table.fingerprint == task).limit(1)
            if connection.execute(left).first() is None:
                mine = task_fingerprints.c
                connection.execute(
                    delete(task_fingerprints).where(mine.namespace == namespace, mine.fingerprint == task)
                )


def forget_runs(connection: Connection, run_ids: Collection[str]) -> None:
    """Take runs out for good, and every template that was learned from one of them: it may hold their words. What is
    left of its pool is placed and learned from anew at the next ``learn``."""
    filed, pools, kept = fingerprinted_runs.c, task_pools.c, skill_templates.c
    ids = sorted(run_ids)
    for first in range(0, len(ids), _PART):
        found = connection.execute(
            select(pools.namespace, pools.pool)
            .select_from(POOLED_RUNS)
            .where(filed.run_id.in_(ids[first : first + _PART]))
            .distinct()
        ).all()
        for namespace, pool in found:
            connection.execute(delete(skill_templates).where(kept.namespace == namespace, kept.pool == pool))
            connection.execute(delete(task_pools).where(pools.namespace == namespace, pools.pool == pool))
    withdraw(connection, run_ids)


def clear(connection: Connection, namespaces: Collection[str]) -> None:
    """Take everything of these namespaces out before it is made again. What was decided once stays: the pools of tasks,
    and the versions of templates, because runs tell which one they were given. All templates are learned anew, and
    dropped then where no run is behind them any more."""
    names = list(namespaces)
    for table in (task_fingerprints, fingerprinted_runs):
        connection.execute(delete(table).where(table.c.namespace.in_(names)))
    kept = skill_templates.c
    connection.execute(update(skill_templates).where(kept.namespace.in_(names)).values(signature=""))


def tried(connection: Connection, namespace: str, *, task: str | None = None, group: str | None = None) -> Tried:
    """How a task (by its text) or a kind of task (by its name) has gone so far."""
    table = fingerprinted_runs.c
    where: list[ColumnElement[bool]] = [table.namespace == namespace]
    if task is not None:
        where.append(table.fingerprint == fingerprint(task).hash)
    if group is not None:
        where.append(table.task_group == group)
    row = connection.execute(
        select(
            func.count(), func.coalesce(func.sum(case((table.success, 1), else_=0)), 0), func.avg(table.duration_ms)
        ).where(*where)
    ).one()
    executions, successes, mean = int(row[0]), int(row[1]), row[2]
    return Tried(executions, successes, executions - successes, None if mean is None else float(mean))
