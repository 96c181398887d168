"""Copies an SQLite database as it is at one moment, whoever writes to it meanwhile."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from workflow_studio.worker.store import _sqlite
from workflow_studio.worker.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import filelock

_PAGES: Final = 1000
"""Pages that are copied between two reports of progress."""


def take(source: Path, target: Path, progress: Callable[[int, int], None] = lambda *_: None) -> None:
    """Copy a database into one new file that needs no other beside it.

    Args:
        source: The database; a worker may use it.
        target: The new file.
        progress: Hears how many pages are done, and of how many.

    Raises:
        StoreError: If it cannot be read, or what was copied is damaged.
        OSError: If the new file cannot be written.
    """
    if not source.exists():
        raise StoreError(f"There is no database at {source}.", "Name the data folder of a worker.")
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        uri = f"{source.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as reading, closing(sqlite3.connect(target)) as copy:
            # The open read keeps the moment: else each write of the worker would have the copy begin again.
            reading.execute("BEGIN")
            reading.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            reading.backup(copy, pages=_PAGES, progress=lambda _, left, total: progress(total - left, total))
            reading.execute("ROLLBACK")
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise StoreError(
            f"The database {source} cannot be copied: {error}.",
            "Check that it is a database of a worker, and that there is room for the copy.",
        ) from error
    with target.open("rb+") as file:
        os.fsync(file.fileno())
    check(target)


def check(path: Path) -> None:
    """Read all of a database that nobody uses, and see whether it is sound.

    Raises:
        StoreError: If it is not.
    """
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        found = str(error)
    if found != "ok":
        raise StoreError(f"The database in {path} is damaged: {found}.", "Take another backup, and check the disk.")


def reserve(path: Path) -> filelock.BaseFileLock:
    """Keep workers from making a database at a path; what is returned lets them again when it is released.

    Raises:
        StoreLockedError: If a worker is there.
        StoreError: If the folder cannot be written.
    """
    return _sqlite.lock(path)
