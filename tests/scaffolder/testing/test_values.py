"""Values of workflows in Python."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from workflow_studio.scaffolder.testing.values import to_python


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (1, 1),
        ("text", "text"),
        (None, None),
        ([1, {"a": [2]}], [1, {"a": [2]}]),
        ({"$type": "undefined"}, None),
        ({"$type": "Number", "value": "-Infinity"}, -math.inf),
        ({"$type": "Date", "value": "2026-01-02T03:04:05.678Z"}, datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)),
        ({"$type": "Date", "value": None}, None),
        ({"$type": "BigInt", "value": "123456789012345678901"}, 123456789012345678901),
        ({"$type": "Map", "entries": [["a", {"$type": "BigInt", "value": "1"}]]}, {"a": 1}),
        ({"$type": "Map", "entries": [[[1], 2]]}, [([1], 2)]),
        ({"$type": "Set", "values": [1, 2]}, {1, 2}),
        ({"$type": "Set", "values": [{"a": 1}]}, [{"a": 1}]),
        ({"$type": "Uint8Array", "base64": "AAEC"}, b"\0\1\2"),
        ({"$type": "ArrayBuffer", "base64": ""}, b""),
        ({"$type": "Circular"}, {"$type": "Circular"}),
        ({"$type": "RegExp", "source": "a+", "flags": "g"}, {"$type": "RegExp", "source": "a+", "flags": "g"}),
        ({"$type": "Error", "value": {"message": "no"}}, {"$type": "Error", "value": {"message": "no"}}),
        ({"$type": "Date", "value": "soon"}, {"$type": "Date", "value": "soon"}),
        ({"$type": ["a"], "b": [1]}, {"$type": ["a"], "b": [1]}),
        ({"$type": "Number"}, {"$type": "Number"}),
    ],
)
def test_a_value_has_pythons_own_type_where_there_is_one(shown: object, expected: object) -> None:
    assert to_python(shown) == expected


def test_not_a_number_is_not_a_number() -> None:
    assert math.isnan(to_python({"$type": "Number", "value": "NaN"}))
