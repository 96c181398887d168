"""The database in a file: one writer, a few readers."""

from __future__ import annotations

import queue
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError

from workflow_studio.worker.store import _sqlite
from workflow_studio.worker.store._migrate import upgrade
from workflow_studio.worker.store._writer import Writer
from workflow_studio.worker.store.errors import StoreError
from workflow_studio.worker.store.tally import StoreTally

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import filelock
    from sqlalchemy import Connection, Engine

    from workflow_studio.worker.store._jobs import Ahead, Job, Transaction
    from workflow_studio.worker.store.errors import StoreLockedError
    from workflow_studio.worker.store.statements import Row, Statement

    T = TypeVar("T")


class SqliteBackend:
    """Implements :class:`workflow_studio.worker.store.database.Backend`."""

    in_order: ClassVar[bool] = True
    answers_at_once: ClassVar[bool] = True

    def __init__(self, engine: Engine, lock: filelock.BaseFileLock) -> None:
        # Never: the operating system keeps the lock for as long as the process lives.
        self.lost: Future[StoreLockedError] = Future()
        self.lost.set_running_or_notify_cancel()
        self._engine = engine
        self._lock = lock
        self.tally = StoreTally()
        self._writer = Writer(engine, self.tally)
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file, create it if there is none, and bring its schema up to date."""
        lock = _sqlite.lock(path)
        try:
            engine = _sqlite.engine(path)
            upgrade(engine)
            return cls(engine, lock)
        except DBAPIError as error:
            lock.release()
            raise StoreError(
                f"The database {path} cannot be opened: {error.orig}.",
                "Check that it is a database of this worker and may be written, or restore a copy of it.",
            ) from error
        except BaseException:
            lock.release()
            raise

    def submit(
        self,
        work: Callable[[Transaction], Any],
        *,
        may_wait: bool = False,
        about: str | None = None,  # noqa: ARG002  # here all writes follow one another
        ahead: Ahead | None = None,  # noqa: ARG002  # an answer takes no round trip
    ) -> asyncio.Future[Any]:
        """Queue a write."""
        return self._writer.submit(work, may_wait=may_wait)

    def hurry(self) -> None:
        """Have the writes done now that wait for others."""
        self._writer.hurry()

    def follow_up(self, make_job: Callable[[], Job]) -> None:
        """Have a job done at the end of every commit with a write that wants it."""
        self._writer.follow_up(make_job)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run reads that see one state, on the calling thread."""

        def of_one_state(connection: Connection) -> T:
            _sqlite.begin_read(connection)
            try:
                return work(connection)
            finally:
                _sqlite.rollback(connection)

        return self._with_idle(of_one_state)

    def first(self, query: Statement, parameters: Mapping[str, Any]) -> Row | None:
        """Return the first row of a query, which sees one state by itself."""
        return self._with_idle(lambda connection: query.first(connection, parameters))

    def _with_idle(self, work: Callable[[Connection], T]) -> T:
        try:
            connection = self._idle.get_nowait()
        except queue.Empty:
            connection = self._engine.connect()
        try:
            return work(connection)
        except DBAPIError:
            # It may be of no more use.
            connection.close()
            raise
        finally:
            if not connection.closed:
                self._idle.put(connection)

    def failure(self, error: DBAPIError) -> Exception:
        """Return what a failed statement is to the caller."""
        if isinstance(error, OperationalError):
            return StoreError(f"The database failed: {error.orig}", "Check the disk of the worker's data folder.")
        return error

    def finish(self) -> None:
        """Finish the writes that are queued."""
        self._writer.close()

    def close(self) -> None:
        """Close all connections and let go of the lock."""
        while not self._idle.empty():
            self._idle.get_nowait().close()
        self._engine.dispose()
        self._lock.release()
