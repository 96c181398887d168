"""The database: writes in transactions, reads of one state, whichever database it is."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, Self, TypeVar, runtime_checkable

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from workflow_studio.worker.store._jobs import FinishError, Job
from workflow_studio.worker.store.errors import StoreError, StoreValueError
from workflow_studio.worker.store.tally import StoreTally

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import AsyncGenerator, Callable, Mapping

    from sqlalchemy import Connection

    from workflow_studio.worker.store._jobs import Ahead, Transaction
    from workflow_studio.worker.store.errors import StoreLockedError
    from workflow_studio.worker.store.statements import Row, Statement

T = TypeVar("T")
_LOG: Final = logging.getLogger(__name__)
LAZILY: Final = {"stream_results": True, "max_row_buffer": 16}
"""Execution options of a query whose rows may be large: those that are not read stay in the database."""

MAX_SAID: Final = 7_000
"""Bytes that workers tell each other at a time; PostgreSQL takes 8,000."""

_READERS = 4
_POSTGRES = frozenset({"postgresql", "postgres", "postgresql+psycopg"})


class Backend(Protocol):
    """What is particular to a database.

    Attributes:
        in_order: Whether writes are committed in the order they are submitted in.
        lost: Gets its result, once, if another worker has changed the database so that this one cannot use it any more.
    """

    in_order: ClassVar[bool]
    lost: concurrent.futures.Future[StoreLockedError]

    def submit(
        self,
        work: Callable[[Transaction], Any],
        *,
        may_wait: bool = False,
        about: str | None = None,
        ahead: Ahead | None = None,
    ) -> asyncio.Future[Any]:
        """Queue a write; the future resolves after the commit. See :meth:`Database.write`."""

    def hurry(self) -> None:
        """Have the writes done now that wait for others."""

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run reads that see one state, on the calling thread."""

    def failure(self, error: DBAPIError) -> Exception:
        """Return what a failed statement is to the caller."""

    def finish(self) -> None:
        """Finish the writes that are queued."""

    def close(self) -> None:
        """Close all connections and let go of the lock."""


@runtime_checkable
class CanFollowUp(Protocol):
    """A backend that does one thing after the other, and more than one in a commit."""

    def follow_up(self, make_job: Callable[[], Job]) -> None:
        """Have a job done at the end of every commit with a write that wants it."""


@runtime_checkable
class CanAnswer(Protocol):
    """A backend that makes less of a read that is one query.

    Attributes:
        answers_at_once: Whether an answer takes no longer than it takes to have another thread ask.
    """

    answers_at_once: ClassVar[bool]

    def first(self, query: Statement, parameters: Mapping[str, Any]) -> Row | None:
        """Return the first row of a query, if there is one, on the calling thread."""


@runtime_checkable
class Shared(Protocol):
    """A backend of a database that several workers may have open at the same time.

    One without this is taken to be one worker's alone, as an SQLite file is.
    """

    def server_time(self, connection: Connection) -> tuple[int, int]:
        """Return the database's time, and when it was started; both in epoch milliseconds."""

    def tell(self, connection: Connection, said: str) -> None:
        """Tell all workers something once the transaction is committed; at most :data:`MAX_SAID` bytes."""

    def listen(self) -> AsyncGenerator[str | None, None]:
        """Give what the workers tell each other, this one included, from now on.

        None comes first, and again whenever something may have been missed: the connection was lost, and is there
        again.
        """


class _Outcome:
    """Waits for a follow-up: there is one for each commit, and the result of each counts."""

    def __init__(self, done: Callable[[Any], None], failed: Callable[[BaseException], None]) -> None:
        self.set_result = done
        self.set_exception = failed

    def done(self) -> bool:
        """Tell whether it waits no more."""
        return False


def open_backend(location: str | Path) -> Backend:
    """Open a database, create what is missing, and bring its schema up to date; see :meth:`Database.open`."""
    if is_postgres(location):
        # Imported only where it is used: psycopg is an extra.
        from workflow_studio.worker.store._postgres import PostgresBackend  # noqa: PLC0415

        return PostgresBackend.open(str(location))
    from workflow_studio.worker.store._sqlite_backend import SqliteBackend  # noqa: PLC0415

    return SqliteBackend.open(path_of(location))


