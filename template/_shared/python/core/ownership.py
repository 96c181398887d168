"""Who runs the workflows: never this app. What reaches its queue routes all the same is refused and remembered.

The diagnostics route tells about it, in the words that the apps in JavaScript use; ``studio compute
validate-ownership`` reads it.
"""

from __future__ import annotations

import hmac
import json
import os
import socket
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from workflow_studio.client import ComputeClientError, ScopeError, UnauthorizedError

from ..settings import WorkflowStudioSettings
from .errors import JsonAnswer
from .requests import Incoming

DIAGNOSTICS_PATH: Final = "/api/workflow-studio/diagnostics/remote-ownership"
QUEUE_PATHS: Final = ("/.well-known/workflow/v1/flow", "/.well-known/workflow/v1/step")
LARGEST_MESSAGE: Final = 1024 * 1024
MARKER_HEADERS: Final = (
    "x-vqs-signature",
    "x-vqs-delivery-id",
    "x-workflow-queue-provider",
    "x-workflow-message-id",
)
_TARGET_WORLD: Final = "workflow-studio/world-remote"
_REFUSED: Final = (
    "This app runs its workflows on the Workflow Studio worker, so its own queue routes are disabled. "
    "Point the queue at the worker."
)


def now() -> str:
    """Return the time as JavaScript writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Ownership:
    """What reached the queue routes of this process.

    Attributes:
        id: Names this instance of the app.
        started_at: When it started.
        refused_requests: How many requests were refused.
        unexpected_hits: How many of them came from a queue.
        last_event: The last one that came from a queue.
    """

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_at: str = field(default_factory=now)
    refused_requests: int = 0
    unexpected_hits: int = 0
    last_event: dict[str, Any] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def refuse(self, incoming: Incoming, path: str, body: bytes = b"") -> JsonAnswer:
        """Refuse what was sent to a queue route.

        Args:
            incoming: The request.
            path: The route.
            body: The message, for :func:`is_unexpected_queue_hit`; empty if it is larger than any.
        """
        with self._lock:
            self.refused_requests += 1
            if is_unexpected_queue_hit(incoming):
                self.unexpected_hits += 1
                self.last_event = {
                    "at": now(),
                    "method": incoming.method,
                    "path": path,
                    "headers": [name for name in MARKER_HEADERS if incoming.has(name)],
                    "bodyShapeMatched": _names_run(body),
                }
        return JsonAnswer(409, {"code": "remote_execution_enabled", "message": _REFUSED})


def is_unexpected_queue_hit(incoming: Incoming) -> bool:
    """Tell whether a request to a queue route looks like a queue's: anything else is a scanner or a health check."""
    kind = incoming.header("content-type") or ""
    is_json = "application/json" in kind or "+json" in kind
    return incoming.method == "POST" and is_json and any(incoming.has(name) for name in MARKER_HEADERS)


def _names_run(message: bytes) -> bool:
    try:
        body = json.loads(message)
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and any(isinstance(body.get(name), str) for name in ("runId", "workflowRunId"))


def deny(incoming: Incoming, settings: WorkflowStudioSettings) -> JsonAnswer | None:
    """Return the refusal of a caller who may not see the diagnostics."""
    token = settings.studio_diagnostics_token
    if token is None:
        if settings.is_development:
            return None
        why = "In production this route needs WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN in the environment of the app."
        return JsonAnswer(403, {"code": "diagnostics_disabled", "message": why})
    given = (incoming.header("authorization") or "").encode("latin-1")
    if hmac.compare_digest(given, f"Bearer {token.get_secret_value()}".encode("latin-1")):
        return None
    return JsonAnswer(401, {"code": "unauthorized", "message": "Send the diagnostics token as a bearer token."})


def access_without_worker() -> dict[str, Any]:
    """Return what there is to say about the key of an app that has no worker."""
    return _unknown("not_configured", "The worker's URL is missing.")


def access_after(error: ComputeClientError | None) -> dict[str, Any]:
    """Return what a call that needs this app's key told about the key.

    Args:
        error: How the call failed; None if it did not.
    """
    if error is None:
        return {"status": "ok", "code": None, "message": None}
    if isinstance(error, UnauthorizedError):
        text = "The worker does not take the key in WORKFLOW_COMPUTE_API_KEY. Give this app a key of that worker."
        return {"status": "refused", "code": error.code, "message": text}
    if isinstance(error, ScopeError):
        text = f"The key in WORKFLOW_COMPUTE_API_KEY lacks the scope {error.required}. Give this app one that has it."
        return {"status": "refused", "code": error.code, "message": text}
    return _unknown(error.code, error.message)


def _unknown(code: str, why: str) -> dict[str, Any]:
    text = f"Whether the worker takes this app's key could not be checked: {why}"
    return {"status": "unknown", "code": code, "message": text}


def report_of(settings: WorkflowStudioSettings, ownership: Ownership, access: dict[str, Any]) -> dict[str, Any]:
    """Return what the diagnostics route tells.

    Args:
        settings: The settings.
        ownership: What reached the queue routes.
        access: What is known about this app's key.
    """
    failures, warnings = _problems(settings, ownership, access)
    return {
        "status": "fail" if failures else "warn" if warnings else "pass",
        "problems": [*failures, *warnings],
        # An app in Python has no World of its own to fall back to: these are as if set.
        "executionMode": "remote",
        "targetWorld": _TARGET_WORLD,
        "expectedTargetWorld": _TARGET_WORLD,
        "worker": {
            "baseUrl": settings.compute_base_url,
            "environment": settings.compute_environment,
            "apiKeyConfigured": settings.compute_api_key is not None,
            "access": access,
        },
        "language": "python",
        "unexpectedHits": ownership.unexpected_hits,
        "refusedRequests": ownership.refused_requests,
        "lastEvent": ownership.last_event,
        "failPolicy": "error",
        "fallbacks": 0,
        "lastFallback": None,
        "instance": {
            "id": ownership.id,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "startedAt": ownership.started_at,
        },
    }


def _problems(
    settings: WorkflowStudioSettings, ownership: Ownership, access: dict[str, Any]
) -> tuple[list[str], list[str]]:
    failures: list[str] = []
    warnings: list[str] = []
    if settings.compute_base_url is None:
        failures.append("The worker's URL is missing. Set WORKFLOW_COMPUTE_BASE_URL.")
    if settings.compute_api_key is None:
        warnings.append("There is no API key. Set WORKFLOW_COMPUTE_API_KEY.")
    elif access["status"] == "refused":
        failures.append(access["message"])
    if access["status"] == "unknown" and settings.compute_base_url is not None:
        warnings.append(access["message"])
    if ownership.unexpected_hits:
        failures.append(
            f"A queue delivered {ownership.unexpected_hits} message(s) to this app while the worker owns execution. "
            "Find what still sends them."
        )
    return failures, warnings
