"""The deliveries that this process has in flight."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_REMEMBERED: Final = 10_000
"""Deliveries that are over and may have something under way in the background."""

_WAITS_AFTER_SECONDS: Final = 0.25
"""A call that is answered sooner was no wait, and does not make room for another delivery."""


@dataclass(slots=True)
class InFlight:
    """A delivery.

    Attributes:
        replays: The run that it replays; None for any other delivery.
        seen_slot: The newest slot that the replay is known to have loaded.
        environment: The environment of its run; where the message was published, if it has none.
        step: The run and the step that it executes; None for any other delivery.
        is_acknowledged: Whether its message is gone, since nothing of it is left to be done.
        is_awaited: Whether another replay of the run has been asked for, which has to wait for the end of this one.
    """

    replays: str | None = None
    seen_slot: int | None = None
    environment: str = DEFAULT_ENVIRONMENT
    step: tuple[str, str] | None = None
    is_acknowledged: bool = False
    is_awaited: bool = False


class Deliveries:
    """Remembers, per delivery in flight, where it belongs, which run it replays and how much of the log that has.

    An executor is connected to the process that delivers to it, so this needs no table: if the process ends, so do
    its deliveries.
    """

    def __init__(self) -> None:
        self._in_flight: dict[str, InFlight] = {}
        self._replays: dict[str, InFlight] = {}
        self._waits: Counter[str] = Counter()
        self._on_waiting: list[Callable[[], None]] = []
        self._ending: Counter[str] = Counter()
        self._over: OrderedDict[str, None] = OrderedDict()
        self._ended = asyncio.Event()

    @property
    def waiting(self) -> frozenset[str]:
        """The deliveries that wait for others to do something."""
        return frozenset(self._waits)

    @property
    def are_many(self) -> bool:
        """Whether there are several in flight."""
        return len(self._in_flight) > 1

    def on_waiting(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called whenever a delivery has begun or ceased to wait."""
        self._on_waiting.append(callback)

    @contextmanager
    def awaiting(self, delivery_id: str | None) -> Iterator[None]:
        """Note that a World call of the delivery may wait, as long as the block takes."""
        if delivery_id is None or delivery_id not in self._in_flight:
            yield
            return
        noted = False

        def note() -> None:
            nonlocal noted
            noted = True
            self._waits[delivery_id] += 1
            self._tell()

        timer = asyncio.get_running_loop().call_later(_WAITS_AFTER_SECONDS, note)
        try:
            yield
        finally:
            timer.cancel()
            if noted:
                self._waits[delivery_id] -= 1
                if not self._waits[delivery_id]:
                    del self._waits[delivery_id]
                    self._tell()

    def _tell(self) -> None:
        for callback in self._on_waiting:
            callback()

    def begin(self, delivery_id: str, delivery: InFlight) -> None:
        """Note a delivery."""
        self._in_flight[delivery_id] = delivery
        if delivery.replays is not None:
            self._replays[delivery.replays] = delivery

    def end(self, delivery_id: str, *, by_itself: bool = True) -> None:
        """Forget a delivery.

        Args:
            delivery_id: The delivery.
            by_itself: Whether its outcome was recorded, rather than its message taken over by another worker.
        """
        ended = self._in_flight.pop(delivery_id, None)
        if ended is not None and ended.replays is not None and self._replays.get(ended.replays) is ended:
            del self._replays[ended.replays]
        if by_itself:
            self._over[delivery_id] = None
            if len(self._over) > _REMEMBERED:
                self._over.popitem(last=False)

    @contextmanager
    def ending(self, delivery_id: str | None) -> Iterator[None]:
        """Note that the outcome of the delivery may be recorded before the block is left."""
        if delivery_id is None:
            yield
            return
        self._ending[delivery_id] += 1
        try:
            yield
        finally:
            self._ending[delivery_id] -= 1
            if not self._ending[delivery_id]:
                del self._ending[delivery_id]
            self._ended.set()
            self._ended = asyncio.Event()

    def is_in_flight(self, delivery_id: str) -> bool:
        """Tell whether this worker makes the delivery."""
        return delivery_id in self._in_flight

    def has_ended(self, delivery_id: str) -> bool:
        """Tell whether the outcome of the delivery was recorded, or its message is gone with what it wrote."""
        return delivery_id in self._over or self.is_acknowledged(delivery_id)

    async def ended_by_itself(self, delivery_id: str) -> bool:
        """Tell whether the delivery has ended, once it is certain whether it has."""
        while delivery_id in self._ending and not self.has_ended(delivery_id):
            await self._ended.wait()
        return self.has_ended(delivery_id)

    def await_replay(self, run_id: str) -> bool:
        """Note that another replay of a run has been asked for; tell whether it has to wait for one in flight."""
        if not self.is_replayed(run_id):
            return False
        self._replays[run_id].is_awaited = True
        return True

    def is_awaited(self, delivery_id: str) -> bool:
        """Tell whether another replay waits for the end of this one."""
        found = self._in_flight.get(delivery_id)
        return found is not None and found.is_awaited

    def is_replay_of(self, delivery_id: str | None, run_id: str) -> bool:
        """Tell whether the delivery is a replay of the run."""
        found = self._in_flight.get(delivery_id or "")
        return found is not None and found.replays == run_id

    def executes(self, delivery_id: str | None, run_id: str | None, step_id: str | None) -> bool:
        """Tell whether the delivery executes the step."""
        found = self._in_flight.get(delivery_id or "")
        return found is not None and found.step is not None and found.step == (run_id, step_id)

    def executes_step(self, delivery_id: str) -> bool:
        """Tell whether the delivery executes a step."""
        found = self._in_flight.get(delivery_id)
        return found is not None and found.step is not None

    def is_replayed(self, run_id: str) -> bool:
        """Tell whether this worker replays the run. Any thread may ask."""
        replay = self._replays.get(run_id)
        return replay is not None and not replay.is_acknowledged

    def run_of_replay(self, delivery_id: str) -> str | None:
        """Return which run the delivery replays; None if it is no replay, or not one of this worker."""
        found = self._in_flight.get(delivery_id)
        return None if found is None else found.replays

    def replayed(self, delivery_id: str) -> tuple[str, int] | None:
        """Return which run the delivery replays, and how much of its log that has; None if it is no replay."""
        found = self._in_flight.get(delivery_id)
        if found is None or found.replays is None or found.seen_slot is None:
            return None
        return found.replays, found.seen_slot

    def acknowledged(self, delivery_id: str) -> None:
        """Note that the message of the delivery is gone."""
        found = self._in_flight.get(delivery_id)
        if found is not None:
            found.is_acknowledged = True

    def is_acknowledged(self, delivery_id: str) -> bool:
        """Tell whether the message of the delivery is gone."""
        found = self._in_flight.get(delivery_id)
        return found is not None and found.is_acknowledged

    def saw(self, delivery_id: str | None, run_id: str, slot: int) -> None:
        """Note that the replay has the log of its run up to ``slot``."""
        if self.is_replay_of(delivery_id, run_id):
            self._in_flight[delivery_id or ""].seen_slot = slot

    def environment_of(self, delivery_id: str | None) -> str:
        """Return the environment in which a delivery's code starts runs; the default one if it is over."""
        found = self._in_flight.get(delivery_id or "")
        return DEFAULT_ENVIRONMENT if found is None else found.environment

    def seen_slot(self, delivery_id: str) -> int | None:
        """Return how much of the log the replay has; None if it is no replay, or its run did not exist."""
        found = self._in_flight.get(delivery_id)
        return None if found is None else found.seen_slot