class Database:
    """The worker's durable state. Make one with :meth:`open`, or of a backend that is open.

    Attributes:
        follows_up: Whether :meth:`follow_up` has been given something to do.
        finishes: Whether :meth:`finish_writes` has.
        tally: What the store has done. A backend that keeps a tally of its own shows its commits there.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        # To ask a protocol takes longer than many a statement.
        self._answer = backend.first if isinstance(backend, CanAnswer) else None
        self._answers_at_once = isinstance(backend, CanAnswer) and backend.answers_at_once
        self._shared = backend if isinstance(backend, Shared) else None
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        self._closed = False
        self._companions: list[Callable[[Transaction], None]] = []
        self._finish: Callable[[Transaction, bool], None] | None = None
        self.follows_up = False
        self.finishes = False
        self.tally: StoreTally = getattr(backend, "tally", None) or StoreTally()

    @classmethod
    def open(cls, location: str | Path) -> Self:
        """Open the database, create what is missing, and bring its schema up to date.

        Args:
            location: The path of an SQLite file, or a URL: ``sqlite:///path`` or ``postgresql://…``, as libpq takes it.

        Raises:
            StoreLockedError: If another worker has it open.
            StoreVersionError: If a newer worker wrote it.
            StoreError: If it cannot be opened.
        """
        return cls(open_backend(location))

    async def write(
        self,
        work: Callable[[Transaction], T],
        *,
        may_wait: bool = False,
        about: str | None = None,
        ahead: Ahead | None = None,
    ) -> T:
        """Run ``work`` in a transaction and return its result once it is durable.

        An exception undoes this write alone, whatever it is committed together with. If the caller is cancelled, the
        write happens nevertheless. ``work`` may be run again from the start when the transaction collides with
        another, so it must have no effect outside; :meth:`Transaction.after_commit` is for those. It sees the caller's
        context variables.

        Args:
            work: Writes.
            may_wait: Whether this write may wait some milliseconds for one that may not, so that both share a commit;
                not for longer than until :meth:`hurry`.
            about: The one run that this write locks, and locks before anything else. Where writes go on side by side,
                those about the same run would wait for each other; so they share a commit.
            ahead: Asks ahead what this write will want to know (:meth:`.Transaction.ask_ahead`), for all writes of a
                commit before the first of them; called only where an answer takes a round trip to a server.

        Raises:
            StoreValueError: If the database cannot hold a value.
            StoreError: If the database fails or is closed.
        """
        context = copy_context()
        failures: list[Exception] = []
        try:
            result: T = await self._backend.submit(
                lambda transaction: context.run(self._do, work, transaction, failures),
                may_wait=may_wait,
                about=about,
                ahead=ahead,
            )
        except DBAPIError as error:
            raise self._failure(error) from error
        return result

    def hurry(self) -> None:
        """Have the writes committed now that wait for others."""
        self._backend.hurry()

    def _failure(self, error: DBAPIError) -> Exception:
        failure = self._backend.failure(error)
        if isinstance(failure, StoreError) and not isinstance(failure, StoreValueError):
            self.tally.failed()
        return failure

    @property
    def in_order(self) -> bool:
        """Whether a write is committed no later than those that are begun after it."""
        return self._backend.in_order

    @property
    def is_shared(self) -> bool:
        """Whether several workers may have it open at the same time."""
        return self._shared is not None

    def server_time(self, connection: Connection) -> tuple[int, int] | None:
        """Return the time of a shared database, and when it was started, in epoch milliseconds."""
        return None if self._shared is None else self._shared.server_time(connection)

    def tell(self, transaction: Transaction, said: str) -> None:
        """Tell all workers something once the transaction is committed, where there can be several."""
        if self._shared is not None:
            self._shared.tell(transaction.connection, said)

    def listen(self) -> AsyncGenerator[str | None, None] | None:
        """Give what the workers of a shared database tell each other; see :meth:`Shared.listen`."""
        return None if self._shared is None else self._shared.listen()

    def before_commit(self, companion: Callable[[Transaction], None]) -> None:
        """Have ``companion`` called at the end of every write, in its transaction and its caller's context."""
        self._companions.append(companion)

    def follow_up(
        self,
        work: Callable[[Transaction], T],
        *,
        done: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> bool:
        """Have ``work`` done in the commit of every write that wants a follow-up, after all of these writes.

        So what it does costs no commit of its own. It is like a write of its own in all else.

        Args:
            work: Sees all that was written.
            done: Gets the result on this event loop, once it is durable.
            failed: Gets the error on this event loop; then ``work`` has been undone.

        Returns:
            False if this database does not do that: its writes go on at the same time.
        """
        backend = self._backend
        if not isinstance(backend, CanFollowUp):
            return False
        loop = asyncio.get_running_loop()
        outcome = _Outcome(done, failed)
        backend.follow_up(lambda: Job(lambda transaction: self._do(work, transaction, []), loop, outcome))
        self.follows_up = True
        return True

    def finish_writes(self, finish: Callable[[Transaction, bool], None]) -> None:
        """Have ``finish`` called at the end of every write that leaves something in :attr:`Transaction.due`.

        It works in the write's transaction, on the write's thread, beside other writes where these go on side by side.

        Args:
            finish: Gets the transaction, and whether it has failed at this write before. If it fails, the write is done
                once more, and should not be kept from being done by that.
        """
        self._finish = finish
        self.finishes = True

    def _do(self, work: Callable[[Transaction], T], transaction: Transaction, failures: list[Exception]) -> T:
        result = work(transaction)
        if transaction.due and self._finish is not None and not transaction.is_followed:
            self._finish_one(self._finish, transaction, failures)
        transaction.end()
        for companion in self._companions:
            companion(transaction)
        return result

    @staticmethod
    def _finish_one(
        finish: Callable[[Transaction, bool], None], transaction: Transaction, failures: list[Exception]
    ) -> None:
        try:
            # What the write's caller is, it is not.
            Context().run(finish, transaction, bool(failures))
        except DBAPIError:
            raise
        except Exception as error:
            if failures:
                raise
            _LOG.exception("What follows from a write could not be done with it.")
            failures.append(error)
            raise FinishError from error

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` on a connection of which all reads see one state, and return its result.

        Raises:
            StoreValueError: If the database cannot hold a value.
            StoreError: If the database fails or is closed.
        """
        return await self._on_reader(self._backend.read, work)

    def _at_once(self, read: Callable[..., T], *arguments: Any) -> T:
        self._require_open()
        try:
            return read(*arguments)
        except DBAPIError as error:
            raise self._failure(error) from error

    def _require_open(self) -> None:
        if self._closed:
            raise StoreError("The database is closed.")

    async def _on_reader(self, read: Callable[..., T], *arguments: Any) -> T:
        self._require_open()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, read, *arguments)
        except DBAPIError as error:
            raise self._failure(error) from error

    async def first(self, query: Statement, parameters: Mapping[str, Any]) -> Row | None:
        """Return the first row of a query, if there is one. It sees whatever was committed before.

        Raises:
            StoreValueError: If the database cannot hold a value.
            StoreError: If the database fails or is closed.
        """
        if self._answer is not None:
            if self._answers_at_once:
                return self._at_once(self._answer, query, parameters)
            return await self._on_reader(self._answer, query, parameters)
        return await self.read(lambda connection: query.first(connection, parameters))

    @property
    def is_lost(self) -> bool:
        """Whether another worker has changed the database so that this one can do nothing more with it."""
        return self._backend.lost.done()

    async def wait_until_lost(self) -> StoreLockedError:
        """Wait until another worker changes the database so that this one cannot use it; return what to say then.

        That happens to a worker whose sessions ended, and is noticed at its next read or write.
        """
        return await asyncio.wrap_future(self._backend.lost)

    async def close(self) -> None:
        """Finish what is under way, close all connections and let go of the lock."""
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._backend.finish()
        self._readers.shutdown()
        self._backend.close()


def is_postgres(location: str | Path) -> bool:
    """Whether this is the URL of a PostgreSQL database."""
    return isinstance(location, str) and location.partition("://")[0] in _POSTGRES


def path_of(location: str | Path) -> Path:
    """Return the path of an SQLite database.

    Raises:
        StoreError: If ``location`` is neither a path nor the URL of one.
    """
    if isinstance(location, str) and "://" in location:
        try:
            url = make_url(location)
        except ArgumentError as error:
            raise StoreError(
                "The database URL cannot be understood.",
                "Use the form sqlite:///path/to/file or postgresql://user@host/database.",
            ) from error
        if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
            raise StoreError(
                f"The worker cannot use a {url.get_backend_name()} database like this.",
                "Give the path of an SQLite file, sqlite:///path/to/file, or postgresql://user@host/database.",
            )
        return Path(url.database)
    return Path(location)
