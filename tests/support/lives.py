"""Whether a process is still there."""

from __future__ import annotations

from pathlib import Path


def lives(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and only waits for its parent to notice does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
