"""Starts and ends of executors, for those who watch them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

Cause = Literal["idle", "replaced", "done", "shutdown", "crashed", "hung", "memory"]
CAUSES: Final[tuple[Cause, ...]] = ("idle", "replaced", "done", "shutdown", "crashed", "hung", "memory")
"""Why executors end. ``done`` are those that had one delivery only; the last three were not meant to end."""


@dataclass(slots=True)
class ExecutorTally:
    """Counts.

    Attributes:
        starts: Executors that came up.
        start_seconds: That took, together.
        failed_starts: Executors that did not.
        ends: Executors that ended, by cause.
    """

    starts: int = 0
    start_seconds: float = 0.0
    failed_starts: int = 0
    ends: Counter[Cause] = field(default_factory=Counter)

    def started(self, seconds: float) -> None:
        """Count an executor that came up."""
        self.starts += 1
        self.start_seconds += seconds
