"""Rows that travel as one JSON value, to and from the database, where it can do that.

SQLite's driver gives up the interpreter at every row, and beside a busy host gets it back only milliseconds later; so a
table is read and written with one statement that the driver steps through once. Databases whose JSON functions we do
not know are asked row by row.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Double, Integer, bindparam, delete, func, select, text

from ..instrumentation.bulk import SQLITE_LEAST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Table, TextClause
    from sqlalchemy.types import TypeEngine

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(list[list[Any]]).decode


def has_json(connection: Connection) -> bool:
    """Whether this is SQLite with JSON functions."""
    return connection.dialect.name == "sqlite" and sqlite3.sqlite_version_info >= SQLITE_LEAST


class Query:
    """A query whose rows come as one JSON value where the database can do that, else as rows."""

    def __init__(self, columns: Iterable[Any], *where: Any, joined: Any = None) -> None:
        columns = tuple(columns)
        plain = select(*columns)
        packed = select(func.json_group_array(func.json_array(*columns)))
        if joined is not None:
            plain, packed = plain.select_from(joined), packed.select_from(joined)
        self._plain, self._packed = plain.where(*where), packed.where(*where)

    def rows(self, connection: Connection, **named: Any) -> Sequence[Sequence[Any]]:
        """The rows, as sequences of values; ``named`` are the query's parameters."""
        if has_json(connection):
            return _decode(connection.execute(self._packed, named).scalar_one())
        return [tuple(row) for row in connection.execute(self._plain, named)]


_statements: dict[tuple[str, str], TextClause] = {}


def put(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows, or replace those with the same primary key; values in the order of the table's columns."""
    if not rows:
        return
    dialect = connection.dialect.name
    if dialect != "postgresql" and not has_json(connection):
        _put_plainly(connection, table, rows)
        return
    statement = _statements.get((table.name, dialect))
    if statement is None:
        statement = _statements[table.name, dialect] = text(_upsert(table, dialect))
    connection.execute(statement, {"rows": _encode(rows).decode()})


def _upsert(table: Table, dialect: str) -> str:
    columns = list(table.columns)
    names = ", ".join(f'"{column.name}"' for column in columns)
    if dialect == "sqlite":
        values = ", ".join(f"json_extract(value, '$[{number}]')" for number in range(len(columns)))
        source = "json_each(:rows) WHERE true"  # without a WHERE, SQLite takes ON for a join's
    else:
        values = ", ".join(
            f"CAST(value ->> {number} AS {_postgres_type(column.type)})" for number, column in enumerate(columns)
        )
        source = "jsonb_array_elements(CAST(:rows AS jsonb)) AS given(value)"
    key = ", ".join(f'"{column.name}"' for column in columns if column.primary_key)
    changes = ", ".join(f'"{column.name}" = excluded."{column.name}"' for column in columns if not column.primary_key)
    return (
        f'INSERT INTO "{table.name}" ({names}) SELECT {values} FROM {source} '  # noqa: S608  names of our own
        f"ON CONFLICT ({key}) DO UPDATE SET {changes}"
    )


def _postgres_type(kind: TypeEngine[Any]) -> str:
    if isinstance(kind, Boolean):
        return "boolean"
    if isinstance(kind, BigInteger):
        return "bigint"
    if isinstance(kind, Double):
        return "double precision"
    return "integer" if isinstance(kind, Integer) else "text"


def _put_plainly(connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
    """For databases whose JSON statements we do not know: row by row through SQLAlchemy."""
    names = [column.name for column in table.columns]
    key = [column for column in table.columns if column.primary_key]
    places = [names.index(column.name) for column in key]
    same = [column == bindparam(f"key_{column.name}") for column in key]
    keys = [{f"key_{names[place]}": row[place] for place in places} for row in rows]
    connection.execute(delete(table).where(*same), keys)
    connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])
