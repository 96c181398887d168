"""Payloads: the bytes in which the Workflow SDK keeps arguments and results.

The worker stores payloads as they are. It writes one only to start a run for a caller that speaks JSON, and reads one
only to show it to a person; this module is both, and pure.

A payload is four ASCII letters that name its format, and a body. ``devl`` is what the SDK writes: the JSON text of
``devalue.stringify``, a flat array in which every value stands once and is referred to by its index. ``encr`` is
encrypted (source: ``@workflow/core`` 4.8.9 ``serialization.js``; ``devalue`` 5.9 ``parse.js`` and ``stringify.js``).

What :func:`loads` returns is always JSON. A value that JSON lacks becomes an object with the key ``$type``::

    undefined        {"$type": "undefined"}, or nothing where it is a member of an object
    NaN, Infinity    {"$type": "Number", "value": "NaN"}
    Date             {"$type": "Date", "value": "2026-01-02T03:04:05.000Z"}, or null where the date is invalid
    BigInt           {"$type": "BigInt", "value": "123"}
    Map, Set         {"$type": "Map", "entries": [[key, value]]}, {"$type": "Set", "values": [value]}
    RegExp           {"$type": "RegExp", "source": "a+", "flags": "g"}
    Uint8Array, ...  {"$type": "Uint8Array", "base64": "AAEC"}
    Error, ...       {"$type": "Error", "value": {"name": ..., "message": ..., "stack": ...}}
    a reference back {"$type": "Circular"}
    encrypted        {"$type": "Encrypted", "size": 64}
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import Any, Final

JSON = Any
"""A value that ``json.dumps`` takes."""

PREFIX_SIZE: Final = 4
DEVALUE_PREFIX: Final = b"devl"
ENCRYPTED_PREFIX: Final = b"encr"
MAX_DEPTH: Final = 100
"""Nesting of objects and arrays that is read or written."""

TYPE_KEY: Final = "$type"
_MAX_SAFE_INTEGER: Final = 2**53 - 1
_MIN_SHOWN: Final = 1 << 20

_UNDEFINED, _HOLE, _NAN, _INFINITY, _NEGATIVE_INFINITY, _NEGATIVE_ZERO, _SPARSE = range(-1, -8, -1)
_SENTINELS: Final[dict[int, JSON]] = {
    _UNDEFINED: {TYPE_KEY: "undefined"},
    _HOLE: {TYPE_KEY: "undefined"},
    _NAN: {TYPE_KEY: "Number", "value": "NaN"},
    _INFINITY: {TYPE_KEY: "Number", "value": "Infinity"},
    _NEGATIVE_INFINITY: {TYPE_KEY: "Number", "value": "-Infinity"},
    _NEGATIVE_ZERO: {TYPE_KEY: "Number", "value": "-0"},
}
_ITEM_SIZES: Final = {
    "Int8Array": 1,
    "Uint8Array": 1,
    "Uint8ClampedArray": 1,
    "Int16Array": 2,
    "Uint16Array": 2,
    "Float16Array": 2,
    "Int32Array": 4,
    "Uint32Array": 4,
    "Float32Array": 4,
    "Float64Array": 8,
    "BigInt64Array": 8,
    "BigUint64Array": 8,
    "DataView": 1,
}


class PayloadError(ValueError):
    """A payload that cannot be read, or a value that cannot be written as one."""


def dumps(value: JSON) -> bytes:
    """Return the payload of a JSON value, as the SDK would write it.

    Raises:
        PayloadError: If it is not JSON, is nested deeper than :data:`MAX_DEPTH`, or holds an integer that a JavaScript
            number cannot hold exactly.
    """
    writer = _Writer()
    sentinel = writer.flatten(value, 0)
    text = f"[{','.join(writer.parts)}]" if writer.parts else str(sentinel)
    return DEVALUE_PREFIX + text.encode()


def dumps_arguments(arguments: list[JSON]) -> bytes:
    """Return the payload of a run's arguments, as ``start(workflow, arguments)`` would write it.

    Args:
        arguments: JSON values, one per parameter of the workflow function.

    Raises:
        PayloadError: As :func:`dumps` does.
    """
    return dumps(arguments)


def loads(payload: bytes) -> JSON:
    """Return a payload's value as JSON, to be shown; see the module's docstring for its form.

    Raises:
        PayloadError: If the payload is malformed, of an unknown format, nested deeper than :data:`MAX_DEPTH`, or
            repeats itself so much that the text would dwarf the payload.
    """
    prefix, body = payload[:PREFIX_SIZE], payload[PREFIX_SIZE:]
    if prefix == ENCRYPTED_PREFIX:
        return {TYPE_KEY: "Encrypted", "size": len(payload)}
    if prefix != DEVALUE_PREFIX:
        raise PayloadError(f"The payload's format {prefix!r} is not one that can be shown.")
    try:
        document = json.loads(_ESCAPE.sub(_whole_characters, body.decode()), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise PayloadError(f"The payload is not well-formed: {error}") from error
    if isinstance(document, int) and document in _SENTINELS and document != _HOLE:
        return _SENTINELS[document]
    if not isinstance(document, list) or not document:
        raise PayloadError("The payload is not well-formed: it is not an array of values.")
    return _Reader(document, budget=max(_MIN_SHOWN, 8 * len(payload))).value_at(0)


_ESCAPE: Final = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)


def _whole_characters(escape: re.Match[str]) -> str:
    """Replace half a surrogate pair, which JavaScript strings may hold and UTF-8 may not."""
    return "\\ufffd" if escape[1] else escape[0]


def _refuse_constant(name: str) -> float:
    raise PayloadError(f"{name} is not JSON.")


class _Writer:
    """Flattens a JSON value: each value goes to an index of its own, equal primitives share one."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._primitives: dict[tuple[type, JSON], int] = {}

    def flatten(self, value: JSON, depth: int) -> int:
        """Return the index of ``value``, or the sentinel that stands for it."""
        if depth > MAX_DEPTH:
            raise PayloadError(f"The value is nested more than {MAX_DEPTH} levels deep.")
        if isinstance(value, list):
            index = self._reserve()
            items = ",".join(str(self.flatten(item, depth + 1)) for item in value)
            self.parts[index] = f"[{items}]"
            return index
        if isinstance(value, dict):
            index = self._reserve()
            members = ",".join(
                f"{_string(_checked_key(key))}:{self.flatten(item, depth + 1)}" for key, item in value.items()
            )
            self.parts[index] = f"{{{members}}}"
            return index
        return self._primitive(value)

    def _reserve(self) -> int:
        self.parts.append("")
        return len(self.parts) - 1

    def _primitive(self, value: JSON) -> int:
        if isinstance(value, float):
            if (sentinel := _sentinel_of(value)) is not None:
                return sentinel
            if value.is_integer() and abs(value) <= _MAX_SAFE_INTEGER:
                value = int(value)
        if value is not None and not isinstance(value, (str, bool, int, float)):
            raise PayloadError(f"A value of type {type(value).__name__} is not JSON.")
        if isinstance(value, int) and abs(value) > _MAX_SAFE_INTEGER:
            raise PayloadError(f"JavaScript cannot hold the integer {value} exactly; send it as a string.")
        known = self._primitives.get((type(value), value))
        if known is None:
            known = self._reserve()
            self.parts[known] = _string(value) if isinstance(value, str) else json.dumps(value)
            self._primitives[(type(value), value)] = known
        return known


