"""References: what a row holds in place of a payload that is an object.

A reference is a tagged value of CBOR, so it stands where the payload would: in a column, or in an event's data. Nobody
can send one: whatever comes from outside is decoded by :mod:`workflow_studio.compute.wire`, which refuses the tag.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from cbor2 import CBORTag

from workflow_studio.compute import wire
from workflow_studio.worker.engine.object_rows import Stored

if TYPE_CHECKING:
    from collections.abc import Mapping

_TAG: Final = 0x776F626A
_CONTENT: Final = struct.Struct(">32sQQ")
_MARK: Final = b"\xda" + _TAG.to_bytes(4, "big") + bytes((0x58, _CONTENT.size))
"""How every reference begins as it is stored: the tag, and the length of what it holds."""

_SIZE: Final = struct.Struct(">Q")
_SIZE_AT: Final = len(_MARK) + _CONTENT.size - _SIZE.size

PAYLOAD_IN: Final[Mapping[str, str]] = {
    "run_created": "input",
    "run_started": "input",
    "run_completed": "output",
    "step_created": "input",
    "step_completed": "result",
    "hook_created": "metadata",
    "hook_received": "payload",
}
"""Where the data of an event has what can be an object; run_started has it only where it creates the run."""


Reference: TypeAlias = CBORTag
"""What stands for an object, as it is decoded."""


def reference(stored: Stored) -> Reference:
    """Return what stands for an object in a row."""
    return CBORTag(_TAG, _CONTENT.pack(bytes.fromhex(stored.digest), stored.made_at, stored.size))


def referred(value: Any) -> Stored | None:
    """Return the object that a decoded value stands for; None if it is a payload itself."""
    return stored_as(value) if isinstance(value, Reference) else None


def stored_as(value: Reference) -> Stored:
    """Return the object that a reference stands for."""
    digest, made_at, size = _CONTENT.unpack(value.value)
    return Stored(digest.hex(), made_at, size)


def decode(data: bytes) -> Any:
    """Return a value that was stored, with its references as they are."""
    if _MARK not in data:
        return wire.decode(data)
    return wire.decode(data, tags={_TAG: lambda value, _immutable: CBORTag(_TAG, value)})


def size_beside(data: bytes) -> int:
    """Return how many bytes the object has that a stored value refers to; 0 without one."""
    at = data.find(_MARK)
    if at < 0 or len(data) < at + _SIZE_AT + _SIZE.size:
        return 0
    size: int = _SIZE.unpack_from(data, at + _SIZE_AT)[0]
    return size


def of_event(event_type: str, data: Mapping[str, Any] | None) -> Stored | None:
    """Return the object that an event's payload is; None if it is in its data itself."""
    name = PAYLOAD_IN.get(event_type)
    return None if name is None or data is None else referred(data.get(name))
