"""What became of the runs that were given a template, and whether it is still to be given.

A use is one judged run that was given one version. Rows of a run replace each other, so a run that is judged anew or
forgotten corrects the counts by itself. A run inside another counts for the outer one, unless it has a verdict of its
own.

A template is withdrawn when more of the runs that got it, in whichever version, failed than succeeded. That follows
from the rows whenever they are read and is stored nowhere: a verdict that changes brings the template back, and so
does somebody who sets its uses so far aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import case, delete, func, select, update

from ..instrumentation import reading
from .executions import Execution, compare, summary
from .sketches import sketch_of
from .steps import trace_of
from .tables import skill_templates, template_uses
from .template_record import TemplateRecord

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Connection

    from ..instrumentation.events import Event
    from ..instrumentation.reading import RunRecord

_PART = 500
_encode = msgspec.json.encode
_record = msgspec.json.Decoder(TemplateRecord).decode
_execution = msgspec.json.Decoder(Execution).decode

HOWS = ("followed", "adapted", "abandoned")


class Given(msgspec.Struct, frozen=True):
    """A version that a run was given: to which agents, and from which turn on."""

    template_id: str
    version: int
    agents: tuple[str, ...]
    turn: int


def given_in(events: Iterable[Event], run_id: str) -> list[Given]:
    """The templates that these injections brought, for the run itself and those inside it without a verdict."""
    events = list(events)
    judged = {event.run_id for event in events if event.kind == "outcome"} - {run_id}
    found: dict[tuple[str, int], Given] = {}
    for event in events:
        if event.kind != "injection" or event.run_id in judged or event.agent is None:
            continue
        for entry in event.payload.get("templates") or ():
            if not isinstance(entry, dict):
                continue
            template_id, version = entry.get("template_id"), entry.get("version")
            if not isinstance(template_id, str) or not isinstance(version, int):
                continue
            before = found.get((template_id, version))
            agents = tuple(sorted({*(before.agents if before else ()), event.agent}))
            turn = before.turn if before else event.turn
            found[template_id, version] = Given(template_id, version, agents, turn)
    return list(found.values())


def file_uses(connection: Connection, run: RunRecord) -> bool:
    """File which templates a run was given and what it did with them, in place of what was filed of it before; True
    where that changed anything."""
    table = template_uses.c
    before = connection.execute(select(table.template_id, table.counted).where(table.run_id == run.run_id)).all()
    aside = {row.template_id for row in before if not row.counted}
    removed = drop_uses(connection, [run.run_id])
    if run.success is None:
        return removed
    injections = list(reading.tree_events(connection, run.run_id, kinds=("injection", "outcome")))
    given = given_in(injections, run.run_id)
    if not given:
        return removed
    trace = trace_of(reading.tree_events(connection, run.run_id), run_id=run.run_id, success=run.success)
    sketch = sketch_of(trace, run.task)
    kept = skill_templates.c
    filed = False
    for one in given:
        body = connection.execute(
            select(kept.body).where(
                kept.namespace == run.namespace, kept.template_id == one.template_id, kept.version == one.version
            )
        ).scalar()
        if body is None:
            continue  # deleted or forgotten since
        record = _record(body)
        execution = compare(record, trace, sketch)
        connection.execute(
            template_uses.insert().values(
                run_id=run.run_id,
                template_id=one.template_id,
                version=one.version,
                namespace=run.namespace,
                agents=_encode(one.agents).decode(),
                turn=one.turn,
                success=run.success,
                how=execution.how,
                adaptations=_encode(execution).decode(),
                counted=one.template_id not in aside,
            )
        )
        filed = True
    return filed or removed


def drop_uses(connection: Connection, run_ids: Collection[str]) -> bool:
    """Take the uses of these runs out; True where there were any."""
    ids = sorted(run_ids)
    dropped = 0
    for first in range(0, len(ids), _PART):
        part = template_uses.c.run_id.in_(ids[first : first + _PART])
        dropped += connection.execute(delete(template_uses).where(part)).rowcount
    return dropped > 0


def measured(connection: Connection, namespace: str) -> dict[str, dict[str, int]]:
    """For each template what became of the runs that got it: ``given``, ``succeeded``, ``failed``, ``followed``,
    ``adapted``, ``abandoned``, and how many of them were ``set_aside``, with ``failed_aside`` failures among those."""
    table = template_uses.c
    counts = [func.sum(case((table.how == how, 1), else_=0)).label(how) for how in HOWS]
    aside = table.counted.is_(False)
    rows = connection.execute(
        select(
            table.template_id,
            func.count().label("given"),
            func.sum(case((table.success, 1), else_=0)).label("succeeded"),
            func.sum(case((aside, 1), else_=0)).label("set_aside"),
            func.sum(case((aside & table.success.is_(False), 1), else_=0)).label("failed_aside"),
            *counts,
        )
        .where(table.namespace == namespace)
        .group_by(table.template_id)
    ).mappings()
    return {
        row["template_id"]: {
            "given": int(row["given"]),
            "succeeded": int(row["succeeded"]),
            "failed": int(row["given"]) - int(row["succeeded"]),
            **{name: int(row[name]) for name in (*HOWS, "set_aside", "failed_aside")},
        }
        for row in rows
    }


def standing(record: TemplateRecord, metrics: dict[str, int] | None) -> TemplateRecord:
    """The template with what became of its uses, and withdrawn where they say so."""
    if metrics is None:
        return record
    record = msgspec.structs.replace(record, metrics=metrics)
    given = metrics["given"] - metrics["set_aside"]
    failed = metrics["failed"] - metrics["failed_aside"]
    if record.state == "ready" and failed > given - failed:
        why = f"withdrawn: {failed} of the {given} runs that were given it failed"
        record = msgspec.structs.replace(record, state="withdrawn", why=why)
    return record


def restore(connection: Connection, namespace: str, template_id: str) -> int:
    """Set a template's uses so far aside, so that it is given again; returns how many that were."""
    table = template_uses.c
    done = connection.execute(
        update(template_uses)
        .where(table.namespace == namespace, table.template_id == template_id, table.counted.is_(True))
        .values(counted=False)
    )
    return done.rowcount


def adaptations(connection: Connection, namespace: str, template_id: str) -> dict[str, Any]:
    """What the runs that were given a template did otherwise, the most frequent first."""
    table = template_uses.c
    rows = connection.execute(
        select(table.adaptations)
        .where(table.namespace == namespace, table.template_id == template_id)
        .order_by(table.run_id)
    ).scalars()
    return summary(map(_execution, rows))
