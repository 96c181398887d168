"""What can go wrong in a call.

The tree::

ComputeClientError           the worker refused, or failed: status, code, message, recovery, required
├── UnauthorizedError        401: no key, or one the worker does not know
├── ScopeError               403: the key lacks the scope in ``required``
├── IdempotencyError         the idempotency key is missing, was used for another request, or is in use now
├── RateLimitedError         429: too many requests; see ``retry_after``
└── TransportError           the worker could not be reached, did not answer in time, or something else answered
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
from pydantic import ValidationError

from workflow_studio.compute.codes import ErrorBody, ErrorCode


class ComputeClientError(Exception):
    """The worker refused a call or failed at it.

    Attributes:
        status: The HTTP status; None where there was no answer.
        code: A stable code; see :class:`workflow_studio.compute.codes.ErrorCode`.
        message: What happened.
        recovery: What to do next, where something can be said.
        required: The scope that is missing, for :class:`ScopeError`.
        correlation_id: Names the call in the worker's logs.
        retry_after: Seconds to wait, where the worker said so.
    """

    retry_after: float | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str,
        recovery: str | None = None,
        required: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.recovery = recovery
        self.required = required
        self.correlation_id = correlation_id

    def __str__(self) -> str:
        return f"{self.message} {self.recovery}" if self.recovery else self.message


class UnauthorizedError(ComputeClientError):
    """No API key was sent, or one that the worker does not know."""


class ScopeError(ComputeClientError):
    """The API key lacks a scope."""


class IdempotencyError(ComputeClientError):
    """The idempotency key is missing, was used for another request, or is in use by one under way."""


class RateLimitedError(ComputeClientError):
    """Too many requests; ``retry_after`` says how long to wait."""


class TransportError(ComputeClientError):
    """There was no answer from a worker: it could not be reached, took too long, or something else answered.

    Attributes:
        may_have_arrived: Whether the worker may have the call, and may have done what it asks for.
    """

    may_have_arrived = True


_CLASSES: dict[str, type[ComputeClientError]] = {
    ErrorCode.UNAUTHORIZED: UnauthorizedError,
    ErrorCode.MISSING_SCOPE: ScopeError,
    ErrorCode.IDEMPOTENCY_REQUIRED: IdempotencyError,
    ErrorCode.IDEMPOTENCY_CONFLICT: IdempotencyError,
    ErrorCode.RATE_LIMITED: RateLimitedError,
}

_NOTHING_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

_ERRNO = re.compile(r"^\[Errno -?\d+\] ")

NOT_THE_WORKER = "Check that the base URL is the worker's, and that no proxy answers in its place."


def from_response(response: httpx.Response, correlation_id: str) -> ComputeClientError:
    """Return the error that a response other than 2xx stands for."""
    try:
        body = ErrorBody.model_validate_json(response.content)
    except ValidationError:
        body = ErrorBody(
            code="unexpected_response",
            message=f"The answer ({response.status_code}) is not one that a worker gives.",
            recovery=NOT_THE_WORKER,
        )
    kind = _CLASSES.get(body.code, ComputeClientError)
    if response.status_code == 401:
        kind = UnauthorizedError
    elif response.status_code == 429:
        kind = RateLimitedError
    error = kind(
        body.message,
        status=response.status_code,
        code=body.code,
        recovery=body.recovery,
        required=body.required,
        correlation_id=response.headers.get("x-workflow-correlation-id", correlation_id),
    )
    error.retry_after = _seconds(response.headers.get("retry-after"))
    return error


def from_transport(error: httpx.TransportError, base_url: str, correlation_id: str) -> TransportError:
    """Return the error for a call that got no answer."""
    made = TransportError(
        f"The worker at {base_url} did not answer in time.",
        code="timeout",
        recovery="Try again, or allow more time.",
        correlation_id=correlation_id,
    )
    if not isinstance(error, httpx.TimeoutException):
        reason = _ERRNO.sub("", str(error)) or type(error).__name__
        made = TransportError(
            f"The worker at {base_url} could not be reached: {reason}.",
            code="unreachable",
            recovery="Check that it runs and that the URL is right.",
            correlation_id=correlation_id,
        )
    made.may_have_arrived = not isinstance(error, _NOTHING_SENT)
    return made


def _seconds(header: str | None) -> float | None:
    """Return what ``Retry-After`` says, be it seconds or a date (source: RFC 9110, 10.2.3)."""
    try:
        seconds = float(header or "")
    except ValueError:
        seconds = _seconds_until(header or "")
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return math.nan
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
