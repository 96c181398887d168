"""Opens a database for an operator's work on it: nothing is created or migrated, and no worker is started."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from workflow_studio.worker.store import _sqlite
from workflow_studio.worker.store._migrate import HEAD, pending, statements
from workflow_studio.worker.store._migrate import upgrade as _upgrade
from workflow_studio.worker.store.database import is_postgres, path_of
from workflow_studio.worker.store.errors import StoreError, StoreLockedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine


__all__ = ["HEAD", "Opened", "alone_with", "opened", "pending", "reading", "statements", "upgrade"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A database that is open for work on it.

    Attributes:
        engine: Makes connections.
        is_alone: Tells whether no worker uses it, and keeps workers out from then on.
    """

    engine: Engine
    is_alone: Callable[[], bool]


@contextmanager
def opened(location: str | Path, *, create: bool = False) -> Iterator[Opened]:
    """Open a database.

    Args:
        location: As :meth:`workflow_studio.worker.store.Database.open` takes it.
        create: Whether an SQLite file may be made.

    Raises:
        StoreLockedError: If it is an SQLite database that a worker uses.
        StoreError: If it cannot be opened, or a statement fails.
    """
    place = _postgres_opened(str(location)) if is_postgres(location) else _sqlite_opened(path_of(location), create)
    try:
        with place as database:
            yield database
    except DBAPIError as error:
        raise StoreError(f"The database failed: {str(error.orig).strip()}.", "Check it, and try again.") from error


@contextmanager
def alone_with(location: str | Path, *, create: bool = False) -> Iterator[Engine]:
    """Open a database that no worker uses, and keep workers out.

    Raises:
        StoreLockedError: If a worker uses it.
        StoreError: If it cannot be opened, or a statement fails.
    """
    with opened(location, create=create) as database:
        if not database.is_alone():
            raise StoreLockedError(
                "A worker is using the PostgreSQL database.", "Stop all of its workers first, then run this again."
            )
        yield database.engine


@contextmanager
def reading(location: str | Path) -> Iterator[Connection]:
    """Open a database to look at it, beside workers that use it.

    Raises:
        StoreError: If it cannot be opened, or a statement fails.
    """
    if is_postgres(location):
        # Imported only where it is used: psycopg is an extra.
        from workflow_studio.worker.store import _postgres_sessions  # noqa: PLC0415

        engine = _postgres_sessions.reader(str(location))
    else:
        engine = _sqlite.reader(path_of(location))
    try:
        with engine.connect() as connection:
            yield connection
    except DBAPIError as error:
        raise StoreError(f"The database failed: {str(error.orig).strip()}.", "Check it, and try again.") from error
    finally:
        engine.dispose()


def upgrade(location: str | Path) -> None:
    """Apply the migrations that are missing, beside workers that can go on.

    Raises:
        StoreLockedError: If a worker uses the database, and cannot go on.
        StoreVersionError: If this version cannot use the schema.
        StoreError: If the database cannot be opened or fails.
    """
    with opened(location, create=True) as database:
        _upgrade(database.engine, is_alone=database.is_alone)


@contextmanager
def _sqlite_opened(path: Path, create: bool) -> Iterator[Opened]:  # noqa: FBT001 - see opened
    if not create and not path.exists():
        raise StoreError(f"There is no database at {path}.", "Name the file that the worker keeps its data in.")
    lock = _sqlite.lock(path)
    engine = _sqlite.engine(path)
    try:
        yield Opened(engine, lambda: True)
    finally:
        engine.dispose()
        lock.release()


@contextmanager
def _postgres_opened(url: str) -> Iterator[Opened]:
    # Imported only where it is used: psycopg is an extra.
    from workflow_studio.worker.store import _postgres_sessions  # noqa: PLC0415

    with _postgres_sessions.session_and_engine(url) as (session, engine):

        def is_alone() -> bool:
            try:
                _postgres_sessions.take(session)
            except StoreLockedError:
                return False
            return True

        yield Opened(engine, is_alone)
