"""A session of PostgreSQL that keeps back what nobody waits for an answer of.

psycopg waits for the answer to each statement. Most statements of a write change something, and nobody asks what came
of it. Here these are kept until an answer is wanted, or the commit, and go to the server together with that: in one
round trip, by libpq's pipeline. So do questions that are asked ahead. The server works through them in their order, so
each sees what those before it did. If one fails, none after it is executed, the commit included.

Only statements with numbered parameters go this way (:mod:`.statements`). Whatever else uses the session, such as
SQLAlchemy, asks for a cursor, and before it gets one all that was kept is done.
"""

from __future__ import annotations

import selectors
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Row: TypeAlias = tuple[Any, ...]

_TEXT: Final = int(pq.Format.TEXT)
_BINARY: Final = int(pq.Format.BINARY)
_IN_ORDER: Final = frozenset({pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.EMPTY_QUERY})
_BEGIN: Final = b"BEGIN"
_COMMIT: Final = b"COMMIT"


@dataclass(slots=True)
class _Plan:
    """A statement that the server keeps the plan of.

    Attributes:
        name: What this session calls it.
        text: The statement.
        reader: Reads its rows.
        is_sent: Whether the server has it, or will have before it is wanted.
        is_read: Whether rows of it have been read before.
    """

    name: bytes
    text: bytes
    reader: Any
    is_sent: bool = False
    is_read: bool = False


