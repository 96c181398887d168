"""Sessions of a PostgreSQL server, and the lock that those of workers share.

Any number of workers use a database (to be exact, a schema of it) at the same time. Their sessions share an advisory
lock; a migration that the workers of the version before would not understand has it alone. The lock belongs to the
session: a pooler between worker and server must be in session mode.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from workflow_studio.worker.store._migrate import upgrade
from workflow_studio.worker.store.errors import StoreError, StoreLockedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from workflow_studio.worker.store._session import Session

    C = TypeVar("C", bound=psycopg.Connection[Any])

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
OPTIONS: Final[dict[str, Any]] = {
    "fallback_application_name": "workflow-studio-worker",
    # The same for a server that vanished.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
RECOVERY: Final = "Check the PostgreSQL server and the worker's database URL."


def _connect(url: str) -> psycopg.Connection[Any]:
    return made_ready(psycopg.connect(url, autocommit=True, **OPTIONS))


def made_ready(connection: C) -> C:
    """Return a session whose server does not wait for it for ever."""
    connection.execute(_PREPARE)
    return connection


@contextmanager
def session_and_engine(url: str) -> Iterator[tuple[psycopg.Connection[Any], Engine]]:
    """Connect to a database for work on it that is no worker's."""
    url = for_psycopg(url)
    with first_session(url) as session:
        engine = _plain_engine(url)
        try:
            yield session, engine
        finally:
            engine.dispose()


def reader(url: str) -> Engine:
    """Return an engine to look at a database with, whoever else uses it."""
    url = for_psycopg(url)
    first_session(url).close()
    return _plain_engine(url)


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


def share(session: psycopg.Connection[Any]) -> None:
    """Share the lock; wait for a migration that has it alone."""
    if not _waited(session, "pg_try_advisory_lock_shared", _MIGRATING_SECONDS):
        raise StoreLockedError(
            f"The PostgreSQL database has been kept by another process for more than {_MIGRATING_SECONDS:g} s.",
            "It may be migrating it: wait for its end, and start again.",
        )


def let_go(session: psycopg.Connection[Any]) -> None:
    """Let go of the lock that the session has alone, and keep its share."""
    session.execute(f"SELECT pg_advisory_unlock({_KEY})")


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
    with first_session(for_psycopg(url)) as session:
        try:
            known = [
                session.execute("SELECT to_regclass(%s)", (table,)).fetchone() != (None,)
                for table in ("alembic_version", "schema_serves")
            ]
            row = session.execute("SELECT version_num FROM alembic_version").fetchone() if known[0] else None
            serves = session.execute("SELECT revision FROM schema_serves").fetchone() if known[1] else None
            free = session.execute(f"SELECT pg_try_advisory_lock({_KEY})").fetchone()  # let go of with the session
        except psycopg.Error as error:
            raise StoreError(f"The database cannot be read: {reason_of(error)}", RECOVERY) from error
        return (str(row[0]) if row else None), (str(serves[0]) if serves else None), not (free and free[0])


def for_psycopg(url: str) -> str:
    """Return the URL as libpq takes it."""
    return "postgresql://" + url.partition("://")[2]


def first_session(url: str) -> psycopg.Connection[Any]:
    """Connect to a database whose URL nobody has tried yet.

    Raises:
        StoreError: If that fails, or the URL cannot be understood.
    """
    try:
        return _connect(url)
    except psycopg.ProgrammingError:
        # Its message quotes the URL, and the password in it.
        raise StoreError(
            "The database URL cannot be understood.",
            "Use the form postgresql://user:password@host:5432/database, with %-escapes in user and password.",
        ) from None
    except psycopg.Error as error:
        raise StoreError(f"The database cannot be reached: {str(error).strip()}", RECOVERY) from error


def reading(connection: Session) -> Session:
    """Return a session all of whose reads in a transaction see one state."""
    connection.autocommit = True
    connection.execute(_READS)
    connection.autocommit = False
    return connection


def engine_of(connect: Callable[[], psycopg.Connection[Any]], size: int) -> Engine:
    """Return an engine with so many sessions at most."""
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

    return engine_of(connect, 1)


def migrate(url: str, session: psycopg.Connection[Any]) -> bool:
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


def reason_of(error: BaseException) -> str:
    """Return what the server or the driver says is wrong."""
    return str(error.orig if isinstance(error, DBAPIError) else error).strip()
