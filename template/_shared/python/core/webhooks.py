"""Webhooks: a call that comes to this app is handed to the worker, and the workflow's answer goes back.

With the worker's public URL set to that of this app, ``createWebhook().url`` points here, and nobody outside needs to
reach the worker.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any, Final
from urllib.parse import quote

import httpx
from workflow_studio.client import ComputeClientError, TransportError

from ..settings import Networks
from .requests import Headers, Incoming, end_to_end_headers, forwarded_headers, without_forwarded

WEBHOOK_PREFIX: Final = "/.well-known/workflow/v1/webhook/"
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class NoSuchWebhookError(ComputeClientError):
    """No webhook can have such a token."""

    def __init__(self) -> None:
        super().__init__("There is no webhook of this token.", status=404, code="hook_not_found")


def outgoing(
    incoming: Incoming,
    token: str,
    content: Iterable[bytes] | AsyncIterable[bytes],
    *,
    worker_url: str,
    trusted: Networks,
) -> httpx.Request:
    """Return the call of the worker that passes a request on.

    Args:
        incoming: The request.
        token: The webhook's token.
        content: The request's body, if it has one.
        worker_url: The worker's URL, without a slash at its end.
        trusted: The proxies that are believed when they say which scheme and host the caller used.

    Raises:
        NoSuchWebhookError: If the token is none.
    """
    if token in {"", ".", ".."}:
        raise NoSuchWebhookError
    url = httpx.URL(worker_url + WEBHOOK_PREFIX + quote(token, safe=""))
    if incoming.query:
        # Byte for byte: what is signed includes the query in the caller's own spelling.
        url = url.copy_with(raw_path=url.raw_path + b"?" + incoming.query.encode("latin-1"))
    headers: list[Any] = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in _headers(incoming, trusted)
    ]
    return httpx.Request(incoming.method, url, headers=headers, content=content if incoming.has_body else None)


def _headers(incoming: Incoming, trusted: Networks) -> Headers:
    passed = without_forwarded(end_to_end_headers(incoming.headers))
    dropped = {"host"} if incoming.has_body else {"host", "content-length"}
    headers = [entry for entry in passed if entry[0] not in dropped] + forwarded_headers(incoming, trusted)
    if incoming.method in {"POST", "PUT", "PATCH"} and not incoming.has_body:
        headers.append(("content-length", "0"))
    return headers


def answer_headers(answer: httpx.Response) -> Headers:
    """Return the headers of the worker's answer that the caller gets."""
    decoded = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw]
    # The server of this app says those itself.
    return [entry for entry in end_to_end_headers(decoded) if entry[0] not in {"date", "server"}]


def unanswered(error: httpx.TransportError) -> TransportError:
    """Return the error for a call that got no answer."""
    if isinstance(error, httpx.TimeoutException):
        return TransportError(
            "The worker did not answer the webhook call in time.",
            code="timeout",
            recovery="Allow more time: WORKFLOW_COMPUTE_WEBHOOK_TIMEOUT.",
        )
    return TransportError(
        f"The worker could not be reached: {str(error) or type(error).__name__}.",
        code="unreachable",
        recovery="Check that it runs, and WORKFLOW_COMPUTE_BASE_URL.",
    )
