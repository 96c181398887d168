"""What the routes work with, made once per worker."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, TypeVar

from fastapi import Depends, Request

from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT
from workflow_studio.worker import origin
from workflow_studio.worker.ports import BatchedCall, CallContext, Caller, ExecutorPool, IdempotencyKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from workflow_studio.worker.artifacts import ArtifactStore
    from workflow_studio.worker.computing import Computing
    from workflow_studio.worker.engine import Deployment, Engine
    from workflow_studio.worker.execution import ExecutorStatus
    from workflow_studio.worker.limits import StreamLimit
    from workflow_studio.worker.metrics import Exposition
    from workflow_studio.worker.readiness import Readiness
    from workflow_studio.worker.settings import WorkerSettings
    from workflow_studio.worker.stopping import Stopping
    from workflow_studio.worker.unpacking import Unpacking

T = TypeVar("T")

_POLLS: Final = frozenset({"runs.get", "streams.read"})
_WAIT: Final = "waitMs"


class Pool(ExecutorPool, Protocol):
    """An executor pool that can be looked into."""

    def status(self) -> Sequence[ExecutorStatus]:
        """Return what each executor is doing."""

    def warm(self, deployment_id: str) -> None:
        """Have an executor of a deployment ready before there is something to do; it is started in the background."""

    def abandon(self) -> None:
        """Give up all that is in flight, since others do it now: kill the executors that have it."""

    async def refresh(self, deployment_id: str) -> None:
        """Replace the executors of a deployment; those that run finish what they have."""


class WrappedPool:
    """Hands all but deliveries to another pool.

    Args:
        pool: The other one.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.ready = pool.ready
        self.status = pool.status
        self.warm = pool.warm
        self.request = pool.request
        self.refresh = pool.refresh
        self.abandon = pool.abandon
        self.close = pool.close


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work with.

    Attributes:
        settings: The worker's settings.
        engine: The use cases.
        artifacts: Artifacts that are unpacked here.
        unpacking: Brings them here.
        pool: The executors.
        compute: Takes what callers ask for.
        stopping: Set when the worker is about to end; whoever waits for something to happen stops waiting.
        streams: Counts the long polls and streams of each key.
        exposition: Shows the metrics.
        readiness: Tells whether requests are welcome.
    """

    settings: WorkerSettings
    engine: Engine
    artifacts: ArtifactStore
    unpacking: Unpacking
    pool: Pool
    compute: Computing
    stopping: Stopping
    streams: StreamLimit
    exposition: Exposition
    readiness: Readiness

    async def world(
        self,
        method: str,
        params: Mapping[str, Any],
        repeat: IdempotencyKey | None = None,
        request: Request | None = None,
    ) -> Any:
        """Call a method of the World on behalf of an app.

        Args:
            method: Its name.
            params: Its parameters.
            repeat: What names the call, if it may arrive twice.
            request: The request that makes it, read to its end.

        Raises:
            WorldError: If the World refuses.
            EngineError: ``idempotency_conflict``.
            Problem: If a custom Compute fails.
        """
        if method in _POLLS and params.get(_WAIT):
            return await self.poll(
                lambda wait_ms: self.engine.world.call(method, {**params, _WAIT: wait_ms}, CallContext()),
                params[_WAIT],
                request,
            )
        context = CallContext(idempotency=repeat, caller=None if request is None else caller_of(request))
        return await self.compute.world(method, params, context)

    async def batch(self, calls: Sequence[BatchedCall], request: Request) -> dict[str, Any]:
        """Make several calls to the World on behalf of an app.

        Args:
            calls: The calls.
            request: The request that makes them.

        Returns:
            ``results``: ``{"value": ...}`` or ``{"error": ...}`` for each call, in order.

        Raises:
            WorldError: If the World can make none of them.
            EngineError: ``idempotency_conflict``.
            Problem: If a custom Compute fails.
        """
        return await self.compute.batch(calls, CallContext(caller=caller_of(request)))

    def warm(self, deployment: Deployment) -> None:
        """Have an executor ready for a deployment that was activated, if the settings do not forbid it."""
        if self.settings.warm_deployments:
            self.pool.warm(deployment.id)

    async def poll(self, ask: Callable[[Any], Awaitable[T]], wait_ms: Any, request: Request | None) -> T:
        """Answer a long poll: with what there is, rather than hold up the end of the worker or wait for nobody.

        Args:
            ask: Asks the engine, given how long it may wait.
            wait_ms: How long it may wait.
            request: The request that is answered, read to its end; when its client leaves, the wait is over.

        Raises:
            Problem: ``too_many_streams``, if the key has too many of them open.
        """
        with self.held_open(request):
            return await self._poll(ask, wait_ms, request)

    def held_open(self, request: Request | None) -> AbstractContextManager[None]:
        """Count a long poll or a stream against the limit of its key, as long as this lasts.

        Raises:
            Problem: ``too_many_streams``, if it is one too many.
        """
        caller = None if request is None else caller_of(request)
        return nullcontext() if caller is None else self.streams.held(caller.key_id)

    async def _poll(self, ask: Callable[[Any], Awaitable[T]], wait_ms: Any, request: Request | None) -> T:
        asking = asyncio.ensure_future(ask(wait_ms))
        tasks: set[asyncio.Future[Any]] = {asking, asyncio.ensure_future(self.stopping.wait())}
        if request is not None:
            tasks.add(asyncio.ensure_future(_left(request)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else await ask(0)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _left(request: Request) -> None:
    """Wait until the client of a request has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass  # the rest of a body that nobody asked for


def caller_of(request: Request) -> Caller | None:
    """Return whose request it is; None at an address that needs no key."""
    key = request.scope.get("workflow_studio.key")
    if key is None:
        return None
    under_way = origin.current()
    request_id = None if under_way is None else under_way.request_id
    return Caller(key.key_id, key.project_id, request_id, _named_environment(request))


def _named_environment(request: Request) -> str | None:
    named: str | None = request.scope.get("workflow_studio.environment")
    return named


def environment_of(request: Request) -> str:
    """Return the environment that a request is about."""
    return _named_environment(request) or DEFAULT_ENVIRONMENT


def services_of(request: Request) -> Services:
    """Return what the worker works with that got a request."""
    services: Services = request.app.state.services
    return services


# FastAPI has a thread call what is not asynchronous, and a request would wait for that each time.


async def _services(request: Request) -> Services:
    return services_of(request)


async def _environment(request: Request) -> str:
    return environment_of(request)


async def _caller(request: Request) -> Caller | None:
    return caller_of(request)


Worker = Annotated[Services, Depends(_services)]
"""The services, as a route's parameter."""

In = Annotated[str, Depends(_environment)]
"""The environment that the request is about, as a route's parameter."""

By = Annotated[Caller | None, Depends(_caller)]
"""Whose request it is, as a route's parameter."""
