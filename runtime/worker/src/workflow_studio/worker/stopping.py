"""The end of the worker: when it began, and how much time it has left."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Stopping(asyncio.Event):
    """Set when the end begins. All that is still under way shares one deadline from then on.

    Args:
        grace: Seconds from the beginning of the end to the end of all work.
        clock: Tells the time in seconds.
    """

    def __init__(self, grace: float, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._grace = grace
        self._clock = clock
        self._deadline: float | None = None
        self._callbacks: list[Callable[[], None]] = []

    def at_once(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called when the end begins."""
        self._callbacks.append(callback)

    def set(self) -> None:
        """Begin the end; once is enough."""
        if self._deadline is not None:
            return
        self._deadline = self._clock() + self._grace
        super().set()
        for callback in self._callbacks:
            callback()

    def left(self) -> float:
        """Return the seconds that are left: all of them before the end has begun, and never fewer than none."""
        return self._grace if self._deadline is None else max(0.0, self._deadline - self._clock())
