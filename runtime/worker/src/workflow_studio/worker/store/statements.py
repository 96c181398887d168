"""Statements of the hot path, generated from the tables and compiled once.

SQLAlchemy takes a statement apart each time it is executed, which costs several times what SQLite needs to execute it.
A statement made here is handed to SQLite's driver as it was compiled at its first use. Where each statement is a round
trip, as with PostgreSQL, nothing would be won, so there it is executed as ever.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import bindparam, insert, literal_column, update
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from sqlalchemy import ColumnElement, Connection, Dialect, Executable, Insert, Select, Table, Update
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.schema import ScalarElementColumnDefault

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
        yield from map(cast("_Compiled", self._compiled).row, cursor)

    def first(self, connection: Connection, parameters: Mapping[str, Any] | None = None) -> Row | None:
        """Execute a query and return its first row, if there is one."""
        cursor = self._execute(connection, parameters)
        if cursor is None:
            row = connection.execute(self.element, parameters).mappings().first()
            return None if row is None else dict(row)
        values = cursor.fetchone()
        cursor.close()
        return None if values is None else cast("_Compiled", self._compiled).row(values)

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
        driver = connection.connection.dbapi_connection
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
        names = tuple(compiled.positiontup or ())
        self._constants = {
            name: value for name, value in compiled.params.items() if not compiled.binds.get(name, _REQUIRED).required
        }
        for column in compiled.insert_prefetch if element.is_insert else ():
            self._constants[column.key] = cast("ScalarElementColumnDefault", column.default).arg
        binds = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
        self._bound = [(name, process) for name, process in binds.items() if process is not None]
        self._in_order = _getter(names)
        selected = getattr(element, "selected_columns", ())
        self._columns = tuple(column.key for column in selected)
        results = [
            (column.key, column.type.dialect_impl(dialect).result_processor(dialect, None)) for column in selected
        ]
        self._read = [(name, process) for name, process in results if process is not None]

    def values(self, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return what is to be handed over with the text."""
        if self._constants or self._bound:
            parameters = {**self._constants, **parameters}
            for name, process in self._bound:
                parameters[name] = process(parameters[name])
        return self._in_order(parameters)

    def row(self, values: tuple[Any, ...]) -> Row:
        """Return what was found by the names of the columns."""
        row = dict(zip(self._columns, values, strict=True))
        for name, process in self._read:
            row[name] = process(row[name])
        return row


def _getter(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return what takes the values of these names, in their order."""
    if len(names) > 1:
        several: Callable[[Mapping[str, Any]], tuple[Any, ...]] = itemgetter(*names)
        return several
    return lambda parameters: tuple(parameters[name] for name in names)


class _Required:
    required = False


_REQUIRED: Any = _Required()


def equals(column: ColumnElement[str], word: str) -> ColumnElement[bool]:
    """Return that a column holds a word of ours, which stands in the text of the statement.

    Where a partial index asks for such a word, SQLite prepares a statement anew for each value that is handed over in
    its place: that costs more than all the rest.
    """
    if not word.isidentifier():
        raise ValueError(f"{word!r} is no word")
    return column == literal_column(f"'{word}'")


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
