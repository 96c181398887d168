"""Following a stream: what there is of it, then what is written, to its end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workflow_studio.worker.engine import params
from workflow_studio.worker.engine.signals import first_of
from workflow_studio.worker.engine.transitions import TERMINAL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from workflow_studio.worker.engine.run_views import RunViews
    from workflow_studio.worker.engine.signals import Signals
    from workflow_studio.worker.engine.streams import Streams

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


class Following:
    """Follows streams. At most :data:`.streams.MAX_READ_BYTES` of one are held at a time."""

    def __init__(self, streams: Streams, runs: RunViews, ended: Signals) -> None:
        self._streams = streams
        self._runs = runs
        self._ended = ended

    async def follow(
        self, run_id: str, name: str, start_index: int, *, waits: bool, stopping: asyncio.Event
    ) -> AsyncGenerator[StreamPart, None]:
        """Give a stream in parts, the first of them at once; the last one ``ends``.

        Args:
            run_id: The run it is of: when that has ended, nothing more is waited for.
            name: Its name.
            start_index: The first chunk; a negative one counts from the end as it is now.
            waits: Whether to wait for what is written from now on.
            stopping: Ends it.
        """
        at = start_index
        silent = True  # until the first part is given
        with self._streams.grown.listening(name) as grown, self._ended.listening(run_id) as over:
            while True:
                is_over = await self._is_over(run_id)
                found = await self._streams.read(params.StreamsRead(name=name, start_index=at))
                chunks, at = tuple(found["chunks"]), found["nextIndex"]
                begun = at - len(chunks)
                if found["done"]:
                    yield StreamPart(begun, chunks, at, ends=True, done=True)
                    return
                if chunks or silent:
                    yield StreamPart(begun, chunks, at)
                    silent = False
                if chunks:
                    continue
                loop = asyncio.get_running_loop()
                deadline = loop.time() + (_AFTER_END_SECONDS if is_over else SILENCE_SECONDS)
                waiting = waits and not stopping.is_set()
                if waiting and is_over:
                    waiting = await first_of(deadline, grown.wait_until(deadline))
                elif waiting:
                    heard = (grown.wait_until(deadline), over.wait_until(deadline), stopping.wait())
                    silent = not await first_of(deadline, *heard)
                if not waiting or stopping.is_set():
                    yield StreamPart(at, (), at, ends=True)
                    return

    async def _is_over(self, run_id: str) -> bool:
        run = await self._runs.get(run_id, with_payloads=False)
        return run["status"] in TERMINAL
