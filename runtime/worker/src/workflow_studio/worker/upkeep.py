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

logger = logging.getLogger(__name__)

_EVERY_SECONDS: Final = 600.0


@asynccontextmanager
async def kept_up(engine: Engine, artifacts: ArtifactStore) -> AsyncIterator[None]:
    """Put things in order as long as this lasts."""
    task = asyncio.create_task(_keep_up(engine, artifacts), name="upkeep")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def put_in_order(engine: Engine, artifacts: ArtifactStore) -> None:
    """Note which deployments have retired, and remove artifacts that belong to none.

    Raises:
        StoreError: If the database fails.
        OSError: If the artifacts cannot be looked at.
    """
    if engine.workers.leads:
        await engine.retirement.settle()
    removed = await artifacts.sweep(engine.deployments.is_known)
    if removed:
        logger.info("Removed %d artifacts that belonged to no deployment.", removed)


async def _keep_up(engine: Engine, artifacts: ArtifactStore) -> None:
    while True:
        try:
            await put_in_order(engine, artifacts)
        except Exception:
            logger.exception("Things could not be put in order; it is tried again later.")
        await asyncio.sleep(_EVERY_SECONDS)
