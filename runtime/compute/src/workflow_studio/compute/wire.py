"""The world lane on the wire: CBOR bodies, the methods, and where each one lives over HTTP.

``docs/reference/wire.md`` describes the parameters and results. Rules that hold everywhere: bytes travel as CBOR byte
strings, times as integer milliseconds since 1970-01-01 UTC, and an absent optional field is left out, never null.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import cbor2

CBOR_MEDIA_TYPE: Final = "application/cbor"
CBOR_SEQUENCE_MEDIA_TYPE: Final = "application/cbor-seq"
MAX_DEPTH: Final = 64
"""Nesting accepted in a CBOR body. The protocol itself needs less than ten levels."""

MAX_VALUES: Final = 200_000
"""Values accepted in a large CBOR body: a byte of an array can cost sixty times as much once it is decoded."""

_SMALL: Final = 256 * 1024
_LONG_ARGUMENTS: Final = {24: 1, 25: 2, 26: 4, 27: 8}
_DATE_TAG: Final = 1
_ITEM_HEAD: Final = struct.Struct(">BI")
_BYTE_STRING: Final = 0x5A


class WireFormatError(ValueError):
    """A body is not the CBOR that was expected."""


class _Tags(dict[int, Callable[[Any, bool], Any]]):
    """What is made of tagged values: dates are read, any other tag is refused.

    A decoder would do a lot for tags that the protocol has no use for. With shared references, a body of 200 bytes
    describes a value that takes the machine's whole memory to write down again.
    """

    def __contains__(self, _tag: object) -> bool:
        return True

    def __missing__(self, tag: int) -> Callable[[Any, bool], Any]:
        def refuse(_value: Any, _immutable: bool) -> Any:  # noqa: FBT001  # the decoder's own signature
            raise ValueError(f"the tag {tag} is not one of the protocol")

        return refuse


def _date(seconds: Any, _immutable: bool) -> datetime:  # noqa: FBT001  # the decoder's own signature
    return datetime.fromtimestamp(seconds, UTC)


Tagged = Callable[[Any, bool], Any]
_TAGS: Final = _Tags({_DATE_TAG: _date})
_NO_MORE: Final[Mapping[int, Tagged]] = {}


def encode(value: Any) -> bytes:
    """Return ``value`` as CBOR. Dates become epoch times, the only form that the JavaScript side reads."""
    return cbor2.dumps(value, datetime_as_timestamp=True)


def sequence_item(content: bytes) -> bytes:
    """Return bytes as an item of a CBOR sequence: a byte string, the length of which always takes 32 bits."""
    return _ITEM_HEAD.pack(_BYTE_STRING, len(content)) + content


def decode(data: bytes, *, tags: Mapping[int, Tagged] = _NO_MORE) -> Any:
    """Return the value of one CBOR document.

    Args:
        data: The document.
        tags: What is made of further tags. Give none for what comes from outside.

    Raises:
        WireFormatError: If ``data`` is malformed, nested too deeply, followed by more bytes, or holds what the protocol
            does not use: tags but for dates, lengths left open, keys that are no strings, values without number.
    """
    if len(data) > _SMALL:
        _refuse_crowded(data)
    stream = io.BytesIO(data)
    try:
        value = cbor2.CBORDecoder(
            stream,
            max_depth=MAX_DEPTH,
            allow_duplicate_keys=False,
            allow_indefinite=False,
            strict_hashable_types=True,
            semantic_decoders=_Tags({**_TAGS, **tags}) if tags else _TAGS,
        ).decode()
    except (cbor2.CBORDecodeError, RecursionError, ValueError, OverflowError, TypeError) as error:
        raise WireFormatError(f"The body is not well-formed CBOR: {error}") from error
    if stream.read(1):
        raise WireFormatError("The body holds more than one CBOR document.")
    return value


def _refuse_crowded(data: bytes) -> None:
    """Count the values before anything is made of them; what is malformed is for the decoder to find."""
    offset = 0
    for _ in range(MAX_VALUES):
        if offset >= len(data):
            return
        major, info = data[offset] >> 5, data[offset] & 0x1F
        offset += 1
        size = _LONG_ARGUMENTS.get(info, 0)
        if major in {2, 3}:
            offset += int.from_bytes(data[offset : offset + size], "big") if size else info
        offset += size
    if offset < len(data):
        raise WireFormatError(f"The body holds more than {MAX_VALUES} values.")


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
    Endpoint("batch", "POST", "/v1/world/batch", read_only=False),
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
