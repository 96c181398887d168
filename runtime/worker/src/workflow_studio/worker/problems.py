"""Refusals as HTTP: every error of the worker becomes one JSON body here, and only here."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from workflow_studio.compute.codes import ErrorBody, ErrorCode
from workflow_studio.compute.payload import PayloadError
from workflow_studio.compute.wire import WireFormatError
from workflow_studio.compute.world_errors import (
    HookNotFoundError,
    RunExpiredError,
    RunNotFoundError,
    ThrottleError,
    TooEarlyError,
    WorldError,
)
from workflow_studio.worker import origin
from workflow_studio.worker.artifacts import ArtifactError
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.objects import ObjectStoreError
from workflow_studio.worker.ports import ExecutorUnavailableError, NoAnswerError
from workflow_studio.worker.store import StoreError, StoreValueError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI, Request

logger = logging.getLogger(__name__)

_WORLD_CODES: Final[dict[type[WorldError], ErrorCode]] = {
    RunNotFoundError: ErrorCode.RUN_NOT_FOUND,
    HookNotFoundError: ErrorCode.HOOK_NOT_FOUND,
    RunExpiredError: ErrorCode.RUN_FINISHED,
}
_RECOVERY: Final[dict[str, str]] = {
    ErrorCode.NO_ACTIVE_DEPLOYMENT: "Activate one first: `studio deploy`, or `studio compute activate`.",
    ErrorCode.RUN_NOT_FOUND: "Check the run's id, and that the worker's URL is the right one.",
    ErrorCode.HOOK_NOT_FOUND: "A hook is gone once it is disposed or its run has ended; look at the run.",
}
_ARTIFACT_STATUS: Final = {ErrorCode.ARTIFACT_TOO_LARGE: 413, ErrorCode.BASE_NOT_FOUND: 409}


class Problem(Exception):  # noqa: N818 - it is the answer, not a failure
    """A refusal made in the HTTP layer.

    Attributes:
        status: The HTTP status.
        body: The JSON body.
        headers: More headers.
    """

    def __init__(self, status: int, body: ErrorBody, headers: dict[str, str] | None = None) -> None:
        super().__init__(body.message)
        self.status = status
        self.body = body
        self.headers = headers or {}

    def response(self) -> JSONResponse:
        """Return the answer to send."""
        return JSONResponse(self.body.model_dump(exclude_none=True), self.status, self.headers)


def problem(
    status: int,
    code: ErrorCode,
    message: str,
    recovery: str | None = None,
    *,
    required: str | None = None,
    headers: dict[str, str] | None = None,
) -> Problem:
    """Return a refusal."""
    return Problem(status, ErrorBody(code=code, message=message, recovery=recovery, required=required), headers)


class BodyRefusedError(HTTPException):
    """A body is not read to its end. An HTTPException, because FastAPI lets only those out of its parser.

    Attributes:
        refusal: What to answer.
    """

    def __init__(self, refusal: Problem) -> None:
        super().__init__(refusal.status, refusal.body.message)
        self.refusal = refusal


def translate(error: Exception) -> Problem | None:
    """Return the refusal that an error stands for, or None for an error that nobody foresaw."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, BodyRefusedError):
        return error.refusal
    for kind, refusal in _REFUSALS.items():
        if isinstance(error, kind):
            return refusal(error)
    return None


def _of_engine(error: EngineError) -> Problem:
    return problem(error.status, error.code, error.message, error.recovery)


def _of_artifact(error: ArtifactError) -> Problem:
    return problem(_ARTIFACT_STATUS.get(error.code, 400), error.code, error.message, error.recovery)


def _of_pool(error: ExecutorUnavailableError) -> Problem:
    if isinstance(error, NoAnswerError):
        recovery = "The call was handed over; look at the run before you send it again."
        return problem(504, ErrorCode.EXECUTOR_UNAVAILABLE, str(error), recovery)
    return problem(
        503,
        ErrorCode.EXECUTOR_UNAVAILABLE,
        f"The deployment's code could not be run: {error}",
        "Try again; if it goes on, look at the worker's log.",
        headers={"retry-after": "1"},
    )


def _of_store(error: StoreError) -> Problem:
    if isinstance(error, StoreValueError):
        return problem(400, ErrorCode.INVALID_REQUEST, error.message, error.recovery)
    logger.error("The database failed: %s", error)
    return problem(
        503,
        ErrorCode.INTERNAL_ERROR,
        "The worker's database cannot be used now.",
        "Try again; if it goes on, look at the worker's log.",
        headers={"retry-after": "1"},
    )


