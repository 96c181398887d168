"""Everything that is particular to PostgreSQL.

Each write is a transaction of its own (READ COMMITTED) on one of a few threads: PostgreSQL itself groups commits. What
two transactions may both change is locked first, a run by its row. Where a row does not exist yet, the unique
constraints decide, and the loser is run again and finds the winner's row.

Any number of workers use a database (to be exact, a schema of it) at the same time. Their sessions share an advisory
lock; a migration that the workers of the version before would not understand has it alone. The lock belongs to the
session: a pooler between worker and server must be in session mode.

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
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

import psycopg
from psycopg import sql
from sqlalchemy import String, bindparam, create_engine, func, select, text
from sqlalchemy.exc import DataError, DBAPIError
from tenacity import (
    Retrying,
    retry_if_exception,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
    wait_random_exponential,
)

from workflow_studio.worker.store._jobs import FinishError, Job, Transaction, settle
from workflow_studio.worker.store._migrate import HEAD, upgrade
from workflow_studio.worker.store._session import Session
from workflow_studio.worker.store.errors import StoreError, StoreLockedError, StoreValueError
from workflow_studio.worker.store.statements import Statement
from workflow_studio.worker.store.tally import StoreTally

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from sqlalchemy import Connection, Engine

    T = TypeVar("T")
    C = TypeVar("C", bound=psycopg.Connection[Any])

_LOG: Final = logging.getLogger(__name__)
_WRITERS: Final = 8
_READERS: Final = 4
_TOGETHER: Final = 32
"""Writes that share a commit at most."""

_KEY: Final = "hashtextextended('workflow-studio ' || current_schema(), 0)"
_ALONE: Final = "pg_try_advisory_lock"
_LEAVING_SECONDS: Final = 3.0
"""How long the sessions of a worker that was killed may take to end."""

_MIGRATING_SECONDS: Final = 30.0
"""How long others may keep the database to themselves."""

# A worker whose machine vanished, or that stands still, must not keep the others waiting for hours.
_PREPARE: Final = (
    "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; "
    "SET idle_in_transaction_session_timeout = '15s'; "
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE"
)
_READS: Final = "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SESSION: Final[dict[str, Any]] = {
    "fallback_application_name": "workflow-studio-worker",
    # The same for a server that vanished.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
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
_RECOVERY: Final = "Check the PostgreSQL server and the worker's database URL."


class _CommitLostError(StoreError):
    """Nobody knows whether a transaction was committed."""


class _PostgresTransaction(Transaction):
    """A transaction among others."""

    __slots__ = ()

    def lock(self, *name: str) -> None:
        """Wait until no other transaction holds the lock of this name, and hold it until this one ends."""
        # Nobody looks at anything before it is held: what is sent after it is done after it.
        _LOCK.send(self.connection, {"name": "\n".join(name)})


class PostgresBackend:
    """Implements :class:`workflow_studio.worker.store.database.Backend`."""

    in_order: ClassVar[bool] = False

    def __init__(self, url: str, session: psycopg.Connection[Any]) -> None:
        self.lost: Future[StoreLockedError] = Future()
        self.lost.set_running_or_notify_cancel()  # who waits for it may stop waiting, but not cancel it
        self._losing = threading.Lock()
        self._url = url
        self._session = session
        self._engine = _engine(self._connect, _WRITERS)
        self._read_engine = _engine(lambda: _reading(self._connect()), _READERS)
        self._threads = ThreadPoolExecutor(_WRITERS, thread_name_prefix="store-writer")
        self._gathering = threading.Lock()
        self._waiting: dict[str, list[Job]] = {}
        self._closed = False
        self.tally = StoreTally()

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the database and bring its schema up to date."""
        url = _for_psycopg(url)
        session = _first_session(url)
        try:
            alone = _migrate(url, session)
            # A migration may have taken the lock alone; it is shared before that is let go of.
            _share(session)
            if alone:
                session.execute(f"SELECT pg_advisory_unlock({_KEY})")
        except (psycopg.Error, DBAPIError) as error:
            session.close()
            raise StoreError(f"The database cannot be opened: {_reason(error)}", _RECOVERY) from error
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
    ) -> asyncio.Future[Any]:
        """Queue a write."""
        if self._closed:
            raise StoreError("The database is closed.")
        job, future = Job.of_caller(work)
        if about is None:
            self._threads.submit(self._run, [job])
            return future
        with self._gathering:
            waiting = self._waiting.get(about)
            if waiting is None:
                self._waiting[about] = [job]
                self._threads.submit(self._run_about, about)
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

        again = Retrying(retry=retry_if_exception(_is_disconnect), stop=stop_after_attempt(2), reraise=True)
        return again(attempt)

    def failure(self, error: DBAPIError) -> Exception:
        """Return what a failed statement is to the caller."""
        state = _state(error)
        # 54: a limit of the server, such as that of a key in an index.
        if isinstance(error, DataError) or state.startswith("54"):
            return StoreValueError(f"The database cannot hold a value: {_reason(error)}", "Send another value.")
        if state.startswith("23"):
            return error
        return StoreError(f"The database failed: {_reason(error)}", _RECOVERY)

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
                connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True, **_SESSION)
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
        connection = _made_ready(Session.connect(self._url, autocommit=True, prepare_threshold=None, **_SESSION))
        try:
            _share(connection)
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
        again = Retrying(
            retry=retry_if_exception(_may_be_repeated),
            wait=wait_random_exponential(multiplier=0.002, max=0.2),
            stop=stop_after_attempt(_ATTEMPTS),
            reraise=True,
        )
        try:
            again(self._attempt, [job])
        except BaseException as error:  # noqa: BLE001  # the caller must hear of it, whatever it is
            job.error = error

    def _attempt(self, jobs: list[Job]) -> None:
        begun: list[Transaction] = []
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
                problem = f"The database was lost during a commit: {_reason(error)}"
                raise _CommitLostError(problem, _RECOVERY) from error
            raise


