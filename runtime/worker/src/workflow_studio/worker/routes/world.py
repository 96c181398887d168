"""The world lane: one address per method of the World, CBOR in and out; see ``docs/reference/wire.md``.

Apps call it for all they do, so a call must cost little. The gate hands a request for one of these addresses to
:data:`LANE`, which does what the route does without FastAPI's search for the route and its parameters. The routes stay
for what FastAPI knows of them: the OpenAPI document, and which methods an address takes.
"""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.compute.wire import CBOR_MEDIA_TYPE, ENDPOINTS, Endpoint, decode, encode
from workflow_studio.worker.auth import Needs
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.idempotent import HEADER, idempotency_key
from workflow_studio.worker.problems import problem
from workflow_studio.worker.services import Worker, environment_of, services_of

router = APIRouter(tags=["world"])

_WRITES: Final = frozenset({"events.create", "queue.publish"})
_ALLOWED: Final = Needs(ComputeScope.WORLD_PROXY)
_CBOR_BODY: Final = {"requestBody": {"required": True, "content": {CBOR_MEDIA_TYPE: {}}}}
_CBOR_ANSWER: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {CBOR_MEDIA_TYPE: {}}}}


async def _params(request: Request, endpoint: Endpoint) -> tuple[bytes, dict[str, Any]]:
    if endpoint.verb == "GET":
        return b"", {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != CBOR_MEDIA_TYPE:
        raise problem(415, ErrorCode.INVALID_REQUEST, f"The body must be {CBOR_MEDIA_TYPE}.")
    content = await request.body()
    params = decode(content)
    if not isinstance(params, dict) or not all(isinstance(name, str) for name in params):
        raise problem(400, ErrorCode.INVALID_REQUEST, "The body must be a CBOR map of parameters by name.")
    return content, params


Handler = Callable[[Request, Worker, ApiKey], Awaitable[Response]]


def _handler(endpoint: Endpoint) -> Handler:
    method = endpoint.method

    async def call(request: Request, worker: Worker, key: Annotated[ApiKey, Depends(_ALLOWED)]) -> Response:
        content, params = await _params(request, endpoint)

        header = request.headers.get(HEADER) if method in _WRITES else None
        repeat = idempotency_key(
            header, project=key.project_id, endpoint=method, content=content, environment=environment_of(request)
        )
        return Response(encode(await worker.world(method, params, repeat, request)), media_type=CBOR_MEDIA_TYPE)

    call.__doc__ = f"Call the World's `{method}`."
    return call


def _direct(handler: Handler, route: BaseRoute) -> ASGIApp:
    """Return what answers a request for an address that is known to be this route's."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = route
        request = Request(scope, receive, send)
        response = await handler(request, services_of(request), _ALLOWED.check(request))
        await response(scope, receive, send)

    return answer


def _add(endpoint: Endpoint) -> ASGIApp:
    handler = _handler(endpoint)
    router.add_api_route(
        endpoint.path,
        handler,
        methods=[endpoint.verb],
        name=endpoint.method,
        operation_id=endpoint.method,
        response_class=Response,
        responses=_CBOR_ANSWER,
        openapi_extra=_CBOR_BODY if endpoint.verb == "POST" else None,
    )
    return _direct(handler, router.routes[-1])


LANE: Final[Mapping[tuple[str, str], ASGIApp]] = {
    (endpoint.verb, endpoint.path): _add(endpoint) for endpoint in ENDPOINTS
}
"""The addresses, by method and path."""
