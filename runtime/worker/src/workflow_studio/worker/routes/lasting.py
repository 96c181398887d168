"""Answers that last: lines that are sent as there is something to say, as long as the caller's key works."""

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final, TypeVar

from workflow_studio.worker.auth import unknown_key
from workflow_studio.worker.engine.following import SILENCE_SECONDS
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.services import Services

T = TypeVar("T")

JSON_LINES: Final = "application/x-ndjson"
_KEY_CHECKED_EVERY: Final = SILENCE_SECONDS


async def begun(worker: Services, key: ApiKey, parts: AsyncGenerator[T, None]) -> AsyncIterator[T]:
    """Return the parts of an answer once the first is there: what can be refused is refused before it begins.

    Args:
        worker: The worker.
        key: The caller's key; when it is revoked, the answer ends.
        parts: The parts. One must come at least every :data:`.SILENCE_SECONDS`.

    Raises:
        Problem: If the key was revoked since the request was let in.
    """
    admitted = _admitted(worker, key, parts)
    first = await anext(admitted, None)
    if first is None:
        raise unknown_key()
    return _all(first, admitted)


async def _admitted(worker: Services, key: ApiKey, parts: AsyncGenerator[T, None]) -> AsyncIterator[T]:
    checked_at = time.monotonic()
    async with aclosing(parts):
        async for part in parts:
            if time.monotonic() - checked_at >= _KEY_CHECKED_EVERY:
                if not await worker.engine.keys.is_live(key.key_id):
                    return
                checked_at = time.monotonic()
            yield part


async def _all(first: T, rest: AsyncIterator[T]) -> AsyncIterator[T]:
    yield first
    async for part in rest:
        yield part


def line(value: dict[str, Any]) -> bytes:
    """Return a value as a line of JSON."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
