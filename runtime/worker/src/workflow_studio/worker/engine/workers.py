"""The workers of a service: who is here, and whose work is taken over.

A worker registers itself before it delivers anything, and is heard of at intervals. A message is leased to a worker,
and the lease holds as long as the worker has its row: however long a delivery takes, nothing of it has to be renewed.
A worker that has not been heard of for the time of its lease is taken for dead. Whoever notices first deletes its row
and, in the same transaction, gives back what was leased to it, to be delivered as a further attempt.

A worker that was only away, such as one that was stopped and goes on, finds its row gone. It registers anew and gives
up what it had in flight; what its executors still want to write is refused (see :mod:`.fencing`).

All of this goes by the database's clock, since those of machines differ. Time in which the database itself was away
does not count: nobody could be heard of.

A worker of the same machine that has ended is taken for dead at once (see :mod:`.signs`).

A database that one process alone can open, such as an SQLite file, has no others: who opens it takes over at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, exists, func, insert, or_, select, update

from workflow_studio.worker.engine.bus import DUE
from workflow_studio.worker.engine.queue import LEASED, RELEASED
from workflow_studio.worker.engine.signs import Signs
from workflow_studio.worker.store import StoreError, tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import Connection, RowMapping

    from workflow_studio.worker.engine.bus import Bus
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.queue import Queue
    from workflow_studio.worker.store import Database, Transaction

_LOG: Final = logging.getLogger(__name__)
DEFAULT_LEASE_SECONDS: Final = 15.0
_BEATS_PER_LEASE: Final = 4
JOINED: Final = "joined"
"""What the others are told when a worker registers."""

_LEAVING_SECONDS: Final = 5.0
_T: Final = tables.workers
_M: Final = tables.messages
_OWNED_BY_NOBODY: Final = or_(
    _M.c.lease_owner.is_(None),
    ~exists().where(_T.c.worker_id == _M.c.lease_owner) & (_M.c.lease_owner != bindparam("me")),
)
# What somebody is just about to change is passed over: it will be looked at again.
_ORPHANS: Final = select(_M.c.message_id).where(LEASED, _OWNED_BY_NOBODY).with_for_update(of=_M, skip_locked=True)


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker of the service.

    Attributes:
        worker_id: Its id.
        epoch: Grows with each registration of a worker.
        host: The machine's name.
        pid: The process.
        version: Of the worker package.
        started_at: When it registered, in epoch milliseconds.
        heartbeat_at: When it was heard of last.
        lease_ms: How long after that its work is taken over.
        in_flight: How many messages are leased to it.
        is_this: Whether it is the one that was asked.
        leads: Whether it looks after what one worker is to look after.
    """

    worker_id: str
    epoch: int
    host: str
    pid: int
    version: str
    started_at: int
    heartbeat_at: int
    lease_ms: int
    in_flight: int
    is_this: bool
    leads: bool


