"""SQLite's writer: one thread that groups waiting transactions into one commit.

A commit costs an fsync. Under load the callers that wait while one is under way go into the next one together, so
throughput is not bound by the disk's latency.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from workflow_studio.worker.store import _sqlite
from workflow_studio.worker.store._jobs import FinishError, Job, Transaction, settle
from workflow_studio.worker.store.errors import StoreError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection, Engine

    from workflow_studio.worker.store.tally import StoreTally

_LOG = logging.getLogger(__name__)
_MAX_BATCH = 256
_MOST_KNOWN = 128
"""Things that are known from one transaction to the next, such as rows of a run; the oldest are forgotten."""

_PATIENCE_SECONDS = 0.01
"""How long a write that may wait does so for others to share a commit with."""


class _Signal(Enum):
    """What the thread is told beside what it is to do."""

    LOOK = auto()
    END = auto()


class Writer:
    """Runs writes one after the other on a thread of its own."""

    def __init__(self, engine: Engine, tally: StoreTally) -> None:
        self._engine = engine
        self._tally = tally
        self._jobs: queue.SimpleQueue[Job | _Signal] = queue.SimpleQueue()
        self._patient: deque[Job] = deque()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._connection: Connection | None = None
        self._closed = False
        self._make_follow_up: Callable[[], Job] | None = None
        self._known: dict[Any, Any] = {}
        self._thread.start()

    def submit(self, work: Callable[[Transaction], Any], *, may_wait: bool = False) -> asyncio.Future[Any]:
        """Queue a write; the future resolves after the commit.

        Args:
            work: The write.
            may_wait: Whether it may wait a moment for a write that may not, to be committed together with it.

        Raises:
            StoreError: If the writer is closed.
        """
        if self._closed:
            raise StoreError("The database is closed.")
        job, future = Job.of_caller(work)
        if may_wait:
            self._patient.append(job)
            job.loop.call_later(_PATIENCE_SECONDS, self._end_patience, job)
        else:
            self._jobs.put(job)
        return future

    def hurry(self) -> None:
        """Have the writes done now that wait for others."""
        if self._patient:
            self._jobs.put(_Signal.LOOK)

    def _end_patience(self, job: Job) -> None:
        if job.transaction is None:  # it has not been begun
            self.hurry()

    def follow_up(self, make_job: Callable[[], Job]) -> None:
        """Have a job done at the end of every commit with a write that wants it."""
        self._make_follow_up = make_job

    def close(self) -> None:
        """Finish the writes that are queued, and end the thread."""
        if not self._closed:
            self._closed = True
            self._jobs.put(_Signal.END)
        self._thread.join()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            batch, is_last = self._gather(self._jobs.get())
            if not batch:
                continue
            try:
                self._commit(batch)
            except Exception as error:  # noqa: BLE001  # the callers must hear of it, whatever it is
                self._fail(batch, error)
            settle(batch)
        if self._connection is not None:
            self._connection.close()

    def _gather(self, first: Job | _Signal) -> tuple[list[Job], bool]:
        """Return what is to be done by now, and whether it is the last."""
        found: list[Job] = []
        is_last = False
        try:
            while not is_last:
                if isinstance(first, Job):
                    found.append(first)
                is_last = first is _Signal.END
                if len(found) == _MAX_BATCH:
                    break
                first = self._jobs.get_nowait()
        except queue.Empty:
            pass
        patient = []
        while self._patient:
            patient.append(self._patient.popleft())
        return patient + found, is_last

    def _commit(self, batch: list[Job]) -> None:
        connection = self._connection
        if connection is None:
            connection = self._connection = self._engine.connect()
        _sqlite.begin_write(connection)
        if len(batch) == 1:
            self._do_alone(batch[0], connection)
        else:
            for job in batch:
                self._do(job, connection)
        wanted = set().union(*(job.transaction.follow_up for job in batch if job.transaction is not None))
        if wanted and self._make_follow_up is not None:
            last = self._make_follow_up()
            batch.append(last)
            self._do(last, connection, wanted)
        began = time.perf_counter()
        _sqlite.commit(connection)
        self._tally.committed(len(batch), time.perf_counter() - began)
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    def _do_alone(self, job: Job, connection: Connection) -> None:
        """Do the only write of a commit: to undo it is to undo all there is."""
        for is_repeated in (False, True):
            job.transaction = Transaction(connection, self._known)
            job.transaction.is_repeated = is_repeated
            if self._attempt(job, job.transaction):
                return
            _sqlite.rollback(connection)
            _sqlite.begin_write(connection)
            if job.error is not None:
                return

    def _do(self, job: Job, connection: Connection, asked: Iterable[str] = ()) -> None:
        """Do one of several writes of a commit."""
        for is_repeated in (False, True):
            _sqlite.savepoint(connection)
            job.transaction = Transaction(connection, self._known)
            job.transaction.follow_up.update(asked)
            job.transaction.has_company = True
            job.transaction.is_repeated = is_repeated
            if self._attempt(job, job.transaction):
                _sqlite.release_savepoint(connection)
                return
            # This fails if SQLite gave up the whole transaction (disk full, I/O error); then all of it is lost.
            _sqlite.rollback_to_savepoint(connection)
            if job.error is not None:
                return

    def _attempt(self, job: Job, transaction: Transaction) -> bool:
        """Tell whether a write was done; if not, and it has no error, it is to be done once more."""
        try:
            job.result = job.work(transaction)
        except FinishError:
            pass
        except Exception as error:  # noqa: BLE001  # it belongs to this caller alone
            job.error = error
        else:
            return True
        transaction.follow_up.clear()
        transaction.undone()
        self._known.clear()
        return False

    def _fail(self, batch: list[Job], error: Exception) -> None:
        _LOG.error("A commit of %d writes failed: %s", len(batch), error)
        self._tally.failed(len(batch))
        self._known.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                _sqlite.rollback(connection)
                connection.close()
            except Exception:  # noqa: BLE001  # the connection is given up either way
                _LOG.warning("The failed connection could not be closed.", exc_info=True)
        reason = error.orig if isinstance(error, DBAPIError) else error
        for job in batch:
            if job.error is None:
                if job.transaction is not None:
                    job.transaction.undone()
                job.error = StoreError(
                    f"The database could not be written: {reason}", "Check the disk of the worker's data folder."
                )
