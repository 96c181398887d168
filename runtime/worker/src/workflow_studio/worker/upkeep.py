"""Upkeep: what is put in order now and then while the worker runs, beginning with its start."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from workflow_studio.worker.artifacts import ArtifactStore
    from workflow_studio.worker.engine import Engine
    from workflow_studio.worker.services import Pool
    from workflow_studio.worker.unpacking import Unpacking

logger = logging.getLogger(__name__)

_EVERY_SECONDS: Final = 600.0


@asynccontextmanager
async def kept_up(engine: Engine, artifacts: ArtifactStore, unpacking: Unpacking, pool: Pool) -> AsyncIterator[None]:
    """Put things in order as long as this lasts."""
    task = asyncio.create_task(_keep_up(engine, artifacts, unpacking, pool), name="upkeep")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def put_in_order(engine: Engine, artifacts: ArtifactStore, unpacking: Unpacking, pool: Pool) -> None:
    """Note which deployments have retired, and remove what nobody needs or what is not to be kept any longer.

    Raises:
        StoreError: If the database fails.
        ObjectStoreError: If the object store fails.
        OSError: If the artifacts cannot be looked at.
    """
    if engine.workers.leads:
        await engine.retirement.settle()
    removed = await artifacts.sweep(engine.deployments.is_known)
    if removed:
        logger.info("Removed %d artifacts that belonged to no deployment.", removed)
    stored = await unpacking.store_what_is_only_here()
    if stored:
        logger.info("Stored the files of %d artifacts as objects.", stored)
    trimmed = await unpacking.trim(lambda: {executor.deployment_id for executor in pool.status()})
    if trimmed:
        logger.info("Removed %d unpacked artifacts to make room; they are fetched when they are needed.", trimmed)
    if engine.workers.leads:
        await engine.retention.sweep()
        await engine.objects.sweep()


async def _keep_up(engine: Engine, artifacts: ArtifactStore, unpacking: Unpacking, pool: Pool) -> None:
    while True:
        try:
            await put_in_order(engine, artifacts, unpacking, pool)
        except Exception:
            logger.exception("Things could not be put in order; it is tried again later.")
        await asyncio.sleep(_EVERY_SECONDS)
