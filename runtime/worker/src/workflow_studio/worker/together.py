"""What a worker does with its executors and limits when another worker of the service tells it something."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.worker.engine.environment import VARIABLES
from workflow_studio.worker.engine.retirement import ACTIVATED
from workflow_studio.worker.engine.stored_limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping

    from workflow_studio.worker.engine import Engine
    from workflow_studio.worker.limits import RateLimits
    from workflow_studio.worker.services import Pool

logger = logging.getLogger(__name__)

_COUNTS: Final = "counts"
_COUNTED_FOR: Final = 0.25
"""Seconds after which the others hear of the requests that were counted here."""


class Obedience:
    """Keeps the executors of this worker as other workers were told to have them.

    Args:
        engine: Tells what the others did.
        pool: The executors.
        warms: Whether those of an active deployment are started before there is something to do.
        variables: What each deployment's executors were given last.
    """

    def __init__(self, engine: Engine, pool: Pool, variables: Mapping[str, Mapping[str, str]], *, warms: bool) -> None:
        self._engine = engine
        self._pool = pool
        self._variables = variables
        self._warms = warms
        self._tasks: set[asyncio.Task[None]] = set()
        engine.workers.on_lost(pool.abandon)
        engine.bus.on(ACTIVATED, self._warm)
        engine.bus.on(VARIABLES, lambda deployment_id: self._spawn(pool.refresh(deployment_id)))
        engine.bus.on(LIMITS, lambda _: self._spawn(engine.limits.load()))
        engine.bus.on_gap(lambda: self._spawn(self._look()))

    async def aclose(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _warm(self, deployment_id: str) -> None:
        if deployment_id and self._warms:
            self._pool.warm(deployment_id)

    async def _look(self) -> None:
        """Keep to the limits, and replace the executors whose variables were changed, while nothing was heard."""
        await self._engine.limits.load()
        for deployment_id in {executor.deployment_id for executor in self._pool.status()}:
            given = self._variables.get(deployment_id)
            if given is not None and await self._engine.environment.values(deployment_id) != given:
                await self._pool.refresh(deployment_id)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("What another worker changed could not be taken over: %s", task.exception())


@asynccontextmanager
async def counting_together(engine: Engine, limits: RateLimits) -> AsyncIterator[None]:
    """Have requests that any worker counts count on all of them, a quarter of a second later."""
    noting: set[asyncio.Task[None]] = set()

    def note(told: list[Any]) -> None:
        task = asyncio.ensure_future(limits.note(*told))
        noting.add(task)
        task.add_done_callback(noting.discard)

    engine.bus.on(_COUNTS, note)
    task = asyncio.create_task(_tell_counts(engine, limits), name="counts")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _tell_counts(engine: Engine, limits: RateLimits) -> None:
    while True:
        await limits.counted.wait()
        for policy, name, number in limits.take_counted():
            engine.bus.hint(_COUNTS, [policy, name, number])
        await asyncio.sleep(_COUNTED_FOR)
