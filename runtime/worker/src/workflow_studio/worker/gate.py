"""What every request passes, whichever route it is for: one ASGI layer, outermost.

It names the request, refuses plain HTTP and long bodies where they are not wanted, asks for a key everywhere but at
the public addresses, counts requests, and turns an error that nobody foresaw into an answer without its details.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import ENVIRONMENT_HEADER
from workflow_studio.worker.bodies import Body, JsonBody, is_json, too_large
from workflow_studio.worker.connections import MAX_HEAD
from workflow_studio.worker.engine.audit import Act, Operation
from workflow_studio.worker.engine.environments import check_name
from workflow_studio.worker.origin import Origin, in_course_of
from workflow_studio.worker.problems import Problem, problem, shutting_down, translate, unexpected
from workflow_studio.worker.store import StoreError
from workflow_studio.worker.whole import CONTENT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from workflow_studio.worker.auth import Authenticator
    from workflow_studio.worker.engine import AuditLog
    from workflow_studio.worker.limits import RateLimits
    from workflow_studio.worker.metrics import Metrics

logger = logging.getLogger(__name__)

CORRELATION_HEADER: Final = "x-workflow-correlation-id"
HEALTH_PATHS: Final = frozenset({"/v1/health", "/v1/health/ready"})
WEBHOOK_PREFIX: Final = "/.well-known/workflow/v1/webhook/"
UPLOAD_PATH: Final = "/v1/deployments"

_CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
_NOT_ANSWERED: Final = 499
"""What is counted for a request whose client left before there was an answer."""

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_NOT_AUDITED: Final = frozenset({"world", "webhooks"})
"""Tags of routes whose calls the audit log leaves out: what they do to a run is in the run's own log."""


def is_public(path: str) -> bool:
    """Tell whether an address needs no key: health does not, and a webhook's token is its key."""
    return path in HEALTH_PATHS or path.startswith(WEBHOOK_PREFIX)


def operation_id(route: APIRoute) -> str:
    """Return what clients and the audit log call an operation: the name of its function, unless it has another."""
    return route.operation_id or route.name


class Gate:
    """The layer itself.

    Args:
        app: The app behind it.
        direct: What answers in the app's stead, by method and path: addresses that are asked for all the time. The
            audit log leaves them out.
        authenticator: Finds the key of a request.
        limits: Counts requests.
        audit: Returns the audit log.
        require_https: Whether to refuse what came over plain HTTP. What a proxy says about that is for the server to
            believe: it knows which proxies are trusted, and sets the scheme.
        max_body: The longest body, in bytes; artifacts have a limit of their own.
        body_timeout: Seconds that a short body may take to arrive.
        metrics: Counts requests and times.
        is_leaving: Tells whether the worker will end soon, so that clients are to open connections elsewhere.
    """

    def __init__(  # noqa: PLR0913  # named, and each is a part of its own
        self,
        app: ASGIApp,
        *,
        direct: Mapping[tuple[str, str], ASGIApp],
        authenticator: Authenticator,
        limits: RateLimits,
        audit: Callable[[], AuditLog],
        require_https: bool,
        max_body: int,
        body_timeout: float,
        metrics: Metrics,
        is_leaving: Callable[[], bool],
    ) -> None:
        self._app = app
        self._direct = direct
        self._authenticator = authenticator
        self._limits = limits
        self._audit = audit
        self._require_https = require_https
        self._max_body = max_body
        self._body_timeout = body_timeout
        self._metrics = metrics
        self._is_leaving = is_leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or answer it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})  # before the handshake, so it is refused
            return
        headers = Headers(scope=scope)
        request = Origin(_correlation_id(headers.get(CORRELATION_HEADER)))
        scope["workflow_studio.correlation_id"] = request.request_id
        answer = _Answer(send, request, self._settle, has_body=CONTENT not in scope and _has_body(headers))
        began = time.perf_counter()
        self._metrics.requests_under_way += 1
        try:
            with in_course_of(request):
                await self._handle(scope, headers, receive, answer)
        finally:
            self._metrics.requests_under_way -= 1
            self._metrics.answered(scope, answer.status, time.perf_counter() - began)

    async def _handle(self, scope: Scope, headers: Headers, receive: Receive, answer: _Answer) -> None:
        try:
            answer.is_last = self._is_leaving()
            await self._admit(scope, headers, answer)
            app = self._direct.get((scope["method"], scope["path"]), self._app)
            await app(scope, self._body(scope, headers, receive, answer), answer)
        except asyncio.CancelledError:
            if answer.started:
                raise
            # The server cancels what is still under way when its time to end is up.
            await self._refuse(shutting_down(), scope, receive, answer)
        except Exception as error:
            refusal = translate(error)
            if refusal is None:
                logger.exception("%s: unexpected error at %s", answer.request.request_id, _place(scope["path"]))
                refusal = unexpected(answer.request.request_id)
            if answer.started:
                raise
            await self._refuse(refusal, scope, receive, answer)

    async def _refuse(self, refusal: Problem, scope: Scope, receive: Receive, answer: _Answer) -> None:
        answer.request.code = refusal.body.code
        await refusal.response()(scope, receive, answer)

    async def _admit(self, scope: Scope, headers: Headers, answer: _Answer) -> None:
        size = 0
        for name, value in scope["headers"]:
            size += len(name) + len(value)
        if size > MAX_HEAD:
            raise problem(
                431,
                ErrorCode.REQUEST_TOO_LARGE,
                f"The head of the request is longer than {MAX_HEAD} bytes.",
                "Send fewer and shorter headers.",
            )
        if scope["path"] in HEALTH_PATHS:
            return
        if self._require_https and scope.get("scheme") != "https":
            raise problem(
                403,
                ErrorCode.HTTPS_REQUIRED,
                "This worker takes requests over HTTPS only.",
                "Use its https:// address. A proxy in front of it must set x-forwarded-proto and be trusted.",
            )
        address = scope["client"][0] if scope.get("client") else "unknown"
        if scope["path"].startswith(WEBHOOK_PREFIX):
            answer.headers |= (await self._limits.count("address", address)).headers()
            return
        try:
            given = headers.getlist("authorization")
            # Of two, a proxy in front may have looked at the other.
            key = await self._authenticator.authenticate(given[0] if len(given) == 1 else None)
        except Problem as refusal:
            refusal.headers |= (await self._limits.count("failed", address)).headers()
            raise
        answer.headers |= (await self._limits.count("key", key.key_id)).headers()
        request = answer.request
        scope["workflow_studio.key"] = key
        request.key_id = key.key_id
        if scope["method"] not in _READS and (scope["method"], scope["path"]) not in self._direct:
            request.act = Act(key, request.request_id, address, lambda: _operation(scope))
        environment = scope["workflow_studio.environment"] = _environment(headers)
        if request.act is not None and environment is not None:
            request.act.details["environment"] = environment

    def _body(self, scope: Scope, headers: Headers, receive: Receive, answer: _Answer) -> Receive:
        is_upload = scope["path"] == UPLOAD_PATH
        limit = None if is_upload else self._max_body
        length = headers.get("content-length", "")
        if limit is not None and length.isdecimal() and int(length[:20]) > limit:
            raise too_large(limit)
        if CONTENT in scope:
            return receive
        body = answer.body = Body(receive, limit=limit, patience=self._body_timeout)
        checked = scope["method"] not in _READS and not is_upload and not is_public(scope["path"]) and is_json(headers)
        return JsonBody(body) if checked else body

    async def _settle(self, act: Act, status: int, code: str | None) -> None:
        try:
            await self._audit().settle(act, status, code)
        except StoreError as error:
            logger.error("The audit log could not be written: %s", error)  # noqa: TRY400  # the message says it all


