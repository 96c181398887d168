"""What a request's body may cost: how long it is, how long it takes, and what parsing it makes of it."""

from __future__ import annotations

import asyncio
import math
import re
from typing import TYPE_CHECKING, Final

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker.problems import BodyRefusedError, problem

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import Message, Receive

MAX_JSON_DEPTH: Final = 100
MAX_JSON_VALUES: Final = 200_000
"""Values in a JSON body: two bytes of it, an empty array, take thirty times as much once they are parsed."""

_MAX_NUMBER: Final = 400
_SLOWEST: Final = 8 * 1024
"""Bytes per second that buy a body more time, so that a long one over a slow line arrives all the same."""

# Strings, brackets, and whatever else stands between separators. Possessive, so that nothing makes it go back.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]+|\\.?)*+(?:"|\Z)|[\[\]{}]|[^\s,:"\[\]{}]++', re.DOTALL)
_NUMBER: Final = re.compile(rb"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORDS: Final = frozenset({b"true", b"false", b"null"})


class Body:
    """Receives a request's body as far as it keeps to the limits.

    Args:
        receive: Receives it.
        limit: The longest body, in bytes; None for as long as it likes.
        patience: Seconds that it may take, and for each 8 KiB of it one more.

    Attributes:
        complete: Whether all of it was received.
    """

    def __init__(self, receive: Receive, *, limit: int | None, patience: float) -> None:
        self._receive = receive
        self._limit = limit
        self._patience = patience
        self._received = 0
        self._deadline: float | None = None
        self.complete = False

    async def __call__(self) -> Message:
        """Receive the next part.

        Raises:
            BodyRefusedError: If the body is too long or too slow.
        """
        if self.complete:
            return await self._receive()  # whoever reads on waits for the client to leave
        loop = asyncio.get_running_loop()
        if self._deadline is None:
            self._deadline = loop.time() + self._patience
        try:
            async with asyncio.timeout_at(self._deadline + self._received / _SLOWEST):
                message = await self._receive()
        except TimeoutError:
            raise _too_slow() from None
        self._received += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        if self._limit is not None and self._received > self._limit:
            raise too_large(self._limit)
        return message


class JsonBody:
    """Receives a JSON body as a whole, and only if parsing it costs what its length promises.

    Args:
        receive: Receives it.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._done = False

    async def __call__(self) -> Message:
        """Receive the body, and after it what comes.

        Raises:
            BodyRefusedError: If the body is not JSON that all readers agree on, or is made to be expensive.
        """
        if self._done:
            return await self._receive()
        self._done = True
        parts = []
        more = True
        while more:
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        content = b"".join(parts)
        check_json(content)
        return {"type": "http.request", "body": content, "more_body": False}


def is_json(headers: Headers) -> bool:
    """Tell whether a body will be parsed as JSON: if it is said to be, or not said to be anything."""
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def check_json(content: bytes) -> None:
    """Refuse a body that costs more to parse than to send, or that JSON readers read differently.

    What is malformed otherwise is for the parser to find.

    Raises:
        BodyRefusedError: If it has too many values or levels, is not UTF-8, or has a number no double can hold.
    """
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        raise _wrong("The body is not UTF-8.") from None
    depth = values = 0
    for match in _TOKEN.finditer(content):
        token = match[0]
        if token in {b"]", b"}"}:
            depth -= 1
            continue
        values += 1
        if values > MAX_JSON_VALUES:
            raise _wrong(f"The body holds more than {MAX_JSON_VALUES} values.")
        if token in {b"[", b"{"}:
            depth += 1
            if depth > MAX_JSON_DEPTH:
                raise _wrong(f"The body is nested more than {MAX_JSON_DEPTH} levels deep.")
        elif token[0] != 0x22 and token not in _WORDS:
            _check_number(token)


def _check_number(token: bytes) -> None:
    if len(token) > _MAX_NUMBER or not _NUMBER.fullmatch(token):
        raise _wrong("The body is not JSON: a value in it is neither text nor a number of a sensible length.")
    if math.isinf(float(token)):
        raise _wrong("The body holds a number that is too large for JSON's readers.")


def too_large(limit: int) -> BodyRefusedError:
    """Return the refusal of a body that is longer than ``limit`` bytes."""
    return BodyRefusedError(
        problem(
            413,
            ErrorCode.REQUEST_TOO_LARGE,
            f"The body is longer than the {limit} bytes this worker reads.",
            "Send less at once, or raise the worker's max_body_bytes.",
        )
    )


def _wrong(message: str) -> BodyRefusedError:
    return BodyRefusedError(problem(400, ErrorCode.INVALID_REQUEST, message))


def _too_slow() -> BodyRefusedError:
    return BodyRefusedError(
        problem(
            408,
            ErrorCode.REQUEST_TIMEOUT,
            "The body did not arrive in time.",
            "Send it faster, or raise the worker's body_timeout.",
        )
    )
