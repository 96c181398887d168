"""What a store has done since it was opened, for those who watch it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass(slots=True)
class StoreTally:
    """Counts, from any thread.

    Attributes:
        commits: Transactions that were committed.
        seconds: That the commits themselves took, which is what the disk or the server takes.
        writes: Writes in them.
        failures: Reads and writes that failed, as when the disk is full or the server is away.
    """

    commits: int = 0
    seconds: float = 0.0
    writes: int = 0
    failures: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def committed(self, writes: int, seconds: float) -> None:
        """Count a commit."""
        with self._lock:
            self.commits += 1
            self.writes += writes
            self.seconds += seconds

    def failed(self, times: int = 1) -> None:
        """Count what failed."""
        with self._lock:
            self.failures += times
