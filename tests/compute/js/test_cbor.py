"""The JavaScript CBOR against Python's, in both directions."""

from __future__ import annotations

import base64
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflow_studio.compute import wire

pytestmark = pytest.mark.node

MAX_SAFE = 2**53 - 1

scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-MAX_SAFE, max_value=MAX_SAFE)
    | st.floats()
    | st.text()
    | st.sampled_from(["__proto__", "constructor", "\ufeffmark", "\0", "😀" * 30, "x" * 600])
    | st.binary(max_size=600)
)
keys = st.text() | st.sampled_from(["__proto__", "toString"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(keys, inner, max_size=6), max_leaves=20
)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def reencode(js_eval: Any, data: bytes) -> bytes:
    """Decode and encode in JavaScript."""
    expression = "Buffer.from(cbor.encode(cbor.decode(Buffer.from(input.data, 'base64')))).toString('base64')"
    return base64.b64decode(js_eval(expression, data=b64(data)))


def encoded(js_eval: Any, expression: str) -> Any:
    """Encode in JavaScript, decode in Python."""
    answer = js_eval(f"Buffer.from(cbor.encode({expression})).toString('base64')")
    return cbor2.loads(base64.b64decode(answer))


def decode_error(js_eval: Any, data: bytes) -> str:
    with pytest.raises(Exception, match="CborError") as caught:
        js_eval("cbor.decode(Buffer.from(input.data, 'base64'))", data=b64(data))
    return str(caught.value)


def same(left: Any, right: Any) -> bool:
    """Whether JavaScript, which has one type of number, cannot tell them apart."""
    if isinstance(left, float) and isinstance(right, int | float) and not isinstance(right, bool):
        return math.isnan(right) if math.isnan(left) else left == right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)


@settings(max_examples=150, deadline=None)
@given(values)
def test_a_value_survives_the_way_through_javascript(js_eval: Any, value: Any) -> None:
    assert same(value, wire.decode(reencode(js_eval, wire.encode(value))))


@settings(max_examples=150, deadline=None)
@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_are_decoded_or_refused_with_a_clear_error(js_eval: Any, data: bytes) -> None:
    expression = """(() => {
        try { cbor.decode(Buffer.from(input.data, 'base64')); return 'CborError: The CBOR data'; }
        catch (error) { return String(error); }
    })()"""
    assert js_eval(expression, data=b64(data)).startswith("CborError: The CBOR data")


@settings(max_examples=60, deadline=None)
@given(values, st.data())
def test_a_document_cut_short_is_refused(js_eval: Any, value: Any, data: st.DataObject) -> None:
    document = wire.encode(value)
    cut = data.draw(st.integers(min_value=0, max_value=len(document) - 1))
    assert "ends in the middle" in decode_error(js_eval, document[:cut])


def test_a_value_larger_than_the_buffer_is_encoded_whole(js_eval: Any) -> None:
    value = encoded(
        js_eval, "Array.from({ length: 900 }, (_, i) => ({ ['k' + i]: 'v'.repeat(i), b: new Uint8Array(i) }))"
    )
    assert value == [{f"k{i}": "v" * i, "b": bytes(i)} for i in range(900)]


@pytest.mark.parametrize("milliseconds", [0, 1, -1, 1_732_000_000_123, 1_732_000_000_000, 253_402_300_799_999])
def test_dates_keep_their_milliseconds(js_eval: Any, milliseconds: int) -> None:
    assert js_eval(f"cbor.decode(cbor.encode(new Date({milliseconds}))).getTime()") == milliseconds


def test_python_reads_dates_that_javascript_wrote(js_eval: Any) -> None:
    expected = datetime(2024, 11, 19, tzinfo=UTC) + timedelta(milliseconds=123)
    assert abs(encoded(js_eval, "new Date('2024-11-19T00:00:00.123Z')") - expected) < timedelta(microseconds=1)


def test_undefined_map_values_are_left_out_as_json_does(js_eval: Any) -> None:
    value = encoded(js_eval, "({ a: undefined, b: null, c: [undefined], d: () => 1, e: Symbol('x') })")
    assert value == {"b": None, "c": [None]}


def test_values_of_another_realm_are_known(js_eval: Any) -> None:
    expression = "require('node:vm').runInNewContext('({ b: new Uint8Array([1, 2]), d: new Date(5000), o: { x: 1 } })')"
    value = encoded(js_eval, expression)
    assert value == {"b": b"\x01\x02", "d": datetime.fromtimestamp(5, tz=UTC), "o": {"x": 1}}


def test_decoded_bytes_are_a_copy_and_no_buffer(js_eval: Any) -> None:
    expression = """(() => {
        const data = Buffer.from(cbor.encode(new Uint8Array([7])));
        const value = cbor.decode(data);
        data.fill(0);
        return [value.constructor.name, value[0]];
    })()"""
    assert js_eval(expression) == ["Uint8Array", 7]


def test_a_proto_key_is_an_ordinary_key(js_eval: Any) -> None:
    expression = """(() => {
        const value = cbor.decode(Buffer.from(input.data, 'base64'));
        return [Object.keys(value), value.polluted === undefined, ({}).polluted === undefined];
    })()"""
    data = b64(cbor2.dumps({"__proto__": {"polluted": True}}))
    assert js_eval(expression, data=data) == [["__proto__"], True, True]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "ends in the middle"),
        (cbor2.dumps(1) + b"\0", "followed by more"),
        (cbor2.dumps({1: 2}), "not text"),
        (b"\xa2\x61a\x01\x61a\x02", "twice"),
        (cbor2.dumps(2**60), "beyond 2^53"),
        (cbor2.dumps(-(2**53)), "beyond -2^53"),
        (b"\x9f\x01\xff", "indefinite"),
        (b"\x9a\xff\xff\xff\xff", "ends in the middle"),
        (b"\xba\xff\xff\xff\xff", "ends in the middle"),
        (b"\x62\xff\xff", "not UTF-8"),
        (b"\xc0\x61x", "tag 0"),
        (b"\xc1\x61x", "no date"),
        (b"\xe0", "simple"),
        (b"\x81" * 100 + b"\x01", "nested more than 64"),
    ],
)
def test_what_is_not_understood_is_refused(js_eval: Any, data: bytes, reason: str) -> None:
    assert reason in decode_error(js_eval, data)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("new Map()", "Cannot encode a Map"),
        ("new Set()", "Cannot encode a Set"),
        ("new Float64Array(1)", "Cannot encode a Float64Array"),
        ("1n", "Cannot encode a bigint"),
        ("new Date(NaN)", "invalid Date"),
        ("(() => { const a = []; a.push(a); return a; })()", "contains itself"),
    ],
)
def test_what_has_no_encoding_is_refused(js_eval: Any, expression: str, reason: str) -> None:
    with pytest.raises(Exception, match="CborError") as caught:
        encoded(js_eval, expression)
    assert reason in str(caught.value)
