"""Telling other processes, and other parts of this one, that the library has changed.

A number in the store grows with every change of templates, pools and uses. Whoever holds them in memory compares it
with the one that it loaded, which costs one small query, and loads them again only where it differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, text

from ..instrumentation import learning
from ..instrumentation.schema import meta
from .sketches import digest
from .tables import fingerprinted_runs

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from ..instrumentation.store import Store

VERSION_KEY = "library_version"
"""In the table ``meta``."""

LOCK = 0x5EA50_3D_11B
"""The advisory lock under which PostgreSQL lets one process at a time change the library. (SQLite has one writer.)"""

_REVIEWED = "library_reviewed:"


def lock(connection: Connection) -> None:
    """Keep other processes from changing the library until the transaction ends: it is read, and then written."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def library_version(connection: Connection) -> int:
    """How often templates, pools or uses have changed in this database."""
    value = connection.execute(select(meta.c.value).where(meta.c.key == VERSION_KEY)).scalar()
    return int(value) if value is not None else 0


def library_changed(connection: Connection) -> None:
    """Say, in the transaction that changes them, that templates, pools or uses are others now."""
    lock(connection)
    value = library_version(connection)
    if value:
        connection.execute(meta.update().where(meta.c.key == VERSION_KEY).values(value=str(value + 1)))
    else:
        connection.execute(meta.insert().values(key=VERSION_KEY, value="1"))
    learning.advance(connection)


def unreviewed(store: Store, namespaces: Collection[str]) -> list[str]:
    """Those of these namespaces in which something was learned since their templates were last brought up to date."""
    with store.reading() as connection:
        version = str(learning.version(connection))
        marks = connection.execute(select(meta.c.key, meta.c.value).where(meta.c.key.like(f"{_REVIEWED}%"))).all()
        known = {row.key: row.value for row in marks}
        some = connection.execute(select(fingerprinted_runs.c.run_id).limit(1)).first()
    return [name for name in sorted(namespaces) if some is not None and known.get(_mark(name)) != version]


def library_reviewed(store: Store, namespace: str) -> None:
    """Note that the templates of a namespace are up to date."""
    with store.writing() as connection:
        lock(connection)
        value, key = str(learning.version(connection)), _mark(namespace)
        if not connection.execute(meta.update().where(meta.c.key == key).values(value=value)).rowcount:
            connection.execute(meta.insert().values(key=key, value=value))


def _mark(namespace: str) -> str:
    return _REVIEWED + digest(namespace)
