"""How much a caller may ask for: requests in a minute, long polls and streams at a time.

Each worker counts requests and tells the others, so that they count in the whole service. Long polls and streams count
where they are open.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker.problems import problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Policy = Literal["key", "address", "failed"]
"""What is counted: requests of a key, webhook calls of an address, refused keys of an address."""

_WINDOW: Final = 60
_NO_LIMIT: Final = 2**62


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands.

    Attributes:
        policy: What is counted.
        quota: Requests in a minute.
        remaining: How many are left.
        reset: Seconds until there are more.
    """

    policy: Policy
    quota: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """Return the headers that say so (source: draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4)."""
        return {
            "ratelimit-policy": f'"{self.policy}";q={self.quota};w={_WINDOW}',
            "ratelimit": f'"{self.policy}";r={self.remaining};t={self.reset}',
        }


class _Windows(MemoryStorage):
    """Counters of the minutes before and now, in the memory of one event loop.

    The library's own locks each counter, and begins a task for nearly every request to let go of old ones: that was a
    tenth of what a request took.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, tuple[int, int, int]] = {}
        self._newest = 0

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count what was asked for, if it is within the limit, and tell whether it is."""
        at = time.time() / expiry
        before, now = self._counted(key, int(at))
        if math.floor(before * (1 - at % 1) + now) + amount > limit:
            return False
        self._counts[key] = (int(at), now + amount, before)
        if int(at) != self._newest:
            self._newest = int(at)
            self._counts = {key: counts for key, counts in self._counts.items() if counts[0] >= int(at) - 1}
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Return what was counted in the window before, for how many seconds that counts still, and the same of now."""
        at = time.time() / expiry
        before, now = self._counted(key, int(at))
        left = (1 - at % 1) * expiry
        return before, left if before else 0.0, now, left + expiry

    def _counted(self, key: str, window: int) -> tuple[int, int]:
        newest, now, before = self._counts.get(key, (window, 0, 0))
        if newest == window:
            return before, now
        return (now if newest == window - 1 else 0), 0


class RateLimits:
    """Requests per minute.

    The window moves: two counters stand for the minutes before and now, and weigh as the clock goes. A log of every
    request would be exact, at 150 bytes for each of them and a copy of the log for the next one.

    Args:
        per_key: Requests that a key, or the address behind a webhook call, may make.
        failed_logins: Refused keys that an address may send before it is told to wait.
        refused: Hears of requests that were one too many.

    Attributes:
        counted: Set when there are requests that other workers have not been told of.
    """

    def __init__(
        self, per_key: int, failed_logins: int, refused: Callable[[Policy], None] = lambda _policy: None
    ) -> None:
        self._refused = refused
        self._storage = _Windows()
        of_callers = RateLimitItemPerMinute(per_key)
        self._items = {"key": of_callers, "address": of_callers, "failed": RateLimitItemPerMinute(failed_logins)}

        self._untold: Counter[tuple[Policy, str]] = Counter()
        self.counted = asyncio.Event()

    def take_counted(self) -> list[tuple[Policy, str, int]]:
        """Return what was counted since the last time: for what, whose, and how many."""
        self.counted.clear()
        untold, self._untold = self._untold, Counter()
        return [(policy, name, number) for (policy, name), number in untold.items()]

    async def note(self, policy: Policy, name: str, number: int) -> None:
        """Count requests that another worker has admitted."""
        key = self._items[policy].key_for(policy, name)
        await self._storage.acquire_sliding_window_entry(key, _NO_LIMIT, _WINDOW, number)

    async def count(self, policy: Policy, name: str) -> Standing:
        """Count a request of the key or address ``name``.

        Raises:
            Problem: If it is one too many.
        """
        item = self._items[policy]
        key = item.key_for(policy, name)
        admitted = await self._storage.acquire_sliding_window_entry(key, item.amount, _WINDOW)
        before, before_left, now, _ = await self._storage.get_sliding_window(key, _WINDOW)
        weight = before * before_left / _WINDOW + now
        # The library's own reset time is 0 at the turn of a minute.
        seconds = _WINDOW - time.time() % _WINDOW
        if before and now < item.amount:
            seconds = min(seconds, (weight - min(math.floor(weight), item.amount)) * _WINDOW / before)
        seconds = math.floor(seconds) + 1
        standing = Standing(policy, item.amount, max(0, item.amount - math.floor(weight)), seconds)
        if admitted:
            self._untold[policy, name] += 1
            self.counted.set()
            return standing
        self._refused(policy)
        raise problem(
            429,
            ErrorCode.RATE_LIMITED,
            f"More than {item.amount} requests in a minute.",
            f"Wait {seconds} s, or raise the worker's limit.",
            headers={"retry-after": str(seconds), **standing.headers()},
        )


class StreamLimit:
    """Long polls and streams that a key may have open at the same time.

    Args:
        per_key: How many.
        refused: Hears of those that were one too many.
    """

    def __init__(self, per_key: int, refused: Callable[[], None] = lambda: None) -> None:
        self._per_key = per_key
        self._refused = refused
        self._open: Counter[str] = Counter()

    @contextmanager
    def held(self, key_id: str) -> Iterator[None]:
        """Count one as long as this lasts.

        Raises:
            Problem: If it is one too many.
        """
        if self._open[key_id] >= self._per_key:
            self._refused()
            raise problem(
                429,
                ErrorCode.TOO_MANY_STREAMS,
                f"The API key {key_id} has {self._per_key} streams and long polls open.",
                "Let some of them end, or raise the worker's max_streams_per_key.",
                headers={"retry-after": "1"},
            )
        self._open[key_id] += 1
        try:
            yield
        finally:
            self._open[key_id] -= 1
            if not self._open[key_id]:
                del self._open[key_id]

    def open(self, key_id: str) -> int:
        """Return how many a key has open."""
        return self._open[key_id]
