from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_studio.compute.wire import ENDPOINTS, WireFormatError, decode, encode

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


def test_every_method_has_one_place() -> None:
    assert len({endpoint.method for endpoint in ENDPOINTS}) == len(ENDPOINTS)
    assert len({endpoint.path for endpoint in ENDPOINTS}) == len(ENDPOINTS)
