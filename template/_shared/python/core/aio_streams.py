"""A run's stream as events, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from workflow_studio.client import AsyncComputeClient, ComputeClientError
from workflow_studio.compute.ids import RunId

from . import events
from .aio import WorkflowStudio


async def follow(
    studio: WorkflowStudio, run_id: RunId, *, namespace: str | None, last_event_id: str | None
) -> AsyncIterator[bytes]:
    """Return the events of a run's stream.

    Raises:
        ComputeClientError: If there is no such run, or the worker fails before the answer begins.
    """
    client = studio.client
    await client.get_run(run_id, resolve_data="none")
    index = events.first_index(last_event_id)
    return _with_pings(_events(client, run_id, events.stream_name(run_id, namespace), index))


async def _events(client: AsyncComputeClient, run_id: RunId, name: str, index: int) -> AsyncIterator[bytes]:
    try:
        await _written(client, run_id, name)
        async for chunk in client.read_run_stream(run_id, name, start_index=index):
            yield events.event(chunk.value, identifier=chunk.index)
    except ComputeClientError as error:
        yield events.last_event(run_id, error)
        return
    yield events.last_event(run_id)


async def _written(client: AsyncComputeClient, run_id: RunId, name: str) -> None:
    """Return when a stream is there, or its run has ended."""
    while True:
        run = await client.get_run(run_id, resolve_data="none")
        async for stream in client.iter_run_streams(run_id):
            if stream.name == name:
                return
        if run.finished:
            return
        await asyncio.sleep(events.POLL_SECONDS)


async def _with_pings(following: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass events on, and a comment where there is none for a while."""
    coming: asyncio.Future[bytes] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(_next(following))
            done, _ = await asyncio.wait({coming}, timeout=events.PING_SECONDS)
            if not done:
                yield events.PING
                continue
            found = coming.result()
            coming = None
            if not found:
                return
            yield found
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.wait({coming})


async def _next(following: AsyncIterator[bytes]) -> bytes:
    return await anext(following, b"")
