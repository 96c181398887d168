"""The database: grouped writes, snapshot reads."""

from __future__ import annotations

import asyncio
import queue
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from workflow_studio.worker.store import _sqlite
from workflow_studio.worker.store._migrate import upgrade
from workflow_studio.worker.store._writer import Transaction, Writer
from workflow_studio.worker.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    import filelock
    from sqlalchemy import Connection, Engine

T = TypeVar("T")
_READERS = 4


class Database:
    """The worker's durable state. Make one with :meth:`open`."""

    def __init__(self, engine: Engine, lock: filelock.BaseFileLock) -> None:
        self._engine = engine
        self._lock = lock
        self._writer = Writer(engine)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()
        self._closed = False

    @classmethod
    def open(cls, location: str | Path) -> Self:
        """Open the database, create it if there is none, and bring its schema up to date.

        Args:
            location: The path of an SQLite file, or a URL of the form ``sqlite:///path``.

        Raises:
            StoreLockedError: If another worker has it open.
            StoreVersionError: If a newer worker wrote it.
            StoreError: If it cannot be opened.
        """
        path = _path(location)
        lock = _sqlite.lock(path)
        try:
            engine = _sqlite.engine(path)
            upgrade(engine)
            return cls(engine, lock)
        except BaseException:
            lock.release()
            raise

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` in a transaction and return its result once it is durable.

        An exception undoes this write alone, whatever it is committed together with. If the caller is cancelled, the
        write happens nevertheless.

        Raises:
            StoreError: If the database fails or is closed.
        """
        try:
            result: T = await self._writer.submit(work)
        except OperationalError as error:
            raise _failure(error) from error
        return result

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` on a connection of which all reads see one state, and return its result.

        Raises:
            StoreError: If the database fails or is closed.
        """
        if self._closed:
            raise StoreError("The database is closed.")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)
        except OperationalError as error:
            raise _failure(error) from error

    async def close(self) -> None:
        """Finish what is under way, close all connections and let go of the lock."""
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._writer.close()
        self._readers.shutdown()
        while not self._idle.empty():
            self._idle.get_nowait().close()
        self._engine.dispose()
        self._lock.release()

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._engine.connect()
        try:
            _sqlite.begin_read(connection)
            try:
                return work(connection)
            finally:
                _sqlite.rollback(connection)
        except DBAPIError:
            # It may be of no more use.
            connection.close()
            raise
        finally:
            if not connection.closed:
                self._idle.put(connection)


def _failure(error: OperationalError) -> StoreError:
    return StoreError(f"The database failed: {error.orig}", "Check the disk of the worker's data folder.")


def _path(location: str | Path) -> Path:
    if isinstance(location, str) and "://" in location:
        try:
            url = make_url(location)
        except ArgumentError as error:
            raise StoreError(
                "The database URL cannot be understood.", "Use the form sqlite:///path/to/file."
            ) from error
        if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
            raise StoreError(
                f"The worker cannot use a {url.get_backend_name()} database like this.",
                "Give the path of an SQLite file, or sqlite:///path/to/file.",
            )
        return Path(url.database)
    return Path(location)
