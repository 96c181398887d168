"""Streams in the worker's database: the built-in :class:`workflow_studio.worker.parts.Streams`."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, insert, select, update

from workflow_studio.worker.parts import StoredChunks, StoredStream
from workflow_studio.worker.store import LAZILY, tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.parts import StreamWrite
    from workflow_studio.worker.store import Database, Transaction

_ROWS_AT_A_TIME: Final = 256
_T: Final = tables.streams
_C: Final = tables.stream_chunks
_NOTED: Final = tables.stream_runs
_COLUMNS: Final = (_T.c.name, _T.c.chunk_count, _T.c.closed_at, _T.c.created_at)

_STREAM: Final = select(_T).where(_T.c.name == bindparam("stream")).with_for_update()
_STATE: Final = select(*_COLUMNS).where(_T.c.name == bindparam("stream"))
_OF_RUN: Final = (
    select(*_COLUMNS)
    .join(_NOTED, _NOTED.c.name == _T.c.name)
    .where(_NOTED.c.run_id == bindparam("run"), _NOTED.c.name > bindparam("after"))
    .order_by(_NOTED.c.name)
    .limit(bindparam("rows"))
)
_IS_OF_RUN: Final = select(_NOTED.c.name).where(
    _NOTED.c.run_id == bindparam("run"), _NOTED.c.name == bindparam("stream")
)
_CHUNKS: Final = (
    select(_C.c.chunk_index, _C.c.data)
    .where(_C.c.name == bindparam("stream"), _C.c.chunk_index >= bindparam("start"))
    .order_by(_C.c.chunk_index)
    .limit(bindparam("rows"))
    .execution_options(**LAZILY)
)
_WRITTEN: Final = (
    select(_C.c.part)
    .where(
        _C.c.name == bindparam("stream"), _C.c.writer_id == bindparam("writer"), _C.c.sequence == bindparam("number")
    )
    .limit(1)
)


class DatabaseStreams:
    """Streams in the worker's database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._grown: list[Callable[[str], None]] = []

    def on_growth(self, callback: Callable[[str], None], /) -> None:
        """Have ``callback`` called with the name of a stream that has grown or is closed."""
        self._grown.append(callback)

    async def append(self, write: StreamWrite, /) -> None:
        """Append chunks, as one unit and once."""

        def work(transaction: Transaction) -> None:
            count, closed = self._open(transaction, write.stream, write.run_id)
            if closed or not write.chunks:
                return
            key = {"stream": write.stream, "writer": write.writer_id, "number": write.sequence}
            if transaction.execute(_WRITTEN, key).first() is not None:
                return
            rows = [
                {
                    "name": write.stream,
                    "chunk_index": count + part,
                    "data": data,
                    "writer_id": write.writer_id,
                    "sequence": write.sequence,
                    "part": part,
                }
                for part, data in enumerate(write.stored(count))
            ]
            transaction.execute(insert(_C), rows)
            self._change(transaction, write.stream, chunk_count=count + len(rows))

        await self._database.write(work)

    async def end(self, stream: str, run_id: str, /) -> None:
        """Close a stream; closing it again changes nothing."""

        def work(transaction: Transaction) -> None:
            _, closed = self._open(transaction, stream, run_id)
            if not closed:
                self._change(transaction, stream, closed_at=self._clock())

        await self._database.write(work)

    async def read(self, stream: str, start: int, max_chunks: int, max_bytes: int, /) -> StoredChunks:
        """Return chunks from an index on."""
        return await self._database.read(lambda connection: _read(connection, stream, start, max_chunks, max_bytes))

    async def look(self, stream: str, /) -> StoredStream | None:
        """Return what a stream is like; None if it is not there."""
        row = await self._database.read(lambda connection: connection.execute(_STATE, {"stream": stream}).first())
        return None if row is None else _stored(row)

    async def of_run(self, run_id: str, after: str, limit: int, /) -> list[StoredStream]:
        """Return streams that were written or closed under a run, by name."""
        key = {"run": run_id, "after": after, "rows": limit}
        rows = await self._database.read(lambda connection: connection.execute(_OF_RUN, key).all())
        return [_stored(row) for row in rows]

    async def is_of_run(self, stream: str, run_id: str, /) -> bool:
        """Tell whether a stream was written or closed under a run."""
        key = {"run": run_id, "stream": stream}
        return await self._database.read(lambda connection: connection.execute(_IS_OF_RUN, key).first() is not None)

    def _open(self, transaction: Transaction, name: str, run_id: str) -> tuple[int, bool]:
        """Return how many chunks a stream has and whether it is closed; make it if it is not there."""
        row = transaction.execute(_STREAM, {"stream": name}).first()
        if row is None:
            values = {"name": name, "run_id": run_id, "chunk_count": 0, "created_at": self._clock()}
            transaction.execute(insert(_T), values)
        if row is None or row.run_id != run_id:
            key = {"run": run_id, "stream": name}
            if transaction.execute(_IS_OF_RUN, key).first() is None:
                transaction.execute(insert(_NOTED), {"run_id": run_id, "name": name})
        return (0, False) if row is None else (row.chunk_count, row.closed_at is not None)

    def _change(self, transaction: Transaction, name: str, **values: int) -> None:
        transaction.execute(update(_T).where(_T.c.name == name).values(**values))
        transaction.after_commit(lambda: self._tell(name))

    def _tell(self, name: str) -> None:
        for callback in self._grown:
            callback(name)


def _read(connection: Connection, name: str, start: int, max_chunks: int, max_bytes: int) -> StoredChunks:
    row = connection.execute(_STATE, {"stream": name}).first()
    if row is None:
        return StoredChunks()
    count, closed = row.chunk_count, row.closed_at is not None
    chunks: list[bytes] = []
    size = 0
    end = min(count, start + max_chunks)
    while start + len(chunks) < end:
        wanted = min(_ROWS_AT_A_TIME, end - start - len(chunks))
        key = {"stream": name, "start": start + len(chunks), "rows": wanted}
        # Rows are fetched one by one, so that chunks beyond the limit stay on disk.
        with closing(connection.execute(_CHUNKS, key)) as rows:
            for chunk in rows:
                if chunks and size + len(chunk.data) > max_bytes:
                    return StoredChunks(chunks, count, closed)
                chunks.append(chunk.data)
                size += len(chunk.data)
    return StoredChunks(chunks, count, closed)


def _stored(row: Any) -> StoredStream:
    return StoredStream(row.name, row.chunk_count, row.closed_at is not None, row.created_at)
