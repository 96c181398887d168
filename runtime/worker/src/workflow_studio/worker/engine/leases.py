"""Leases: who delivers a message, and what becomes of it afterwards."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, func, select, update

from workflow_studio.worker.engine import ahead
from workflow_studio.worker.engine.claims import Claims, is_replay
from workflow_studio.worker.engine.deferred import change_run
from workflow_studio.worker.engine.fencing import HELD
from workflow_studio.worker.engine.known import known_run
from workflow_studio.worker.engine.limits import Limits
from workflow_studio.worker.engine.log import lock_runs
from workflow_studio.worker.engine.queue import KINDS, LEASED, RELEASED, hasten, lock_queue, pending_replay
from workflow_studio.worker.engine.turns import Turns
from workflow_studio.worker.store import tables
from workflow_studio.worker.store.statements import Row, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.claims import Claim, Executors
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.deliveries import Deliveries
    from workflow_studio.worker.engine.queue import Kind, Queue
    from workflow_studio.worker.store import Ahead, Database, Transaction

MAX_FAILURES: Final = 50
"""Failed deliveries in a row after which a message is dead. The SDK's handlers give up by themselves after 48."""

_MAX_BACKOFF_SECONDS: Final = 900
_MAX_LOST_BACKOFF_SECONDS: Final = 60
_JITTER: Final = 0.25
_T: Final = tables.messages
_LEASED: Final = Statement(select(_T).where(_T.c.lease_id == bindparam("delivery"), LEASED).with_for_update())
_DELETE: Final = Statement(delete(_T).where(_T.c.message_id == bindparam("message")))
_ACKNOWLEDGE: Final = Statement(delete(_T).where(_T.c.lease_id == bindparam("delivery"), LEASED))
_EARLIEST_WAIT: Final = Statement(
    select(func.min(tables.waits.c.resume_at)).where(
        tables.waits.c.run_id == bindparam("run"), tables.waits.c.status == "waiting"
    )
)
_REPLAYED: Final = Statement(
    update(tables.runs)
    .where(tables.runs.c.run_id == bindparam("run"), tables.runs.c.replayed_slot < bindparam("seen"))
    .values(replayed_slot=bindparam("seen"))
)


