"""The instruments: what happens often is counted here, as it happens.

A label costs a series for each of its values, so none takes its values from outside without a bound. What a label
names is looked up once; from then on a count costs less than a microsecond.
"""

from __future__ import annotations

from collections import Counter as Tally
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, Info, ProcessCollector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope

    from workflow_studio.worker.ports import Delivery

UNMATCHED: Final = "unmatched"
"""The route of requests that were answered before any route was found for them."""

OTHER: Final = "other"
"""Stands for all that came after a label had as many values as it may have."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MOST_STEPS: Final = 100
_LONGEST_NAME: Final = 200
_REQUEST_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)
_WAIT_SECONDS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1800)
_WORK_SECONDS: Final = (0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1800)


class Names:
    """Values of a label that come from users' code: as many as are allowed, then :data:`OTHER`.

    Args:
        most: How many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def admit(self, name: str) -> str:
        """Return the name, or what stands for it."""
        if name in self._known:
            return name
        if len(self._known) >= self._most or len(name) > _LONGEST_NAME:
            return OTHER
        self._known.add(name)
        return name


class Metrics:
    """The instruments of one worker, in a registry of their own.

    Args:
        paths: Paths without a parameter that are answered without a route.

    Attributes:
        registry: Has the instruments, and whatever else is to be shown.
        requests_under_way: Requests that are not answered to their end.
        deliveries_under_way: Deliveries, by kind.
    """

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
        Info("workflow_studio", "The worker.", registry=registry).info({"version": version("workflow-studio-worker")})
        self._paths = frozenset(paths)
        self._steps = Names(_MOST_STEPS)
        self._answers: dict[tuple[str, str, int], Counter] = {}
        self._durations: dict[tuple[str, str], Histogram] = {}
        self._step_durations: dict[str, Histogram] = {}
        self.requests_under_way = 0
        self.deliveries_under_way: Tally[str] = Tally()
        self._requests = Counter(
            "workflow_studio_http_requests",
            "Requests that were answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "workflow_studio_http_request_duration_seconds",
            "From a request to the end of its answer. Long polls and streams last as long as they are asked to.",
            ["method", "route"],
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        self._rate_limited = Counter(
            "workflow_studio_rate_limited",
            "Requests that were refused since there were too many.",
            ["policy"],
            registry=registry,
        )
        deliveries = Counter(
            "workflow_studio_deliveries",
            "Deliveries that ended, by what came of them.",
            ["kind", "outcome"],
            registry=registry,
        )
        waits = Histogram(
            "workflow_studio_delivery_wait_seconds",
            "From when a message fell due to when a worker took it up.",
            ["kind"],
            buckets=_WAIT_SECONDS,
            registry=registry,
        )
        seconds = Histogram(
            "workflow_studio_delivery_duration_seconds",
            "One replay of a run, or one attempt of a step: from taking the message up to the executor's answer.",
            ["kind"],
            buckets=_WORK_SECONDS,
            registry=registry,
        )
        self._step_seconds = Histogram(
            "workflow_studio_step_duration_seconds",
            f"Attempts of steps, by step; those after the first {_MOST_STEPS} are {OTHER!r}.",
            ["step"],
            buckets=_WORK_SECONDS,
            registry=registry,
        )
        kinds = ("workflow", "step")
        outcomes = ("handled", "deferred", "failed", "executor_lost", "undelivered")
        self._deliveries = {(kind, outcome): deliveries.labels(kind, outcome) for kind in kinds for outcome in outcomes}
        self._delivery_waits = {kind: waits.labels(kind) for kind in kinds}
        self._delivery_seconds = {kind: seconds.labels(kind) for kind in kinds}
        for policy in ("key", "address", "failed", "streams"):
            self._rate_limited.labels(policy)

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            scope: The request; its route is in there, if one was found.
            status: Of the answer.
            seconds: That it took.
        """
        method = scope["method"] if scope["method"] in _METHODS else OTHER
        route = self._route_of(scope)
        answers = self._answers.get((method, route, status))
        if answers is None:
            answers = self._answers[method, route, status] = self._requests.labels(method, route, status)
            self._durations.setdefault((method, route), self._seconds.labels(method, route))
        answers.inc()
        self._durations[method, route].observe(seconds)

    def refused(self, policy: str) -> None:
        """Count a request that was one too many; see :data:`workflow_studio.worker.limits.Policy`."""
        self._rate_limited.labels(policy).inc()

    def taken_up(self, delivery: Delivery) -> None:
        """Count a delivery that begins."""
        self.deliveries_under_way[delivery.kind] += 1
        if delivery.waited is not None:
            self._delivery_waits[delivery.kind].observe(delivery.waited)

    def ended(self, delivery: Delivery, step: str | None, outcome: str, seconds: float) -> None:
        """Count a delivery that has ended.

        Args:
            delivery: The delivery.
            step: The step that it executed, if it did.
            outcome: What came of it.
            seconds: That it took.
        """
        self.deliveries_under_way[delivery.kind] -= 1
        self._deliveries[delivery.kind, outcome].inc()
        self._delivery_seconds[delivery.kind].observe(seconds)
        if step is None:
            return
        name = self._steps.admit(step)
        durations = self._step_durations.get(name)
        if durations is None:
            durations = self._step_durations[name] = self._step_seconds.labels(name)
        durations.observe(seconds)

    def _route_of(self, scope: Scope) -> str:
        route = scope.get("route")
        if route is not None:
            return str(route.path)
        path: str = scope["path"]
        return path if path in self._paths else UNMATCHED
