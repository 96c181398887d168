"""The wait for a run's end as polls that the worker answers late. No network, so both clients share it."""

from __future__ import annotations

import time
from typing import Final

LONGEST: Final = 25.0
"""Seconds that a worker waits at most."""

SHORTEST: Final = 1.0
"""Seconds between two polls at least: a worker that cannot wait, or is too old to, answers at once."""


BREATH: Final = 0.2
"""Seconds before the next look at what has just grown: what is printed meanwhile comes all at once."""


class Polls:
    """How long each poll may take, and what comes between two of them.

    Args:
        within: Seconds to wait altogether; None is for ever.

    Raises:
        ValueError: If ``within`` is negative.
    """

    def __init__(self, within: float | None) -> None:
        if within is not None and within < 0:
            raise ValueError("within must not be negative.")
        self._end = None if within is None else time.monotonic() + within
        self._wait = LONGEST
        self._asked = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return self._end is not None and time.monotonic() >= self._end

    def wait_ms(self) -> int:
        """Return how many milliseconds the poll that begins now may wait."""
        self._asked = time.monotonic()
        wait = self._wait if self._end is None else min(self._wait, max(0.0, self._end - self._asked))
        return round(wait * 1000)

    def failed(self) -> None:
        """Make the next polls shorter: something on the way may cut what is quiet for too long."""
        self._wait = max(self._wait / 2, SHORTEST)

    def pause(self) -> float:
        """Return how many seconds to pause before the next poll."""
        pause = self._asked + SHORTEST - time.monotonic()
        if self._end is not None:
            pause = min(pause, self._end - time.monotonic())
        return max(0.0, pause)
