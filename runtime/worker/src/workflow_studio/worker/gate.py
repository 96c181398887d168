"""What every request passes, whichever route it is for: one ASGI layer, outermost.

It names the request, refuses plain HTTP and long bodies where they are not wanted, asks for a key everywhere but at
the public addresses, counts requests, and turns an error that nobody foresaw into an answer without its details.
"""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker.problems import BodyTooLargeError, Problem, problem, shutting_down, translate, unexpected

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from workflow_studio.worker.auth import Authenticator, RateLimits

logger = logging.getLogger(__name__)

CORRELATION_HEADER: Final = "x-workflow-correlation-id"
HEALTH_PATH: Final = "/v1/health"
WEBHOOK_PREFIX: Final = "/.well-known/workflow/v1/webhook/"
UPLOAD_PATH: Final = "/v1/deployments"

_CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9._:/-]{1,128}")


def is_public(path: str) -> bool:
    """Tell whether an address needs no key: health does not, and a webhook's token is its key."""
    return path == HEALTH_PATH or path.startswith(WEBHOOK_PREFIX)


class Gate:
    """The layer itself.

    Args:
        app: The app behind it.
        authenticator: Finds the key of a request.
        limits: Counts requests.
        require_https: Whether to refuse what came over plain HTTP.
        max_body: The longest body, in bytes; artifacts have a limit of their own.
    """

    def __init__(
        self, app: ASGIApp, *, authenticator: Authenticator, limits: RateLimits, require_https: bool, max_body: int
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._limits = limits
        self._require_https = require_https
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # before the handshake, so it is refused
            return
        headers = Headers(scope=scope)
        correlation_id = _correlation_id(headers.get(CORRELATION_HEADER))
        scope["workflow_studio.correlation_id"] = correlation_id
        sending = _Named(send, correlation_id)
        try:
            await self._admit(scope, headers)
            await self._app(scope, self._limited(scope, headers, receive), sending)
        except asyncio.CancelledError:
            if sending.started:
                raise
            # The server cancels what is still under way when its time to end is up.
            await shutting_down().response()(scope, receive, sending)
        except Exception as error:
            refusal = translate(error)
            if refusal is None:
                logger.exception("%s: unexpected error at %s", correlation_id, scope["path"])
                refusal = unexpected(correlation_id)
            if sending.started:
                raise
            await refusal.response()(scope, receive, sending)

    async def _admit(self, scope: Scope, headers: Headers) -> None:
        if scope["path"] == HEALTH_PATH:
            return
        if self._require_https and not _came_over_https(scope, headers):
            raise problem(
                403,
                ErrorCode.HTTPS_REQUIRED,
                "This worker takes requests over HTTPS only.",
                "Use its https:// address; a proxy in front of it must set x-forwarded-proto.",
            )
        address = scope["client"][0] if scope.get("client") else "unknown"
        if scope["path"].startswith(WEBHOOK_PREFIX):
            await self._limits.count("address", address)
            return
        try:
            key = await self._authenticator.authenticate(headers.get("authorization"))
        except Problem:
            await self._limits.count_failed_login(address)
            raise
        await self._limits.count("key", key.key_id)
        scope["workflow_studio.key"] = key

    def _limited(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        if scope["path"] == UPLOAD_PATH:
            return receive
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_body:
            raise BodyTooLargeError(self._max_body)
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body:
                raise BodyTooLargeError(self._max_body)
            return message

        return limited


class _Named:
    """Sends an answer with the correlation id on it, and knows whether one has begun."""

    def __init__(self, send: Send, correlation_id: str) -> None:
        self._send = send
        self._correlation_id = correlation_id
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            MutableHeaders(scope=message)[CORRELATION_HEADER] = self._correlation_id
        await self._send(message)


def _correlation_id(given: str | None) -> str:
    return given if given is not None and _CORRELATION_ID.fullmatch(given) else str(uuid.uuid4())


def _came_over_https(scope: Scope, headers: Headers) -> bool:
    forwarded = headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return scope.get("scheme") == "https" or forwarded == "https"
