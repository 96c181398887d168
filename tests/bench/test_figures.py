from __future__ import annotations

import pytest

from bench.figures import megabytes, milliseconds, percentile, short


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1), (0.1, 1), (0.5, 5), (0.51, 6), (0.9, 9), (0.99, 10), (1.0, 10)]
)
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert percentile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], share) == expected


def test_every_percentile_of_one_value_is_that_value() -> None:
    assert {percentile([7.0], share) for share in (0, 0.1, 0.5, 0.99, 1)} == {7.0}


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0"),
        (0.00123, "0.001"),
        (0.5, "0.500"),
        (0.0999, "0.100"),
        (1.234, "1.23"),
        (45.67, "45.7"),
        (123.4, "123"),
        (1234.5, "1,230"),
        (-2.5, "-2.50"),
    ],
)
def test_three_digits_count(value: float, expected: str) -> None:
    assert short(value) == expected


def test_long_times_are_in_seconds() -> None:
    assert milliseconds(9_990) == "9,990 ms"
    assert milliseconds(12_340) == "12.3 s"


def test_memory_is_in_whole_megabytes() -> None:
    assert megabytes(119_600_000) == "120 MB"
