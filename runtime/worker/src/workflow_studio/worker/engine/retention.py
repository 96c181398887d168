"""Retention: what is older than the settings keep it is deleted, a little at a time.

A run is deleted in portions: first it is marked, so that it is gone for whoever asks, then its rows go, and its own
row goes last. Whoever dies in between leaves marked runs, which the next sweep finds first. Deletions are small
transactions with pauses between them: others wait for none of them long, and the database reuses the room it gets.
SQLite puts freed pages to use again, PostgreSQL's autovacuum keeps up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import delete, func, select, tuple_, update

from workflow_studio.worker.engine.expiry import CAN_GO, Retention, expired_output, expired_runs, expired_streams
from workflow_studio.worker.engine.known import forget
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Connection, Select, Table

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.store import Database, Transaction

_LOG: Final = logging.getLogger(__name__)
PORTION: Final = 500
"""Rows that are deleted in one transaction."""

_RUNS_AT_ONCE: Final = 50
_SWEEP_SECONDS: Final = 240.0
"""How long one sweep may take; the next one goes on."""

_R: Final = tables.runs
_C: Final = tables.stream_chunks
_S: Final = tables.streams
_SR: Final = tables.stream_runs
_OTHER: Final = tables.stream_runs.alias("other")
_OF_RUN: Final = (
    tables.events,
    tables.steps,
    tables.hooks,
    tables.waits,
    tables.messages,
    tables.run_output,
    tables.run_output_sizes,
)


@dataclass(frozen=True, slots=True)
class Expired:
    """How much was deleted, or would be.

    Attributes:
        runs: Runs, with all that belongs to them.
        outputs: Runs whose output was deleted, and nothing else.
        streams: Streams whose chunks were deleted, and nothing else.
    """

    runs: int = 0
    outputs: int = 0
    streams: int = 0


class Step(Protocol):
    """Deletes some rows of what is named; returns how many of these are gone, and whether it is done with all."""

    def __call__(self, transaction: Transaction, names: Sequence[str]) -> tuple[int, bool]:
        """Do it in a transaction."""


class Sweeper:
    """Deletes what is not to be kept any longer. One worker of the service does that.

    Args:
        database: The service's.
        clock: Tells the time.
        retention: What is kept for how long.
    """

    def __init__(self, database: Database, clock: Clock, retention: Retention) -> None:
        self._database = database
        self._clock = clock
        self.retention = retention

    async def sweep(self) -> Expired:
        """Delete it, in short transactions, and return how much it was.

        Raises:
            StoreError: If the database fails; what was deleted by then stays deleted.
        """
        now = self._clock()
        until = time.monotonic() + _SWEEP_SECONDS
        runs = 0
        for query in expired_runs(self.retention, now):
            runs += await self._each(query, self._delete_runs, until)
        outputs = await self._each(expired_output(self.retention, now), self._delete_output, until)
        streams = await self._each(expired_streams(self.retention, now), self._delete_chunks, until)
        if runs or outputs or streams:
            _LOG.info(
                "Retention: deleted %d runs, the output of %d and the chunks of %d streams.", runs, outputs, streams
            )
        return Expired(runs, outputs, streams)

    async def count(self) -> Expired:
        """Return how much a sweep would delete now."""
        return await self._database.read(lambda connection: count(connection, self.retention, self._clock()))

    async def _each(self, query: Select[Any] | None, step: Step, until: float) -> int:
        """Do a step in one transaction after the other until there is nothing left to be done, or no time."""
        done = 0
        while query is not None and time.monotonic() < until:
            names = await self._database.read(partial(_names, query=query))
            gone = await self._finish(partial(step, names=names), until) if names else 0
            if not gone:
                return done  # there is nothing, or others are faster
            done += gone
        return done

    async def _finish(self, step: Callable[[Transaction], tuple[int, bool]], until: float) -> int:
        done = 0
        finished = False
        while not finished and time.monotonic() < until:
            began = time.monotonic()
            gone, finished = await self._database.write(step)
            done += gone
            # As long as it took: the database belongs to others.
            await asyncio.sleep(time.monotonic() - began)
        return done

    def _delete_runs(self, transaction: Transaction, names: Sequence[str]) -> tuple[int, bool]:
        """Delete some rows of runs, and return how many runs are gone and whether all of them are done with."""
        expiring = _mark(transaction, names, self._clock())
        if not expiring:
            return 0, True
        room = PORTION
        own = (_SR.c.run_id.in_(expiring), ~_is_shared(expiring))
        streams = select(_SR.c.name).where(*own)
        room -= _delete_some(transaction, _C, _C.c.name.in_(streams), room)
        if room:
            room -= _delete_some(transaction, _S, _S.c.name.in_(streams), room)
        for table in (_SR, *_OF_RUN):
            if room:
                room -= _delete_some(transaction, table, table.c.run_id.in_(expiring), room)
        refs = tables.object_refs
        if room:
            room -= _delete_some(transaction, refs, refs.c.owner.in_(expiring), room)
        if not room:
            return 0, False
        return transaction.execute(delete(_R).where(_R.c.run_id.in_(expiring))).rowcount, True

    def _delete_output(self, transaction: Transaction, names: Sequence[str]) -> tuple[int, bool]:
        o, sizes = tables.run_output, tables.run_output_sizes
        if _delete_some(transaction, o, o.c.run_id.in_(names), PORTION) == PORTION:
            return 0, False
        kept = (sizes.c.run_id.in_(names), sizes.c.lines > 0)
        none = update(sizes).where(*kept).values(lines=0, size=0, dropped=sizes.c.dropped + sizes.c.lines)
        return transaction.execute(none).rowcount, True

    def _delete_chunks(self, transaction: Transaction, names: Sequence[str]) -> tuple[int, bool]:
        transaction.execute(select(_S.c.name).where(_S.c.name.in_(names)).order_by(_S.c.name).with_for_update())
        if _delete_some(transaction, _C, _C.c.name.in_(names), PORTION) == PORTION:
            return 0, False
        closed_at = func.coalesce(_S.c.closed_at, self._clock())
        empty = update(_S).where(_S.c.name.in_(names), _S.c.chunk_count > 0)
        return transaction.execute(empty.values(chunk_count=0, closed_at=closed_at)).rowcount, True


def count(connection: Connection, retention: Retention, now: int) -> Expired:
    """Return how much a sweep would delete."""

    def number(query: Select[Any] | None) -> int:
        if query is None:
            return 0
        found: int = connection.execute(select(func.count()).select_from(query.order_by(None).subquery())).scalar_one()
        return found

    runs = sum(number(query) for query in expired_runs(retention, now))
    return Expired(runs, number(expired_output(retention, now)), number(expired_streams(retention, now)))


def _names(connection: Connection, *, query: Select[Any]) -> list[str]:
    return list(dict.fromkeys(connection.execute(query.limit(_RUNS_AT_ONCE)).scalars()))


def _mark(transaction: Transaction, run_ids: Sequence[str], now: int) -> list[str]:
    """Have runs count as gone, and return which: those that can go still."""
    wanted = (_R.c.run_id.in_(run_ids), *CAN_GO)
    locked = select(_R.c.run_id, _R.c.expired_at).where(*wanted).order_by(_R.c.run_id).with_for_update()
    found = transaction.execute(locked).all()
    new = [row.run_id for row in found if row.expired_at is None]
    if new:
        transaction.execute(update(_R).where(_R.c.run_id.in_(new)).values(expired_at=now))
        forget(transaction, new)
    return [row.run_id for row in found]


def _is_shared(run_ids: Sequence[str]) -> ColumnElement[bool]:
    """Whether a stream was written under a run that stays, too."""
    return select(_OTHER.c.name).where(_OTHER.c.name == _SR.c.name, _OTHER.c.run_id.not_in(run_ids)).exists()


def _delete_some(transaction: Transaction, table: Table, which: ColumnElement[bool], limit: int) -> int:
    """Delete rows up to a number, and return how many there were."""
    key = tuple(table.primary_key)
    found = select(*key).where(which).limit(limit)
    rows = transaction.execute(found).all()
    if not rows:
        return 0
    # By their values, not by a subquery: PostgreSQL would be free to look for the same rows all over again.
    named = tuple_(*key).in_([tuple(row) for row in rows]) if len(key) > 1 else key[0].in_([row[0] for row in rows])
    return transaction.execute(delete(table).where(named)).rowcount