@dataclass(slots=True)
class _Entry:
    """A statement on its way: by its plan, to make its plan, or as a text alone.

    Attributes:
        text: What is sent as a text; None for an execution of the plan.
        plan: The plan, if it has one.
        values: The parameters.
        formats: How they are written.
        coming: Waits for its answer, if anybody does.
    """

    text: bytes | None
    plan: _Plan | None = None
    values: list[bytes | None] = field(default_factory=list)
    formats: list[int] = field(default_factory=list)
    coming: _Coming | None = None

    def send(self, server: pq.abc.PGconn) -> None:
        if self.plan is None:
            server.send_query_params(self.text or b"", None)
        elif self.text is not None:
            server.send_prepare(self.plan.name, self.text)
        else:
            server.send_query_prepared(self.plan.name, self.values, self.formats, result_format=_BINARY)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a statement, in the manner of a cursor."""

    rows: Sequence[Row]
    rowcount: int

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def fetchone(self) -> Row | None:
        """Return the first row, if there is one."""
        return self.rows[0] if self.rows else None

    def close(self) -> None:
        """Do nothing: all is here."""


@dataclass(slots=True, eq=False)
class _Coming:
    """The answer to a question.

    Attributes:
        plan: What reads its rows.
        result: It, once it is there.
    """

    plan: _Plan
    result: pq.abc.PGresult | None = None

    def read(self) -> Answer:
        rows: Sequence[Row] = ()
        if self.result is None:
            raise psycopg.OperationalError("This was asked in a transaction that has ended.")
        if self.result.ntuples:
            reader = self.plan.reader
            reader.set_pgresult(self.result, set_loaders=not self.plan.is_read)
            self.plan.is_read = True
            rows = reader.load_rows(0, self.result.ntuples, tuple)
        return Answer(rows, self.result.command_tuples or 0)


class Session(psycopg.Connection[Any]):
    """A connection, not in autocommit mode, whose statements may wait for each other.

    It has to be made with ``prepare_threshold=None``: after a rollback, psycopg would have the server let go of all
    plans that it has asked for, and these with them.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._plans: dict[str, _Plan] = {}
        self._kept: list[_Entry] = []
        self._ahead: dict[str, dict[tuple[Any, ...], _Coming]] = {}
        self._begins = True
        self._socket = selectors.DefaultSelector()
        self._socket.register(self.fileno(), selectors.EVENT_READ)

    def send(self, text: str, values: Iterable[Any]) -> None:
        """Execute a statement before the next one that is asked, or the commit. What it violates is told then."""
        self._keep(text, values)

    def ask(self, text: str, values: tuple[Any, ...]) -> Answer:
        """Execute a statement, after those that were sent before; if it was asked ahead, that was when it was asked."""
        ahead = self._ahead.get(text)
        coming = ahead.pop(values, None) if ahead else None
        if coming is None:
            coming = self._question(text, values)
        if coming.result is None:
            self.flush()
        return coming.read()

    def ask_ahead(self, text: str, values: tuple[Any, ...]) -> None:
        """Execute a query as :meth:`send` does, for the one who asks it first."""
        ahead = self._ahead.setdefault(text, {})
        if values not in ahead:
            ahead[values] = self._question(text, values)

    def forget_ahead(self, text: str | None = None, values: tuple[Any, ...] = ()) -> None:
        """Forget a query that was asked ahead, or all."""
        if text is None:
            self._ahead.clear()
        else:
            self._ahead.get(text, {}).pop(values, None)

    @property
    def has_asked_ahead(self) -> bool:
        """Whether the answer to anything is there, or will be, that nobody has asked yet."""
        return bool(self._ahead)

    @contextmanager
    def without_transaction(self) -> Iterator[None]:
        """Begin no transaction for what is asked meanwhile."""
        self._begins = False
        try:
            yield
        finally:
            self._begins = True

    def cursor(self, *args: Any, **options: Any) -> Any:
        """Return a cursor, for what is to be executed after all that was sent before."""
        if self._kept:
            self.flush()
        return super().cursor(*args, **options)

    def commit(self) -> None:
        """Commit, together with what was sent before; if that fails, the transaction is over all the same."""
        self._ahead.clear()
        if not self._kept:
            super().commit()
            return
        self._kept.append(_Entry(_COMMIT))
        try:
            self.flush()
        except psycopg.Error:
            if not self.closed:
                super().rollback()
            raise

    def rollback(self) -> None:
        """Undo the transaction; what was sent and is still here has never been done."""
        self._ahead.clear()
        self._forget(self._kept)
        self._kept = []
        super().rollback()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
        super().close()

    def _question(self, text: str, values: Iterable[Any]) -> _Coming:
        entry = self._keep(text, values)
        coming = entry.coming = _Coming(self._plans[text])
        return coming

    def _keep(self, text: str, values: Iterable[Any]) -> _Entry:
        if self._begins and not self._kept and self.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            self._kept.append(_Entry(_BEGIN))
        plan = self._plans.get(text)
        if plan is None:
            name = f"studio_{len(self._plans)}".encode()
            plan = self._plans[text] = _Plan(name, text.encode(), Transformer(self))
        entry = _Entry(None, plan)
        for value in values:
            written, how = _written(value)
            entry.values.append(written)
            entry.formats.append(how)
        if not plan.is_sent:
            self._kept.append(_Entry(plan.text, plan))
            plan.is_sent = True
        self._kept.append(entry)
        return entry

    def flush(self) -> None:
        """Have all that was kept done.

        Raises:
            psycopg.Error: That of the first one that failed.
        """
        kept, self._kept = self._kept, []
        results: list[pq.abc.PGresult] = []
        server = self.pgconn
        try:
            server.enter_pipeline_mode()
            for entry in kept:
                entry.send(server)
            server.pipeline_sync()
            self._receive(results)
            server.exit_pipeline_mode()
        except BaseException:
            # In the midst of it, nobody knows what the server will answer next.
            server.finish()
            raise
        for number, result in enumerate(results):
            if result.status not in _IN_ORDER:
                self._forget(kept[number:])
                raise error_from_result(result, encoding=self.info.encoding)
            coming = kept[number].coming
            if coming is not None:
                coming.result = result

    def _receive(self, results: list[pq.abc.PGresult]) -> None:
        server = self.pgconn
        while server.flush():
            # The server may have to get rid of answers before it takes more.
            self._socket.modify(server.socket, selectors.EVENT_READ | selectors.EVENT_WRITE)
            self._socket.select()
            self._socket.modify(server.socket, selectors.EVENT_READ)
            server.consume_input()
        while True:
            while server.is_busy():
                self._socket.select()
                server.consume_input()
            result = server.get_result()
            if result is None:
                continue
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                return
            if server.status == pq.ConnStatus.BAD:
                raise psycopg.OperationalError(server.get_error_message(self.info.encoding))
            results.append(result)

    def _forget(self, entries: Iterable[_Entry]) -> None:
        """Take it that the server has not got the plans that were to be made."""
        for entry in entries:
            if entry.plan is not None and entry.text is not None:
                entry.plan.is_sent = False


def _written(value: Any) -> tuple[bytes | None, int]:
    """Return a parameter as the server takes it, whatever type it has given it, and the format of that.

    Numbers are texts, which fit any size. Texts are sent with their length, as a null character in them has to be seen.
    """
    if value is None:
        return None, _TEXT
    if isinstance(value, str):
        return value.encode(), _BINARY
    if isinstance(value, bool):
        return (b"t" if value else b"f"), _TEXT
    if isinstance(value, int | float):
        return str(value).encode(), _TEXT
    if isinstance(value, bytes):
        return value, _BINARY
    if isinstance(value, list):
        return _list(value), _TEXT
    raise psycopg.ProgrammingError(f"A parameter cannot be a {type(value).__name__}")


def _list(values: list[str]) -> bytes:
    """Return a list of texts as an array."""
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return ("{" + ",".join(f'"{value}"' for value in quoted) + "}").encode()
