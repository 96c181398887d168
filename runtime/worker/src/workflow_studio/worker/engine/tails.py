"""The ends of streams, as those see them who follow one: what is committed is handed to them, not read back."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workflow_studio.worker.engine.signals import Signals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workflow_studio.worker.parts import Growth

MAX_HELD: Final = 1024 * 1024
"""Bytes that are kept for a follower who is slow; if there is more, the follower reads it from where it is stored."""


@dataclass(frozen=True, slots=True)
class Part:
    """Chunks that follow one another.

    Attributes:
        chunks: The chunks.
        ends: Whether the stream is closed and ends with them.
        more: Whether more chunks are there to be read.
    """

    chunks: Sequence[bytes]
    ends: bool
    more: bool = False


class Tail:
    """What one follower has not taken yet of a stream's growth: chunks that follow one another.

    Word of commits may come late, in another order, or without the chunks. Whatever does not follow what is here is
    left to be read.
    """

    __slots__ = ("_chunks", "_closed", "_first", "_heard", "_size", "_unseen")

    def __init__(self) -> None:
        self._heard = asyncio.Event()
        self._first: int | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._closed = False
        self._unseen = True

    def set(self) -> None:
        """Hear that the stream has grown, and not by what."""
        self._unseen = True
        self._heard.set()

    def wake(self) -> None:
        """Wake the follower for another reason."""
        self._heard.set()

    def grow(self, growth: Growth) -> None:
        """Hear of chunks, of the close, or of both."""
        if self._first is None:
            self._first = growth.first
        end = self._first + len(self._chunks)
        if growth.first == end:
            self._chunks += growth.chunks
            self._size += sum(map(len, growth.chunks))
        elif growth.first + len(growth.chunks) > end:
            self._unseen = True
        if self._size > MAX_HELD:
            self._chunks, self._size, self._unseen = [], 0, True
        self._closed = self._closed or growth.closed
        self._heard.set()

    def take(self, index: int) -> Part | None:
        """Return the chunks from an index on; None if they must be read, as at first."""
        first, chunks, unseen = self._first, self._chunks, self._unseen
        self._first, self._chunks, self._size, self._unseen = None, [], 0, False
        if first is None:
            first = index
        if unseen or not first <= index <= first + len(chunks):
            return None
        return Part(chunks[index - first :], ends=self._closed)

    async def wait_until(self, deadline: float) -> bool:
        """Wait for something new, until a time of the event loop at most, and return whether there is."""
        if not self._heard.is_set():
            try:
                async with asyncio.timeout_at(deadline):
                    await self._heard.wait()
            except TimeoutError:
                return False
        self._heard.clear()
        return True


class Tails(Signals):
    """Signals of streams that have grown, which tell those who follow one what it has grown by."""

    def grow(self, growth: Growth) -> None:
        """Tell all who listen to a stream. To be called on the event loop, after the commit."""
        for heard in self._listening.get(growth.stream, ()):
            if isinstance(heard, Tail):
                heard.grow(growth)
            else:
                heard.set()
        self._tell_others(growth.stream)

    @contextmanager
    def following(self, stream: str) -> Iterator[Tail]:
        """Follow a stream from now on."""
        tail = Tail()
        with self.waking(stream, tail):
            yield tail
