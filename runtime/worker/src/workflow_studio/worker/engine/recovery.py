"""Recovery: what a crash leaves behind is taken up again, and nothing else is touched.

The rule for runs, in full. A run is *due for a replay* if it is pending or running and one of these holds:

1. No message is about to replay it, and its log has a *stimulus* (an event that workflow code reacts to, see
   ``engine.log.STIMULI``) in a slot above ``replayed_slot``. That is the newest slot that an acknowledged replay had
   loaded: it is noted when the message is leased and again when ``run_started`` hands the log out, and stored in the
   transaction that acknowledges the delivery. A replay that is not acknowledged keeps its message, so it counts for
   nothing here. What a replay itself appends is no stimulus: it knows of it. So this finds exactly the runs whose
   wake-up was never published, such as when an app died between storing a hook's payload and publishing the wake-up.
   The message that ends a sleep later on is no such wake-up: code may wait for a hook for a day at most.
2. No message will ever replay it, and it has a wait that is not over: its replay was lost. It gets a message at the
   wait's ``resumeAt``.

A run that waits for a hook, or for a step whose message is live, meets neither and is left alone, however long it has
been quiet. Steps need no rule of their own: their message is stored before the replay that created them is
acknowledged.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, text

from workflow_studio.worker.engine.queue import IS_REPLAY, LEASED, LIVE, flow_queue
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.queue import Queue
    from workflow_studio.worker.engine.workers import Workers
    from workflow_studio.worker.store import Database, Transaction

_LOG: Final = logging.getLogger(__name__)
_T: Final = tables.messages
_R: Final = tables.runs
_QUIET_MS: Final = 30_000
"""While the worker runs, a run is given so long: its wake-up may be on its way."""

_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was taken up again: messages whose delivery was cut short, and runs that nothing would have woken."""

    released: int
    woken: int


class Recovery:
    """Takes up what nobody works on.

    Args:
        database: Where the runs and messages are.
        queue: Wakes the runs.
        clock: Tells the time.
        workers: Take over what is leased to workers that are not there any more.
    """

    def __init__(self, database: Database, queue: Queue, clock: Clock, workers: Workers) -> None:
        self._database = database
        self._queue = queue
        self._clock = clock
        self._workers = workers

    async def at_boot(self) -> Recovered:
        """Release the leases of workers that are gone and wake the runs that are due for a replay.

        Where there are other workers, a run's wake-up may be on its way.
        """
        released = await self._workers.take_over()
        woken = await self._wake_all(quiet_since=self._clock() - _QUIET_MS if self._workers.others else None)
        if released or woken:
            _LOG.info("Recovered %d messages in flight and %d runs that nothing would have woken.", released, woken)
        return Recovered(released, woken)

    async def sweep(self) -> int:
        """Wake the runs that have been due for a replay for half a minute, and return how many they were.

        One worker of the service does that.
        """
        if not self._workers.leads:
            return 0
        woken = await self._wake_all(quiet_since=self._clock() - _QUIET_MS)
        if woken:
            _LOG.warning("Woke %d runs whose wake-up was never published.", woken)
        return woken

    async def _wake_all(self, *, quiet_since: int | None) -> int:
        woken = 0
        while True:
            # In portions, so that many runs do not hold up everybody else's writes.
            found = await self._database.write(lambda transaction: self._wake_some(transaction, quiet_since))
            woken += found
            if found < _BATCH:
                return woken

    def _wake_some(self, transaction: Transaction, quiet_since: int | None) -> int:
        now = self._clock()
        unseen = select(_R.c.run_id, _R.c.workflow_name).where(
            text(tables.IS_UNREPLAYED.text), ~_is_to_be_replayed(_is_at_once(now))
        )
        if quiet_since is not None:
            unseen = unseen.where(_R.c.last_event_at <= quiet_since)
        due = {row.run_id: (row.workflow_name, now) for row in transaction.execute(unseen.limit(_BATCH))}
        w = tables.waits
        asleep = (
            select(_R.c.run_id, _R.c.workflow_name, func.min(w.c.resume_at).label("resume_at"))
            .join(w, and_(w.c.run_id == _R.c.run_id, w.c.status == "waiting"))
            .where(_R.c.status.in_(("pending", "running")), ~_is_to_be_replayed())
            .group_by(_R.c.run_id, _R.c.workflow_name)
        )
        if quiet_since is not None:
            asleep = asleep.where(_R.c.last_event_at <= quiet_since)
        for row in transaction.execute(asleep.limit(_BATCH)):
            due.setdefault(row.run_id, (row.workflow_name, max(now, row.resume_at or now)))
        for run_id, (workflow_name, run_at) in due.items():
            self._queue.wake(transaction, run_id, run_at=run_at, queue_name=flow_queue(workflow_name))
        return len(due)


def _is_to_be_replayed(*how: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(_T.c.run_id == _R.c.run_id, LIVE, IS_REPLAY, *how)


def _is_at_once(now: int) -> ColumnElement[bool]:
    """Tell of a live message whether it is on its way, or put off because a delivery failed or there was none."""
    return or_(LEASED, _T.c.run_at <= now, _T.c.failures > 0, _T.c.unresolved > 0)
