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
from workflow_studio.compute.ids import ENCRYPTION_HEADER
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.compute.wire import CBOR_MEDIA_TYPE, CBOR_SEQUENCE_MEDIA_TYPE, ENDPOINTS, Endpoint, decode, encode
from workflow_studio.worker.auth import Needs
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.engine.params import AppBatch, AppCall, parse
from workflow_studio.worker.idempotent import HEADER, idempotency_key
from workflow_studio.worker.ports import BatchedCall, IdempotencyKey
from workflow_studio.worker.problems import problem
from workflow_studio.worker.routes.followed import followed
from workflow_studio.worker.services import Services, Worker, environment_of, services_of
from workflow_studio.worker.whole import CONTENT

router = APIRouter(tags=["world"])

_WRITES: Final = frozenset({"events.create", "queue.publish"})
_CLEAR: Final = {ENCRYPTION_HEADER: "none"}
"""Says that runs have no keys, so that nobody has to ask for each."""
_FOLLOWED: Final = "streams.read"
_ALLOWED: Final = Needs(ComputeScope.WORLD_PROXY)
_CBOR_BODY: Final = {"requestBody": {"required": True, "content": {CBOR_MEDIA_TYPE: {}}}}
_CBOR_ANSWER: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {CBOR_MEDIA_TYPE: {}}}}
_FOLLOWED_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {CBOR_MEDIA_TYPE: {}, CBOR_SEQUENCE_MEDIA_TYPE: {}}}
}


def _parameters(content: bytes) -> dict[str, Any]:
    params = decode(content)
    if not isinstance(params, dict) or not {str}.issuperset(map(type, params)):
        raise problem(400, ErrorCode.INVALID_REQUEST, "The body must be a CBOR map of parameters by name.")
    return params


async def _content(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != CBOR_MEDIA_TYPE:
        raise problem(415, ErrorCode.INVALID_REQUEST, f"The body must be {CBOR_MEDIA_TYPE}.")
    content: bytes | None = request.scope.get(CONTENT)
    return await request.body() if content is None else content


def _repeat(header: str | None, method: str, content: bytes, request: Request, key: ApiKey) -> IdempotencyKey | None:
    environment = environment_of(request)
    return idempotency_key(header, project=key.project_id, endpoint=method, content=content, environment=environment)


async def _answer(endpoint: Endpoint, request: Request, worker: Services, key: ApiKey) -> Any:
    method = endpoint.method
    if endpoint.verb == "GET":
        return await worker.world(method, {}, None, request)
    content = await _content(request)
    params = _parameters(content)
    if method == _FOLLOWED and params.get("follow"):
        return await followed(worker, request, key, params)
    if method == "batch":
        calls = parse(AppBatch, params).calls
        return await worker.batch([_batched(call, request, key) for call in calls], request)
    header = request.headers.get(HEADER) if method in _WRITES else None
    return await worker.world(method, params, _repeat(header, method, content, request, key), request)


def _batched(call: AppCall, request: Request, key: ApiKey) -> BatchedCall:
    """Return a call of a batch as it would be at the method's own address: it may have been sent there before."""
    repeat = _repeat(call.idempotency_key, call.method, call.params, request, key)
    return BatchedCall(call.method, _parameters(call.params), repeat)


Handler = Callable[[Request, Services, ApiKey], Awaitable[Response]]


def _handler(endpoint: Endpoint) -> Handler:
    async def call(request: Request, worker: Worker, key: Annotated[ApiKey, Depends(_ALLOWED)]) -> Response:
        headers = None if worker.engine.keyring.encrypts else _CLEAR
        answer = await _answer(endpoint, request, worker, key)
        if isinstance(answer, Response):
            return answer
        return Response(encode(answer), headers=headers, media_type=CBOR_MEDIA_TYPE)

    call.__doc__ = f"Call the World's `{endpoint.method}`."
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
        responses=_FOLLOWED_ANSWER if endpoint.method == _FOLLOWED else _CBOR_ANSWER,
        openapi_extra=_CBOR_BODY if endpoint.verb == "POST" else None,
    )
    return _direct(handler, router.routes[-1])


LANE: Final[Mapping[tuple[str, str], ASGIApp]] = {
    (endpoint.verb, endpoint.path): _add(endpoint) for endpoint in ENDPOINTS
}
"""The addresses, by method and path."""
