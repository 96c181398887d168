"""The worker, for asyncio: the connection, a run's stream as events, the front door of the app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx
from workflow_studio.client import AsyncComputeClient, ComputeClientError
from workflow_studio.compute.ids import RunId

from ..settings import WorkflowStudioSettings
from . import events
from .errors import JsonAnswer, NotConfiguredError
from .ownership import (
    Ownership,
    access_after,
    access_without_worker,
    deny,
    report_of,
)
from .requests import Incoming

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class WorkflowStudio:
    """What the routes of this app share.

    Attributes:
        settings: The settings.
        compute: The client of the worker; None where no worker is configured.
        http: Carries webhook calls to the worker; it has no key.
        ownership: What reached this app's queue routes.
    """

    settings: WorkflowStudioSettings
    compute: AsyncComputeClient | None = field(repr=False)
    http: httpx.AsyncClient = field(repr=False)
    ownership: Ownership

    @property
    def client(self) -> AsyncComputeClient:
        """The client of the worker.

        Raises:
            NotConfiguredError: If no worker is configured.
        """
        if self.compute is None:
            raise NotConfiguredError
        return self.compute

    @property
    def worker_url(self) -> str:
        """The worker's URL, without a slash at its end.

        Raises:
            NotConfiguredError: If no worker is configured.
        """
        if self.settings.compute_base_url is None:
            raise NotConfiguredError
        return self.settings.compute_base_url

    async def aclose(self) -> None:
        """Close the connections."""
        await self.http.aclose()
        if self.compute is not None:
            await self.compute.aclose()


def open_connection(
    settings: WorkflowStudioSettings,
    transport: httpx.AsyncBaseTransport | None = None,
    ownership: Ownership | None = None,
) -> WorkflowStudio:
    """Return a connection to the worker, to be closed with ``aclose()``.

    Args:
        settings: The settings.
        transport: Replaces the network, for tests.
        ownership: What reached the queue routes so far.
    """
    timeout = httpx.Timeout(settings.compute_timeout, read=settings.compute_webhook_timeout)
    host = httpx.URL(settings.compute_base_url or "").host
    http = httpx.AsyncClient(
        timeout=timeout,
        transport=transport,
        trust_env=host not in _LOOPBACK,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        # One caller's cookies are nobody else's.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )
    return WorkflowStudio(settings, _client(settings, transport), http, ownership or Ownership())


def _client(settings: WorkflowStudioSettings, transport: httpx.AsyncBaseTransport | None) -> AsyncComputeClient | None:
    if settings.compute_base_url is None:
        return None
    key = settings.compute_api_key
    return AsyncComputeClient(
        settings.compute_base_url,
        key.get_secret_value() if key else None,
        timeout=settings.compute_timeout,
        retries=settings.compute_retries,
        transport=transport,
    )


@asynccontextmanager
async def connect(
    settings: WorkflowStudioSettings, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[WorkflowStudio]:
    """Open the connection to the worker for as long as the context lasts.

    Args:
        settings: The settings.
        transport: Replaces the network, for tests.
    """
    studio = open_connection(settings, transport)
    try:
        yield studio
    finally:
        await studio.aclose()


async def diagnostics(studio: WorkflowStudio, incoming: Incoming) -> JsonAnswer:
    """Tell who runs the workflows of this app, to those who may know."""
    return deny(incoming, studio.settings) or JsonAnswer(200, await ownership_report(studio))


async def ownership_report(studio: WorkflowStudio) -> dict[str, Any]:
    """Return what the diagnostics route tells."""
    if studio.compute is None:
        return report_of(studio.settings, studio.ownership, access_without_worker())
    failure: ComputeClientError | None = None
    try:
        # Something that needs this app's key and changes nothing.
        await studio.compute.list_runs(limit=1)
    except ComputeClientError as error:
        failure = error
    return report_of(studio.settings, studio.ownership, access_after(failure))


async def pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    """Return the body of the worker's answer, byte for byte: also what is compressed stays so."""
    try:
        if isinstance(answer.stream, httpx.AsyncByteStream):
            async for piece in answer.stream:
                yield piece
    finally:
        await answer.aclose()


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
