"""Waiting for what tells nobody that it has happened."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


async def until(probe: Callable[[], object], *, turns: int = 20_000) -> None:
    """Let the other tasks go on until ``probe`` gives something true."""
    for _ in range(turns):
        if probe():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("It never happened.")
