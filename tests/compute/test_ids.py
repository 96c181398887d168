from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_studio.compute.ids import DEPLOYMENT_ID, deployment_id, event_id, event_slot


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
