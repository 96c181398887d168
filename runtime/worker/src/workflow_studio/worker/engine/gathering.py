"""Writes that come together and are done as one.

The steps of a fan-out end together, and each end is a write. As one they have one transaction, without a savepoint for
each and with one look at what they make due; and the replay that all of them ask for begins when all are in the log.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workflow_studio.worker.store import Database, Transaction

T = TypeVar("T")


class Gathering(Generic[T]):
    """Does the writes about a run that are asked for in one turn of the event loop in one transaction.

    Args:
        database: One whose writes follow one another.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[str, list[_Write[T]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def write(self, run_id: str, work: Callable[[Transaction], T]) -> T:
        """Do a write about a run; see :meth:`.Database.write`.

        If the transaction fails, each of its writes is done on its own: none fails for another one's sake.
        """
        loop = asyncio.get_running_loop()
        write: _Write[T] = _Write(work, loop.create_future())
        waiting = self._waiting.setdefault(run_id, [])
        waiting.append(write)
        if len(waiting) == 1:
            loop.call_soon(self._begin, run_id)
        return await write.future

    def _begin(self, run_id: str) -> None:
        task = asyncio.create_task(self._do(self._waiting.pop(run_id)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, writes: Sequence[_Write[T]]) -> None:
        try:
            results = await self._database.write(lambda transaction: [write.work(transaction) for write in writes])
        except Exception as error:  # noqa: BLE001  # who asked for the write hears of it
            if len(writes) == 1:
                writes[0].failed(error)
            else:
                await asyncio.gather(*(self._do([write]) for write in writes))
        else:
            for write, result in zip(writes, results, strict=True):
                write.done(result)


class _Write(Generic[T]):
    """A write, and who waits for it, if they still do."""

    def __init__(self, work: Callable[[Transaction], T], future: asyncio.Future[T]) -> None:
        self.work = work
        self.future = future

    def done(self, result: T) -> None:
        if not self.future.done():
            self.future.set_result(result)

    def failed(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)
