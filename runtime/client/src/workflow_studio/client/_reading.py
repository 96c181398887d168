"""The reading of a stream over several connections. No network, so both clients share it."""

from __future__ import annotations

import time
from typing import Final

from pydantic import ValidationError

from workflow_studio.client._core import backoff, is_passing
from workflow_studio.client._errors import ComputeClientError, TransportError
from workflow_studio.compute.api import StreamLine

_SHORTEST: Final = 1.0
"""Seconds between two connections at least, if nothing was read."""


class Reading:
    """Where the reading of a stream is, and whether it goes on.

    Args:
        start_index: The first chunk wanted.
        follow: Whether to wait for chunks that are not there yet.
        retries: How often in a row it may fail.
    """

    def __init__(self, start_index: int, *, follow: bool, retries: int) -> None:
        self.index = start_index
        self.is_over = False
        self._follow = follow
        self._retries = retries
        self._failures = 0
        self._wanted_pause: float | None = None
        self._began = 0.0
        self._ended = False
        self._run_has_ended = False

    def begins(self) -> None:
        """Note that a connection is made."""
        self._began = time.monotonic()
        self._ended = False
        self._wanted_pause = None

    def takes(self, line: str) -> StreamLine | None:
        """Take a line of the answer; return it if it is a chunk.

        Raises:
            TransportError: If it is not a line that a worker sends.
        """
        self._failures = 0
        if not line.strip():
            return None  # says that the answer goes on
        try:
            read = StreamLine.model_validate_json(line)
        except ValidationError:
            raise cut_off() from None
        if read.index is not None:
            self.index = read.index + 1
            return read
        self._ended = True
        if read.next_index is not None:
            self.index = read.next_index
        self.is_over = bool(read.done) or not self._follow or self._run_has_ended
        return None

    def ends(self) -> None:
        """Note that an answer is over.

        Raises:
            ComputeClientError: If it was cut, and that too often.
        """
        if not self._ended:
            self.fails(cut_off())

    @property
    def is_unsure(self) -> bool:
        """Whether the stream may have nothing more because its run has ended, or have more, on another connection."""
        return self._ended and not self.is_over

    def looked(self, *, run_has_ended: bool) -> None:
        """Note whether the run has ended: then what the next connection gives is the rest."""
        self._run_has_ended = run_has_ended

    def pause(self) -> float:
        """Return how many seconds to pause before the next connection."""
        if self._wanted_pause is not None:
            return self._wanted_pause
        return max(0.0, self._began + _SHORTEST - time.monotonic())

    def fails(self, error: ComputeClientError) -> None:
        """Note that a connection failed.

        Raises:
            ComputeClientError: If there is no point in making another.
        """
        self._failures += 1
        if not is_passing(error) or self._failures > self._retries:
            raise error
        self._wanted_pause = backoff(self._failures, error)


def cut_off() -> TransportError:
    """Return the error of an answer that ended before it should."""
    return TransportError(
        "The answer was cut off.", code="cut", recovery="Check what is between here and the worker, or read on later."
    )
