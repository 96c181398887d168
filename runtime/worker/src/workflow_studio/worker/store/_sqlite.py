"""Everything that is particular to SQLite."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any, cast

import filelock
from sqlalchemy import create_engine, event
from sqlalchemy.pool import NullPool

from workflow_studio.worker.store.errors import StoreError, StoreLockedError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine

_BUSY_TIMEOUT_SECONDS = 10.0
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    # FULL makes each commit survive a power cut; NORMAL would only survive a crash of the process.
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    f"PRAGMA busy_timeout={int(_BUSY_TIMEOUT_SECONDS * 1000)}",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16000",
)


def lock(path: Path) -> filelock.BaseFileLock:
    """Take the lock that makes this process the database's only user.

    Raises:
        StoreLockedError: If another process has it.
        StoreError: If the folder cannot be written.
    """
    held = filelock.FileLock(f"{path}.lock", blocking=False, thread_local=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
    except filelock.Timeout as error:
        raise StoreLockedError(
            f"Another worker is using the database {path}.",
            "Stop that worker, or give this one a database file of its own.",
        ) from error
    except OSError as error:
        raise StoreError(
            f"The database folder {path.parent} cannot be written: {error.strerror}.",
            "Choose a folder that the worker may write to.",
        ) from error
    return held


def engine(path: Path) -> Engine:
    """Return an engine whose connections leave transactions to the functions below."""
    if not path.exists():
        # SQLite gives the -wal and -shm files the mode of the database file.
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    created = create_engine(
        f"sqlite:///{path}",
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"check_same_thread": False, "timeout": _BUSY_TIMEOUT_SECONDS, "cached_statements": 256},
    )
    event.listen(created, "connect", _configure)
    return created


def reader(path: Path) -> Engine:
    """Return an engine that only looks at a database, whoever else uses it."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)

    return create_engine("sqlite://", creator=connect, poolclass=NullPool)


def _configure(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def begin_write(connection: Connection) -> None:
    """Begin a transaction that holds the write lock from the start, so that it never fails half-way for want of it."""
    _driver(connection).execute("BEGIN IMMEDIATE")


def begin_read(connection: Connection) -> None:
    """Begin a transaction whose reads all see the same state."""
    _driver(connection).execute("BEGIN")


def commit(connection: Connection) -> None:
    """Make the transaction durable."""
    _driver(connection).execute("COMMIT")


def rollback(connection: Connection) -> None:
    """Undo the transaction, if there is one."""
    if _driver(connection).in_transaction:
        _driver(connection).execute("ROLLBACK")


def savepoint(connection: Connection) -> None:
    """Mark the place that :func:`rollback_to_savepoint` returns to."""
    _driver(connection).execute("SAVEPOINT job")


def release_savepoint(connection: Connection) -> None:
    """Forget the savepoint and keep what was done since."""
    _driver(connection).execute("RELEASE job")


def rollback_to_savepoint(connection: Connection) -> None:
    """Undo what was done since the savepoint."""
    _driver(connection).execute("ROLLBACK TO job")
    _driver(connection).execute("RELEASE job")


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)
