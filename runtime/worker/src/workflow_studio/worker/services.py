"""What the routes work with, made once per worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

from fastapi import Depends, Request

from workflow_studio.worker.ports import CallContext, ExecutorPool, IdempotencyKey

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence

    from workflow_studio.worker.artifacts import ArtifactStore
    from workflow_studio.worker.engine import Engine
    from workflow_studio.worker.execution import ExecutorStatus
    from workflow_studio.worker.settings import WorkerSettings

_AN_APP: Final = CallContext()
_WAIT: Final = "waitMs"


class Pool(ExecutorPool, Protocol):
    """An executor pool that can be looked into."""

    def status(self) -> Sequence[ExecutorStatus]:
        """Return what each executor is doing."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the routes work with.

    Attributes:
        settings: The worker's settings.
        engine: The use cases.
        artifacts: Uploaded artifacts.
        pool: The executors.
        stopping: Set when the worker is about to end; whoever waits for something to happen stops waiting.
    """

    settings: WorkerSettings
    engine: Engine
    artifacts: ArtifactStore
    pool: Pool
    stopping: asyncio.Event

    async def world(self, method: str, params: Mapping[str, Any], repeat: IdempotencyKey | None = None) -> Any:
        """Call a method of the World on behalf of an app.

        Args:
            method: Its name.
            params: Its parameters.
            repeat: What names the call, if it may arrive twice.

        Raises:
            WorldError: If the World refuses.
            EngineError: ``idempotency_conflict``.
        """
        call = self.engine.world.call(method, params, _AN_APP if repeat is None else CallContext(idempotency=repeat))
        if method == "streams.read" and params.get(_WAIT):
            return await self._unless_stopping(call, params)
        return await call

    async def _unless_stopping(self, call: Coroutine[Any, Any, Any], params: Mapping[str, Any]) -> Any:
        """Answer a long poll with what there is, rather than hold up the end of the worker."""
        calling = asyncio.ensure_future(call)
        stopping = asyncio.ensure_future(self.stopping.wait())
        try:
            await asyncio.wait({calling, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if calling.done():
                return calling.result()
            return await self.engine.world.call("streams.read", {**params, _WAIT: 0}, _AN_APP)
        finally:
            stopping.cancel()
            calling.cancel()
            await asyncio.gather(calling, stopping, return_exceptions=True)


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Worker = Annotated[Services, Depends(_services)]
"""The services, as a route's parameter."""
