"""Looks at a database without changing it: whether a worker could open it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import filelock
from sqlalchemy.exc import DBAPIError

from workflow_studio.worker.store import _sqlite
from workflow_studio.worker.store._migrate import Schema, read_schema
from workflow_studio.worker.store.database import is_postgres, path_of
from workflow_studio.worker.store.errors import StoreError


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What is in a database.

    Attributes:
        revision: The schema's; None if there is none yet.
        in_use: Whether a worker has it open now.
        serves: The oldest revision whose workers can use the schema, if the database says so.
    """

    revision: str | None = None
    in_use: bool = False
    serves: str | None = None

    @property
    def schema(self) -> Schema:
        """The schema, for those who migrate it."""
        return Schema(self.revision, self.serves)

    @property
    def outdated(self) -> bool:
        """Whether the next start migrates it."""
        return self.schema.is_outdated


def look_at(location: str | Path) -> DatabaseState:
    """Return what is in a database.

    Args:
        location: As :meth:`workflow_studio.worker.store.Database.open` takes it.

    Raises:
        StoreError: If it cannot be opened.
    """
    if is_postgres(location):
        # Imported only where it is used: psycopg is an extra.
        from workflow_studio.worker.store import _postgres_sessions  # noqa: PLC0415

        revision, serves, in_use = _postgres_sessions.look_at(str(location))
        return DatabaseState(revision, in_use, serves)
    path = path_of(location)
    if not path.exists():
        return DatabaseState()
    schema = _schema(path)
    return DatabaseState(schema.revision, _is_locked(path), schema.serves)


def _schema(path: Path) -> Schema:
    try:
        with _sqlite.reader(path).connect() as connection:
            return read_schema(connection)
    except DBAPIError as error:
        raise StoreError(
            f"The database {path} cannot be read: {error.orig}.",
            "Check that it is a database of this worker and may be read, or restore a copy of it.",
        ) from error


def _is_locked(path: Path) -> bool:
    lock = Path(f"{path}.lock")
    if not lock.exists():
        return False
    held = filelock.FileLock(lock, blocking=False, thread_local=False)
    try:
        held.acquire()
    except filelock.Timeout:
        return True
    except OSError as error:
        raise StoreError(
            f"The database folder {path.parent} cannot be written: {error.strerror}.",
            "Choose a folder that the worker may write to.",
        ) from error
    held.release()
    return False
