"""The queue of runs that wait to be judged or learned from, kept in the rows of the runs themselves.

Whoever ingests also judges and learns, and there may be several: each takes a run by changing its row inside the
transaction in which it learns, so that a run counts once. The ``learned_version`` in the table ``meta`` grows
with every change of what is known, which tells other processes to load their experience again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Integer, bindparam, cast, func, or_, select, update

from . import reading
from .schema import events, journals, meta, runs

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from .reading import RunRecord

BATCH = 200
"""Runs read from the queue at a time: keeps memory flat when thousands were imported."""

VERSION_KEY = "learned_version"


def unjudged(connection: Connection, namespaces: Collection[str]) -> list[RunRecord]:
    """Finished runs of these namespaces without an outcome whose present end nobody was asked about."""
    ids = connection.execute(
        select(runs.c.run_id)
        .where(
            runs.c.namespace.in_(namespaces),
            runs.c.status == "finished",
            runs.c.success.is_(None),
            runs.c.judged.is_not(True),
        )
        .order_by(runs.c.finished_at, runs.c.run_id)
        .limit(BATCH)
    ).scalars()
    return [reading.find(connection, run_id) for run_id in ids.all()]


def mark_judged(connection: Connection, run_id: str) -> bool:
    """Note that the run was asked about; False where somebody else did that meanwhile."""
    done = connection.execute(
        update(runs).where(runs.c.run_id == run_id, runs.c.judged.is_not(True)).values(judged=True)
    )
    return done.rowcount == 1


FORK = "fork of "
"""How the source of a run begins that was played from another's record up to a turn. It is a what-if, and most of it
is copied: nothing is learned from it."""

_WAITING = (
    runs.c.status == "finished", runs.c.success.is_not(None), runs.c.learned.is_(None),
    or_(runs.c.source.is_(None), runs.c.source.not_like(FORK + "%")),
)  # fmt: skip


def unlearned(connection: Connection, namespaces: Collection[str]) -> list[str]:
    """The ids of the next runs of these namespaces to learn from, in their canonical order (finished at, run id)."""
    ids = connection.execute(
        select(runs.c.run_id)
        .where(runs.c.namespace.in_(namespaces), *_WAITING)
        .order_by(runs.c.finished_at, runs.c.run_id)
        .limit(BATCH)
    ).scalars()
    return list(ids)


_CLAIM = update(runs).where(runs.c.run_id == bindparam("which"), *_WAITING).values(learned=1)


def claim(connection: Connection, run_id: str) -> RunRecord | None:
    """Take a run for learning, in the transaction that learns from it: the run as it is now; None where somebody else
    has taken it, or there is nothing to learn from it any more."""
    if connection.execute(_CLAIM, {"which": run_id}).rowcount != 1:
        return None
    return reading.find(connection, run_id)


def unlearn_all(connection: Connection, namespaces: Collection[str]) -> int:
    """Put every learned run of these namespaces back into the queue; returns how many."""
    done = connection.execute(
        update(runs).where(runs.c.namespace.in_(namespaces), runs.c.learned.is_not(None)).values(learned=None)
    )
    return done.rowcount


def relearn_above(connection: Connection, run_ids: Collection[str]) -> None:
    """Put the runs around these back into the queue: the work of a run inside another counts for the outer one."""
    inside = list(dict.fromkeys(run_ids))
    seen = set(inside)  # a journal may say that a run is inside itself
    while inside:
        found = connection.execute(select(runs.c.parent_run_id).where(runs.c.run_id.in_(inside[:500]))).scalars()
        outer = {run_id for run_id in found if run_id is not None}
        if outer:
            connection.execute(
                update(runs).where(runs.c.run_id.in_(outer), runs.c.learned.is_not(None)).values(learned=None)
            )
        inside = [*inside[500:], *sorted(outer - seen)]
        seen |= outer


def set_task_type(connection: Connection, run_id: str, task_type: str) -> None:
    """Keep the task type that a plugin found for a run."""
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(task_type=task_type))


def set_task_group(connection: Connection, run_id: str, task_group: str) -> None:
    """Keep the kind of task that a plugin took a run for."""
    connection.execute(update(runs).where(runs.c.run_id == run_id).values(task_group=task_group))


def forget_groups(connection: Connection, namespaces: Collection[str]) -> None:
    """Drop the kinds of task of all runs of these namespaces, so that they are asked for again."""
    connection.execute(update(runs).where(runs.c.namespace.in_(namespaces)).values(task_group=None))


def next_seq(connection: Connection, run_id: str, writer: str) -> int:
    """The number after the last event that ``writer`` has in this run, as far as it is ingested."""
    last = connection.execute(
        select(func.max(events.c.seq))
        .join(journals, journals.c.journal_pk == events.c.journal_pk)
        .join(runs, runs.c.run_pk == events.c.run_pk)
        .where(runs.c.run_id == run_id, journals.c.writer == writer)
    ).scalar()
    return 0 if last is None else int(last) + 1


_VERSION = select(meta.c.value).where(meta.c.key == VERSION_KEY)
_ADVANCE = (
    update(meta).where(meta.c.key == VERSION_KEY).values(value=cast(cast(meta.c.value, Integer) + 1, meta.c.value.type))
)


def version(connection: Connection) -> int:
    """How often something was learned or unlearned in this database."""
    value = connection.execute(_VERSION).scalar()
    return int(value) if value is not None else 0


def advance(connection: Connection) -> None:
    """Say that what is known has changed."""
    if not connection.execute(_ADVANCE).rowcount:
        connection.execute(meta.insert().values(key=VERSION_KEY, value="1"))
