"""The headers that are the same wherever they stand."""

from __future__ import annotations

from typing import Any, Final

from workflow_studio.compute.ids import ENCRYPTION_HEADER

PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "CorrelationId": {
        "name": "x-workflow-correlation-id",
        "in": "header",
        "required": False,
        "description": "Names the request in the worker's log, in the events that it makes and in the audit log. "
        "The worker chooses one if it is absent or has another form.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:/-]{1,128}$"},
        "example": "order-17/checkout",
    },
    "Environment": {
        "name": "x-workflow-studio-environment",
        "in": "header",
        "required": False,
        "description": "The environment that the request is about; `production` if absent.",
        "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
        "example": "dev-ada",
    },
}

HEADERS: Final[dict[str, dict[str, Any]]] = {
    "CorrelationId": {
        "description": "The request's correlation id: the one that was sent, or one that the worker chose.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:/-]{1,128}$"},
        "example": "order-17/checkout",
    },
    "RateLimit": {
        "description": "How many requests are left (`r`), and in how many seconds there are more (`t`); "
        "see draft-ietf-httpapi-ratelimit-headers-10. Absent where a request is refused before it is counted.",
        "schema": {"type": "string", "pattern": '^"(key|address|failed)";r=[0-9]+;t=[0-9]+$'},
        "example": '"key";r=5987;t=1',
    },
    "RateLimitPolicy": {
        "description": "What is counted, how many requests there may be (`q`), and in how many seconds (`w`).",
        "schema": {"type": "string", "pattern": '^"(key|address|failed)";q=[0-9]+;w=60$'},
        "example": '"key";q=6000;w=60',
    },
    "Encryption": {
        "description": "`none` where runs have no keys, so that there is no need to ask for them.",
        "schema": {"type": "string", "const": "none"},
        "example": "none",
    },
    "RetryAfter": {
        "description": "Seconds to wait before the next try.",
        "schema": {"type": "string", "pattern": "^[0-9]+$"},
        "example": "12",
    },
    "Authenticate": {
        "description": "How to send a key.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
        "example": "Bearer",
    },
}

IDEMPOTENCY_SCHEMA: Final[dict[str, Any]] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 200,
    "pattern": "^[!-~]([ -~]*[!-~])?$",
}
"""Printable ASCII; blanks at the ends are no part of a header's value (source: RFC 9110, 5.5)."""

IDEMPOTENCY_EXAMPLE: Final = "checkout-order-17"


def of(status: str, *, counted: bool, tag: str) -> dict[str, Any]:
    """Return the headers of an answer.

    Args:
        status: The answer's HTTP status.
        counted: Whether such a request is counted.
        tag: That of the operation.
    """
    names = {"x-workflow-correlation-id": "CorrelationId"}
    if counted:
        names |= {"RateLimit": "RateLimit", "RateLimit-Policy": "RateLimitPolicy"}
    if tag == "world" and status == "200":
        names[ENCRYPTION_HEADER] = "Encryption"
    if status in {"425", "429", "503"}:
        names["Retry-After"] = "RetryAfter"
    if status == "401":
        names["WWW-Authenticate"] = "Authenticate"
    return {name: {"$ref": f"#/components/headers/{component}"} for name, component in names.items()}
