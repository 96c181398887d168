"""Streams: ordered chunks under a global name, read while they are written.

A stream need not belong to a run that exists: health checks write under a made-up one.
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, insert, select, update

from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine.params import MAX_PAGE, MAX_WAIT_MS
from workflow_studio.worker.engine.queries import take
from workflow_studio.worker.store import LAZILY, tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from workflow_studio.worker.engine import params as p
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.encryption import Keyring
    from workflow_studio.worker.engine.signals import Signals
    from workflow_studio.worker.store import Database, Transaction

MAX_READ_BYTES: Final = 1024 * 1024
"""At most so much is read at a time, save that one chunk is always whole."""

_ROWS_AT_A_TIME: Final = 256
_DEFAULT_PAGE: Final = 100
_STREAM: Final = select(tables.streams).where(tables.streams.c.name == bindparam("stream")).with_for_update()
_STATE: Final = select(tables.streams.c.chunk_count, tables.streams.c.closed_at).where(
    tables.streams.c.name == bindparam("stream")
)
_CHUNKS: Final = (
    select(tables.stream_chunks.c.chunk_index, tables.stream_chunks.c.data)
    .where(tables.stream_chunks.c.name == bindparam("stream"), tables.stream_chunks.c.chunk_index >= bindparam("start"))
    .order_by(tables.stream_chunks.c.chunk_index)
    .limit(bindparam("rows"))
    .execution_options(**LAZILY)
)
_WRITTEN: Final = (
    select(tables.stream_chunks.c.part)
    .where(
        tables.stream_chunks.c.name == bindparam("stream"),
        tables.stream_chunks.c.writer_id == bindparam("writer"),
        tables.stream_chunks.c.sequence == bindparam("number"),
    )
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class _State:
    count: int
    closed: bool


class Streams:
    """The streams of this worker.

    Attributes:
        grown: Tells of streams that have grown or are closed, by their names.
    """

    def __init__(self, database: Database, clock: Clock, keyring: Keyring, grown: Signals) -> None:
        self._database = database
        self._clock = clock
        self._keyring = keyring
        self.grown = grown

    async def write(self, params: p.StreamsWrite) -> dict[str, Any]:
        """Append chunks, as one unit and once: a repeat of the same write changes nothing, nor does one after close."""

        def work(transaction: Transaction) -> None:
            stream = self._open(transaction, params.name, params.run_id)
            if stream.closed or not params.chunks:
                return
            key = {"stream": params.name, "writer": params.writer_id, "number": params.sequence}
            if transaction.execute(_WRITTEN, key).first() is not None:
                return
            seal = self._keyring.stream(params.name).seal
            rows = [
                {
                    "name": params.name,
                    "chunk_index": stream.count + part,
                    "data": seal(stream.count + part, chunk),
                    "writer_id": params.writer_id,
                    "sequence": params.sequence,
                    "part": part,
                }
                for part, chunk in enumerate(params.chunks)
            ]
            transaction.execute(insert(tables.stream_chunks), rows)
            self._change(transaction, params.name, chunk_count=stream.count + len(rows))

        await self._database.write(work)
        return {}

    async def close(self, params: p.StreamsClose) -> dict[str, Any]:
        """Close a stream; closing it again changes nothing."""

        def work(transaction: Transaction) -> None:
            if not self._open(transaction, params.name, params.run_id).closed:
                self._change(transaction, params.name, closed_at=self._clock())

        await self._database.write(work)
        return {}

    async def read(self, params: p.StreamsRead) -> dict[str, Any]:
        """Return chunks from an index on, waiting for the first of them or the close if told to."""
        opened = self._keyring.stream(params.name).open
        start = params.start_index or 0
        deadline = asyncio.get_running_loop().time() + min(params.wait_ms or 0, MAX_WAIT_MS) / 1000
        with self.grown.listening(params.name) as listener:
            while True:
                result = await self._database.read(
                    lambda connection, at=start: _read(connection, params.name, at, opened)  # type: ignore[misc]
                )
                start = result["nextIndex"] - len(result["chunks"])
                if result["chunks"] or result["done"] or not await listener.wait_until(deadline):
                    return result

    async def list(self, params: p.StreamsOfRun) -> dict[str, Any]:
        """Return the names of the streams that were written or closed under a run."""
        query = (
            select(tables.stream_runs.c.name)
            .where(tables.stream_runs.c.run_id == params.run_id)
            .order_by(tables.stream_runs.c.name)
        )
        names = await self._database.read(lambda connection: list(connection.execute(query).scalars()))
        return {"names": names}

    async def search(self, params: p.StreamsSearch) -> dict[str, Any]:
        """Return a page of the streams that were written or closed under a run, by name."""
        limit = min(params.limit or _DEFAULT_PAGE, MAX_PAGE)
        noted, streams = tables.stream_runs, tables.streams
        columns = (streams.c.name, streams.c.chunk_count, streams.c.closed_at, streams.c.created_at)
        query = select(*columns).join(noted, noted.c.name == streams.c.name).where(noted.c.run_id == params.run_id)
        if params.cursor:
            query = query.where(noted.c.name > params.cursor)
        query = query.order_by(noted.c.name).limit(limit + 1)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        page = rows[:limit]
        return {
            "data": [
                {
                    "name": row.name,
                    "tailIndex": row.chunk_count - 1,
                    "done": row.closed_at is not None,
                    "createdAt": row.created_at,
                }
                for row in page
            ],
            "cursor": page[-1].name if page else None,
            "hasMore": len(rows) > limit,
        }

    async def is_of_run(self, name: str, run_id: str) -> bool:
        """Tell whether a stream was written or closed under a run."""
        noted = tables.stream_runs
        query = select(noted.c.name).where(noted.c.run_id == run_id, noted.c.name == name)
        return await self._database.read(lambda connection: connection.execute(query).first() is not None)

    async def chunks(self, params: p.StreamsChunks) -> dict[str, Any]:
        """Return a page of chunks. The cursor is null on the last page: the SDK's web view reads on until then."""
        limit = min(params.limit or _DEFAULT_PAGE, MAX_PAGE)
        start = _chunk_cursor(params.cursor) if params.cursor else 0
        opened = self._keyring.stream(params.name).open

        def work(connection: Connection) -> dict[str, Any]:
            state = _state(connection, params.name)
            key = {"stream": params.name, "start": start, "rows": limit + 1}
            page, more = take(connection.execute(_CHUNKS, key).mappings(), limit)
            return {
                "data": [
                    {"index": row["chunk_index"], "data": opened(row["chunk_index"], row["data"])} for row in page
                ],
                "cursor": str(page[-1]["chunk_index"]) if more else None,
                "hasMore": more,
                "done": state.closed,
            }

        return await self._database.read(work)

    async def info(self, params: p.StreamsInfo) -> dict[str, Any]:
        """Return the index of the last chunk (-1 if there is none) and whether the stream is closed."""
        state = await self._database.read(lambda connection: _state(connection, params.name))
        return {"tailIndex": state.count - 1, "done": state.closed}

    def _open(self, transaction: Transaction, name: str, run_id: str) -> _State:
        row = transaction.execute(_STREAM, {"stream": name}).first()
        if row is None:
            transaction.execute(
                insert(tables.streams), {"name": name, "run_id": run_id, "chunk_count": 0, "created_at": self._clock()}
            )
        if row is None or row.run_id != run_id:
            _note_run(transaction, name, run_id)
        return _State(0, closed=False) if row is None else _State(row.chunk_count, closed=row.closed_at is not None)

    def _change(self, transaction: Transaction, name: str, **values: int) -> None:
        transaction.execute(update(tables.streams).where(tables.streams.c.name == name).values(**values))
        transaction.after_commit(lambda: self.grown.give(name))


