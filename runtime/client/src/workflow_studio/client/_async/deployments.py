"""Deployments and their variables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from workflow_studio.client._async.base import AsyncBase
from workflow_studio.client._calls import deployments as calls
from workflow_studio.client._core import Prepared
from workflow_studio.client._upload import Progress, async_chunks_of, async_size_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import httpx

    from workflow_studio.client._filters import Part
    from workflow_studio.compute.api import ActiveDeployment, Deployment, Environment, Page, Variables
    from workflow_studio.compute.ids import DeploymentId, EnvironmentName


class AsyncDeployments(AsyncBase):
    """Uploads deployments, looks at them, decides which of them new runs use."""

    async def create_deployment(
        self,
        artifact: Path | str | bytes,
        *,
        base: DeploymentId | None = None,
        on_progress: Progress | None = None,
    ) -> Deployment:
        """Upload an artifact; the deployment it makes is not used before it is activated.

        It begins with the variables of the deployment that is active in this client's environment.

        Args:
            artifact: The archive that ``studio build`` wrote, or its content.
            base: A deployment of the worker whose files the archive leaves out where they are the same; its manifest
                names them all. Refused with ``base_not_found`` if the worker does not have it: upload all then.
            on_progress: Called with the bytes sent so far and the size of the archive; starts over with a retry.

        Raises:
            OSError: If the file cannot be read.
        """
        content_of = artifact if isinstance(artifact, bytes) else Path(artifact)
        size = await async_size_of(content_of)
        prepared = Prepared(calls.create_deployment(base), self._options)

        def build() -> httpx.Request:
            content = async_chunks_of(content_of, size, on_progress)
            return self._http.build_request(**prepared.upload_arguments(size), content=content)

        return await self._attempt(prepared, build)

    async def list_deployments(self, **part: Unpack[Part]) -> Page[Deployment]:
        """Return some deployments, newest first."""
        return await self._send(calls.list_deployments(part))

    def iter_deployments(self, **part: Unpack[Part]) -> AsyncIterator[Deployment]:
        """Return all deployments, newest first, page by page as they are asked for."""
        return self._entries(lambda at: calls.list_deployments({**part, "cursor": at}), part.get("cursor"))

    async def get_deployment(self, deployment_id: DeploymentId) -> Deployment:
        """Return a deployment."""
        return await self._send(calls.get_deployment(deployment_id))

    async def get_active_deployment(self) -> ActiveDeployment:
        """Return the deployment that new runs of this client's environment use.

        Refused with ``no_active_deployment`` if there is none.
        """
        return await self._send(calls.get_active_deployment())

    async def activate_deployment(self, deployment_id: DeploymentId) -> Deployment:
        """Have new runs of this client's environment use a deployment. Runs that exist stay on theirs."""
        return await self._send(calls.activate_deployment(deployment_id))

    async def rollback_deployment(self, deployment_id: DeploymentId | None = None) -> Deployment:
        """Have new runs of this client's environment use an earlier deployment again.

        That is the one which was active in it before the one that is, if none is named.
        """
        return await self._send(calls.rollback_deployment(deployment_id))

    async def delete_deployment(self, deployment_id: DeploymentId) -> None:
        """Delete a deployment with its artifact and its variables.

        Refused while it is active in any environment, or runs of it go on.
        """
        await self._send(calls.delete_deployment(deployment_id))

    async def list_environments(self, **part: Unpack[Part]) -> Page[Environment]:
        """Return some environments in which a deployment is active, by name."""
        return await self._send(calls.list_environments(part))

    def iter_environments(self, **part: Unpack[Part]) -> AsyncIterator[Environment]:
        """Return all environments in which a deployment is active, by name, page by page as they are asked for."""
        return self._entries(lambda at: calls.list_environments({**part, "cursor": at}), part.get("cursor"))

    async def delete_environment(self, name: EnvironmentName) -> None:
        """Have no deployment be active in an environment any more; the default one is refused. Its runs go on."""
        await self._send(calls.delete_environment(name))

    async def list_variables(self, deployment_id: DeploymentId) -> Variables:
        """Return the names of a deployment's variables; values cannot be read back."""
        return await self._send(calls.list_variables(deployment_id))

    async def set_variables(self, deployment_id: DeploymentId, values: Mapping[str, str | None]) -> Variables:
        """Set variables of a deployment; None unsets one, and those that are not named stay."""
        return await self._send(calls.set_variables(deployment_id, values))
