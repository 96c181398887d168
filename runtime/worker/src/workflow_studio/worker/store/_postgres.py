"""Everything that is particular to PostgreSQL.

Each write is a transaction of its own (READ COMMITTED) on one of a few threads: PostgreSQL itself groups commits. What
two transactions may both change is locked first, a run by its row. Where a row does not exist yet, the unique
constraints decide, and the loser is run again and finds the winner's row.

When the server restarts, all sessions end. The workers connect anew and go on: whatever was not committed is done
again, unless it may have been. A session that keeps others waiting in the midst of a transaction, since its worker
stands still, is ended by the server. If the schema was changed in the meantime to one that does not serve this worker,
it can never go on; it says so through ``lost``, and should end.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

import psycopg
from psycopg import sql
from sqlalchemy import String, bindparam, func, select, text
from sqlalchemy.exc import DataError, DBAPIError
from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from workflow_studio.worker.store._jobs import FinishError, Job, Transaction, settle
from workflow_studio.worker.store._migrate import HEAD
from workflow_studio.worker.store._postgres_sessions import (
    OPTIONS,
    RECOVERY,
    engine_of,
    first_session,
    for_psycopg,
    let_go,
    made_ready,
    migrate,
    reading,
    reason_of,
    share,
)
from workflow_studio.worker.store._session import Session
from workflow_studio.worker.store.errors import StoreError, StoreLockedError, StoreValueError
from workflow_studio.worker.store.statements import Row, Statement
from workflow_studio.worker.store.tally import StoreTally

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from sqlalchemy import Connection

    from workflow_studio.worker.store._jobs import Ahead

    T = TypeVar("T")

_LOG: Final = logging.getLogger(__name__)
_WRITERS: Final = 8
_READERS: Final = 4
_TOGETHER: Final = 64
"""Writes that share a commit at most."""

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0

_TIME: Final = text(
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, "
    "(extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint"
)
_CHANNEL: Final = "'workflow_studio_' || md5(current_schema())"
_TELL: Final = text(f"SELECT pg_notify({_CHANNEL}, :said)")
_COLLISIONS: Final = frozenset({"40001", "40P01", "23505"})
"""Serialization failure, deadlock, unique violation: another transaction came first."""

_ATTEMPTS: Final = 8
_LOCK: Final = Statement(select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("name", type_=String), 0))))


class _CommitLostError(StoreError):
    """Nobody knows whether a transaction was committed."""


class _PostgresTransaction(Transaction):
    """A transaction among others."""

    __slots__ = ()
    asks_ahead: ClassVar[bool] = True

    def lock(self, *name: str) -> None:
        """Wait until no other transaction holds the lock of this name, and hold it until this one ends."""
        if name not in self.locks:
            self.locks.add(name)
            # Nobody looks at anything before it is held: what is sent after it is done after it.
            _LOCK.send(self.connection, {"name": "\n".join(name)})

    def ask_ahead(self, query: Statement, parameters: Mapping[str, Any]) -> None:
        """Ask a query that will be executed in the transaction."""
        query.ask_ahead(self.connection, parameters)

    def forget_ahead(self, query: Statement | None = None, parameters: Mapping[str, Any] | None = None) -> None:
        """Forget what was asked ahead."""
        session: Any = self.connection.connection.dbapi_connection
        if query is None:
            session.forget_ahead()
        elif session.has_asked_ahead:
            query.forget_ahead(self.connection, parameters or {})


class PostgresBackend:
    """Implements :class:`workflow_studio.worker.store.database.Backend`."""

    in_order: ClassVar[bool] = False
    answers_at_once: ClassVar[bool] = False

    def __init__(self, url: str, session: psycopg.Connection[Any]) -> None:
        self.lost: Future[StoreLockedError] = Future()
        self.lost.set_running_or_notify_cancel()  # who waits for it may stop waiting, but not cancel it
        self._losing = threading.Lock()
        self._url = url
        self._session = session
        self._engine = engine_of(self._connect, _WRITERS)
        self._read_engine = engine_of(lambda: reading(self._connect()), _READERS)
        self._threads = ThreadPoolExecutor(_WRITERS, thread_name_prefix="store-writer")
        self._gathering = threading.Lock()
        self._waiting: dict[str, list[Job]] = {}
        self._closed = False
        self.tally = StoreTally()

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the database and bring its schema up to date."""
        url = for_psycopg(url)
        session = first_session(url)
        try:
            alone = migrate(url, session)
            # A migration may have taken the lock alone; it is shared before that is let go of.
            share(session)
            if alone:
                let_go(session)
        except (psycopg.Error, DBAPIError) as error:
            session.close()
            raise StoreError(f"The database cannot be opened: {reason_of(error)}", RECOVERY) from error
        except BaseException:
            session.close()
            raise
        return cls(url, session)

    def submit(
        self,
        work: Callable[[Transaction], Any],
        *,
        may_wait: bool = False,  # noqa: ARG002  # no write waits for others but those about the same run
        about: str | None = None,
        ahead: Ahead | None = None,
    ) -> asyncio.Future[Any]:
        """Queue a write."""
        if self._closed:
            raise StoreError("The database is closed.")
        job, future = Job.of_caller(work, ahead)
        if about is None:
            self._threads.submit(self._run, [job])
            return future
        with self._gathering:
            waiting = self._waiting.get(about)
            if waiting is None:
                self._waiting[about] = [job]
                # What is asked for in the same turn of the event loop is done with it.
                job.loop.call_soon(self._begin_about, about)
            else:
                waiting.append(job)
        return future

    def hurry(self) -> None:
        """Do nothing: no write waits for others."""

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run reads that see one state, on the calling thread; once more if the connection turns out to be dead."""

        def attempt() -> T:
            with self._read_engine.connect() as connection:
                return work(connection)

        return _READ_AGAIN(attempt)

    def first(self, query: Statement, parameters: Mapping[str, Any]) -> Row | None:
        """Return the first row of a query, which is a transaction by itself: it need be neither begun nor ended."""

        def attempt() -> Row | None:
            with self._read_engine.connect() as connection:
                session: Any = connection.connection.dbapi_connection
                with session.without_transaction():
                    return query.first(connection, parameters)

        return _READ_AGAIN(attempt)

    def failure(self, error: DBAPIError) -> Exception:
        """Return what a failed statement is to the caller."""
        state = _state(error)
        # 54: a limit of the server, such as that of a key in an index.
        if isinstance(error, DataError) or state.startswith("54"):
            return StoreValueError(f"The database cannot hold a value: {reason_of(error)}", "Send another value.")
        if state.startswith("23"):
            return error
        return StoreError(f"The database failed: {reason_of(error)}", RECOVERY)

    def finish(self) -> None:
        """Finish the writes that are queued."""
        self._closed = True
        self._threads.shutdown()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
        self._read_engine.dispose()
        self._session.close()

    def server_time(self, connection: Connection) -> tuple[int, int]:
        """Return the server's time, and when it was started; both in epoch milliseconds."""
        now, since = connection.execute(_TIME).one()
        return now, since

    def tell(self, connection: Connection, said: str) -> None:
        """Tell all workers something once the transaction is committed."""
        connection.execute(_TELL, {"said": said})

    async def listen(self) -> AsyncGenerator[str | None, None]:
        """Give what the workers tell each other from now on, and None whenever something may have been missed."""
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            try:
                connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, **OPTIONS)
                async with connection:
                    await connection.execute(await _listening(connection))
                    yield None
                    pause = 0.0
                    async for notification in connection.notifies():
                        yield notification.payload
            except psycopg.Error as error:
                pause = min(max(_FIRST_PAUSE, 2 * pause), _LONGEST_PAUSE)
                _LOG.warning("What the workers tell each other is not heard for now: %s", str(error).strip())

    def _connect(self) -> Session:
        connection = made_ready(Session.connect(self._url, autocommit=True, prepare_threshold=None, **OPTIONS))
        try:
            share(connection)
            self._check_schema(connection)
        except BaseException:
            connection.close()
            raise
        connection.autocommit = False
        return connection

    def _check_schema(self, connection: psycopg.Connection[Any]) -> None:
        # Looked at after the lock is shared: from here on it cannot change.
        row = connection.execute("SELECT max(revision) FROM schema_serves").fetchone()
        if row is None or row[0] is None or row[0] <= HEAD:
            return
        error = StoreLockedError(
            f"The database was migrated for workers that know the schema {row[0]}; this one knows {HEAD}.",
            "Run the version of the worker that migrated it, or a newer one.",
        )
        with self._losing:
            if not self.lost.done():
                self.lost.set_result(error)
        raise error

    def _begin_about(self, about: str) -> None:
        try:
            self._threads.submit(self._run_about, about)
        except RuntimeError:  # they have ended meanwhile
            with self._gathering:
                jobs = self._waiting.pop(about)
            for job in jobs:
                job.error = StoreError("The database is closed.")
            settle(jobs)

    def _run_about(self, about: str) -> None:
        """Do what is to be written about a run, until there is nothing more."""
        while True:
            with self._gathering:
                waiting = self._waiting[about]
                if not waiting:
                    del self._waiting[about]
                    return
                jobs, self._waiting[about] = waiting[:_TOGETHER], waiting[_TOGETHER:]
            self._run(jobs)

    def _run(self, jobs: list[Job]) -> None:
        if len(jobs) > 1 and self._did_together(jobs):
            settle(jobs)
            return
        for job in jobs:
            self._run_alone(job)
            settle((job,))

    def _did_together(self, jobs: list[Job]) -> bool:
        """Do writes in one transaction, and tell whether that was decided; if not, nothing of them has been done."""
        try:
            self._attempt(jobs)
        except _CommitLostError as error:
            for job in jobs:
                job.error = error
        except Exception:  # noqa: BLE001  # whose it is shows when each is done by itself
            _LOG.debug("%d writes could not be done together.", len(jobs), exc_info=True)
            return False
        return True

    def _run_alone(self, job: Job) -> None:
        try:
            _WRITE_AGAIN(self._attempt, [job])
        except BaseException as error:  # noqa: BLE001  # the caller must hear of it, whatever it is
            job.error = error

    def _attempt(self, jobs: list[Job]) -> None:
        begun: list[_PostgresTransaction] = []
        with self._engine.connect() as connection:
            connection.begin()
            try:
                for job in jobs:
                    transaction = _PostgresTransaction(connection)
                    transaction.is_repeated = job.transaction is not None
                    transaction.has_company = len(jobs) > 1
                    transaction.is_followed = job is not jobs[-1]
                    if begun:
                        transaction.join(begun[-1])
                    begun.append(transaction)
                    job.transaction = transaction
                    if job.ahead is not None:
                        job.ahead(transaction)
                for job, transaction in zip(jobs, begun, strict=True):
                    job.result = job.work(transaction)
                self._commit(connection, len(jobs))
            except BaseException:
                for given_up in begun:
                    given_up.undone()
                raise

    def _commit(self, connection: Connection, writes: int) -> None:
        try:
            began = time.perf_counter()
            connection.commit()
            self.tally.committed(writes, time.perf_counter() - began)
        except DBAPIError as error:
            if _is_disconnect(error):
                # It may have been committed, so it must not be done again.
                problem = f"The database was lost during a commit: {reason_of(error)}"
                raise _CommitLostError(problem, RECOVERY) from error
            raise


async def _listening(connection: psycopg.AsyncConnection[Any]) -> sql.Composed:
    (row,) = await (await connection.execute(f"SELECT {_CHANNEL}")).fetchall()
    return sql.SQL("LISTEN {}").format(sql.Identifier(row[0]))


def _is_disconnect(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _may_be_repeated(error: BaseException) -> bool:
    if isinstance(error, FinishError):
        return True
    return isinstance(error, DBAPIError) and (error.connection_invalidated or _state(error) in _COLLISIONS)


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


_WRITE_AGAIN: Final = Retrying(
    retry=retry_if_exception(_may_be_repeated),
    wait=wait_random_exponential(multiplier=0.002, max=0.2),
    stop=stop_after_attempt(_ATTEMPTS),
    reraise=True,
)
_READ_AGAIN: Final = Retrying(retry=retry_if_exception(_is_disconnect), stop=stop_after_attempt(2), reraise=True)
