"""A pool whose deliveries are measured."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from workflow_studio.worker.engine.queue import step_of
from workflow_studio.worker.ports import Failed, Handled, Undelivered
from workflow_studio.worker.services import WrappedPool

if TYPE_CHECKING:
    from workflow_studio.worker.metrics.instruments import Metrics
    from workflow_studio.worker.ports import Delivery, Outcome
    from workflow_studio.worker.services import Pool


class MeasuredPool(WrappedPool):
    """Hands everything to another pool, and measures the deliveries.

    Args:
        pool: The other one.
        metrics: The instruments.
    """

    def __init__(self, pool: Pool, metrics: Metrics) -> None:
        super().__init__(pool)
        self._metrics = metrics

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Run one delivery to its end."""
        metrics = self._metrics
        began = time.perf_counter()
        metrics.taken_up(delivery)
        named = "failed"
        try:
            outcome = await self._pool.deliver(delivery)
            named = _name(outcome)
        finally:
            # A health check of the queues is no step of anybody.
            step = step_of(delivery.queue_name) if delivery.step_id is not None else None
            metrics.ended(delivery, step, named, time.perf_counter() - began)
        return outcome


def _name(outcome: Outcome) -> str:
    if isinstance(outcome, Handled):
        return "handled" if outcome.timeout_seconds is None else "deferred"
    if isinstance(outcome, Undelivered):
        return "undelivered"
    return "executor_lost" if isinstance(outcome, Failed) and outcome.executor_lost else "failed"
