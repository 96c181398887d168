"""Whether the worker takes requests: what a load balancer asks every few seconds, without a key."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from workflow_studio.worker.problems import shutting_down
from workflow_studio.worker.store import StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from workflow_studio.worker.stopping import Stopping

_PATIENCE_SECONDS: Final = 2.0
_MAX_AGE_SECONDS: Final = 1.0
"""Anyone may ask, so the database is asked once in so long."""


class Readiness:
    """Says yes until the worker is told to stop, as long as its database answers.

    Args:
        stopping: The end of the worker.
        ask: Asks the database something.
    """

    def __init__(self, stopping: Stopping, ask: Callable[[], Awaitable[object]]) -> None:
        self._stopping = stopping
        self._ask = ask
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self._error: StoreError | None = None

    async def check(self) -> None:
        """Return if requests are welcome.

        Raises:
            Problem: If the worker is about to end.
            StoreError: If the database does not answer.
        """
        if self._stopping.is_announced:
            raise shutting_down()
        async with self._asking:
            if time.monotonic() - self._asked_at >= _MAX_AGE_SECONDS:
                self._error = await self._failure()
                self._asked_at = time.monotonic()
        if self._error is not None:
            raise self._error

    async def _failure(self) -> StoreError | None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._ask()
        except StoreError as error:
            return error
        except TimeoutError:
            return StoreError(f"The database did not answer within {_PATIENCE_SECONDS:g} s.")
        return None