class _Answer:
    """Sends an answer with what belongs on every one, and knows whether it has begun."""

    def __init__(
        self,
        send: Send,
        request: Origin,
        settle: Callable[[Act, int, str | None], Awaitable[None]],
        *,
        has_body: bool,
    ) -> None:
        self.request = request
        self.headers: dict[str, str] = {}
        self.started = False
        self.status = _NOT_ANSWERED
        self.body: Body | None = None
        self.is_last = False
        self._send = send
        self._settle = settle
        self._has_body = has_body

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self.request.act is not None:
                await self._settle(self.request.act, message["status"], self.request.code)
            self.started = True
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[CORRELATION_HEADER] = self.request.request_id
            for name, value in self.headers.items():
                headers[name] = value
            # Nobody waits for the rest of a body that was refused.
            if self.is_last or (self._has_body and (self.body is None or not self.body.complete)):
                headers["connection"] = "close"
        await self._send(message)


def _operation(scope: Scope) -> Operation | None:
    """Return what a request asks for, once it is routed; None for what the audit log leaves out."""
    route = scope.get("route")
    if (
        not isinstance(route, APIRoute)
        or scope["method"] not in (route.methods or ())
        or _NOT_AUDITED & set(route.tags)
    ):
        return None
    named = [str(value) for value in scope.get("path_params", {}).values()]
    return Operation(operation_id(route), named[-1] if named else None, route.status_code or 200)


def _environment(headers: Headers) -> str | None:
    """Return the environment that a request names, if it names one.

    Raises:
        EngineError: ``invalid_environment``.
    """
    given = headers.getlist(ENVIRONMENT_HEADER)
    if not given:
        return None
    # Of two, a proxy in front may have looked at the other.
    name = ",".join(given)
    check_name(name)
    return name


def _place(path: str) -> str:
    """Return an address as it may be logged: the token of a webhook is a secret, and a line break makes a line."""
    return f"{WEBHOOK_PREFIX}…" if path.startswith(WEBHOOK_PREFIX) else quote(path, errors="replace")


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _correlation_id(given: str | None) -> str:
    return given if given is not None and _CORRELATION_ID.fullmatch(given) else str(uuid.uuid4())
