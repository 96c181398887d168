"""Signals: how callers that wait for something learn of a commit.

Whoever waits listens first and looks at the database then, so that no commit falls between the two. A signal says only
that there may be something new. The worker that commits gives it, and tells the others by the :mod:`.bus`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from workflow_studio.worker.engine.bus import Bus


class Hearing(Protocol):
    """What a signal sets; an event is one."""

    def set(self) -> None:
        """Hear of it."""


class Listener:
    """One who listens."""

    __slots__ = ("_heard",)

    def __init__(self, heard: asyncio.Event | None) -> None:
        self._heard = heard

    async def wait_until(self, deadline: float) -> bool:
        """Wait for the next signal; one that came since the last wait counts.

        Args:
            deadline: When to stop waiting, in the event loop's time.

        Returns:
            Whether there was one.
        """
        if self._heard is None:
            return False
        try:
            async with asyncio.timeout_at(deadline):
                await self._heard.wait()
        except TimeoutError:
            return False
        self._heard.clear()
        return True


class Signals:
    """Who waits for what. Waiting costs an entry here, and neither a thread nor a connection of the database.

    Args:
        max_listeners: How many may listen at once; the next ones are not made to wait. None is no limit.
        bus: Carries the signals to the other workers and theirs to this one, under ``name``; None keeps them here.
        name: What they are signals of.
    """

    def __init__(self, max_listeners: int | None = None, *, bus: Bus | None = None, name: str = "") -> None:
        self._max_listeners = max_listeners
        self._bus = bus
        self._name = name
        if bus is not None:
            bus.on(name, self._wake)
            bus.on_gap(self._wake_all)
        self._listeners = 0
        self._listening: defaultdict[str, set[Hearing]] = defaultdict(set)

    @property
    def listeners(self) -> int:
        """How many listen."""
        return self._listeners

    def give(self, topic: str) -> None:
        """Wake all who listen to ``topic``. To be called on the event loop, after the commit."""
        self._wake(topic)
        self._tell_others(topic)

    def _tell_others(self, topic: str) -> None:
        """Have the other workers wake those who listen to ``topic`` there."""
        if self._bus is not None:
            self._bus.hint(self._name, topic)

    def _wake(self, topic: str) -> None:
        for heard in self._listening.get(topic, ()):
            heard.set()

    def _wake_all(self) -> None:
        for topic in self._listening:
            self._wake(topic)

    @contextmanager
    def listening(self, topic: str) -> Iterator[Listener]:
        """Listen to ``topic``."""
        if self._max_listeners is not None and self._listeners >= self._max_listeners:
            yield Listener(None)
            return
        heard = asyncio.Event()
        with self.waking(topic, heard):
            yield Listener(heard)

    @contextmanager
    def waking(self, topic: str, heard: Hearing) -> Iterator[None]:
        """Have ``heard`` told of ``topic``, as long as this lasts."""
        self._listeners += 1
        self._listening[topic].add(heard)
        try:
            yield
        finally:
            self._listeners -= 1
            self._listening[topic].discard(heard)
            if not self._listening[topic]:
                del self._listening[topic]


async def first_of(deadline: float, *heard: Awaitable[bool]) -> bool:
    """Wait until one of these is true, until the deadline at most, and return whether one was."""
    loop = asyncio.get_running_loop()
    tasks = {asyncio.ensure_future(one) for one in heard}
    pending = tasks
    try:
        while pending:
            done, pending = await asyncio.wait(
                pending, timeout=max(0.0, deadline - loop.time()), return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                return False
            if any(task.result() for task in done):
                return True
        return False
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
