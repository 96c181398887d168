"""The world lane on the wire: CBOR bodies, the methods, and where each one lives over HTTP.

``docs/reference/wire.md`` describes the parameters and results. Rules that hold everywhere: bytes travel as CBOR byte
strings, times as integer milliseconds since 1970-01-01 UTC, and an absent optional field is left out, never null.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final, Literal

import cbor2

CBOR_MEDIA_TYPE: Final = "application/cbor"
MAX_DEPTH: Final = 64
"""Nesting accepted in a CBOR body. The protocol itself needs less than ten levels."""


class WireFormatError(ValueError):
    """A body is not the CBOR that was expected."""


def encode(value: Any) -> bytes:
    """Return ``value`` as CBOR."""
    return cbor2.dumps(value)


def decode(data: bytes) -> Any:
    """Return the value of one CBOR document.

    Raises:
        WireFormatError: If ``data`` is malformed, nested too deeply, or followed by more bytes.
    """
    stream = io.BytesIO(data)
    try:
        value = cbor2.CBORDecoder(stream, max_depth=MAX_DEPTH, allow_duplicate_keys=False).decode()
    except (cbor2.CBORDecodeError, RecursionError, ValueError, OverflowError, TypeError) as error:
        raise WireFormatError(f"The body is not well-formed CBOR: {error}") from error
    if stream.read(1):
        raise WireFormatError("The body holds more than one CBOR document.")
    return value


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a World method lives over HTTP.

    Attributes:
        method: The World method, such as ``events.create``.
        verb: POST carries the parameters as a CBOR body; GET carries them as path and query parameters.
        path: Path template below the worker's base URL.
        read_only: Whether a client may repeat the call without an idempotency key.
    """

    method: str
    verb: Literal["GET", "POST"]
    path: str
    read_only: bool = True


ENDPOINTS: Final = (
    Endpoint("deployments.current", "GET", "/v1/world/deployment-id"),
    Endpoint("queue.publish", "POST", "/v1/queue/publish", read_only=False),
    Endpoint("events.create", "POST", "/v1/world/events/create", read_only=False),
    Endpoint("events.get", "POST", "/v1/world/events/get"),
    Endpoint("events.list", "POST", "/v1/world/events/list"),
    Endpoint("events.listByCorrelationId", "POST", "/v1/world/events/list-by-correlation"),
    Endpoint("runs.get", "POST", "/v1/world/runs/get"),
    Endpoint("runs.list", "POST", "/v1/world/runs/list"),
    Endpoint("steps.get", "POST", "/v1/world/steps/get"),
    Endpoint("steps.list", "POST", "/v1/world/steps/list"),
    Endpoint("hooks.get", "POST", "/v1/world/hooks/get"),
    Endpoint("hooks.getByToken", "POST", "/v1/world/hooks/by-token"),
    Endpoint("hooks.list", "POST", "/v1/world/hooks/list"),
    Endpoint("streams.write", "POST", "/v1/world/streams/write", read_only=False),
    Endpoint("streams.close", "POST", "/v1/world/streams/close", read_only=False),
    Endpoint("streams.read", "POST", "/v1/world/streams/read"),
    Endpoint("streams.list", "POST", "/v1/world/streams/list"),
    Endpoint("streams.chunks", "POST", "/v1/world/streams/chunks"),
    Endpoint("streams.info", "POST", "/v1/world/streams/info"),
    Endpoint("encryption.key", "POST", "/v1/world/encryption-key"),
)
"""Every World method, with its place over HTTP. Executors call the same methods over their own connection."""