def _connect(url: str) -> psycopg.Connection[Any]:
    return _made_ready(psycopg.connect(url, autocommit=True, **_SESSION))


def _made_ready(connection: C) -> C:
    connection.execute(_PREPARE)
    return connection


@contextmanager
def session_and_engine(url: str) -> Iterator[tuple[psycopg.Connection[Any], Engine]]:
    """Connect to a database for work on it that is no worker's."""
    url = _for_psycopg(url)
    with _first_session(url) as session:
        engine = _plain_engine(url)
        try:
            yield session, engine
        finally:
            engine.dispose()


def reader(url: str) -> Engine:
    """Return an engine to look at a database with, whoever else uses it."""
    url = _for_psycopg(url)
    _first_session(url).close()
    return _plain_engine(url)


async def _listening(connection: psycopg.AsyncConnection[Any]) -> sql.Composed:
    (row,) = await (await connection.execute(f"SELECT {_CHANNEL}")).fetchall()
    return sql.SQL("LISTEN {}").format(sql.Identifier(row[0]))


def take(session: psycopg.Connection[Any]) -> None:
    """Get the lock for this session alone.

    Raises:
        StoreLockedError: If a worker uses the database.
    """
    if not _waited(session, _ALONE, _LEAVING_SECONDS):
        raise StoreLockedError(
            "A worker is using the PostgreSQL database.",
            "Stop all workers that use it, or name another database or schema.",
        )


def _share(session: psycopg.Connection[Any]) -> None:
    """Share the lock; wait for a migration that has it alone."""
    if not _waited(session, "pg_try_advisory_lock_shared", _MIGRATING_SECONDS):
        raise StoreLockedError(
            f"The PostgreSQL database has been kept by another process for more than {_MIGRATING_SECONDS:g} s.",
            "It may be migrating it: wait for its end, and start again.",
        )


def _waited(session: psycopg.Connection[Any], how: str, seconds: float) -> bool:
    """Try to get the lock for so long, and return whether it is held."""
    waiting = Retrying(
        retry=retry_if_result(lambda got: not got),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(seconds),
        retry_error_callback=lambda _: False,
    )
    return bool(waiting(_got, session, how))


def _got(session: psycopg.Connection[Any], how: str) -> bool:
    """Try to get the lock, and return whether it is held."""
    row = session.execute(f"SELECT {how}({_KEY})").fetchone()
    return row is not None and bool(row[0])


def look_at(url: str) -> tuple[str | None, str | None, bool]:
    """Return the revision of the schema, the oldest one it serves, and whether a worker uses the database."""
    with _first_session(_for_psycopg(url)) as session:
        try:
            known = [
                session.execute("SELECT to_regclass(%s)", (table,)).fetchone() != (None,)
                for table in ("alembic_version", "schema_serves")
            ]
            row = session.execute("SELECT version_num FROM alembic_version").fetchone() if known[0] else None
            serves = session.execute("SELECT revision FROM schema_serves").fetchone() if known[1] else None
            free = session.execute(f"SELECT pg_try_advisory_lock({_KEY})").fetchone()  # let go of with the session
        except psycopg.Error as error:
            raise StoreError(f"The database cannot be read: {_reason(error)}", _RECOVERY) from error
        return (str(row[0]) if row else None), (str(serves[0]) if serves else None), not (free and free[0])


def _for_psycopg(url: str) -> str:
    return "postgresql://" + url.partition("://")[2]


def _first_session(url: str) -> psycopg.Connection[Any]:
    try:
        return _connect(url)
    except psycopg.ProgrammingError:
        # Its message quotes the URL, and the password in it.
        raise StoreError(
            "The database URL cannot be understood.",
            "Use the form postgresql://user:password@host:5432/database, with %-escapes in user and password.",
        ) from None
    except psycopg.Error as error:
        raise StoreError(f"The database cannot be reached: {str(error).strip()}", _RECOVERY) from error


def _reading(connection: Session) -> Session:
    connection.autocommit = True
    connection.execute(_READS)
    connection.autocommit = False
    return connection


def _engine(connect: Callable[[], psycopg.Connection[Any]], size: int) -> Engine:
    return create_engine(
        "postgresql+psycopg://",
        creator=connect,
        pool_size=size,
        max_overflow=0,
        # The session that was used last has what it needs at hand, and so has its process of the server.
        pool_use_lifo=True,
        use_native_hstore=False,
    )


def _plain_engine(url: str) -> Engine:
    def connect() -> psycopg.Connection[Any]:
        connection = _connect(url)
        connection.autocommit = False
        return connection

    return _engine(connect, 1)


def _migrate(url: str, session: psycopg.Connection[Any]) -> bool:
    """Bring the schema up to date; return whether the session had to take the lock alone for that."""
    alone = False

    def is_alone() -> bool:
        nonlocal alone
        alone = _got(session, _ALONE)
        return alone

    engine = _plain_engine(url)
    try:
        upgrade(engine, is_alone=is_alone)
    finally:
        engine.dispose()
    return alone


def _is_disconnect(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _may_be_repeated(error: BaseException) -> bool:
    if isinstance(error, FinishError):
        return True
    return isinstance(error, DBAPIError) and (error.connection_invalidated or _state(error) in _COLLISIONS)


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _reason(error: BaseException) -> str:
    return str(error.orig if isinstance(error, DBAPIError) else error).strip()