def _of_objects(error: ObjectStoreError) -> Problem:
    logger.error("The object store failed: %s", error.message)
    return problem(
        503,
        ErrorCode.INTERNAL_ERROR,
        "The worker's object store cannot be used now.",
        "Try again; if it goes on, look at the worker's log.",
        headers={"retry-after": "1"},
    )


def _of_content(error: Exception) -> Problem:
    return problem(400, ErrorCode.INVALID_REQUEST, str(error))


def _of_request(error: RequestValidationError) -> Problem:
    first = error.errors()[0]
    if first["loc"] == ("body",) and isinstance(first.get("input"), bytes):
        # FastAPI reads a body as JSON only if its content type says so, and takes it for a text otherwise.
        message = "The body does not say that it is JSON."
        return problem(
            400, ErrorCode.INVALID_REQUEST, message, "Send JSON with the header `Content-Type: application/json`."
        )
    return problem(400, ErrorCode.INVALID_REQUEST, _explained(error))


def _of_world(error: WorldError) -> Problem:
    headers = {}
    if isinstance(error, TooEarlyError | ThrottleError):
        headers["retry-after"] = str(error.retry_after)
    code = error.code if error.code in set(ErrorCode) else _WORLD_CODES.get(type(error), ErrorCode.WORLD_ERROR)
    recovery = _RECOVERY.get(code)
    if code == ErrorCode.NO_ACTIVE_DEPLOYMENT and isinstance(error.__cause__, EngineError):
        recovery = error.__cause__.recovery  # which names the environment
    body = ErrorBody(code=code, message=error.message, recovery=recovery, error=error.to_wire())
    return Problem(error.status, body, headers)


def _of_http(error: HTTPException) -> Problem:
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return problem(404, ErrorCode.NOT_FOUND, "There is nothing at this address.", headers=headers)
    if error.status_code == 405:
        message = f"This address takes other methods: {headers.get('Allow', 'see the documentation')}."
        return problem(405, ErrorCode.INVALID_REQUEST, message, headers=headers)
    return problem(error.status_code, ErrorCode.INVALID_REQUEST, str(error.detail), headers=headers)


def _explained(error: RequestValidationError) -> str:
    first: dict[str, Any] = error.errors()[0]
    if first["type"] == "json_invalid":
        return "The body is not JSON."
    place = ".".join(str(part) for part in first["loc"] if part != "body")[:200]
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"The request is wrong at {place}: {message}." if place else f"The request is wrong: {message}."


_REFUSALS: Final[dict[type[Exception], Callable[[Any], Problem]]] = {
    EngineError: _of_engine,
    ArtifactError: _of_artifact,
    WorldError: _of_world,
    ExecutorUnavailableError: _of_pool,
    StoreError: _of_store,
    ObjectStoreError: _of_objects,
    RequestValidationError: _of_request,
    PayloadError: _of_content,
    WireFormatError: _of_content,
    HTTPException: _of_http,
}


def unexpected(correlation_id: str) -> Problem:
    """Return the answer for an error that nobody foresaw."""
    return problem(
        500,
        ErrorCode.INTERNAL_ERROR,
        f"Something went wrong in the worker. Its log has the details under {correlation_id}.",
        "Try again; if it goes on, report it with the log.",
    )


def shutting_down() -> Problem:
    """Return the answer to a request that the worker has no time left for."""
    return problem(
        503,
        ErrorCode.INTERNAL_ERROR,
        "The worker is shutting down.",
        "Try again when it is back.",
        headers={"retry-after": "1"},
    )


def _methods(request: Request) -> str:
    """Return the methods that an address takes; the framework names those of its first route only."""
    return ", ".join(
        method
        for method in ("DELETE", "GET", "PATCH", "POST", "PUT")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    )


def install(app: FastAPI) -> None:
    """Have the app answer every foreseen error with its refusal."""

    async def answer(asked: Request, error: Exception) -> JSONResponse:
        if isinstance(error, HTTPException) and error.status_code == 405:
            error.headers = {**(error.headers or {}), "Allow": _methods(asked)}
        foreseen = translate(error)
        if foreseen is None:
            raise error
        request = origin.current()
        if request is not None:
            request.code = foreseen.body.code
        return foreseen.response()

    kinds: list[type[Exception]] = [Problem, *_REFUSALS]
    for kind in kinds:
        app.add_exception_handler(kind, answer)
