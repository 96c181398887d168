"""Statements of the hot path, generated from the tables and compiled once.

SQLAlchemy takes a statement apart each time it is executed, which costs several times what SQLite needs to execute it.
A statement made here is handed to SQLite's driver as it was compiled at its first use. Where each statement is a round
trip, as with PostgreSQL, nothing would be won, so there it is executed as ever.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import bindparam, insert, update
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from sqlalchemy import Connection, Dialect, Executable, Insert, Select, Table, Update
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.schema import ScalarElementColumnDefault

    Processor = Callable[[Any], Any] | None

Row = dict[str, Any]


class Statement:
    """A statement with named parameters.

    Args:
        element: What SQLAlchemy would execute; all that varies is a :func:`~sqlalchemy.bindparam`.
    """

    def __init__(self, element: Select[Any] | Insert | Update | Executable) -> None:
        self.element: Any = element
        self._compiled: _Compiled | None = None

    def rows(self, connection: Connection, parameters: Mapping[str, Any] | None = None) -> Generator[Row, None, None]:
        """Execute a query and return its rows, which are read as they are asked for."""
        cursor = self._execute(connection, parameters)
        if cursor is None:
            yield from (dict(row) for row in connection.execute(self.element, parameters).mappings())
            return
        columns = cast("_Compiled", self._compiled).columns
        for values in cursor:
            yield _row(columns, values)

    def first(self, connection: Connection, parameters: Mapping[str, Any] | None = None) -> Row | None:
        """Execute a query and return its first row, if there is one."""
        cursor = self._execute(connection, parameters)
        if cursor is None:
            row = connection.execute(self.element, parameters).mappings().first()
            return None if row is None else dict(row)
        values = cursor.fetchone()
        cursor.close()
        return None if values is None else _row(cast("_Compiled", self._compiled).columns, values)

    def scalar(self, connection: Connection, parameters: Mapping[str, Any] | None = None) -> Any:
        """Execute a query and return the first value of its first row; None without a row."""
        row = self.first(connection, parameters)
        return None if row is None else next(iter(row.values()))

    def run(self, connection: Connection, parameters: Mapping[str, Any] | None = None) -> int:
        """Execute a change and return how many rows it has changed."""
        cursor = self._execute(connection, parameters)
        if cursor is None:
            changed: int = connection.execute(self.element, parameters).rowcount
            return changed
        return cursor.rowcount

    def _execute(self, connection: Connection, parameters: Mapping[str, Any] | None) -> sqlite3.Cursor | None:
        """Execute it directly; None where SQLAlchemy is to do it."""
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            return None
        compiled = self._compiled
        if compiled is None:
            compiled = self._compiled = _Compiled(self.element, connection.dialect)
        values = compiled.values(parameters or {})
        try:
            return driver.execute(compiled.text, values)
        except sqlite3.Error as error:
            # As SQLAlchemy would have put it.
            raise DBAPIError.instance(
                compiled.text, values, error, sqlite3.Error, dialect=connection.dialect
            ) from error


class _Compiled:
    """A statement in the words of a dialect."""

    def __init__(self, element: Any, dialect: Dialect) -> None:
        compiled: SQLCompiler = element.compile(dialect=dialect)
        if compiled.post_compile_params:
            raise ValueError(f"Lists of values are not known before they are executed: {compiled}")
        self.text = str(compiled)
        self._names = tuple(compiled.positiontup or ())
        self._constants = {
            name: value for name, value in compiled.params.items() if not compiled.binds.get(name, _REQUIRED).required
        }
        for column in compiled.insert_prefetch if element.is_insert else ():
            self._constants[column.key] = cast("ScalarElementColumnDefault", column.default).arg
        self._processors: dict[str, Processor] = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()
        }
        selected = getattr(element, "selected_columns", ())
        self.columns: tuple[tuple[str, Processor], ...] = tuple(
            (column.key, column.type.dialect_impl(dialect).result_processor(dialect, None)) for column in selected
        )

    def values(self, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        constants, processors = self._constants, self._processors
        values = []
        for name in self._names:
            value = parameters[name] if name in parameters else constants[name]
            process = processors.get(name)
            values.append(value if process is None else process(value))
        return tuple(values)


class _Required:
    required = False


_REQUIRED: Any = _Required()


def _row(columns: tuple[tuple[str, Processor], ...], values: tuple[Any, ...]) -> Row:
    return {
        name: value if process is None else process(value)
        for (name, process), value in zip(columns, values, strict=True)
    }


@cache
def inserting(table: Table, columns: tuple[str, ...]) -> Statement:
    """Return a statement that inserts a row with these columns; its parameters are named like them."""
    return Statement(insert(table).values({name: bindparam(name) for name in columns}))


@cache
def updating(table: Table, columns: tuple[str, ...], where: tuple[str, ...]) -> Statement:
    """Return a statement that updates these columns of the rows that are equal in others.

    Its parameters are ``new_<column>`` and ``old_<column>``.
    """
    statement = update(table).values({name: bindparam(f"new_{name}") for name in columns})
    return Statement(statement.where(*(table.c[name] == bindparam(f"old_{name}") for name in where)))


def insert_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row."""
    inserting(table, tuple(row)).run(connection, row)


def update_rows(connection: Connection, table: Table, values: Mapping[str, Any], **where: Any) -> int:
    """Update the rows that are equal to ``where``, and return how many they were."""
    parameters = {f"new_{name}": value for name, value in values.items()}
    parameters |= {f"old_{name}": value for name, value in where.items()}
    return updating(table, tuple(values), tuple(where)).run(connection, parameters)
