"""Statistics, and numbers as people read them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of all values do not exceed, by the nearest rank.

    Args:
        ordered: The values, from the least to the most; at least one.
        share: Between 0 and 1.

    Raises:
        ValueError: There are no values.
    """
    if not ordered:
        raise ValueError("there are no values")
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def short(value: float) -> str:
    """Return a number with three digits that count, and no more."""
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    return f"{rounded:,.{max(digits, 0)}f}" if digits < 3 else f"{rounded:.3f}"


def milliseconds(value: float) -> str:
    """Return a time in words: milliseconds, or seconds where there are many."""
    return f"{short(value / 1000)} s" if value >= 10_000 else f"{short(value)} ms"


def megabytes(size: float) -> str:
    """Return a size of memory in words."""
    return f"{size / 1e6:.0f} MB"
