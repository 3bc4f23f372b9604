"""Finding the runs in which a text occurs, wherever it stands: a message, a prompt, a tool's arguments, a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from .events import KINDS, encode
from .packing import numbers, unpack
from .schema import events, runs, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Column, Connection

LONGEST_PATTERN = 10_000
"""Characters that a database is asked to search for; longer ones are searched for here."""

_BLOCK = 1_000


def mentioning(connection: Connection, text: str) -> set[str]:
    """The ids of the runs in which ``text`` occurs, in capitals or not; every run for an empty one."""
    needles = {text.casefold(), encode(text).decode()[1:-1].casefold()}  # as it is, and as JSON has it
    said = {number for number, _ in _containing(connection, texts.c.text_pk, texts.c.text, needles)}
    found = {run_pk for run_pk, _ in _containing(connection, events.c.run_pk, events.c.payload, needles)}
    found |= {run_pk for run_pk, _ in _containing(connection, events.c.run_pk, events.c.agent, needles)}
    for column in (runs.c.run_id, runs.c.domain, runs.c.task_type, runs.c.source, runs.c.model):
        found |= {run_pk for run_pk, _ in _containing(connection, runs.c.run_pk, column, needles)}
    if said:
        query = select(events.c.run_pk, events.c.kind, events.c.payload).execution_options(yield_per=_BLOCK)
        with connection.execute(query) as result:
            for run_pk, kind, payload in result:
                if run_pk not in found and not said.isdisjoint(numbers(KINDS[kind], unpack(KINDS[kind], payload))):
                    found.add(run_pk)
    with connection.execute(select(runs.c.run_pk, runs.c.run_id)) as result:
        return {run_id for run_pk, run_id in result if run_pk in found}


def _containing(
    connection: Connection, key: Column[int], column: Column[str], needles: set[str]
) -> Iterator[tuple[int, str]]:
    """Keys and values of the rows whose ``column`` contains one of ``needles``, which are casefolded.

    The database looks first where it can; SQLite's own comparison minds capitals beyond ASCII.
    """
    query = select(key, column).where(column.is_not(None)).execution_options(yield_per=_BLOCK)
    if all(needle.isascii() and len(needle) < LONGEST_PATTERN for needle in needles):
        query = query.where(or_(*(column.icontains(needle, autoescape=True) for needle in sorted(needles))))
    with connection.execute(query) as result:
        for number, value in result:
            folded = value.casefold()
            if any(needle in folded for needle in needles):
                yield number, value
