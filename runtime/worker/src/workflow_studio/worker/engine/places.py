"""How many deliveries are worked on at the same time."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workflow_studio.worker.engine.queue import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.worker.engine.queue import Kind


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many deliveries of each kind may be worked on at the same time.

    A delivery that waits for others, as a step does that awaits another run, is not worked on: if it took a place, so
    many of them would wait for ever for what they keep from being done.
    """

    workflow: int = 16
    step: int = 64


class Places:
    """The places that are free. Any thread may ask for them and take them."""

    def __init__(self, capacity: Capacity) -> None:
        self._lock = threading.Lock()
        self._capacity: dict[Kind, int] = {"workflow": capacity.workflow, "step": capacity.step}
        self._taken: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self._lent: dict[Kind, int] = dict.fromkeys(KINDS, 0)
        self.are_open = False

    def free(self) -> dict[Kind, int]:
        """Return how many are free; none is before there are to be any deliveries."""
        with self._lock:
            return self._left()

    def _left(self) -> dict[Kind, int]:
        if not self.are_open:
            return dict.fromkeys(KINDS, 0)
        taken, lent = self._taken, self._lent
        return {kind: max(0, most - max(0, taken[kind] - lent[kind])) for kind, most in self._capacity.items()}

    def reserve(self, wanted: Mapping[Kind, int]) -> dict[Kind, int]:
        """Take as many of the places that are wanted as are free, and return how many that are."""
        with self._lock:
            left = self._left()
            taken = {kind: min(number, left[kind]) for kind, number in wanted.items()}
            for kind, number in taken.items():
                self._taken[kind] += number
        return taken

    def take(self, taken: Mapping[Kind, int]) -> None:
        """Take places."""
        with self._lock:
            for kind, number in taken.items():
                self._taken[kind] += number

    def give_back(self, taken: Mapping[Kind, int]) -> None:
        """Give places back."""
        with self._lock:
            for kind, number in taken.items():
                self._taken[kind] -= number

    def lend(self, lent: Mapping[Kind, int]) -> None:
        """Say whose places others may have for now."""
        with self._lock:
            self._lent = {kind: lent.get(kind, 0) for kind in KINDS}
