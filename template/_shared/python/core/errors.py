"""What callers of this app are told when the worker refuses or fails: JSON with a code, a message and a way out."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workflow_studio.client import ComputeClientError, ScopeError, TransportError, UnauthorizedError

logger = logging.getLogger(__name__)


class NotConfiguredError(ComputeClientError):
    """This app does not know where its worker is."""

    def __init__(self) -> None:
        super().__init__(
            "This app does not know where its worker is.",
            status=503,
            code="not_configured",
            recovery="Set WORKFLOW_COMPUTE_BASE_URL in the environment of the app.",
        )


@dataclass(frozen=True, slots=True)
class JsonAnswer:
    """An answer of this app.

    Attributes:
        status: The HTTP status.
        body: What is told as JSON.
        headers: More headers.
    """

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=lambda: {"cache-control": "no-store"})


def answer_of(failure: ComputeClientError, method: str, route: str, *, is_development: bool) -> JsonAnswer:
    """Return the answer to a request that failed at the worker.

    What the caller can do something about is passed on. The rest, such as a key of this app that the worker does not
    take, or the worker's address, is for the log, and in development for the developer.

    Args:
        failure: How it failed.
        method: The request's method.
        route: Which of the app's addresses was called, without what was in it: a webhook's token is a secret.
        is_development: Whether the caller is a developer.
    """
    status = status_of(failure)
    body: dict[str, object] = {"code": failure.code, "message": failure.message}
    if failure.recovery:
        body["recovery"] = failure.recovery
    if status >= 500:
        logger.warning(
            "%s %s: %s (%s, correlation id %s)", method, route, failure, failure.code, failure.correlation_id
        )
        if not is_development:
            body["message"] = "The workflows of this app are out of reach."
            body["recovery"] = "Try again later. The app's log says more."
    if failure.correlation_id:
        body["correlationId"] = failure.correlation_id
    headers = {"cache-control": "no-store"}
    if failure.retry_after is not None:
        headers["retry-after"] = str(math.ceil(failure.retry_after))
    return JsonAnswer(status, body, headers)


def status_of(error: ComputeClientError) -> int:
    """Return the HTTP status that this app answers with."""
    if isinstance(error, TransportError):
        return 504 if error.code == "timeout" else 503
    if isinstance(error, UnauthorizedError | ScopeError) or error.status is None:
        return 502  # what was refused is this app's key, not the caller's
    if error.status >= 500:
        return 503 if error.status == 503 else 502
    return error.status if error.status >= 400 else 502
