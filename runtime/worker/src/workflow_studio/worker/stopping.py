"""The end of the worker: that it was announced, when it began, and how much time it has left."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Stopping(asyncio.Event):
    """Set when the end begins. All that is still under way shares one deadline from then on.

    It may be announced before: nothing new is taken up from then on, and requests are still answered.

    Args:
        grace: Seconds from the beginning of the end to the end of all work.
        clock: Tells the time in seconds.

    Attributes:
        is_announced: Whether the worker was told to stop.
    """

    def __init__(self, grace: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._grace = grace
        self._clock = clock
        self._deadline: float | None = None
        self._callbacks: list[Callable[[], None]] = []
        self.is_announced = False

    def at_once(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called when the end is announced."""
        self._callbacks.append(callback)

    def announce(self) -> None:
        """Say that the end will begin soon; once is enough."""
        if self.is_announced:
            return
        self.is_announced = True
        for callback in self._callbacks:
            callback()

    def set(self) -> None:
        """Begin the end; once is enough."""
        if self._deadline is not None:
            return
        self._deadline = self._clock() + self._grace
        super().set()
        self.announce()

    def left(self) -> float:
        """Return the seconds that are left: all of them before the end has begun, and never fewer than none."""
        return self._grace if self._deadline is None else max(0.0, self._deadline - self._clock())
