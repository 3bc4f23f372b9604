"""Telling other processes, and other parts of this one, that the library has changed.

A number in the store grows with every change of templates, pools and uses. Whoever holds them in memory compares it
with the one that it loaded, which costs one small query, and loads them again only where it differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

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

_REVIEWED = "library_reviewed:"


def library_version(connection: Connection) -> int:
    """How often templates, pools or uses have changed in this database."""
    value = connection.execute(select(meta.c.value).where(meta.c.key == VERSION_KEY)).scalar()
    return int(value) if value is not None else 0


def library_changed(connection: Connection) -> None:
    """Say, in the transaction that changes them, that templates, pools or uses are others now."""
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
        value, key = str(learning.version(connection)), _mark(namespace)
        if not connection.execute(meta.update().where(meta.c.key == key).values(value=value)).rowcount:
            connection.execute(meta.insert().values(key=key, value=value))


def _mark(namespace: str) -> str:
    return _REVIEWED + digest(namespace)
