"""What the routes work with, made once per worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from fastapi import Depends, Request

from workflow_studio.worker.ports import CallContext, ExecutorPool

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workflow_studio.worker.artifacts import ArtifactStore
    from workflow_studio.worker.engine import Engine
    from workflow_studio.worker.execution import ExecutorStatus
    from workflow_studio.worker.settings import WorkerSettings

_AN_APP = CallContext()


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
    """

    settings: WorkerSettings
    engine: Engine
    artifacts: ArtifactStore
    pool: Pool

    async def world(self, method: str, params: Mapping[str, Any]) -> Any:
        """Call a method of the World on behalf of an app.

        Raises:
            WorldError: If the World refuses.
        """
        return await self.engine.world.call(method, params, _AN_APP)


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Worker = Annotated[Services, Depends(_services)]
"""The services, as a route's parameter."""
