"""Everything that is particular to PostgreSQL.

Each write is a transaction of its own (READ COMMITTED) on one of a few threads: PostgreSQL itself groups commits. What
two transactions may both change is locked first, a run by its row. Where a row does not exist yet, the unique
constraints decide, and the loser is run again and finds the winner's row.

One worker uses a database (to be exact, a schema of it) at a time. Every connection of the worker holds an advisory
lock, shared; who opens the database must have it exclusively for a moment, and writes its name into ``settings``. So
the next worker cannot get in while this one has a connection left, and once it is in, this one cannot get a new one.
The lock belongs to the session: a pooler between worker and server must be in session mode.

When the server restarts, all sessions end. The worker connects anew, takes the lock again and goes on: whatever was not
committed is done again, unless it may have been. If another worker came first, this one can never go on; it says so
through ``lost``, and should end.
"""

from __future__ import annotations

import logging
import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

import psycopg
from sqlalchemy import create_engine, text
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

from workflow_studio.worker.store._jobs import Job, Transaction, settle
from workflow_studio.worker.store._migrate import upgrade
from workflow_studio.worker.store.errors import StoreError, StoreLockedError, StoreValueError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine

    T = TypeVar("T")

_LOG: Final = logging.getLogger(__name__)
_WRITERS: Final = 8
_READERS: Final = 4
_OWNER: Final = "database_owner"
_SET_OWNER: Final = (
    "INSERT INTO settings (key, value) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
_KEY: Final = "hashtextextended('workflow-studio ' || current_schema(), 0)"
_TAKE_OVER_SECONDS: Final = 3.0
"""How long the sessions of a worker that was killed may take to end."""

# A worker whose machine vanished must not keep the next one out for hours. On a Unix socket this does nothing.
_PREPARE: Final = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
_COLLISIONS: Final = frozenset({"40001", "40P01", "23505"})
"""Serialization failure, deadlock, unique violation: another transaction came first."""

_ATTEMPTS: Final = 8
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_RECOVERY: Final = "Check the PostgreSQL server and the worker's database URL."


class _SupersededError(StoreLockedError):
    """Another worker has written its name into the database. That cannot be undone."""


class _PostgresTransaction(Transaction):
    """A transaction among others."""

    __slots__ = ()

    def lock(self, *name: str) -> None:
        """Wait until no other transaction holds the lock of this name, and hold it until this one ends."""
        self.execute(_LOCK, {"name": "\n".join(name)})


class PostgresBackend:
    """Implements :class:`workflow_studio.worker.store.database.Backend`."""

    in_order: ClassVar[bool] = False

    def __init__(self, url: str, owner: str, session: psycopg.Connection[Any]) -> None:
        self.lost: Future[StoreLockedError] = Future()
        self.lost.set_running_or_notify_cancel()  # who waits for it may stop waiting, but not cancel it
        self._url = url
        self._owner = owner
        self._losing = threading.Lock()
        self._session = session
        self._engine = _engine(self._connect, _WRITERS)
        self._read_engine = _engine(lambda: _reading(self._connect()), _READERS)
        self._threads = ThreadPoolExecutor(_WRITERS, thread_name_prefix="store-writer")
        self._closed = False

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the database and bring its schema up to date."""
        url = _for_psycopg(url)
        session = _first_session(url)
        try:
            take(session)
            _migrate(url)
            owner = uuid.uuid4().hex
            session.execute(_SET_OWNER, (_OWNER, owner))
            # Share the lock before letting go of it, so that there is no moment without.
            session.execute(f"SELECT pg_advisory_lock_shared({_KEY})")
            session.execute(f"SELECT pg_advisory_unlock({_KEY})")
            return cls(url, owner, session)
        except (psycopg.Error, DBAPIError) as error:
            session.close()
            raise StoreError(f"The database cannot be opened: {_reason(error)}", _RECOVERY) from error
        except BaseException:
            session.close()
            raise

    def submit(self, work: Callable[[Transaction], Any], *, may_wait: bool = False) -> asyncio.Future[Any]:  # noqa: ARG002  # here each write has a commit of its own
        """Queue a write."""
        if self._closed:
            raise StoreError("The database is closed.")
        job, future = Job.of_caller(work)
        self._threads.submit(self._run, job)
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
        """Close all connections, and with them let go of the lock."""
        self._engine.dispose()
        self._read_engine.dispose()
        self._session.close()

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            return _fenced(self._url, self._owner)
        except _SupersededError as error:
            with self._losing:
                if not self.lost.done():
                    self.lost.set_result(error)
            raise

    def _run(self, job: Job) -> None:
        again = Retrying(
            retry=retry_if_exception(_may_be_repeated),
            wait=wait_random_exponential(multiplier=0.002, max=0.2),
            stop=stop_after_attempt(_ATTEMPTS),
            reraise=True,
        )
        try:
            again(self._attempt, job)
        except BaseException as error:  # noqa: BLE001  # the caller must hear of it, whatever it is
            job.error = error
        settle((job,))

    def _attempt(self, job: Job) -> None:
        with self._engine.connect() as connection:
            job.transaction = _PostgresTransaction(connection)
            job.result = job.work(job.transaction)
            try:
                connection.commit()
            except DBAPIError as error:
                if _is_disconnect(error):
                    # It may have been committed, so it must not be done again.
                    raise StoreError(f"The database was lost during a commit: {_reason(error)}", _RECOVERY) from error
                raise


def _connect(url: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect(url, autocommit=True, fallback_application_name="workflow-studio-worker")
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


def take(session: psycopg.Connection[Any]) -> None:
    """Get the lock for this session alone."""

    def attempt() -> bool:
        row = session.execute(f"SELECT pg_try_advisory_lock({_KEY})").fetchone()
        return row is not None and bool(row[0])

    waiting = Retrying(
        retry=retry_if_result(lambda taken: not taken),
        wait=wait_fixed(0.1),
        stop=stop_after_delay(_TAKE_OVER_SECONDS),
        retry_error_callback=lambda _: False,
    )
    if not waiting(attempt):
        raise _locked()


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


def _fenced(url: str, owner: str) -> psycopg.Connection[Any]:
    """Return a connection that keeps other workers out, unless one has come in already."""
    connection = _connect(url)
    try:
        _fence(connection, owner)
    except BaseException:
        connection.close()
        raise
    connection.autocommit = False
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    return connection


def _fence(connection: psycopg.Connection[Any], owner: str) -> None:
    shared = connection.execute(f"SELECT pg_try_advisory_lock_shared({_KEY})").fetchone()
    # Looked at after the lock is held: from here on it cannot change.
    found = connection.execute("SELECT value FROM settings WHERE key = %s", (_OWNER,)).fetchone()
    if found is None or found[0] != owner:
        raise _SupersededError(
            "Another worker has taken over the PostgreSQL database.",
            "This one can do nothing more and should end. Run one worker per database or schema.",
        )
    if shared is None or not shared[0]:
        # Somebody is about to take over, and may fail yet.
        raise _locked()


def _reading(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    return connection


def _engine(connect: Callable[[], psycopg.Connection[Any]], size: int) -> Engine:
    return create_engine(
        "postgresql+psycopg://", creator=connect, pool_size=size, max_overflow=0, use_native_hstore=False
    )


def _plain_engine(url: str) -> Engine:
    def connect() -> psycopg.Connection[Any]:
        connection = _connect(url)
        connection.autocommit = False
        return connection

    return _engine(connect, 1)


def _migrate(url: str) -> None:
    engine = _plain_engine(url)
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def _locked() -> StoreLockedError:
    return StoreLockedError(
        "Another worker is using the PostgreSQL database.",
        "Stop that worker, or give this one a database or a schema of its own.",
    )


def _is_disconnect(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _may_be_repeated(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and (error.connection_invalidated or _state(error) in _COLLISIONS)


def _state(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""


def _reason(error: BaseException) -> str:
    return str(error.orig if isinstance(error, DBAPIError) else error).strip()
