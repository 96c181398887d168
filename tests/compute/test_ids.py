from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_studio.compute.ids import (
    DEPLOYMENT_ID,
    deployment_id,
    event_id,
    event_slot,
    parse_correlation_id,
    parse_deployment_id,
    parse_event_id,
    parse_message_id,
    parse_run_id,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ULID = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@given(st.integers(min_value=1, max_value=10**25))
def test_event_id_and_slot_are_inverse(slot: int) -> None:
    assert event_slot(event_id(slot)) == slot


@given(st.integers(1, 10**20), st.integers(1, 10**20))
def test_event_ids_sort_as_their_slots_do(first: int, second: int) -> None:
    assert (event_id(first) < event_id(second)) == (first < second)


def test_there_is_no_slot_zero() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        event_id(0)


@pytest.mark.parametrize(
    "identifier", ["", "evnt_", "evnt_1", "evnt_" + "x" * 26, "wrun_" + "0" * 26, "evnt_" + "٣" * 26]
)
def test_other_strings_are_no_event_ids(identifier: str) -> None:
    with pytest.raises(ValueError, match="not an event id"):
        event_slot(identifier)


def test_a_deployment_id_follows_from_the_digest() -> None:
    identifier = deployment_id("sha256:" + "ab" * 32)
    assert identifier == "dep_" + "ab" * 16
    assert DEPLOYMENT_ID.fullmatch(identifier)


@pytest.mark.parametrize("digest", ["", "sha256:", "md5:" + "a" * 64, "sha256:" + "A" * 64])
def test_other_strings_are_no_digests(digest: str) -> None:
    with pytest.raises(ValueError, match="not a digest"):
        deployment_id(digest)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_run_id, f"wrun_{ULID}"),
        (parse_deployment_id, "dep_" + "0a" * 16),
        (parse_message_id, f"msg_{ULID}"),
        (parse_event_id, event_id(7)),
        (parse_correlation_id, "checkout/order-17:a.b_c"),
    ],
)
def test_text_of_its_form_is_an_id_and_other_text_is_none(parse: Callable[[str], str], text: str) -> None:
    assert parse(text) == text
    for other in ("", f" {text}", f"{text}\n", f"{text}\u0660", "x" * 129):
        with pytest.raises(ValueError, match="is not a"):
            parse(other)


def test_letters_of_the_wrong_case_make_no_id() -> None:
    for parse, text in ((parse_run_id, "wrun_" + ULID.lower()), (parse_deployment_id, "dep_" + "0A" * 16)):
        with pytest.raises(ValueError, match="is not a"):
            parse(text)
