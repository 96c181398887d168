"""What is looked up when somebody asks: the state of the worker, and counts that its rooms keep by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily

from workflow_studio.worker.execution.tally import CAUSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client import Metric

    from workflow_studio.worker.engine import Engine
    from workflow_studio.worker.engine.backlog import Waiting
    from workflow_studio.worker.execution.tally import ExecutorTally
    from workflow_studio.worker.metrics.instruments import Metrics
    from workflow_studio.worker.services import Pool

_PREFIX: Final = "workflow_studio_"
_ENDS_OF_RUNS: Final = ("completed", "failed", "cancelled")


@dataclass(slots=True, eq=False)
class State:
    """Collects the state when the registry is read.

    Attributes:
        metrics: The instruments, which know what is under way.
        engine: The use cases.
        pool: The executors.
        executors: Starts and ends of executors.
        slots: How many deliveries of each kind there may be at a time.
        is_ready: Tells whether the worker takes requests.
    """

    metrics: Metrics
    engine: Engine
    pool: Pool
    executors: ExecutorTally
    slots: Mapping[str, int]
    is_ready: Callable[[], bool]
    _seen: list[Metric] = field(default_factory=list)

    async def look(self) -> None:
        """Look at everything there is; that is what is collected until the next look."""
        self._seen = list(self._now(await self.engine.backlog.look()))

    def collect(self) -> list[Metric]:
        """Return what was there at the last look. Any thread may ask."""
        return self._seen

    def _now(self, waiting: Waiting | None) -> Iterator[Metric]:
        yield _gauge("ready", "Whether the worker takes requests: 0 while it ends.", float(self.is_ready()))
        yield _gauge(
            "http_requests_in_progress",
            "Requests that are not answered to their end, long polls and streams among them.",
            self.metrics.requests_under_way,
        )
        yield _gauge("workers", "Workers of the service, as far as this one knows.", 1 + self.engine.workers.others)
        yield from self._deliveries()
        yield from self._executors()
        yield from self._store()
        yield from _backlog(waiting)

    def _deliveries(self) -> Iterator[Metric]:
        under_way = self.metrics.deliveries_under_way
        yield _gauges(
            "deliveries_in_flight",
            "Deliveries under way in this worker.",
            "kind",
            {kind: under_way[kind] for kind in self.slots},
        )
        yield _gauges("delivery_slots", "Deliveries that this worker makes at a time.", "kind", self.slots)
        yield _counter(
            "leases_lost",
            "Deliveries whose message was another worker's, or gone, when they ended.",
            self.engine.leases.lost,
        )
        yield _counter(
            "leases_taken_over",
            "Messages that were taken over from a worker that died.",
            self.engine.workers.taken_over,
        )
        counts = self.engine.endings.counts
        yield _counters(
            "runs_ended",
            "Runs that ended, by how, as far as this worker wrote their end.",
            "status",
            {status: counts[status] for status in _ENDS_OF_RUNS},
        )

    def _executors(self) -> Iterator[Metric]:
        executors = self.pool.status()
        yield _gauge("executors", "Node.js processes.", len(executors))
        yield _gauge("executor_memory_bytes", "Their resident memory, together.", sum(each.rss for each in executors))
        tally = self.executors
        yield SummaryMetricFamily(
            f"{_PREFIX}executor_start_seconds",
            "Starts of executors, and how long they took.",
            count_value=tally.starts,
            sum_value=tally.start_seconds,
        )
        yield _counter("executor_failed_starts", "Executors that did not come up.", tally.failed_starts)
        yield _counters(
            "executor_ends",
            "Executors that ended, by cause.",
            "cause",
            {cause: tally.ends[cause] for cause in CAUSES},
        )

    def _store(self) -> Iterator[Metric]:
        tally = self.engine.store_tally
        yield SummaryMetricFamily(
            f"{_PREFIX}store_commit_seconds",
            "Commits, and how long they took.",
            count_value=tally.commits,
            sum_value=tally.seconds,
        )
        yield _counter("store_writes", "Writes in these commits.", tally.writes)
        yield _counter("store_failures", "Reads and writes that the database failed.", tally.failures)


def _backlog(waiting: Waiting | None) -> Iterator[Metric]:
    yield _gauge("store_up", "Whether the database answered a moment ago.", float(waiting is not None))
    if waiting is None:
        return
    messages = GaugeMetricFamily(
        f"{_PREFIX}queue_messages",
        "Messages of the service, whichever worker will take them.",
        labels=["kind", "state"],
    )
    for kind, depth in waiting.messages.items():
        for state in ("due", "scheduled", "leased", "dead"):
            messages.add_metric([kind, state], getattr(depth, state))
    yield messages
    yield _gauges(
        "queue_oldest_due_seconds",
        "How long the first of the messages that are due has been waiting.",
        "kind",
        {kind: depth.oldest_due_seconds for kind, depth in waiting.messages.items()},
    )
    yield _gauges("runs", "Runs of the service that have not ended.", "status", waiting.runs)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(_PREFIX + name, text, value=value)


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(GaugeMetricFamily(_PREFIX + name, text, labels=[label]), values)


def _counters(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    return _labelled(CounterMetricFamily(_PREFIX + name, text, labels=[label]), values)


def _labelled(
    family: GaugeMetricFamily | CounterMetricFamily, values: Mapping[str, float]
) -> GaugeMetricFamily | CounterMetricFamily:
    for value, number in values.items():
        family.add_metric([value], number)
    return family
