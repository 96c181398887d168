"""A good build becomes the active deployment: what changed is sent, then new runs use it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from workflow_studio.client import ComputeClientError, TransportError
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import DeploymentId
from workflow_studio.scaffolder.build.archive import pack
from workflow_studio.scaffolder.dev.outcomes import Deployed

if TYPE_CHECKING:
    from collections.abc import Collection

    from workflow_studio.client import AsyncComputeClient
    from workflow_studio.compute.manifest import Manifest
    from workflow_studio.scaffolder.dev.outcomes import Built

KEPT: Final = 5
"""How many of a session's deployments stay on the worker although no run needs them: an undo finds them there."""

# An archive is read once. On one machine it is not worth being compressed at all.
_LEVEL: Final = 1
_LEVEL_HERE: Final = 0


class HotDeployer:
    """Deploys the builds of one session, one after the other.

    Args:
        client: Of the worker, with the session's environment.
        keep: How many deployments of the session stay.
        is_here: Whether the worker is on this machine.
    """

    def __init__(self, client: AsyncComputeClient, *, keep: int = KEPT, is_here: bool = False) -> None:
        self._client = client
        self._keep = keep
        self._level = _LEVEL_HERE if is_here else _LEVEL
        self._last: Manifest | None = None
        self._made: dict[DeploymentId, None] = {}  # in the order in which they were last active

    async def deploy(self, built: Built) -> Deployed:
        """Have new runs use a build; runs in flight stay on the deployment they began on.

        Raises:
            ComputeClientError: If the worker does not answer, or refuses the build.
        """
        started = time.monotonic()
        deployment_id = DeploymentId(built.manifest.deployment_id)
        if await self._is_active(deployment_id):
            self._last = built.manifest
            return Deployed(deployment_id, 0, time.monotonic() - started, unchanged=True)
        sent = 0
        if not await self._activate_if_there(deployment_id):
            sent = await self._upload(built)
            await self._client.activate_deployment(deployment_id)
        seconds = time.monotonic() - started
        self._last = built.manifest
        self._made.pop(deployment_id, None)
        self._made[deployment_id] = None
        await self._retire()
        return Deployed(deployment_id, sent, seconds)

    async def _is_active(self, deployment_id: DeploymentId) -> bool:
        try:
            return (await self._client.get_active_deployment()).deployment_id == deployment_id
        except ComputeClientError as error:
            if error.code != ErrorCode.NO_ACTIVE_DEPLOYMENT:
                raise
            return False

    async def _activate_if_there(self, deployment_id: DeploymentId) -> bool:
        """Go back to what the session deployed before, as after an undo."""
        if deployment_id not in self._made:
            return False
        try:
            await self._client.activate_deployment(deployment_id)
        except ComputeClientError as error:
            if error.code != ErrorCode.DEPLOYMENT_NOT_FOUND:
                raise
            return False
        return True

    async def _upload(self, built: Built) -> int:
        """Send a build, without the files that the one before has too, and return the bytes sent."""
        if self._last is not None:
            there = {file.path: file.sha256 for file in self._last.files}
            same = [file.path for file in built.manifest.files if there.get(file.path) == file.sha256]
            try:
                return await self._send(built, leave_out=same, base=DeploymentId(self._last.deployment_id))
            except ComputeClientError as error:
                if error.code != ErrorCode.BASE_NOT_FOUND:
                    raise
        return await self._send(built)

    async def _send(self, built: Built, *, leave_out: Collection[str] = (), base: DeploymentId | None = None) -> int:
        archive = await asyncio.to_thread(pack, built.manifest, built.files, leave_out=leave_out, level=self._level)
        await self._client.create_deployment(archive, base=base)
        return len(archive)

    async def _retire(self) -> None:
        """Delete what the session deployed and no run needs; the newest stay."""
        for deployment_id in list(self._made)[: -self._keep]:
            try:
                await self._client.delete_deployment(deployment_id)
            except TransportError:
                return
            except ComputeClientError as error:
                if error.code in {ErrorCode.DEPLOYMENT_IN_USE, ErrorCode.DEPLOYMENT_ACTIVE}:
                    continue  # a run still needs it, or somebody else's environment: asked again next time
                if error.code != ErrorCode.DEPLOYMENT_NOT_FOUND:
                    return
            del self._made[deployment_id]
