"""The ``Idempotency-Key`` header: a request that may be sent twice, and is answered alike both times."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Final

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT
from workflow_studio.worker.ports import IdempotencyKey
from workflow_studio.worker.problems import problem

if TYPE_CHECKING:
    from pydantic import BaseModel

    from workflow_studio.worker.engine.keys import ApiKey

HEADER: Final = "idempotency-key"
_KEY: Final = re.compile(r"[\x20-\x7e]{1,200}")


def idempotency_key(
    header: str | None, *, project: str, endpoint: str, content: bytes, environment: str | None = None
) -> IdempotencyKey | None:
    """Return what names a request, or None if it has no ``Idempotency-Key``.

    Args:
        header: The header, if it was sent.
        project: The project of the caller's API key.
        endpoint: Where the request was sent to.
        content: What was sent.
        environment: The environment that it is about; the default one if None.

    Raises:
        Problem: If the header is empty, too long, or holds anything but printable ASCII.
    """
    if header is None:
        return None
    if not _KEY.fullmatch(header):
        raise problem(400, ErrorCode.INVALID_REQUEST, "An idempotency key is 1 to 200 printable ASCII characters.")
    # In each environment the same key names another request.
    scope = endpoint if environment in {None, DEFAULT_ENVIRONMENT} else f"{endpoint} in {environment}"
    return IdempotencyKey(project, scope, header, hashlib.sha256(content).hexdigest())


def key_of_body(
    header: str | None, key: ApiKey, endpoint: str, body: BaseModel, environment: str | None = None
) -> IdempotencyKey | None:
    """Return what names a request with a JSON body, or None if it has no ``Idempotency-Key``.

    Args:
        header: The header, if it was sent.
        key: The caller's API key.
        endpoint: Where the request was sent to.
        body: What was sent; two bodies that say the same are the same.
        environment: The environment that it is about; the default one if None.

    Raises:
        Problem: If the header is not allowed.
    """
    # In Python's own types: pydantic refuses to write names with half a character, which JavaScript allows.
    content = json.dumps(body.model_dump(exclude_unset=True), sort_keys=True, default=str).encode()
    return idempotency_key(header, project=key.project_id, endpoint=endpoint, content=content, environment=environment)


def required_key_of_body(
    header: str | None, key: ApiKey, endpoint: str, body: BaseModel, environment: str | None = None
) -> IdempotencyKey:
    """Return what names a request that starts a run.

    Args:
        header: The header, if it was sent.
        key: The caller's API key.
        endpoint: Where the request was sent to.
        body: What was sent.
        environment: The environment that it is about; the default one if None.

    Raises:
        Problem: If the header is missing or not allowed.
    """
    named = key_of_body(header, key, endpoint, body, environment)
    if named is None:
        raise problem(
            400,
            ErrorCode.IDEMPOTENCY_REQUIRED,
            "Starting a run needs the header Idempotency-Key.",
            "Send any string that is new for a new run and the same for a repeat, such as a UUID.",
        )
    return named
