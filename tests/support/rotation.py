"""Which frameworks the slow tests take: a part that rotates with the commits, unless the environment says otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

VARIABLE: Final = "STUDIO_MATRIX"
"""``all``, or names of frameworks, separated by commas."""


def part_of(names: Iterable[str], size: int) -> list[str]:
    """Return ``size`` of the names, others with every commit, or those that :data:`VARIABLE` wants."""
    known = sorted(names)
    wanted = os.environ.get(VARIABLE, "")
    if wanted == "all":
        return known
    if wanted:
        return [name for name in known if name in wanted.split(",")]
    first = commits() * size
    return sorted({known[(first + offset) % len(known)] for offset in range(size)})


def refuse_unknown(names: Iterable[str]) -> None:
    """Refuse names in :data:`VARIABLE` that no test knows.

    Raises:
        pytest.UsageError: There is one.
    """
    known = set(names)
    wanted = os.environ.get(VARIABLE, "")
    unknown = sorted(set(wanted.split(",")) - known) if wanted not in {"", "all"} else []
    if unknown:
        raise pytest.UsageError(f"{VARIABLE} names {', '.join(unknown)}; there are: {', '.join(sorted(known))}")


@cache
def commits() -> int:
    """Return how many commits the checkout has; 0 where that cannot be told."""
    git = shutil.which("git")
    counted = git and subprocess.run(
        [git, "rev-list", "--count", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return int(counted.stdout) if counted and counted.stdout.strip().isdigit() else 0
