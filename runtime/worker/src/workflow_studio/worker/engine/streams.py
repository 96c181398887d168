"""Streams: ordered chunks under a global name, read while they are written.

A stream need not belong to a run that exists: health checks write under a made-up one. Where chunks are kept is another
part's business (:class:`workflow_studio.worker.parts.Streams`); here is what holds wherever that is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine.params import MAX_PAGE, MAX_WAIT_MS
from workflow_studio.worker.engine.queries import MAX_PAGE_BYTES
from workflow_studio.worker.engine.tails import Part
from workflow_studio.worker.parts import CanAppendLast, StoredChunks, StreamWrite, TellsGrowth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflow_studio.worker import parts
    from workflow_studio.worker.engine import params as p
    from workflow_studio.worker.engine.encryption import Keyring
    from workflow_studio.worker.engine.tails import Tails

MAX_READ_BYTES: Final = 1024 * 1024
"""At most so much is read at a time, save that one chunk is always whole."""

_DEFAULT_PAGE: Final = 100
_ALL: Final = 2**31 - 1


class Streams:
    """The streams of this worker.

    Args:
        store: Keeps the chunks.
        keyring: Seals them.
        grown: See below.

    Attributes:
        grown: Tells of streams that have grown or are closed, by their names, and where it is known, by what.
    """

    def __init__(self, store: parts.Streams, keyring: Keyring, grown: Tails) -> None:
        self._store = store
        self._keyring = keyring
        self.grown = grown
        store.on_growth(grown.give)
        if isinstance(store, TellsGrowth):
            store.on_grown(grown.grow)

    async def write(self, params: p.StreamsWrite) -> dict[str, Any]:
        """Append chunks, as one unit and once: a repeat of the same write changes nothing, nor does one after close."""
        seal = self._keyring.stream(params.name).seal
        write = StreamWrite(params.name, params.run_id, params.writer_id, params.sequence, params.chunks, seal)
        if not params.closes:
            await self._store.append(write)
        elif isinstance(self._store, CanAppendLast):
            await self._store.append_last(write)
        else:
            await self._store.append(write)
            await self._store.end(params.name, params.run_id)
        return {}

    async def close(self, params: p.StreamsClose) -> dict[str, Any]:
        """Close a stream; closing it again changes nothing."""
        await self._store.end(params.name, params.run_id)
        return {}

    async def read(self, params: p.StreamsRead) -> dict[str, Any]:
        """Return chunks from an index on, waiting for the first of them or the close if told to."""
        deadline = asyncio.get_running_loop().time() + min(params.wait_ms or 0, MAX_WAIT_MS) / 1000
        with self.grown.listening(params.name) as listener:
            start = await self.first_index(params.name, params.start_index or 0)
            while True:
                part = await self.next_part(params.name, start)
                if part.chunks or part.ends or not await listener.wait_until(deadline):
                    return {"chunks": part.chunks, "nextIndex": start + len(part.chunks), "done": part.ends}

    async def first_index(self, name: str, start_index: int) -> int:
        """Return the index that a reader begins at; a negative one counts from the end as it is now."""
        if start_index >= 0:
            return start_index
        found = await self._store.look(name)
        return max(0, start_index + (found.count if found else 0))

    async def next_part(self, name: str, start: int) -> Part:
        """Return chunks from an index on that are stored: :data:`MAX_READ_BYTES` at most, but one chunk is whole."""
        found = await self._store.read(name, start, _ALL, MAX_READ_BYTES)
        chunks = await self._opened(name, start, found)
        is_all = start + len(chunks) >= found.count
        return Part(chunks, ends=found.closed and is_all, more=not is_all)

    async def list(self, params: p.StreamsOfRun) -> dict[str, Any]:
        """Return the names of the streams that were written or closed under a run."""
        return {"names": [stream.name for stream in await self._store.of_run(params.run_id, "", _ALL)]}

    async def search(self, params: p.StreamsSearch) -> dict[str, Any]:
        """Return a page of the streams that were written or closed under a run, by name."""
        limit = min(params.limit or _DEFAULT_PAGE, MAX_PAGE)
        found = await self._store.of_run(params.run_id, params.cursor or "", limit + 1)
        page = found[:limit]
        return {
            "data": [
                {
                    "name": stream.name,
                    "tailIndex": stream.count - 1,
                    "done": stream.closed,
                    "createdAt": stream.created_at,
                }
                for stream in page
            ],
            "cursor": page[-1].name if page else None,
            "hasMore": len(found) > limit,
        }

    async def is_of_run(self, name: str, run_id: str) -> bool:
        """Tell whether a stream was written or closed under a run."""
        return await self._store.is_of_run(name, run_id)

    async def chunks(self, params: p.StreamsChunks) -> dict[str, Any]:
        """Return a page of chunks. The cursor is null on the last page: the SDK's web view reads on until then."""
        limit = min(params.limit or _DEFAULT_PAGE, MAX_PAGE)
        start = _chunk_cursor(params.cursor) if params.cursor else 0
        part = await self._store.read(params.name, start, limit, MAX_PAGE_BYTES)
        opened = await self._opened(params.name, start, part)
        data = [{"index": index, "data": chunk} for index, chunk in enumerate(opened, start)]
        more = start + len(data) < part.count
        return {
            "data": data,
            "cursor": str(start + len(data) - 1) if more else None,
            "hasMore": more,
            "done": part.closed,
        }

    async def info(self, params: p.StreamsInfo) -> dict[str, Any]:
        """Return the index of the last chunk (-1 if there is none) and whether the stream is closed."""
        found = await self._store.look(params.name) or StoredChunks()
        return {"tailIndex": found.count - 1, "done": found.closed}

    async def _opened(self, name: str, start: int, part: StoredChunks) -> Sequence[bytes]:
        if not self._keyring.encrypts or not part.chunks:
            return list(part.chunks)
        opened = self._keyring.stream(name).open

        def work() -> list[bytes]:
            return [opened(index, chunk) for index, chunk in enumerate(part.chunks, start)]

        return await asyncio.to_thread(work)


def _chunk_cursor(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 15):
        raise WorldError("The cursor is not one of this list", status=400)
    return int(cursor) + 1
