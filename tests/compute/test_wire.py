from __future__ import annotations

import contextlib
import struct
from datetime import UTC, datetime

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_studio.compute.wire import ENDPOINTS, MAX_VALUES, WireFormatError, decode, encode

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_encoded_is_decoded(value: object) -> None:
    assert decode(encode(value)) == value


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_decoder(data: bytes) -> None:
    with contextlib.suppress(WireFormatError):
        decode(data)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(WireFormatError):
        decode(b"\x81" * 10_000 + b"\x01")


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(WireFormatError, match="more than one"):
        decode(encode(1) + encode(2))


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(WireFormatError):
        decode(b"\xa2\x61a\x01\x61a\x02")


@pytest.mark.parametrize(
    "tag", [0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799]
)
@pytest.mark.parametrize("content", [b"\x00", b"\x41a", b"\x61a", b"\x80", b"\x82\x01\x01"])
def test_tags_that_the_protocol_does_not_use_are_refused(tag: int, content: bytes) -> None:
    head = (
        bytes([0xC0 | tag]) if tag < 24 else b"\xd8" + bytes([tag]) if tag < 256 else b"\xd9" + tag.to_bytes(2, "big")
    )
    with pytest.raises(WireFormatError):
        decode(head + content)


def test_a_small_body_cannot_describe_a_value_that_fills_the_memory() -> None:
    # Each array holds the one before it twice: 40 levels are a value of 2^40 numbers.
    shared = b"\xd8\x1c\x82\x00\x00" + b"".join(
        b"\xd8\x1c\x82\xd8\x1d\x18" + bytes([level]) + b"\xd8\x1d\x18" + bytes([level]) for level in range(40)
    )
    with pytest.raises(WireFormatError):
        decode(b"\x98\x29" + shared)


def test_dates_keep_their_milliseconds_and_are_written_as_the_javascript_side_reads_them() -> None:
    written = b"\xc1\xfb" + struct.pack(">d", 1_732_000_000.123)
    assert decode(written) == datetime(2024, 11, 19, 7, 6, 40, 123_000, UTC)
    again = encode(decode(written))
    assert again[0] == 0xC1
    assert round(cbor2.loads(again).timestamp() * 1000) == 1_732_000_000_123


@pytest.mark.parametrize("data", [b"\x9f\x01\xff", b"\xbf\x61a\x01\xff", b"\x5f\x41a\xff", b"\xa1\x81\x01\x02"])
def test_lengths_left_open_and_keys_that_are_no_strings_are_refused(data: bytes) -> None:
    with pytest.raises(WireFormatError):
        decode(data)


def test_a_body_crowded_with_values_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    crowded = encode([0] * (MAX_VALUES + 100_000))
    monkeypatch.delattr(cbor2, "CBORDecoder")
    with pytest.raises(WireFormatError, match="more than 200000 values"):
        decode(crowded)


@pytest.mark.parametrize("size", [255, 256, 65_535, 65_536, 3_000_000])
def test_long_bytes_and_texts_are_one_value_each(size: int) -> None:
    value = {"chunks": [b"\x80" * size, "é" * size, b""], "more": [1.5, -1, 2**40, None, True]}
    assert decode(encode([value] * 2)) == [value] * 2


def test_every_method_has_one_place() -> None:
    assert len({endpoint.method for endpoint in ENDPOINTS}) == len(ENDPOINTS)
    assert len({endpoint.path for endpoint in ENDPOINTS}) == len(ENDPOINTS)
