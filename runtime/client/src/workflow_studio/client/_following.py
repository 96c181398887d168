"""The following of what happens in runs over several connections. No network, so both clients share it."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from pydantic import TypeAdapter, ValidationError

from workflow_studio.client._core import backoff, is_passing
from workflow_studio.client._reading import cut_off
from workflow_studio.compute.api import ActivityEntry, ActivityLine

if TYPE_CHECKING:
    from workflow_studio.client._errors import ComputeClientError

PATIENCE: Final = 120.0
"""Seconds that a worker may be out of reach, as while it is started anew."""

_SHORTEST: Final = 1.0
"""Seconds between two connections at least, where the one before was ended by the worker without an error."""

_REMEMBERED: Final = 10_000
"""Entries that are known again when the worker tells of them twice."""

_LINE: Final[TypeAdapter[ActivityEntry | ActivityLine]] = TypeAdapter(ActivityEntry | ActivityLine)


class Following:
    """Where the following of the feed is.

    Args:
        cursor: Where it begins; None for what happens from now on.
        patience: Seconds that the worker may be out of reach.
    """

    def __init__(self, cursor: str | None, patience: float) -> None:
        self.cursor = cursor
        self._patience = patience
        self._lost_since: float | None = None
        self._failures = 0
        self._began = 0.0
        self._wanted_pause: float | None = None
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begins(self) -> None:
        """Note that a connection is made."""
        self._began = time.monotonic()
        self._wanted_pause = None

    def takes(self, text: str) -> ActivityEntry | None:
        """Take a line of the answer; return what it tells, if that is new.

        Raises:
            TransportError: If it is not a line that a worker sends.
        """
        self._lost_since, self._failures = None, 0
        if not text.strip():
            return None
        try:
            line = _LINE.validate_json(text)
        except ValidationError:
            raise cut_off() from None
        self.cursor = line.cursor
        if not isinstance(line, ActivityEntry) or line.key in self._told:
            return None
        self._told[line.key] = None
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        return line

    def fails(self, error: ComputeClientError) -> None:
        """Note that a connection failed.

        Raises:
            ComputeClientError: If there is no point in making another, or the worker was out of reach for too long.
        """
        if not is_passing(error):
            raise error
        now = time.monotonic()
        self._lost_since = self._lost_since or now
        if now - self._lost_since >= self._patience:
            raise error
        self._failures += 1
        self._wanted_pause = backoff(self._failures, error)

    def pause(self) -> float:
        """Return how many seconds to pause before the next connection."""
        if self._wanted_pause is not None:
            return self._wanted_pause
        return max(0.0, self._began + _SHORTEST - time.monotonic())
