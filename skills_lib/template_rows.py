"""The rows of templates: every version of every skill template, as learning and importing keep them.

A row that is kept is never changed but for its figures and its state, so that what an agent was given can be looked up
for as long as the template is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import delete, func, select, update

from .pools import IMPORTED
from .tables import skill_templates, task_pools
from .template_record import MERGED, TemplateRecord, difference
from .uses import measured, standing

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

_record = msgspec.json.Decoder(TemplateRecord).decode
_encode = msgspec.json.encode

KEPT = skill_templates.c.state != MERGED
"""Rows of templates that stand for their pools, those that somebody deleted among them."""

OFFERED = skill_templates.c.state.not_in(("deleted", MERGED))
"""Rows of templates that nobody deleted."""

READY = skill_templates.c.state == "ready"
"""Rows of templates that can be given, unless their uses speak against them."""


def insert(
    connection: Connection,
    namespace: str,
    record: TemplateRecord,
    *,
    pool: str,
    signature: str,
    made_ns: int,
    before: TemplateRecord | None = None,
    reason: str = "",
) -> None:
    """Keep a new version."""
    connection.execute(
        skill_templates.insert().values(
            namespace=namespace,
            template_id=record.template_id,
            version=record.version,
            pool=pool,
            name=record.name,
            state=record.state,
            signature=signature,
            content=record.content,
            body=_encode(record).decode(),
            diff=_encode(difference(before, record) if before is not None else {}).decode(),
            reason=reason,
            made_ns=made_ns,
        )
    )


def rewrite(connection: Connection, namespace: str, record: TemplateRecord, *, signature: str, made_ns: int) -> None:
    """Keep other figures for a version that reads the same."""
    table = skill_templates.c
    connection.execute(
        update(skill_templates)
        .where(
            table.namespace == namespace,
            table.template_id == record.template_id,
            table.version == record.version,
        )
        .values(body=_encode(record).decode(), state=record.state, signature=signature, made_ns=made_ns)
    )


def newest_version(namespace: str) -> Any:
    """The newest version of the row's template, for comparing within a query."""
    other = skill_templates.alias()
    return (
        select(func.max(other.c.version))
        .where(other.c.namespace == namespace, other.c.template_id == skill_templates.c.template_id)
        .correlate(skill_templates)
        .scalar_subquery()
    )


def newest_of_pool(connection: Connection, namespace: str, pool: str) -> TemplateRecord | None:
    """The newest version of a pool's template."""
    table = skill_templates.c
    row = connection.execute(
        select(table.body)
        .where(table.namespace == namespace, table.pool == pool, KEPT)
        .order_by(table.version.desc())
        .limit(1)
    ).scalar()
    return None if row is None else _record(row)


def newest_by_pool(connection: Connection, namespace: str, wanted: ColumnElement[bool]) -> dict[str, TemplateRecord]:
    """The newest version of each pool's template with what became of its uses, where its row is ``wanted``: in the
    state that the row has, or withdrawn."""
    table = skill_templates.c
    rows = connection.execute(
        select(table.pool, table.state, table.body).where(
            table.namespace == namespace, table.version == newest_version(namespace), wanted
        )
    ).all()
    known = measured(connection, namespace) if rows else {}
    found: dict[str, TemplateRecord] = {}
    for pool, state, body in rows:
        record = msgspec.structs.replace(_record(body), state=state)
        found[pool] = standing(record, known.get(record.template_id))
    return found


def names(connection: Connection, namespace: str, without: str = "") -> set[str]:
    """The names that are taken by other templates than the one with the id ``without``."""
    table = skill_templates.c
    rows = select(table.name).where(table.namespace == namespace, table.template_id != without, KEPT)
    return set(connection.execute(rows).scalars())


def drop_lost(connection: Connection, namespace: str) -> int:
    """Drop learned templates whose pool has no task any more; returns how many rows that were."""
    table = skill_templates.c
    living = select(task_pools.c.pool).where(task_pools.c.namespace == namespace)
    done = connection.execute(
        delete(skill_templates).where(
            table.namespace == namespace,
            table.state != "deleted",
            table.pool.not_in(living),
            table.pool.not_like(f"{IMPORTED}%"),
        )
    )
    return done.rowcount
