"""Statements of the hot path, generated from the tables and compiled once.

SQLAlchemy takes a statement apart each time it is executed, which costs several times what SQLite needs to execute it,
and more than a round trip to a PostgreSQL server nearby. A statement made here is handed to the driver as it was
compiled at its first use.
"""

from __future__ import annotations

from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import LargeBinary, bindparam, insert, literal_column, update
from sqlalchemy.dialects.sqlite import insert as insert_or_not
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from sqlalchemy import BindParameter, ColumnElement, Connection, Dialect, Executable, Insert, Select, Table, Update
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.schema import ScalarElementColumnDefault

Row = dict[str, Any]

_ASK: Final = "ask"
_ASK_AHEAD: Final = "ask_ahead"
_FORGET_AHEAD: Final = "forget_ahead"
_SEND: Final = "send"
"""What a session of PostgreSQL may be asked to do with a statement, by the names of its methods."""


class Statement:
    """A statement with named parameters.

    Args:
        element: What SQLAlchemy would execute; all that varies is a :func:`~sqlalchemy.bindparam`.
    """

    def __init__(self, element: Select[Any] | Insert | Update | Executable) -> None:
        self.element: Any = element
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, connection: Connection, parameters: Mapping[str, Any] | None = None) -> Generator[Row, None, None]:
        """Execute a query and return its rows, which are read as they are asked for where the database is a file."""
        compiled, cursor = self._execute(connection, parameters)
        yield from map(compiled.row, cursor)

    def first(self, connection: Connection, parameters: Mapping[str, Any] | None = None) -> Row | None:
        """Execute a query and return its first row, if there is one."""
        compiled, cursor = self._execute(connection, parameters)
        values = cursor.fetchone()
        cursor.close()
        return None if values is None else compiled.row(values)

    def ask_ahead(self, connection: Connection, parameters: Mapping[str, Any]) -> None:
        """Ask a query of a server, for whoever executes it first; see :meth:`.Transaction.ask_ahead`."""
        self._execute(connection, parameters, _ASK_AHEAD)

    def forget_ahead(self, connection: Connection, parameters: Mapping[str, Any]) -> None:
        """Forget that a query was asked of a server ahead."""
        self._execute(connection, parameters, _FORGET_AHEAD)

    def scalar(self, connection: Connection, parameters: Mapping[str, Any] | None = None) -> Any:
        """Execute a query and return the first value of its first row; None without a row."""
        row = self.first(connection, parameters)
        return None if row is None else next(iter(row.values()))

    def send(self, connection: Connection, parameters: Mapping[str, Any] | None = None) -> None:
        """Execute a change, at the latest before the next statement that is asked, or the commit.

        What it violates is told then. To a server it goes together with that, which spares a round trip.
        """
        self._execute(connection, parameters, _SEND)

    def run(self, connection: Connection, parameters: Mapping[str, Any] | None = None) -> int:
        """Execute a change and return how many rows it has changed."""
        changed: int = self._execute(connection, parameters)[1].rowcount
        return changed

    def _execute(
        self, connection: Connection, parameters: Mapping[str, Any] | None, how: str = _ASK
    ) -> tuple[_Compiled, Any]:
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _Compiled(self.element, dialect)
        driver: Any = connection.connection.dbapi_connection
        values = compiled.values(parameters or {})
        errors: Any = dialect.loaded_dbapi.Error
        try:
            return compiled, compiled.execute(driver, compiled.text, values, how)
        except errors as error:
            if dialect.is_disconnect(error, driver, None):
                # It says so once more to SQLAlchemy, which then gives up what else is connected to that server.
                connection.execute(self.element, parameters)
            # As SQLAlchemy would have put it.
            raise DBAPIError.instance(compiled.text, values, error, errors, dialect=dialect) from error


