"""Artifacts that are unpacked already, for pools of executors without a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path


def unpacked(path_of: Callable[[str], Path]) -> Callable[[str], Awaitable[Path]]:
    """Return what gives a pool the folders that ``path_of`` says."""

    async def artifact(deployment_id: str) -> Path:
        return path_of(deployment_id)

    return artifact
