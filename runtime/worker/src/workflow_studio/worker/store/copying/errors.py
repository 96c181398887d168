"""What can go wrong with a copy, beside what goes wrong with a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_studio.worker.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence


class CopyRefusedError(StoreError):
    """A copy cannot begin or go on like this."""


class CopyDamagedError(StoreError):
    """What is in the target is not what was in the source.

    Args:
        units: The runs, and other parts of a service, that are damaged.
    """

    def __init__(self, units: Sequence[str]) -> None:
        named = ", ".join(units[:5]) + (f" and {len(units) - 5} more" if len(units) > 5 else "")
        super().__init__(
            f"What is in the target is not what was in the source: {named}.",
            "Run the same command again: it copies them anew. If that does not help, look at the target's disk.",
        )
        self.units = tuple(units)