class _Compiled:
    """A statement in the words of a dialect.

    Attributes:
        text: The statement.
        execute: Executes it on a connection of the driver, and returns its cursor if it is asked.
    """

    def __init__(self, element: Any, dialect: Dialect) -> None:
        is_in_file = dialect.name == "sqlite"
        if not is_in_file:
            # Its parameters have numbers, as the server knows them.
            of_server: Callable[..., Dialect] = type(dialect)
            dialect = of_server(paramstyle="numeric_dollar")
        compiled: SQLCompiler = element.compile(dialect=dialect)
        if compiled.post_compile_params:
            raise ValueError(f"Lists of values are not known before they are executed: {compiled}")
        self.text = str(compiled)
        self._constants = {
            name: value for name, value in compiled.params.items() if not compiled.binds.get(name, _REQUIRED).required
        }
        for column in compiled.insert_prefetch if element.is_insert else ():
            self._constants[column.key] = cast("ScalarElementColumnDefault", column.default).arg
        binds = {name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()}
        if is_in_file:
            # The driver takes bytes as they are.
            binds = {name: process for name, process in binds.items() if not _is_of_bytes(compiled.binds[name])}
        self._bound = [(name, process) for name, process in binds.items() if process is not None]
        self._arranged = _getter(tuple(compiled.positiontup or ()))
        self.execute = _in_file if is_in_file else _on_server
        selected = getattr(element, "selected_columns", ())
        self._columns = tuple(column.key for column in selected)
        results = [
            (column.key, column.type.dialect_impl(dialect).result_processor(dialect, None)) for column in selected
        ]
        self._read = [(name, process) for name, process in results if process is not None]

    def values(self, parameters: Mapping[str, Any]) -> Any:
        """Return what is to be handed over with the text."""
        if self._constants or self._bound:
            parameters = {**self._constants, **parameters}
            for name, process in self._bound:
                parameters[name] = process(parameters[name])
        return self._arranged(parameters)

    def row(self, values: tuple[Any, ...]) -> Row:
        """Return what was found by the names of the columns."""
        row = dict(zip(self._columns, values, strict=True))
        for name, process in self._read:
            row[name] = process(row[name])
        return row


def _is_of_bytes(bind: BindParameter[Any]) -> bool:
    return isinstance(bind.type, LargeBinary)


def _in_file(driver: Any, text: str, values: Any, _how: str) -> Any:
    """Execute a statement by SQLite's driver, which knows one way."""
    return driver.execute(text, values)


def _on_server(driver: Any, text: str, values: Any, how: str) -> Any:
    """Execute a statement by a session of PostgreSQL, which has the server keep what it has planned."""
    return getattr(driver, how)(text, values)


def _getter(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """Return what takes the values of these names, in their order."""
    if len(names) > 1:
        several: Callable[[Mapping[str, Any]], tuple[Any, ...]] = itemgetter(*names)
        return several
    if names:
        name = names[0]
        return lambda parameters: (parameters[name],)
    return lambda _: ()


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
def inserting_unless_there(table: Table, columns: tuple[str, ...]) -> Statement:
    """Return what :func:`inserting` does, which does nothing if a row collides with the new one."""
    statement = insert_or_not(table).values({name: bindparam(name) for name in columns})
    return Statement(statement.on_conflict_do_nothing())


@cache
def updating(table: Table, columns: tuple[str, ...], where: tuple[str, ...]) -> Statement:
    """Return a statement that updates these columns of the rows that are equal in others.

    Its parameters are ``new_<column>`` and ``old_<column>``.
    """
    statement = update(table).values({name: bindparam(f"new_{name}") for name in columns})
    return Statement(statement.where(*(table.c[name] == bindparam(f"old_{name}") for name in where)))


def insert_row(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row; see :meth:`Statement.send`."""
    inserting(table, tuple(row)).send(connection, row)


def insert_unless_there(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row, if none collides with it, and tell whether that was done. For SQLite."""
    return inserting_unless_there(table, tuple(row)).run(connection, row) > 0


def change_rows(connection: Connection, table: Table, values: Mapping[str, Any], **where: Any) -> None:
    """Update the rows that are equal to ``where``; see :meth:`Statement.send`."""
    parameters = {f"new_{name}": value for name, value in values.items()}
    parameters |= {f"old_{name}": value for name, value in where.items()}
    updating(table, tuple(values), tuple(where)).send(connection, parameters)
