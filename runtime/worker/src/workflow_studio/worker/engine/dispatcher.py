"""The dispatcher: hands messages that are due to the executors."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Final

from tenacity import (
    AsyncRetrying,
    before_sleep_log,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from workflow_studio.worker.engine.bus import DUE
from workflow_studio.worker.engine.claims import Executors
from workflow_studio.worker.engine.places import Capacity, Places
from workflow_studio.worker.engine.queue import KINDS
from workflow_studio.worker.objects import ObjectStoreError
from workflow_studio.worker.ports import Failed, Outcome, Undelivered
from workflow_studio.worker.store import StoreError, StoreLockedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from workflow_studio.worker.engine.bus import Bus
    from workflow_studio.worker.engine.claims import Begin, Claim
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.housekeeping import Housekeeping
    from workflow_studio.worker.engine.leases import Leases
    from workflow_studio.worker.engine.payloads import Payloads
    from workflow_studio.worker.engine.queue import Kind, Queue
    from workflow_studio.worker.engine.recovery import Recovery
    from workflow_studio.worker.ports import Delivery, ExecutorPool
    from workflow_studio.worker.store import Transaction

_LOG: Final = logging.getLogger(__name__)
_MAX_SLEEP_SECONDS: Final = 60.0
"""Messages fall due by the clock on the wall, which is set, and goes on while the machine is suspended."""

_POLL_SECONDS: Final = 5.0
"""The same where there are other workers, whose hints may be lost."""

_SWEEP_EVERY_SECONDS: Final = 60.0
_TIDY_EVERY_SECONDS: Final = 600.0
_BOOT_PATIENCE_SECONDS: Final = 60.0
"""How long a database may be away while a worker starts, as when it restarts itself."""

_RETRY: Final = wait_random_exponential(multiplier=0.1, max=10)


class Dispatcher:
    """Delivers messages when they fall due.

    Where the database allows, a message is claimed in the commit that makes it due. Otherwise, and when its time comes
    later, or there was no place for it, it is claimed by a write of its own. Nothing polls: with nothing due the
    dispatcher sleeps until something is, though a minute at most.

    Where there are several workers, each looks for what it has made due itself, and tells the others if it has no place
    for it. When a worker is gone, the others look.
    """

    def __init__(  # noqa: PLR0913  # named, and each is a part of its own
        self,
        queue: Queue,
        leases: Leases,
        recovery: Recovery,
        housekeeping: Housekeeping,
        *,
        bus: Bus,
        pool: ExecutorPool,
        clock: Clock,
        begin: Begin,
        payloads: Payloads,
        capacity: Capacity | None = None,
    ) -> None:
        self._payloads = payloads
        self._leases = leases
        self._recovery = recovery
        self._housekeeping = housekeeping
        self._pool = pool
        self._clock = clock
        self._executors = Executors(pool.ready, begin)
        self._places = Places(capacity or Capacity())
        self._in_flight: dict[str, Kind] = {}
        self._next_at: dict[Kind, int | None] = {}
        self._limited: set[Kind] = set()
        self._sleeps_until: int | None = None
        self._claims_in_commits = False
        self._taken_in_commits: deque[dict[Kind, int]] = deque()
        self._must_look = True
        self._has_news = False
        self._bus = bus
        self._failure: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._stir = asyncio.Event()
        queue.on_ready(self._announced)
        bus.on(DUE, lambda _: self._wake_up())
        bus.on_gap(self._wake_up)
        leases.deliveries.on_waiting(self._lend)

    async def start(self) -> None:
        """Recover what the process before left behind, and begin to deliver.

        If the database goes away meanwhile, recovery is begun again until it succeeds: a worker that gave it up and
        went on would never look at the leases of its predecessor again.

        Raises:
            StoreError: If the database fails for a minute, or is another worker's.
        """
        again = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            wait=_RETRY,
            stop=stop_after_delay(_BOOT_PATIENCE_SECONDS),
            before_sleep=before_sleep_log(_LOG, logging.ERROR),
            reraise=True,
        )
        await again(self._recovery.at_boot)
        self._places.are_open = True
        self._claims_in_commits = self._leases.claim_in_commits(
            self._claim_in_commit, done=self._claimed, failed=self._not_claimed
        )
        self._leases.claim_at_once(self._claim_at_once)
        self._loops = [
            asyncio.create_task(self._dispatch(), name="dispatcher"),
            asyncio.create_task(_repeat(self._recovery.sweep, _SWEEP_EVERY_SECONDS), name="recovery"),
            asyncio.create_task(_repeat(self._housekeeping.sweep, _TIDY_EVERY_SECONDS), name="housekeeping"),
        ]

    def pause(self) -> None:
        """Claim nothing more; what is in flight goes on."""
        self._places.are_open = False
        for loop in self._loops:
            loop.cancel()
        self._bus.hint(DUE, "")

    async def stop(self, *, grace: float) -> None:
        """Claim nothing more and wait for the deliveries in flight.

        Deliveries that are still not done after ``grace`` seconds are given up; they are made again after the next
        start, as further attempts.
        """
        self.pause()
        await asyncio.gather(*self._loops, return_exceptions=True)
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    @property
    def in_flight(self) -> int:
        """How many deliveries are under way."""
        return len(self._tasks)

    async def _dispatch(self) -> None:
        failures = 0
        while True:
            self._must_look = False
            try:
                await self._look()
            except Exception:  # noqa: BLE001  # without this loop nothing is ever delivered again
                failures += 1
                pause = min(0.1 * 2 ** min(failures, 10), 10.0)
                _LOG.exception("Messages could not be claimed; trying again in %.1f s.", pause)
                await asyncio.sleep(pause)
                continue
            failures = 0
            await self._sleep()

    async def _look(self) -> None:
        """Claim what is due."""
        if self._claims_in_commits:
            self._failure = None
            await self._leases.claim_in_next_commit()
            if self._failure is not None:
                raise self._failure
        else:
            # A claim that is under way when the dispatcher stops must still start what it leases.
            await asyncio.shield(asyncio.ensure_future(self._claim()))

    async def _claim(self) -> None:
        claim = await self._leases.claim(self._places.free(), self._executors)
        self._places.take(_kinds(claim))
        self._begin(claim)

    def _claim_in_commit(self, transaction: Transaction) -> Claim:
        # On the writer's thread. One of these comes after the other, and so do their outcomes.
        taken: dict[Kind, int] = {}
        self._taken_in_commits.append(taken)
        wanted = transaction.follow_up
        limits = {kind: limit for kind, limit in self._places.free().items() if kind in wanted}
        claim = self._leases.claim_within(transaction, limits, self._executors)
        taken.update(_kinds(claim))
        self._places.take(taken)
        return claim

    def _claimed(self, claim: Claim) -> None:
        self._taken_in_commits.popleft()
        self._begin(claim)

    def _not_claimed(self, error: BaseException) -> None:
        self._places.give_back(self._taken_in_commits.popleft())
        self._failure = error
        self._wake_up()

    def _claim_at_once(self, transaction: Transaction, has_failed: bool) -> None:  # noqa: FBT001  # it is called back
        # On a thread of the store, beside others.
        wanted = dict.fromkeys(KINDS, 0)
        for kind in transaction.due.values():
            # Where there is more that is due, that comes first.
            if kind not in self._limited and not has_failed:
                wanted[kind] += 1
        taken = self._places.reserve(wanted)
        transaction.when_undone(lambda: self._places.give_back(taken))
        claim = self._leases.claim_due(transaction, taken, self._executors)
        used = _kinds(claim)
        self._places.give_back({kind: number - used[kind] for kind, number in taken.items()})
        taken.update(used)
        transaction.after_commit(lambda: self._deliver_all(claim.deliveries))
        if claim.limited and not self._claims_in_commits:
            transaction.after_commit(self._announced)

    def _deliver_all(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            self._in_flight[delivery.id] = delivery.kind
            task = asyncio.create_task(self._deliver(delivery), name=f"delivery {delivery.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _begin(self, claim: Claim) -> None:
        self._deliver_all(claim.deliveries)
        for kind, next_at in claim.next_at.items():
            self._next_at[kind] = next_at
            if kind in claim.limited:
                self._limited.add(kind)
            else:
                self._limited.discard(kind)
            if next_at is not None and (self._sleeps_until is None or next_at < self._sleeps_until):
                self._stir.set()
        if self._has_news and self._limited:
            self._bus.hint(DUE, "")
        self._has_news = False

    def _announced(self) -> None:
        """Look for what this worker has made due; if it takes nothing any more, others are to do that."""
        self._has_news = True
        if not self._places.are_open:
            self._bus.hint(DUE, "")
        self._wake_up()

    def _wake_up(self) -> None:
        self._must_look = True
        self._stir.set()

    def _lend(self) -> None:
        """Let others have the places of deliveries that wait."""
        waiting = self._leases.deliveries.waiting
        lent = dict.fromkeys(KINDS, 0)
        for delivery_id in waiting:
            if delivery_id in self._in_flight:
                lent[self._in_flight[delivery_id]] += 1
        self._places.lend(lent)
        if self._limited:
            self._wake_up()

    async def _sleep(self) -> None:
        """Sleep until there is something to claim that no commit claims by itself."""
        while not self._must_look:
            self._stir.clear()
            seconds = _POLL_SECONDS if self._bus.others else _MAX_SLEEP_SECONDS
            self._sleeps_until = min((at for at in self._next_at.values() if at is not None), default=None)
            if self._sleeps_until is not None:
                seconds = min(seconds, max(0.0, (self._sleeps_until - self._clock()) / 1000))
            try:
                async with asyncio.timeout(seconds):
                    await self._stir.wait()
            except TimeoutError:
                self._has_news = True
                return

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            outcome = await self._run(delivery)
        finally:
            del self._in_flight[delivery.id]
            self._places.give_back({delivery.kind: 1})
            self._lend()
        await self._record(delivery, outcome)

    async def _run(self, delivery: Delivery) -> Outcome:
        try:
            if delivery.first is not None:
                await self._payloads.fill_answer(delivery.first.answer.get("value", {}))
            return await self._pool.deliver(delivery)
        except ObjectStoreError as error:
            return Undelivered(error.message)
        except Exception:  # noqa: BLE001  # a delivery that is not recorded would be leased for ever
            _LOG.exception("Delivery %s of message %s went wrong.", delivery.id, delivery.message_id)
            return Failed("The worker could not deliver the message; its log says why.", executor_lost=True)

    async def _record(self, delivery: Delivery, outcome: Outcome) -> None:
        """Record an outcome, however long the database fails: the message is leased until then."""
        if isinstance(outcome, Failed):
            _LOG.warning(
                "Delivery %s of message %s failed at attempt %d: %s",
                delivery.id,
                delivery.message_id,
                delivery.attempt,
                outcome.message,
            )
        elif isinstance(outcome, Undelivered):
            _LOG.warning("Message %s could not be delivered: %s", delivery.message_id, outcome.message)
        try:
            await self._note(delivery, outcome)
        except Exception:  # noqa: BLE001  # the message is leased for ever unless it is tried again
            _LOG.exception("The outcome of delivery %s could not be recorded; trying again.", delivery.id)
            report = before_sleep_log(_LOG, logging.ERROR)
            again = AsyncRetrying(retry=retry_if_exception_type(), wait=_RETRY, before_sleep=report)
            await again(self._note, delivery, outcome)

    async def _note(self, delivery: Delivery, outcome: Outcome) -> None:
        if isinstance(outcome, Failed):
            await self._leases.fail(delivery.id, outcome.message, executor_lost=outcome.executor_lost)
        elif isinstance(outcome, Undelivered):
            await self._leases.give_back(delivery.id, outcome.message)
        elif outcome.timeout_seconds is None:
            await self._leases.complete(delivery.id, may_wait=not self._limited)
        else:
            await self._leases.defer(delivery.id, outcome.timeout_seconds)


def _kinds(claim: Claim) -> dict[Kind, int]:
    """Return how many deliveries of each kind there are."""
    found = dict.fromkeys(KINDS, 0)
    for delivery in claim.deliveries:
        found[delivery.kind] += 1
    return found


async def _repeat(work: Callable[[], Awaitable[object]], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception:  # noqa: BLE001  # the next time may do better
            _LOG.exception("What the worker looks after every %.0f s went wrong.", seconds)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, StoreError) and not isinstance(error, StoreLockedError)
