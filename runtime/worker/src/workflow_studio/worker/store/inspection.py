"""Looks at a database without changing it: whether a worker could open it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import filelock

from workflow_studio.worker.store._migrate import HEAD
from workflow_studio.worker.store.database import is_postgres, path_of
from workflow_studio.worker.store.errors import StoreError, StoreVersionError


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What is in a database.

    Attributes:
        revision: The schema's; None if there is none yet.
        in_use: Whether a worker has it open now.
    """

    revision: str | None = None
    in_use: bool = False

    @property
    def outdated(self) -> bool:
        """Whether the next start migrates it."""
        return self.revision is not None and self.revision < HEAD


def look_at(location: str | Path) -> DatabaseState:
    """Return what is in a database.

    Args:
        location: As :meth:`workflow_studio.worker.store.Database.open` takes it.

    Raises:
        StoreVersionError: If a newer worker wrote it.
        StoreError: If it cannot be opened.
    """
    if is_postgres(location):
        # Imported only where it is used: psycopg is an extra.
        from workflow_studio.worker.store import _postgres  # noqa: PLC0415

        state = DatabaseState(*_postgres.look_at(str(location)))
    else:
        path = path_of(location)
        state = DatabaseState(_revision(path), _is_locked(path)) if path.exists() else DatabaseState()
    if state.revision is not None and state.revision > HEAD:
        raise StoreVersionError(
            f"The database has the schema {state.revision}, which this worker does not know.",
            "Run the worker version that wrote it, or a newer one.",
        )
    return state


def _revision(path: Path) -> str | None:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if found else None
    except sqlite3.Error as error:
        raise StoreError(
            f"The database {path} cannot be read: {error}.",
            "Check that it is a database of this worker and may be read, or restore a copy of it.",
        ) from error
    return str(row[0]) if row else None


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
