"""The worker, for code that blocks: the connection, webhooks, a run's stream as events."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx
from workflow_studio.client import ComputeClient, ComputeClientError
from workflow_studio.compute.ids import RunId

from ..settings import WorkflowStudioSettings
from . import events
from .errors import JsonAnswer, NotConfiguredError
from .ownership import (
    LARGEST_MESSAGE,
    Ownership,
    access_after,
    access_without_worker,
    deny,
    is_unexpected_queue_hit,
    report_of,
)
from .requests import BodyTooLargeError, Headers, Incoming
from .webhooks import answer_headers, outgoing, unanswered

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class WorkflowStudio:
    """What the routes of this app share; its threads use it together.

    Attributes:
        settings: The settings.
        compute: The client of the worker; None where no worker is configured.
        http: Carries webhook calls to the worker; it has no key.
        ownership: What reached this app's queue routes.
    """

    settings: WorkflowStudioSettings
    compute: ComputeClient | None = field(repr=False)
    http: httpx.Client = field(repr=False)
    ownership: Ownership

    @property
    def client(self) -> ComputeClient:
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

    def close(self) -> None:
        """Close the connections."""
        self.http.close()
        if self.compute is not None:
            self.compute.close()


def open_connection(
    settings: WorkflowStudioSettings,
    transport: httpx.BaseTransport | None = None,
    ownership: Ownership | None = None,
) -> WorkflowStudio:
    """Return a connection to the worker, to be closed with ``close()``.

    Args:
        settings: The settings.
        transport: Replaces the network, for tests.
        ownership: What reached the queue routes so far.
    """
    timeout = httpx.Timeout(settings.compute_timeout, read=settings.compute_webhook_timeout)
    http = httpx.Client(
        timeout=timeout,
        transport=transport,
        trust_env=httpx.URL(settings.compute_base_url or "").host not in _LOOPBACK,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=20),
        # One caller's cookies are nobody else's.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    )
    return WorkflowStudio(settings, _client(settings, transport), http, ownership or Ownership())


def _client(settings: WorkflowStudioSettings, transport: httpx.BaseTransport | None) -> ComputeClient | None:
    if settings.compute_base_url is None:
        return None
    key = settings.compute_api_key
    return ComputeClient(
        settings.compute_base_url,
        key.get_secret_value() if key else None,
        timeout=settings.compute_timeout,
        retries=settings.compute_retries,
        transport=transport,
    )


class Connections:
    """Gives each process of a server that forks a connection of its own: two must not share a socket."""

    def __init__(self, settings: WorkflowStudioSettings, transport: httpx.BaseTransport | None) -> None:
        self.settings = settings
        self.ownership = Ownership()
        self._transport = transport
        self._lock = threading.Lock()
        self._studio: WorkflowStudio | None = None
        self._process = os.getpid()

    def get(self) -> WorkflowStudio:
        """Return what the routes share; made when it is first asked for."""
        with self._lock:
            if self._process != os.getpid():
                self._process, self._studio, self.ownership = os.getpid(), None, Ownership()
            if self._studio is None:
                self._studio = open_connection(self.settings, self._transport, self.ownership)
            return self._studio

    def close(self) -> None:
        """Close the connection, if this process made one; the next call makes another."""
        with self._lock:
            if self._studio is not None and self._process == os.getpid():
                self._studio.close()
            self._studio = None


def diagnostics(studio: WorkflowStudio, incoming: Incoming) -> JsonAnswer:
    """Tell who runs the workflows of this app, to those who may know."""
    return deny(incoming, studio.settings) or JsonAnswer(200, ownership_report(studio))


def ownership_report(studio: WorkflowStudio) -> dict[str, Any]:
    """Return what the diagnostics route tells."""
    if studio.compute is None:
        return report_of(studio.settings, studio.ownership, access_without_worker())
    failure: ComputeClientError | None = None
    try:
        # Something that needs this app's key and changes nothing.
        studio.compute.list_runs(limit=1)
    except ComputeClientError as error:
        failure = error
    return report_of(studio.settings, studio.ownership, access_after(failure))


def refuse_queue_message(studio: WorkflowStudio, incoming: Incoming, path: str, body: Iterable[bytes]) -> JsonAnswer:
    """Refuse what a queue delivers to this app."""
    message = b""
    if is_unexpected_queue_hit(incoming):
        try:
            message = joined(body, LARGEST_MESSAGE)
        except ComputeClientError:
            message = b""  # too large for a message, or cut off
    return studio.ownership.refuse(incoming, path, message)


def joined(pieces: Iterable[bytes], largest: int) -> bytes:
    """Return a body.

    Raises:
        BodyTooLargeError: If it is larger than ``largest`` bytes.
    """
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > largest:
            raise BodyTooLargeError(largest)
    return bytes(body)


@dataclass(frozen=True, slots=True)
class Passed:
    """The worker's answer to a webhook call, on its way to the caller.

    Attributes:
        answer: The answer; closed when the pieces were read, or are given up.
    """

    answer: httpx.Response

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.answer.status_code

    @property
    def headers(self) -> Headers:
        """The headers that the caller gets."""
        return answer_headers(self.answer)

    def __iter__(self) -> Iterator[bytes]:
        """Return the body, byte for byte: also what is compressed stays so."""
        try:
            if isinstance(self.answer.stream, httpx.SyncByteStream):
                yield from self.answer.stream
        finally:
            self.close()

    def close(self) -> None:
        """End the call of the worker."""
        self.answer.close()


def pass_on(studio: WorkflowStudio, incoming: Incoming, token: str, body: Iterable[bytes]) -> Passed:
    """Hand a request to the webhook that has a token.

    Args:
        studio: The connection to the worker.
        incoming: The request.
        token: The webhook's token.
        body: The request's body, as it comes.

    Raises:
        ComputeClientError: If there is no answer.
    """
    call = outgoing(
        incoming,
        token,
        body,
        worker_url=studio.worker_url,
        trusted=studio.settings.studio_trusted_proxies,
    )
    try:
        return Passed(studio.http.send(call, stream=True))
    except httpx.TransportError as error:
        raise unanswered(error) from error


def follow(
    studio: WorkflowStudio, run_id: RunId, *, namespace: str | None, last_event_id: str | None
) -> Iterator[bytes]:
    """Return the events of a run's stream.

    Raises:
        ComputeClientError: If there is no such run, or the worker fails before the answer begins.
    """
    client = studio.client
    client.get_run(run_id, resolve_data="none")
    index = events.first_index(last_event_id)
    return _events(client, run_id, events.stream_name(run_id, namespace), index)


def _events(client: ComputeClient, run_id: RunId, name: str, index: int) -> Iterator[bytes]:
    try:
        yield from _until_written(client, run_id, name)
        for chunk in client.read_run_stream(run_id, name, start_index=index, with_pauses=True):
            yield events.PING if chunk is None else events.event(chunk.value, identifier=chunk.index)
    except ComputeClientError as error:
        yield events.last_event(run_id, error)
        return
    yield events.last_event(run_id)


def _until_written(client: ComputeClient, run_id: RunId, name: str) -> Iterator[bytes]:
    """Go on until a stream is there, or its run has ended; give a comment now and then."""
    silent_since = time.monotonic()
    while True:
        run = client.get_run(run_id, resolve_data="none")
        if run.finished or any(stream.name == name for stream in client.iter_run_streams(run_id)):
            return
        time.sleep(events.POLL_SECONDS)
        if time.monotonic() - silent_since >= events.PING_SECONDS:
            silent_since = time.monotonic()
            yield events.PING