class Leases:
    """Leases messages to this process and records what came of their deliveries.

    Args:
        database: Where the messages are.
        queue: Hears of messages that become ready.
        deliveries: Hears of deliveries that begin and end.
        clock: Tells the time.
        owner: The id of this worker.
        limits: How many steps there may be at the same time.
        is_alone: Tells whether this worker is the only one.

    Attributes:
        deliveries: Those in flight.
        lost: Deliveries whose lease was gone when they ended.
    """

    def __init__(
        self,
        database: Database,
        queue: Queue,
        deliveries: Deliveries,
        clock: Clock,
        owner: str,
        *,
        limits: Limits | None = None,
        is_alone: Callable[[], bool] = lambda: True,
    ) -> None:
        self._database = database
        self._queue = queue
        self.deliveries = deliveries
        self._clock = clock
        self._turns = Turns(deliveries, limits or Limits())
        side_by_side = not database.in_order
        self._claims = Claims(deliveries, clock, owner, self._turns, side_by_side=side_by_side, is_alone=is_alone)
        queue.on_replay_wanted(self._replay_wanted)
        self.lost = 0

    def keep_to(self, limits: Limits) -> None:
        """Have other limits count from now on."""
        self._turns.limits = limits

    async def claim(self, limits: Mapping[Kind, int], executors: Executors | None = None) -> Claim:
        """Lease messages that are due; see :meth:`.Claims.make`."""
        return await self._database.write(lambda transaction: self.claim_within(transaction, limits, executors))

    def claim_in_commits(
        self,
        claim: Callable[[Transaction], Claim],
        *,
        done: Callable[[Claim], None],
        failed: Callable[[BaseException], None],
    ) -> bool:
        """Have what a write makes due claimed in the commit of that write.

        Args:
            claim: Claims, by :meth:`claim_within`, on the writer's thread.
            done: Gets what was claimed.
            failed: Gets the error if that failed; the write itself did not.

        Returns:
            False if this database does not do that.
        """
        return self._database.follow_up(claim, done=done, failed=failed)

    async def claim_in_next_commit(self) -> None:
        """Have what is due claimed now, where that is done in commits."""
        await self._database.write(_want_follow_up)

    def claim_at_once(self, claim: Callable[[Transaction, bool], None]) -> None:
        """Have what a write makes due claimed in its transaction, as far as all is known there.

        Args:
            claim: Claims, by :meth:`claim_due`; see :meth:`.Database.finish_writes`.
        """
        self._database.finish_writes(claim)

    def claim_due(self, transaction: Transaction, places: Mapping[Kind, int], executors: Executors) -> Claim:
        """Lease what a transaction makes due; see :meth:`.Claims.make_at_once`."""
        if self._turns.limits:
            places = {**places, "step": 0}  # who counts steps has to do that alone
        return self._claims.make_at_once(transaction, places, executors)

    def claim_within(
        self, transaction: Transaction, limits: Mapping[Kind, int], executors: Executors | None = None
    ) -> Claim:
        """Lease messages that are due in a transaction; see :meth:`.Claims.make`."""
        return self._claims.make(transaction, limits, executors)

    def acknowledge(self, transaction: Transaction, delivery_id: str) -> None:
        """Delete the message of a delivery that the transaction completes: what it asked for is in the log.

        Both the event that says so and whoever sends it may ask for that.
        """
        if transaction.ends == delivery_id:
            return
        if not self._acknowledge(transaction, delivery_id):
            return
        transaction.ends = delivery_id
        transaction.after_commit(lambda: self.deliveries.acknowledged(delivery_id))

    async def complete(self, delivery_id: str, *, may_wait: bool = False) -> bool:
        """Acknowledge a delivery: its message is gone.

        Args:
            delivery_id: The delivery.
            may_wait: Whether nothing else waits for the message to be gone, so that this may share the next commit.

        Returns:
            False if the lease was lost.
        """
        if self.deliveries.is_acknowledged(delivery_id):
            self.deliveries.end(delivery_id)
            return True

        may_wait = may_wait and not self.deliveries.is_awaited(delivery_id)
        work = partial(self._acknowledge, delivery_id=delivery_id)
        about = self.deliveries.run_of_replay(delivery_id)
        asks = None if about is None else ahead.of_replays_end(about, delivery_id)
        return await self._end(delivery_id, work, may_wait=may_wait, about=about, asks=asks)

    async def defer(self, delivery_id: str, timeout_seconds: float) -> bool:
        """Acknowledge a delivery whose handler wants the message again.

        A replay that sleeps comes back when its first wait is over: the handler rounds up to whole seconds. The next
        attempt is 2, however many there have been: sleeping is not failing.

        Returns:
            False if the lease was lost.
        """

        def work(transaction: Transaction) -> bool:
            row = _leased(transaction.connection, delivery_id)
            if row is None:
                return False
            self._note_replay(transaction, delivery_id)
            lock_queue(transaction, row["run_id"])
            run_at = self._clock() + int(min(max(timeout_seconds, 0), 10 * 366 * 86400) * 1000)
            if is_replay(row):
                waits_until = _EARLIEST_WAIT.scalar(transaction.connection, {"run": row["run_id"]})
                run_at = run_at if waits_until is None else min(run_at, waits_until)
                other = pending_replay(transaction, row["run_id"], besides=row["message_id"])
                # A first message says what the run is; once the run has been replayed, the log says that.
                spent = row["is_wake"] or self.deliveries.seen_slot(delivery_id) is not None
                if other is not None and spent:
                    _DELETE.send(transaction.connection, {"message": row["message_id"]})
                    _hasten_to(transaction, other, run_at)
                    self._queue.announce(transaction)
                    return True
            values = {**RELEASED, "run_at": run_at, "attempt": 1, "failures": 0, "unresolved": 0, "last_error": None}
            transaction.execute(update(_T).where(_T.c.message_id == row["message_id"]).values(**values))
            # It may be due again, and another message of the run may have waited for this delivery.
            self._queue.announce(transaction)
            return True

        return await self._end(delivery_id, work)

    async def fail(self, delivery_id: str, error: str, *, executor_lost: bool = False) -> bool:
        """Give a message back after a failed delivery, to be delivered again later, or never if it failed too often.

        Args:
            delivery_id: The delivery.
            error: What went wrong, for people.
            executor_lost: The process died. Then the message was likely not the cause, and it comes back sooner.

        Returns:
            False if the lease was lost.
        """

        def work(transaction: Transaction) -> bool:
            row = _leased(transaction.connection, delivery_id)
            if row is None:
                return False
            lock_queue(transaction, row["run_id"])
            failures = row["failures"] + 1
            values: dict[str, Any] = {**RELEASED, "failures": failures, "unresolved": 0, "last_error": _noted(error)}
            if failures >= MAX_FAILURES:
                values["status"] = "dead"
            else:
                values["run_at"] = self._clock() + backoff_ms(row["attempt"], failures, executor_lost=executor_lost)
            transaction.execute(update(_T).where(_T.c.message_id == row["message_id"]).values(**values))
            # It may be due again, and another message of the run may have waited for this delivery.
            self._queue.announce(transaction)
            return True

        return await self._end(delivery_id, work)

    async def give_back(self, delivery_id: str, error: str) -> bool:
        """Give a message back that no executor was handed. That was no attempt, and it never happens too often.

        Code that cannot be run for an hour must not end the runs that wait for it: they go on when it can.

        Returns:
            False if the lease was lost.
        """

        def work(transaction: Transaction) -> bool:
            row = _leased(transaction.connection, delivery_id)
            if row is None:
                return False
            lock_queue(transaction, row["run_id"])
            times = row["unresolved"] + 1
            values = {
                **RELEASED,
                "attempt": row["attempt"] - 1,
                "unresolved": times,
                "last_error": _noted(error),
                "run_at": self._clock() + backoff_ms(row["attempt"], times, executor_lost=True),
            }
            transaction.execute(update(_T).where(_T.c.message_id == row["message_id"]).values(**values))
            # It may be due again, and another message of the run may have waited for this delivery.
            self._queue.announce(transaction)
            return True

        return await self._end(delivery_id, work)

    def _replay_wanted(self, run_id: str) -> None:
        if self.deliveries.await_replay(run_id):
            self._database.hurry()

    async def _end(
        self,
        delivery_id: str,
        work: Callable[[Transaction], bool],
        *,
        may_wait: bool = False,
        about: str | None = None,
        asks: Ahead | None = None,
    ) -> bool:
        def ended(transaction: Transaction) -> bool:
            held = work(transaction)
            transaction.after_commit(lambda: self.deliveries.end(delivery_id, by_itself=held))
            return held

        with self.deliveries.ending(delivery_id):
            held = await self._database.write(ended, may_wait=may_wait, about=about, ahead=asks)
        if not held:
            self.lost += 1
        return held

    def _acknowledge(self, transaction: Transaction, delivery_id: str) -> bool:
        replayed = self.deliveries.run_of_replay(delivery_id) if self._database.finishes else None
        if replayed is not None:
            # Who asks for a replay meanwhile sees that there is none, or is seen.
            if replayed not in transaction.runs and not self._database.in_order:
                lock_runs(transaction, [replayed])
            lock_queue(transaction, replayed)
        if not self._let_go(transaction, delivery_id):
            return False
        self._note_replay(transaction, delivery_id)
        # Another replay of the run may have waited for this one.
        if replayed is not None:
            self._queue.announce_next_replay(transaction, replayed)
        elif not self.deliveries.executes_step(delivery_id):
            self._queue.announce(transaction, kinds=("workflow",))
        elif self._turns.limits:
            # A limit may have held another step back until the end of this one.
            self._queue.announce(transaction, kinds=("step",))
        return True

    def _let_go(self, transaction: Transaction, delivery_id: str) -> bool:
        """Delete the message of a delivery; tell whether the delivery had it."""
        message = {"delivery": delivery_id}
        if self._database.in_order:
            return bool(_ACKNOWLEDGE.run(transaction.connection, message))
        # A question may have been asked ahead; a change cannot be.
        if HELD.first(transaction.connection, message) is None:
            return False
        _ACKNOWLEDGE.send(transaction.connection, message)
        return True

    def _note_replay(self, transaction: Transaction, delivery_id: str) -> None:
        replayed = self.deliveries.replayed(delivery_id)
        if replayed is not None:
            note_replay(transaction, *replayed)