def _note_run(transaction: Transaction, name: str, run_id: str) -> None:
    noted = select(tables.stream_runs.c.name).where(
        tables.stream_runs.c.run_id == run_id, tables.stream_runs.c.name == name
    )
    if transaction.execute(noted).first() is None:
        transaction.execute(insert(tables.stream_runs), {"run_id": run_id, "name": name})


def _state(connection: Connection, name: str) -> _State:
    row = connection.execute(_STATE, {"stream": name}).first()
    return _State(0, closed=False) if row is None else _State(row.chunk_count, closed=row.closed_at is not None)


def _read(connection: Connection, name: str, start: int, opened: Callable[[int, bytes], bytes]) -> dict[str, Any]:
    state = _state(connection, name)
    index = max(0, state.count + start) if start < 0 else start
    chunks: list[bytes] = []
    size = 0
    while index + len(chunks) < state.count:
        key = {"stream": name, "start": index + len(chunks), "rows": _ROWS_AT_A_TIME}
        # Rows are fetched one by one, so that chunks beyond the limit stay on disk.
        with closing(connection.execute(_CHUNKS, key)) as rows:
            for row in rows:
                if chunks and size + len(row.data) > MAX_READ_BYTES:
                    return {"chunks": chunks, "nextIndex": index + len(chunks), "done": False}
                chunks.append(opened(row.chunk_index, row.data))
                size += len(row.data)
    next_index = index + len(chunks)
    return {"chunks": chunks, "nextIndex": next_index, "done": state.closed and next_index >= state.count}


def _chunk_cursor(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 15):
        raise WorldError("The cursor is not one of this list", status=400)
    return int(cursor) + 1
