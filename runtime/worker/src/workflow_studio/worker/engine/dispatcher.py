"""The dispatcher: hands messages that are due to the executors."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenacity import (
    AsyncRetrying,
    before_sleep_log,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from workflow_studio.worker.ports import Failed, Outcome, Undelivered
from workflow_studio.worker.store import StoreError, StoreLockedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.housekeeping import Housekeeping
    from workflow_studio.worker.engine.leases import Claim, Leases
    from workflow_studio.worker.engine.queue import Kind, Queue
    from workflow_studio.worker.engine.recovery import Recovery
    from workflow_studio.worker.ports import Delivery, ExecutorPool

_LOG: Final = logging.getLogger(__name__)
_MAX_SLEEP_SECONDS: Final = 60.0
"""Messages fall due by the clock on the wall, which is set, and goes on while the machine is suspended."""

_SWEEP_EVERY_SECONDS: Final = 60.0
_TIDY_EVERY_SECONDS: Final = 600.0
_BOOT_PATIENCE_SECONDS: Final = 60.0
"""How long a database may be away while a worker starts, as when it restarts itself."""

_RETRY: Final = wait_random_exponential(multiplier=0.1, max=10)


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many deliveries of each kind may be worked on at the same time.

    A delivery that waits for others, as a step does that awaits another run, is not worked on: if it took a place, so
    many of them would wait for ever for what they keep from being done.
    """

    workflow: int = 16
    step: int = 64

    def free(self, worked_on: Counter[Kind]) -> dict[Kind, int]:
        """Return how many more there may be."""
        return {
            "workflow": max(0, self.workflow - worked_on["workflow"]),
            "step": max(0, self.step - worked_on["step"]),
        }


class Dispatcher:
    """Claims messages when a commit has made some ready or the next one falls due, and delivers them.

    Nothing polls: with nothing due it sleeps until something is, though a minute at most.
    """

    def __init__(
        self,
        queue: Queue,
        leases: Leases,
        recovery: Recovery,
        housekeeping: Housekeeping,
        pool: ExecutorPool,
        clock: Clock,
        capacity: Capacity | None = None,
    ) -> None:
        self._leases = leases
        self._recovery = recovery
        self._housekeeping = housekeeping
        self._pool = pool
        self._clock = clock
        self._capacity = capacity or Capacity()
        self._in_flight: dict[str, Kind] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self._wake = asyncio.Event()
        queue.on_ready(self._wake.set)
        leases.deliveries.on_waiting(self._wake.set)

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
        self._wake.set()
        self._loops = [
            asyncio.create_task(self._dispatch(), name="dispatcher"),
            asyncio.create_task(_repeat(self._recovery.sweep, _SWEEP_EVERY_SECONDS), name="recovery"),
            asyncio.create_task(_repeat(self._housekeeping.sweep, _TIDY_EVERY_SECONDS), name="housekeeping"),
        ]

    def pause(self) -> None:
        """Claim nothing more; what is in flight goes on."""
        for loop in self._loops:
            loop.cancel()

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
            self._wake.clear()
            try:
                claim = await self._claim()
            except Exception:  # noqa: BLE001  # without this loop nothing is ever delivered again
                failures += 1
                pause = min(0.1 * 2 ** min(failures, 10), 10.0)
                _LOG.exception("Messages could not be claimed; trying again in %.1f s.", pause)
                await asyncio.sleep(pause)
                self._wake.set()
                continue
            failures = 0
            await self._sleep_until(claim.next_at)

    async def _claim(self) -> Claim:
        # A claim that is under way when the dispatcher stops must still start what it leases.
        return await asyncio.shield(asyncio.ensure_future(self._claim_and_start()))

    async def _claim_and_start(self) -> Claim:
        waiting = self._leases.deliveries.waiting
        worked_on = Counter(kind for delivery_id, kind in self._in_flight.items() if delivery_id not in waiting)
        claim = await self._leases.claim(self._capacity.free(worked_on))
        for delivery in claim.deliveries:
            self._in_flight[delivery.id] = delivery.kind
            task = asyncio.create_task(self._deliver(delivery), name=f"delivery {delivery.id}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return claim

    async def _sleep_until(self, next_at: int | None) -> None:
        seconds = _MAX_SLEEP_SECONDS
        if next_at is not None:
            seconds = min(seconds, max(0.0, (next_at - self._clock()) / 1000))
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            outcome = await self._run(delivery)
            await self._record(delivery, outcome)
        finally:
            del self._in_flight[delivery.id]
            self._wake.set()

    async def _run(self, delivery: Delivery) -> Outcome:
        try:
            return await self._pool.deliver(delivery)
        except Exception:  # noqa: BLE001  # a delivery that is not recorded would be leased for ever
            _LOG.exception("Delivery %s of message %s went wrong.", delivery.id, delivery.message_id)
            return Failed("The worker could not deliver the message; its log says why.", executor_lost=True)

    async def _record(self, delivery: Delivery, outcome: Outcome) -> None:
        """Record an outcome, however long the database fails: the message is leased until then."""
        report = before_sleep_log(_LOG, logging.ERROR)
        async for attempt in AsyncRetrying(retry=retry_if_exception_type(), wait=_RETRY, before_sleep=report):
            with attempt:
                if isinstance(outcome, Failed):
                    _LOG.warning(
                        "Delivery %s of message %s failed at attempt %d: %s",
                        delivery.id,
                        delivery.message_id,
                        delivery.attempt,
                        outcome.message,
                    )
                    await self._leases.fail(delivery.id, outcome.message, executor_lost=outcome.executor_lost)
                elif isinstance(outcome, Undelivered):
                    _LOG.warning("Message %s could not be delivered: %s", delivery.message_id, outcome.message)
                    await self._leases.give_back(delivery.id, outcome.message)
                elif outcome.timeout_seconds is None:
                    await self._leases.complete(delivery.id)
                else:
                    await self._leases.defer(delivery.id, outcome.timeout_seconds)


async def _repeat(work: Callable[[], Awaitable[object]], seconds: float) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except Exception:  # noqa: BLE001  # the next time may do better
            _LOG.exception("What the worker looks after every %.0f s went wrong.", seconds)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, StoreError) and not isinstance(error, StoreLockedError)
