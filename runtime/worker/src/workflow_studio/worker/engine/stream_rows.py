"""Streams in the worker's database: the built-in :class:`workflow_studio.worker.parts.Streams`."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select

from workflow_studio.worker.engine import fencing
from workflow_studio.worker.parts import Growth, StoredChunks, StoredStream
from workflow_studio.worker.store import LAZILY, tables
from workflow_studio.worker.store.statements import Statement, change_rows, insert_row

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

_STREAM: Final = Statement(select(_T).where(_T.c.name == bindparam("stream")).with_for_update())
_STATE: Final = Statement(select(*_COLUMNS).where(_T.c.name == bindparam("stream")))
_OF_RUN: Final = (
    select(*_COLUMNS)
    .join(_NOTED, _NOTED.c.name == _T.c.name)
    .where(_NOTED.c.run_id == bindparam("run"), _NOTED.c.name > bindparam("after"))
    .order_by(_NOTED.c.name)
    .limit(bindparam("rows"))
)
_IS_OF_RUN: Final = Statement(
    select(_NOTED.c.name).where(_NOTED.c.run_id == bindparam("run"), _NOTED.c.name == bindparam("stream"))
)
_CHUNKS: Final = (
    select(_C.c.chunk_index, _C.c.data)
    .where(_C.c.name == bindparam("stream"), _C.c.chunk_index >= bindparam("start"))
    .order_by(_C.c.chunk_index)
    .limit(bindparam("rows"))
    .execution_options(**LAZILY)
)
_WRITTEN: Final = Statement(
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
        self._told: list[Callable[[Growth], None]] = []

    def on_growth(self, callback: Callable[[str], None], /) -> None:
        """Have ``callback`` called with the name of a stream that has grown or is closed."""
        self._grown.append(callback)

    def on_grown(self, callback: Callable[[Growth], None], /) -> None:
        """Have ``callback`` called with what a stream has grown by, where this process has stored it."""
        self._told.append(callback)

    async def append(self, write: StreamWrite, /) -> None:
        """Append chunks, as one unit and once."""
        await self._write(write, closes=False)

    async def append_last(self, write: StreamWrite, /) -> None:
        """Append chunks, as one unit and once, and close the stream."""
        await self._write(write, closes=True)

    async def end(self, stream: str, run_id: str, /) -> None:
        """Close a stream; closing it again changes nothing."""

        def work(transaction: Transaction) -> None:
            count, closed = self._open(transaction, stream, run_id)
            if not closed:
                self._change(transaction, Growth(stream, count, (), closed=True))

        await self._database.write(work)

    async def _write(self, write: StreamWrite, *, closes: bool) -> None:
        asks_of_lease = fencing.asking_ahead()

        def asks(transaction: Transaction) -> None:
            transaction.ask_ahead(_STREAM, {"stream": write.stream})
            transaction.ask_ahead(_IS_OF_RUN, {"run": write.run_id, "stream": write.stream})
            transaction.ask_ahead(_WRITTEN, _name(write))
            asks_of_lease(transaction)

        await self._database.write(lambda transaction: self._append(transaction, write, closes=closes), ahead=asks)

    def _append(self, transaction: Transaction, write: StreamWrite, *, closes: bool) -> None:
        connection = transaction.connection
        count, closed = self._open(transaction, write.stream, write.run_id)
        if closed:
            return
        chunks = write.chunks if _WRITTEN.first(connection, _name(write)) is None else ()
        if chunks:
            for part, data in enumerate(write.stored(count)):
                row = {"name": write.stream, "chunk_index": count + part, "data": data, "part": part}
                insert_row(connection, _C, row | {"writer_id": write.writer_id, "sequence": write.sequence})
        if chunks or closes:
            self._change(transaction, Growth(write.stream, count, chunks, closed=closes))

    async def read(self, stream: str, start: int, max_chunks: int, max_bytes: int, /) -> StoredChunks:
        """Return chunks from an index on."""
        return await self._database.read(lambda connection: _read(connection, stream, start, max_chunks, max_bytes))

    async def look(self, stream: str, /) -> StoredStream | None:
        """Return what a stream is like; None if it is not there."""
        row = await self._database.first(_STATE, {"stream": stream})
        return None if row is None else _stored(row)

    async def of_run(self, run_id: str, after: str, limit: int, /) -> list[StoredStream]:
        """Return streams that were written or closed under a run, by name."""
        key = {"run": run_id, "after": after, "rows": limit}
        rows = await self._database.read(lambda connection: connection.execute(_OF_RUN, key).mappings().all())
        return [_stored(row) for row in rows]

    async def is_of_run(self, stream: str, run_id: str, /) -> bool:
        """Tell whether a stream was written or closed under a run."""
        key = {"run": run_id, "stream": stream}
        return await self._database.first(_IS_OF_RUN, key) is not None

    def _open(self, transaction: Transaction, name: str, run_id: str) -> tuple[int, bool]:
        """Return how many chunks a stream has and whether it is closed; make it if it is not there."""
        connection = transaction.connection
        row = _STREAM.first(connection, {"stream": name})
        if row is None:
            values = {"name": name, "run_id": run_id, "chunk_count": 0, "created_at": self._clock()}
            insert_row(connection, _T, values)
        if row is None or row["run_id"] != run_id:
            key = {"run": run_id, "stream": name}
            if _IS_OF_RUN.first(connection, key) is None:
                insert_row(connection, _NOTED, {"run_id": run_id, "name": name})
        return (0, False) if row is None else (row["chunk_count"], row["closed_at"] is not None)

    def _change(self, transaction: Transaction, growth: Growth) -> None:
        values: dict[str, int] = {"chunk_count": growth.first + len(growth.chunks)}
        if growth.closed:
            values["closed_at"] = self._clock()
        change_rows(transaction.connection, _T, values, name=growth.stream)
        transaction.after_commit(lambda: self._tell(growth))

    def _tell(self, growth: Growth) -> None:
        for told in self._told:
            told(growth)
        if not self._told:
            for grown in self._grown:
                grown(growth.stream)


def _name(write: StreamWrite) -> dict[str, Any]:
    return {"stream": write.stream, "writer": write.writer_id, "number": write.sequence}


def _read(connection: Connection, name: str, start: int, max_chunks: int, max_bytes: int) -> StoredChunks:
    row = _STATE.first(connection, {"stream": name})
    if row is None:
        return StoredChunks()
    count, closed = row["chunk_count"], row["closed_at"] is not None
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
    return StoredStream(row["name"], row["chunk_count"], row["closed_at"] is not None, row["created_at"])
