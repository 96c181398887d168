"""Starting runs: the arguments, and whose idempotency key it is."""

from __future__ import annotations

import hashlib
from typing import Any


def arguments_of(given: Any) -> list[Any]:
    """Return a workflow's arguments: a list has one element per parameter, None means none, else it is the only one."""
    if given is None:
        return []
    return given if isinstance(given, list) else [given]


def idempotency_key_of(key: str | None, scope: str | None) -> str | None:
    """Return the key that the worker gets for a caller's ``Idempotency-Key``.

    Args:
        key: What the caller sent.
        scope: Whose it is, such as the id of the user who is logged in; all callers share one room if absent.
    """
    if key is None or scope is None:
        return key
    return hashlib.sha256(f"{len(scope)}:{scope}:{key}".encode()).hexdigest()
