"""Waiting, in tests whose failure is an assertion."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Wait for what comes about within a second, or is wrong."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110  # rows have no events
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError("It never came about.") from None
