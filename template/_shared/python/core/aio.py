"""The worker, for asyncio: the connection, who runs the workflows of this app, webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx
from workflow_studio.client import AsyncComputeClient, ComputeClientError

from ..settings import WorkflowStudioSettings
from .errors import JsonAnswer, NotConfiguredError
from .ownership import Ownership, access_after, access_without_worker, deny, report_of
from .requests import Incoming
from .webhooks import outgoing, unanswered

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
        environment=settings.compute_environment,
    )


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


async def pass_on(studio: WorkflowStudio, incoming: Incoming, token: str, body: AsyncIterable[bytes]) -> httpx.Response:
    """Hand a request to the webhook that has a token.

    Args:
        studio: The connection to the worker.
        incoming: The request.
        token: The webhook's token.
        body: The request's body, as it comes.

    Returns:
        The answer, whose body is still to come: read its ``pieces``, or close it.

    Raises:
        ComputeClientError: If there is no answer.
    """
    trusted = studio.settings.studio_trusted_proxies
    call = outgoing(incoming, token, body, worker_url=studio.worker_url, trusted=trusted)
    try:
        return await studio.http.send(call, stream=True)
    except httpx.TransportError as error:
        raise unanswered(error) from error


async def pieces(answer: httpx.Response) -> AsyncIterator[bytes]:
    """Return the body of the worker's answer, byte for byte: also what is compressed stays so."""
    try:
        if isinstance(answer.stream, httpx.AsyncByteStream):
            async for piece in answer.stream:
                yield piece
    finally:
        await answer.aclose()