def _string(text: str) -> str:
    return json.dumps(text)


def _checked_key(key: JSON) -> str:
    if not isinstance(key, str):
        raise PayloadError(f"A key of type {type(key).__name__} is not JSON.")
    if key == "__proto__":
        raise PayloadError("The SDK's format has no place for a key named __proto__.")
    return key


def _sentinel_of(value: float) -> int | None:
    if math.isnan(value):
        return _NAN
    if math.isinf(value):
        return _INFINITY if value > 0 else _NEGATIVE_INFINITY
    if value == 0 and math.copysign(1, value) < 0:
        return _NEGATIVE_ZERO
    return None


class _Reader:
    """Turns the flat array back into a tree, within limits: a few bytes can describe a tree without end."""

    def __init__(self, values: list[JSON], budget: int) -> None:
        self._values = values
        self._budget = budget
        self._open: set[int] = set()

    def value_at(self, reference: JSON, depth: int = 0) -> JSON:
        """Return the value that an index or a sentinel refers to."""
        if type(reference) is not int:
            raise PayloadError(f"The payload is not well-formed: {_short(reference)} is not a reference.")
        self._spend(1)
        if reference < 0:
            if reference not in _SENTINELS:
                raise PayloadError(f"The payload is not well-formed: there is no special value {reference}.")
            return dict(_SENTINELS[reference])
        if reference >= len(self._values):
            raise PayloadError(
                f"The payload is not well-formed: it refers to value {reference} of {len(self._values)}."
            )
        value = self._values[reference]
        if not isinstance(value, (list, dict)):
            self._spend(len(value) if isinstance(value, str) else 1)
            if isinstance(value, float) and math.isinf(value):
                raise PayloadError("The payload is not well-formed: a number is out of range.")
            return value
        if reference in self._open:
            return {TYPE_KEY: "Circular"}
        if depth >= MAX_DEPTH:
            raise PayloadError(f"The payload is nested more than {MAX_DEPTH} levels deep.")
        self._open.add(reference)
        shown = self._container(value, depth + 1)
        self._open.remove(reference)
        return shown

    def _spend(self, cost: int) -> None:
        self._budget -= cost
        if self._budget < 0:
            raise PayloadError("The payload repeats its values too often to be shown.")

    def _container(self, value: list[JSON] | dict[str, JSON], depth: int) -> JSON:
        if isinstance(value, dict):
            self._spend(sum(map(len, value)))
            return {key: self.value_at(item, depth) for key, item in value.items() if item != _UNDEFINED}
        if value and isinstance(value[0], str):
            return self._tagged(value[0], value[1:], depth)
        if value and value[0] == _SPARSE:
            return self._sparse(value[1:], depth)
        return [self.value_at(item, depth) for item in value]

    def _sparse(self, body: list[JSON], depth: int) -> JSON:
        # Shown as it is written: the length may be billions, with a handful of elements.
        if len(body) % 2 == 0 or type(body[0]) is not int:
            raise PayloadError("The payload is not well-formed: a sparse array is cut short.")
        return {TYPE_KEY: "SparseArray", "length": body[0], "entries": self._pairs(body[1:], depth, literal_keys=True)}

    def _pairs(self, body: list[JSON], depth: int, *, literal_keys: bool) -> list[JSON]:
        if len(body) % 2:
            raise PayloadError("The payload is not well-formed: a key has no value.")
        return [
            [key if literal_keys else self.value_at(key, depth), self.value_at(item, depth)]
            for key, item in zip(body[::2], body[1::2], strict=True)
        ]

    def _tagged(self, tag: str, body: list[JSON], depth: int) -> JSON:
        match tag:
            case "null":
                pairs = self._pairs(body, depth, literal_keys=True)
                if not all(isinstance(key, str) for key, _ in pairs):
                    raise PayloadError("The payload is not well-formed: a key is not a string.")
                return dict(pairs)
            case "Map" if len(body) != 1:
                return {TYPE_KEY: "Map", "entries": self._pairs(body, depth, literal_keys=False)}
            case "Set" if len(body) != 1:
                return {TYPE_KEY: "Set", "values": [self.value_at(item, depth) for item in body]}
        if not body:
            raise PayloadError(f"The payload is not well-formed: a {_short(tag)} has no value.")
        if tag == "ArrayBuffer" or tag in _ITEM_SIZES:
            return self._binary(tag, body, depth)
        if tag == "RegExp" and isinstance(body[0], str):
            return {TYPE_KEY: tag, "source": body[0], "flags": str(body[1]) if len(body) > 1 else ""}
        value = body[0] if isinstance(body[0], str) else self.value_at(body[0], depth)
        return self._reduced(tag, value)

    def _reduced(self, tag: str, value: JSON) -> JSON:
        """Show what one of the SDK's reducers (or a plain devalue type with one literal) wrote."""
        self._spend(len(tag) + (len(value) if isinstance(value, str) else 0))
        match tag:
            case "Object":
                return value  # a boxed primitive
            case "Map" if isinstance(value, list):
                return {TYPE_KEY: tag, "entries": value}
            case "Set":
                # One devalue reference is a set of one element; the SDK's reducer refers to the array of all.
                return {TYPE_KEY: tag, "values": value if isinstance(value, list) else [value]}
            case "RegExp" if isinstance(value, dict):
                return {TYPE_KEY: tag, "source": value.get("source"), "flags": value.get("flags", "")}
            case "Date" | "URLSearchParams":
                empty = None if tag == "Date" else ""
                return {TYPE_KEY: tag, "value": empty if value == "." else value}
        return {TYPE_KEY: tag, "value": value}

    def _binary(self, tag: str, body: list[JSON], depth: int) -> JSON:
        """Show a buffer or a view of one; devalue refers to the buffer, the SDK writes the view's own bytes."""
        source = body[0] if isinstance(body[0], str) else self.value_at(body[0], depth)
        if isinstance(source, str):
            text = "" if source == "." else source
        elif isinstance(source, dict) and source.get(TYPE_KEY) == "ArrayBuffer":
            text = str(source["base64"])
        else:
            raise PayloadError(f"The payload is not well-formed: a {tag} has no bytes.")
        self._spend(len(text))
        try:
            content = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError) as error:
            raise PayloadError(f"The payload is not well-formed: the bytes of a {tag} are not base64.") from error
        if len(body) == 3:
            offset, length = body[1], body[2]
            if not (type(offset) is int and type(length) is int and offset >= 0 and length >= 0):
                raise PayloadError(f"The payload is not well-formed: a {tag} has no place in its buffer.")
            content = content[offset : offset + length * _ITEM_SIZES.get(tag, 1)]
        return {TYPE_KEY: tag, "base64": base64.b64encode(content).decode()}


def _short(value: JSON) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
