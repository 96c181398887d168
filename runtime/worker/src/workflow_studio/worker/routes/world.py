"""The world lane: one address per method of the World, CBOR in and out; see ``docs/reference/wire.md``."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request, Response

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.compute.wire import CBOR_MEDIA_TYPE, ENDPOINTS, Endpoint, decode, encode
from workflow_studio.worker.auth import needs
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.idempotent import HEADER, idempotency_key
from workflow_studio.worker.problems import problem
from workflow_studio.worker.services import Worker, environment_of

router = APIRouter(tags=["world"])

_WRITES: Final = frozenset({"events.create", "queue.publish"})
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


def _handler(endpoint: Endpoint) -> Callable[..., Awaitable[Response]]:
    method = endpoint.method

    async def call(
        request: Request, worker: Worker, key: Annotated[ApiKey, needs(ComputeScope.WORLD_PROXY)]
    ) -> Response:
        content, params = await _params(request, endpoint)

        header = request.headers.get(HEADER) if method in _WRITES else None
        repeat = idempotency_key(
            header, project=key.project_id, endpoint=method, content=content, environment=environment_of(request)
        )
        return Response(encode(await worker.world(method, params, repeat, request)), media_type=CBOR_MEDIA_TYPE)

    call.__doc__ = f"Call the World's `{method}`."
    return call


for _endpoint in ENDPOINTS:
    router.add_api_route(
        _endpoint.path,
        _handler(_endpoint),
        methods=[_endpoint.verb],
        name=_endpoint.method,
        operation_id=_endpoint.method,
        response_class=Response,
        responses=_CBOR_ANSWER,
        openapi_extra=_CBOR_BODY if _endpoint.verb == "POST" else None,
    )
