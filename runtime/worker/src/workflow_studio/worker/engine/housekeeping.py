"""Housekeeping: what nobody will ask for any more is deleted, a little at a time.

A message is deleted when it is acknowledged, a hook when it is disposed or its run ends. This finds the rest:

- answers kept for idempotency keys, when they are too old to count;
- messages of runs that have ended: whoever delivered them would only be told so;
- dead messages, a while after their run has ended, or after they came if they have no run. As long as its run can go
  on, a dead message is kept: an operator may mend the cause and deliver it again.

The history of runs (their events, steps, payloads and streams) is not touched: that is for :mod:`.retention`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, delete, or_, select, tuple_

from workflow_studio.worker.engine.idempotency import RETENTION_MS
from workflow_studio.worker.engine.transitions import TERMINAL
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Delete, Select, Table

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.workers import Workers
    from workflow_studio.worker.store import Database, Transaction

_LOG: Final = logging.getLogger(__name__)
_T: Final = tables.messages
_R: Final = tables.runs
_A: Final = tables.idempotency

DEAD_KEPT_MS: Final = 7 * 24 * 60 * 60 * 1000
"""How long a dead message that can do nothing more is kept for people to look at, unless a setting says otherwise."""

PORTION: Final = 500
"""Rows that are deleted in one transaction, so that others' writes need not wait for long."""

_ENDED: Final = _R.c.status.in_(sorted(TERMINAL))


@dataclass(frozen=True, slots=True)
class Swept:
    """How many rows were deleted."""

    messages: int
    answers: int


class Housekeeping:
    """Deletes what nobody will ask for any more. One worker of the service does that.

    Args:
        database: The service's.
        clock: Tells the time.
        workers: Say whether this one does it.
        dead_kept_ms: How long a dead message that can do nothing more is kept; None keeps it for ever.
    """

    def __init__(
        self, database: Database, clock: Clock, workers: Workers, dead_kept_ms: int | None = DEAD_KEPT_MS
    ) -> None:
        self._database = database
        self._clock = clock
        self._workers = workers
        self._dead_kept_ms = dead_kept_ms

    async def sweep(self) -> Swept:
        """Delete it, in short transactions, and return how much it was.

        Raises:
            StoreError: If the database fails; what was deleted by then stays deleted.
        """
        if not self._workers.leads:
            return Swept(0, 0)
        now = self._clock()
        # A message that is being delivered is left to its delivery.
        idle = _T.c.status.in_(("ready", "dead"))
        messages = sum([await self._delete(found, _T, idle) for found in self._superfluous(now)])
        old = _A.c.created_at <= now - RETENTION_MS
        answers = await self._delete(select(*_A.primary_key).where(old), _A, old)
        if messages or answers:
            _LOG.info("Deleted %d messages and %d answers that nobody needs any more.", messages, answers)
        return Swept(messages, answers)

    def _superfluous(self, now: int) -> Iterator[Select[tuple[str, ...]]]:
        of_runs = select(_T.c.message_id).join(_R, _R.c.run_id == _T.c.run_id).where(_ENDED)
        yield of_runs.where(_T.c.status == "ready")
        if self._dead_kept_ms is None:
            return
        kept_until = now - self._dead_kept_ms
        runless = _T.c.run_id.is_(None) | ~select(_R.c.run_id).where(_R.c.run_id == _T.c.run_id).exists()
        yield of_runs.where(_T.c.status == "dead", or_(_R.c.completed_at.is_(None), _R.c.completed_at <= kept_until))
        yield select(_T.c.message_id).where(and_(_T.c.status == "dead", runless, _T.c.created_at <= kept_until))

    async def _delete(self, query: Select[tuple[str, ...]], table: Table, still: ColumnElement[bool]) -> int:
        """Delete the rows whose keys ``query`` finds, if they are ``still`` what it looked for."""
        deleted = 0
        while True:
            # To look for them may take a while, and a read holds nobody up.
            keys = await self._database.read(lambda connection: connection.execute(query.limit(PORTION)).all())
            if not keys:
                return deleted
            named = tuple_(*table.primary_key).in_(tuple(key) for key in keys)
            gone = await self._database.write(partial(_run, delete(table).where(named, still)))
            deleted += gone
            if len(keys) < PORTION or not gone:
                return deleted


def _run(statement: Delete, transaction: Transaction) -> int:
    return transaction.execute(statement).rowcount
