"""Following a stream: what there is of it, then what is written, to its end."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workflow_studio.worker.engine.transitions import TERMINAL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from workflow_studio.worker.engine.run_views import RunViews
    from workflow_studio.worker.engine.signals import Signals
    from workflow_studio.worker.engine.streams import Streams
    from workflow_studio.worker.engine.tails import Tail

SILENCE_SECONDS: Final = 15.0
"""How long nothing may be said: what is between the worker and a reader takes a silent connection for a dead one."""

_AFTER_END_SECONDS: Final = 2.0
"""How long after the end of its run a stream is waited for: the last of it may still be on its way."""


@dataclass(frozen=True, slots=True)
class StreamPart:
    """Chunks that follow one another. None of them means that the stream goes on and has nothing new.

    Attributes:
        index: The index of the first of them.
        next_index: Where to go on.
        ends: Whether this is the last part that is given.
        done: Whether the stream is closed and this is its end.
    """

    index: int
    chunks: tuple[bytes, ...]
    next_index: int
    ends: bool = False
    done: bool = False


class _Over:
    """Whether the follower of a stream must look whether the stream's run has ended."""

    __slots__ = ("_tail", "unclear")

    def __init__(self, tail: Tail) -> None:
        self._tail = tail
        self.unclear = True

    def set(self) -> None:
        self.unclear = True
        self._tail.wake()


class Following:
    """Follows streams. Of each, at most :data:`.streams.MAX_READ_BYTES` are held, and :data:`.tails.MAX_HELD`."""

    def __init__(self, streams: Streams, runs: RunViews, ended: Signals) -> None:
        self._streams = streams
        self._runs = runs
        self._ended = ended

    async def follow(
        self, run_id: str | None, name: str, start_index: int, *, waits: bool, stopping: asyncio.Event
    ) -> AsyncGenerator[StreamPart, None]:
        """Give a stream in parts, the first of them at once; the last one ``ends``.

        Args:
            run_id: The run it is of: when that has ended, nothing more is waited for. Without one, only the stream's
                own end is.
            name: Its name.
            start_index: The first chunk; a negative one counts from the end as it is now.
            waits: Whether to wait for what is written from now on.
            stopping: Ends it.
        """
        loop = asyncio.get_running_loop()
        at = await self._streams.first_index(name, start_index)
        silent = True  # until the first part is given
        must_read = is_over = False
        with self._streams.grown.following(name) as tail, _waking(tail, stopping):
            over = _Over(tail)
            with nullcontext() if run_id is None else self._ended.waking(run_id, over):
                while True:
                    if run_id is not None and over.unclear:
                        over.unclear = False
                        is_over = await self._is_over(run_id)
                    part = None if must_read else tail.take(at)
                    if part is None:
                        part = await self._streams.next_part(name, at)
                    chunks, done, must_read = part.chunks, part.ends, part.more
                    begun, at = at, at + len(chunks)
                    if chunks or done or silent:
                        yield StreamPart(begun, tuple(chunks), at, ends=done, done=done)
                        silent = False
                    if done:
                        return
                    if must_read:
                        continue
                    waiting = waits and not stopping.is_set()
                    if waiting:
                        patience = _AFTER_END_SECONDS if is_over else SILENCE_SECONDS
                        heard = await tail.wait_until(loop.time() + patience)
                        if not heard:
                            silent = over.unclear = must_read = True
                            waiting = not is_over
                    if not waiting or stopping.is_set():
                        yield StreamPart(at, (), at, ends=True)
                        return

    async def _is_over(self, run_id: str) -> bool:
        run = await self._runs.get(run_id, with_payloads=False)
        return run["status"] in TERMINAL


@contextmanager
def _waking(tail: Tail, stopping: asyncio.Event) -> Iterator[None]:
    """Wake the follower when the worker is about to stop."""
    stopped = asyncio.ensure_future(stopping.wait())
    stopped.add_done_callback(lambda _: tail.wake())
    try:
        yield
    finally:
        stopped.cancel()
