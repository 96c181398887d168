"""Webhooks: how the outside answers a run that waits. Public, because a webhook's token is its key."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

import logging
import re
from typing import Final

from fastapi import APIRouter, Request, Response

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.world_errors import HookNotFoundError
from workflow_studio.worker.gate import WEBHOOK_PREFIX
from workflow_studio.worker.ports import ExecutorUnavailableError, NoAnswerError, WebRequest
from workflow_studio.worker.problems import problem
from workflow_studio.worker.services import Worker

logger = logging.getLogger(__name__)
router = APIRouter(tags=["webhooks"])

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NOT_PASSED_ON: Final = HOP_BY_HOP | {"content-length"}
# What HTTP allows in a header (source: RFC 9110, 5.1 and 5.5). The deployment's code is not trusted to keep to it.
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def public_url(request: Request, base: str) -> str:
    """Return the address as the sender wrote it, but at the worker's public address."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return base + raw.decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")


async def web_request(request: Request, base: str, *, without: frozenset[str] = frozenset()) -> WebRequest:
    """Return a request as what answers it is to see it: without what is between two servers only.

    Args:
        request: The request.
        base: The worker's public address.
        without: Further headers that are left out.
    """
    dropped = HOP_BY_HOP | without
    headers = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw)
    return WebRequest(
        method=request.method,
        url=public_url(request, base),
        headers=tuple(entry for entry in headers if entry[0] not in dropped),
        body=await request.body(),
    )


async def webhook(token: str, request: Request, worker: Worker) -> Response:
    """Hand the request to the webhook that has this token; the run's deployment answers it."""
    hook = await worker.world("hooks.getByToken", {"token": token, "resolveData": "none"})
    if hook.get("isWebhook") is False:
        raise HookNotFoundError(token)
    run = await worker.world("runs.get", {"runId": hook["runId"], "resolveData": "none"})
    call = await web_request(request, worker.settings.external_url)
    try:
        answer = await worker.pool.request(run["deploymentId"], call)
    except NoAnswerError:
        raise
    except ExecutorUnavailableError as error:
        # Why it cannot be run, down to paths and code, is for the log: who calls a webhook is a stranger.
        logger.warning("A webhook call of the run %s could not be answered: %s", run["runId"], error)
        raise problem(
            503,
            ErrorCode.EXECUTOR_UNAVAILABLE,
            "What answers this webhook cannot be run now.",
            "Try again.",
            headers={"retry-after": "1"},
        ) from error
    response = Response(answer.body, answer.status)
    own = [entry for entry in response.raw_headers if entry[0] == b"content-length"]
    response.raw_headers = own + [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in answer.headers
        if name.lower() not in _NOT_PASSED_ON and _NAME.fullmatch(name) and _VALUE.fullmatch(value)
    ]
    return response


for _method in _METHODS:
    router.add_api_route(
        WEBHOOK_PREFIX + "{token:path}",
        webhook,
        methods=[_method],
        operation_id=f"webhook_{_method.lower()}",
        response_class=Response,
    )