class Workers:
    """The workers of the service, as one of them sees them.

    Args:
        database: Where they register.
        queue: Hears of messages that are given back.
        clock: Tells the time, where the database has no clock of its own.
        bus: Carries what the workers tell each other.
        worker_id: Names this worker.
        lease_seconds: How long this worker may be silent before others take its work over.
        signs: Tell which workers of this machine have ended.

    Attributes:
        id: The id of this worker.
        lease_seconds: See above.
        leads: Whether this worker looks after what one worker is to look after: the one that is here longest does.
        taken_over: Messages that this worker took over from those that were gone.
    """

    def __init__(
        self,
        database: Database,
        queue: Queue,
        clock: Clock,
        bus: Bus,
        *,
        worker_id: str,
        lease_seconds: float = DEFAULT_LEASE_SECONDS,
        signs: Signs | None = None,
    ) -> None:
        self._database = database
        self._signs = Signs(None) if signs is None or not database.is_shared else signs
        self._bus = bus
        bus.on(JOINED, lambda _: self._join())
        self._queue = queue
        self._clock = clock
        self.lease_seconds = lease_seconds
        self.id = worker_id
        self.leads = True
        self.taken_over = 0
        self._on_lost: list[Callable[[], None]] = []

    @property
    def others(self) -> int:
        """How many others there were when this one was heard of last."""
        return self._bus.others

    def on_lost(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called when this worker learns that others have taken its work over."""
        self._on_lost.append(callback)

    @asynccontextmanager
    async def registered(self) -> AsyncIterator[None]:
        """Be a worker of the service as long as this lasts; in the end, give back at once what is still leased.

        Raises:
            StoreError: If the database fails.
        """
        await self.register()
        beating = asyncio.create_task(self._keep_beating(), name="heartbeat") if self._database.is_shared else None
        try:
            yield
        finally:
            if beating is not None:
                beating.cancel()
                await asyncio.gather(beating, return_exceptions=True)
            try:
                async with asyncio.timeout(_LEAVING_SECONDS):
                    await self.leave()
            except (StoreError, TimeoutError):
                _LOG.warning("The worker could not sign off; others take its work over when its lease is over.")
            else:
                self._signs.withdraw()

    async def register(self) -> None:
        """Make this worker known, and take over the work of those that are gone."""
        self._signs.give(self.id)
        await self._database.write(self._beat)

    async def beat(self) -> bool:
        """Let the others hear of this worker, and take over the work of those that are not heard of any more.

        Returns:
            Whether this worker was known. If not, others have taken its work over; it is known again now.
        """
        was_known = await self._database.write(self._beat)
        if not was_known:
            _LOG.error(
                "This worker was silent for more than %g s, and others have taken its work over. It begins anew.",
                self.lease_seconds,
            )
            for callback in self._on_lost:
                callback()
        if self.leads or not was_known:
            await self.take_over()
        return was_known

    async def take_over(self) -> int:
        """Give back what is leased to workers that are not there any more; return how many messages that were.

        They keep their attempt, so that their next delivery counts as a further one.
        """
        released = await self._database.write(self._take_over)
        if released:
            _LOG.warning("Took over %d messages of workers that are not there any more.", released)
        return released

    async def leave(self) -> int:
        """Give back what is still leased to this worker, and sign off; return how many messages that were."""

        def work(transaction: Transaction) -> int:
            transaction.execute(delete(_T).where(_T.c.worker_id == self.id))
            mine = update(_M).where(LEASED, _M.c.lease_owner == self.id)
            released = transaction.execute(mine.values(**RELEASED, run_at=self._clock())).rowcount
            self._bus.tell(transaction, DUE, "")
            return released

        return await self._database.write(work)

    async def list(self) -> tuple[WorkerInfo, ...]:
        """Return the workers of the service, the one that is here longest first."""
        query = select(
            _T,
            select(func.count())
            .select_from(_M)
            .where(LEASED, _M.c.lease_owner == _T.c.worker_id)
            .scalar_subquery()
            .label("in_flight"),
        ).order_by(_T.c.epoch)
        rows = await self._database.read(lambda connection: connection.execute(query).mappings().all())
        return tuple(
            WorkerInfo(**row, is_this=row["worker_id"] == self.id, leads=place == 0) for place, row in enumerate(rows)
        )

    async def _keep_beating(self) -> None:
        is_new = True
        while True:
            await asyncio.sleep(self.lease_seconds / _BEATS_PER_LEASE)
            try:
                await self.beat()
                if is_new:
                    self._bus.miss()  # the others may not have known at once that there is one more to tell
                    is_new = False
            except Exception:  # noqa: BLE001  # the next one may do better, and without it the work is another's
                _LOG.exception("The worker could not be heard of.")

    def _beat(self, transaction: Transaction) -> bool:
        connection = transaction.connection
        now, since = self._time(connection)
        ended = self._signs.ended()
        heard = update(_T).where(_T.c.worker_id == self.id).values(heartbeat_at=now)
        was_known = bool(connection.execute(heard).rowcount)
        if not was_known:
            self._register(transaction, now)
        rows = connection.execute(select(_T).order_by(_T.c.epoch)).mappings().all()
        others = [row for row in rows if row["worker_id"] != self.id]
        gone = [row for row in others if row["worker_id"] in ended or self._is_gone(row, now, since)]
        for row in gone:
            self._remove(transaction, row)
        first = next(row["worker_id"] for row in rows if row not in gone)
        transaction.after_commit(lambda: self._know(len(others) - len(gone), leads=first == self.id))
        known = {row["worker_id"] for row in rows}
        transaction.after_commit(lambda: self._signs.clear(ended, known))
        if gone:
            self._take_over(transaction)
            # What was to be delivered later on it alone may have known of.
            self._queue.announce(transaction)
        return was_known

    def _register(self, transaction: Transaction, now: int) -> None:
        transaction.lock("workers")
        newest = transaction.execute(select(func.max(_T.c.epoch))).scalar() or 0
        row = {
            "worker_id": self.id,
            "epoch": newest + 1,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": version("workflow-studio-worker"),
            "started_at": now,
            "heartbeat_at": now,
            "lease_ms": round(self.lease_seconds * 1000),
        }
        transaction.execute(insert(_T), row)
        self._bus.tell(transaction, JOINED, self.id)

    def _is_gone(self, row: RowMapping, now: int, since: int) -> bool:
        if not self._database.is_shared:
            return True
        over_at: int = max(row["heartbeat_at"], since) + row["lease_ms"]
        return over_at <= now

    def _remove(self, transaction: Transaction, row: RowMapping) -> None:
        # Unless it was heard of in the meantime.
        known = (_T.c.worker_id == row["worker_id"], _T.c.heartbeat_at == row["heartbeat_at"])
        if transaction.execute(delete(_T).where(*known)).rowcount:
            message = "The worker %s on %s (process %d) is not heard of any more."
            transaction.after_commit(lambda: _LOG.warning(message, row["worker_id"], row["host"], row["pid"]))

    def _take_over(self, transaction: Transaction) -> int:
        orphans = _M.c.message_id.in_(_ORPHANS)
        values = {**RELEASED, "run_at": self._clock()}
        released = transaction.execute(update(_M).where(orphans).values(**values), {"me": self.id}).rowcount
        if released:
            self._queue.announce(transaction)
            transaction.after_commit(lambda: self._took_over(released))
        return released

    def _took_over(self, messages: int) -> None:
        self.taken_over += messages

    def _know(self, others: int, *, leads: bool) -> None:
        self._bus.others = others
        self.leads = leads

    def _join(self) -> None:
        self._bus.others = max(1, self._bus.others)

    def _time(self, connection: Connection) -> tuple[int, int]:
        """Return the time, and since when workers could be heard of."""
        return self._database.server_time(connection) or (self._clock(), 0)
