"""Artifacts where they are needed: in the object store for all workers, and unpacked on the machines that run them.

What is uploaded to one worker is kept as objects, one for each file, before the deployment is recorded. Another worker
fetches and verifies it when it first runs it. What is unpacked is a bounded cache from then on: what was not used for
longest goes first, and what an executor uses never goes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker.artifacts import ArtifactError
from workflow_studio.worker.artifacts.files import digest_of
from workflow_studio.worker.engine import EngineError
from workflow_studio.worker.objects import ObjectStoreError
from workflow_studio.worker.ports import ExecutorUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from workflow_studio.compute.manifest import ArtifactFile, Manifest
    from workflow_studio.worker.artifacts import ArtifactStore
    from workflow_studio.worker.engine import Engine
    from workflow_studio.worker.engine.object_rows import Stored

logger = logging.getLogger(__name__)

_JUST_ASKED_FOR_SECONDS: Final = 600.0
"""How long an artifact that was asked for is kept at least: an executor may be about to start with it."""


class Unpacking:
    """Brings artifacts into the object store, and from there to this machine.

    Args:
        artifacts: What is unpacked here.
        engine: Knows the deployments and the objects.
        limit: How many bytes may be unpacked here before what was not used for longest is removed.
    """

    def __init__(self, artifacts: ArtifactStore, engine: Engine, limit: int) -> None:
        self._artifacts = artifacts
        self._engine = engine
        self._limit = limit
        self._one_at_a_time: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._asked_for: dict[str, float] = {}

    async def keep(self, manifest: Manifest) -> list[Stored]:
        """Store the files of an artifact that is unpacked here, so that the deployment can refer to them.

        Raises:
            ArtifactError: ``digest_mismatch``, if a file was changed since it was unpacked.
            ObjectStoreError: If the store fails.
        """
        folder = self._artifacts.path(manifest.deployment_id)
        files = {file.sha256: file.path for file in manifest.files}
        for digest, path in files.items():
            if await anyio.to_thread.run_sync(digest_of, folder / path) != digest:
                message = f"{path} of {manifest.deployment_id} was changed on the worker after it was uploaded."
                raise ArtifactError(ErrorCode.DIGEST_MISMATCH, message, "Delete the deployment, and deploy it again.")
        stored = await self._engine.objects.keep({digest: folder / path for digest, path in files.items()})
        if len(stored) < len(files):
            raise ObjectStoreError("A file of the artifact is just being deleted.", "Try again.")
        return list(stored.values())

    async def obtain(self, deployment_id: str) -> Path:
        """Return the folder of a deployment's artifact, which is fetched if it is not here.

        Raises:
            ExecutorUnavailableError: If it cannot be had.
        """
        self._asked_for[deployment_id] = time.monotonic()
        async with self._one_at_a_time[deployment_id]:
            if await self._artifacts.is_here(deployment_id):
                return self._artifacts.path(deployment_id)
            try:
                return await self._fetch(deployment_id)
            except (EngineError, ObjectStoreError) as error:
                raise ExecutorUnavailableError(f"{error.message} {error.recovery or ''}".rstrip()) from error

    async def _fetch(self, deployment_id: str) -> Path:
        manifest = (await self._engine.deployments.get(deployment_id)).manifest
        stored = await self._engine.objects.of(deployment_id)

        async def fetch(file: ArtifactFile, target: Path) -> None:
            if file.sha256 not in stored:
                raise ObjectStoreError(
                    f"The object store does not have {file.path} of {deployment_id}, nor is it on this machine.",
                    "Start the worker once that has the artifact in its data folder, or deploy it again.",
                )
            await self._engine.objects.fetch(stored[file.sha256], target)

        began = time.monotonic()
        folder = await self._artifacts.restore(manifest, fetch)
        size = sum(file.size for file in manifest.files)
        logger.info("Fetched %s, %d bytes, in %.2f s.", deployment_id, size, time.monotonic() - began)
        return folder

    async def store_what_is_only_here(self) -> int:
        """Store the artifacts that were uploaded before there were objects, and return how many they were.

        Raises:
            StoreError: If the database fails.
        """
        stored = 0
        for deployment_id in await self._engine.deployments.without_objects():
            if not await self._artifacts.is_here(deployment_id):
                continue
            try:
                manifest = (await self._engine.deployments.get(deployment_id)).manifest
                await self._engine.deployments.refer(deployment_id, await self.keep(manifest))
            except (ArtifactError, EngineError, ObjectStoreError) as error:
                logger.warning("The artifact of %s cannot be stored as objects: %s", deployment_id, error.message)
            else:
                stored += 1
        return stored

    async def trim(self, in_use: Callable[[], Collection[str]]) -> int:
        """Remove unpacked artifacts until the rest are within the limit, and return how many were removed.

        Args:
            in_use: Names the deployments that have executors now.

        Raises:
            StoreError: If the database fails.
        """
        sizes = await self._artifacts.sizes()
        excess = sum(sizes.values()) - self._limit
        if excess <= 0:
            return 0

        async def is_wanted(deployment_id: str) -> bool:
            asked_for = self._asked_for.get(deployment_id)
            recently = asked_for is not None and time.monotonic() - asked_for < _JUST_ASKED_FOR_SECONDS
            return recently or deployment_id in in_use()

        only_here = set(await self._engine.deployments.without_objects())
        removed = 0
        for deployment_id in sorted(sizes.keys() - only_here, key=lambda name: (self._asked_for.get(name, 0.0), name)):
            if excess > 0 and await self._artifacts.evict(deployment_id, is_wanted):
                excess -= sizes[deployment_id]
                removed += 1
        return removed
