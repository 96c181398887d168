"""When to build what: one build at a time, and saves that come together make one build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from workflow_studio.scaffolder.dev.relevance import Change

BURST_SECONDS: Final = 1.0
"""A save this soon after a build began belongs to a burst, whose end is waited for."""

QUIET_SECONDS: Final = 0.15
"""A burst has ended when no save came for so long."""

LIMIT_SECONDS: Final = 2.0
"""A burst is waited for no longer than this."""


class BuildQueue:
    """Collects changes and says when they are to be built. Knows no clock: every call brings the time along."""

    def __init__(self) -> None:
        self._waiting: dict[Path, Change] = {}
        self._calls = False
        self._first = 0.0
        self._latest = 0.0
        self._began: float | None = None

    def offer(self, changes: Iterable[Change], *, calls_for_build: bool, now: float) -> None:
        """Add changes.

        Args:
            changes: Whatever changed: a build wants to know of all of it.
            calls_for_build: Whether any of it matters.
            now: The time.
        """
        for change in changes:
            before = self._waiting.pop(change.path, change)
            # A file that came and then changed has come, all in all.
            self._waiting[change.path] = before if change.kind == "modified" else change
        if calls_for_build:
            self._first = self._first if self._calls else now
            self._latest = now
            self._calls = True

    def due_in(self, now: float) -> float | None:
        """Return in how many seconds to build, or ``None`` if there is nothing to build."""
        if not self._calls:
            return None
        if self._began is None or self._first - self._began > BURST_SECONDS:
            return 0.0
        return max(0.0, min(self._latest + QUIET_SECONDS, self._first + LIMIT_SECONDS) - now)

    def take(self, now: float) -> tuple[Change, ...]:
        """Begin a build and return everything that changed since the one before."""
        changes = tuple(self._waiting.values())
        self._waiting.clear()
        self._calls = False
        self._began = now
        return changes