def note_replay(transaction: Transaction, run_id: str, seen_slot: int) -> None:
    """Note how much of the log of a run a replay had that is over."""
    known = known_run(transaction, run_id)
    row = None if known is None else known.row
    if row is not None and row["replayed_slot"] >= seen_slot:
        return
    if known is not None and row is not None:
        change_run(transaction, run_id, {"replayed_slot": seen_slot})
        known.note({**row, "replayed_slot": seen_slot})
    else:
        _REPLAYED.send(transaction.connection, {"run": run_id, "seen": seen_slot})


def backoff_ms(attempt: int, failures: int, *, executor_lost: bool, jitter: float | None = None) -> int:
    """Return how long to wait before the next delivery, in milliseconds.

    Args:
        attempt: Number of the delivery that failed.
        failures: Failed deliveries in a row, this one included.
        executor_lost: Whether the executor died.
        jitter: From 0 to 1: how much of the jitter to take off; drawn if None.
    """
    if executor_lost:
        seconds = min(2 ** min(failures - 1, 16), _MAX_LOST_BACKOFF_SECONDS)
    else:
        seconds = min(2 ** min(attempt - 1, 16), _MAX_BACKOFF_SECONDS)
    share = random.random() if jitter is None else jitter  # noqa: S311  # spreads load, guards nothing
    return int(seconds * 1000 * (1 - _JITTER * share))


def _want_follow_up(transaction: Transaction) -> None:
    transaction.follow_up.update(KINDS)


def _noted(error: str) -> str:
    """Return what is kept of an error: code that people wrote says all sorts of things."""
    return error[:2000].replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _leased(connection: Connection, delivery_id: str) -> Row | None:
    return _LEASED.first(connection, {"delivery": delivery_id})


def _hasten_to(transaction: Transaction, message_id: str, run_at: int) -> None:
    current = transaction.execute(select(_T.c.run_at).where(_T.c.message_id == message_id)).scalar_one()
    if run_at < current:
        hasten(transaction, message_id, run_at)
