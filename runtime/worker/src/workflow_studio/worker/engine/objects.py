"""Objects: what is too large for a row, or is needed by every worker as a file, in the object store by its digest."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio.to_thread
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from workflow_studio.worker.engine import object_rows
from workflow_studio.worker.engine.identity import identity_of
from workflow_studio.worker.objects import ObjectMissingError, ObjectStoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from typing import BinaryIO

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.object_rows import Stored
    from workflow_studio.worker.parts import ObjectStore
    from workflow_studio.worker.store import Database, Transaction

_LOG: Final = logging.getLogger(__name__)
GRACE_MS: Final = 60 * 60 * 1000
"""How long an object that nobody refers to is kept: whoever stored it may be about to."""

_AT_ONCE: Final = 8
_PORTION: Final = 200
_BUSY_SECONDS: Final = 30.0


class Objects:
    """Stores, reads and deletes objects.

    They are named after the database, so that services that share a store do not share objects: each deletes only what
    it knows of, and what it knows of is its own.

    Args:
        database: Knows which there are.
        clock: Tells the time.
        store: Has their content.
    """

    def __init__(self, database: Database, clock: Clock, store: ObjectStore) -> None:
        self._database = database
        self._clock = clock
        self._store = store
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._namespace: str | None = None

    async def keep(self, contents: Mapping[str, bytes | Path], *, patience: float = _BUSY_SECONDS) -> dict[str, Stored]:
        """Store objects, so that a transaction within :data:`GRACE_MS` can refer to them.

        Args:
            contents: What is in them, by digest; a file must not change.
            patience: Seconds to wait for one that is being deleted just now.

        Returns:
            What is stored, by digest: all but those that are still being deleted.

        Raises:
            ObjectStoreError: If one cannot be stored.
            StoreError: If the database fails.
        """
        sizes = await anyio.to_thread.run_sync(_sizes, contents)
        while_some_are_deleted = AsyncRetrying(
            retry=retry_if_result(lambda usable: len(usable) < len(sizes)),
            wait=wait_fixed(0.1),
            stop=stop_after_delay(patience),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )
        usable: dict[str, Stored] = await while_some_are_deleted(self._touch, sizes)
        await asyncio.gather(*(self._put(entry, contents[entry.digest]) for entry in usable.values()))
        return usable

    async def read(self, wanted: Stored) -> bytes:
        """Return what is in an object.

        Raises:
            ObjectMissingError: If it is not there, or damaged.
            ObjectStoreError: If the store fails.
        """
        async with self._turn:
            content = b"".join([piece async for piece in self._pieces(wanted)])
        if digest_of(content) != wanted.digest:
            raise ObjectMissingError(await self._name(wanted), "is damaged")
        return content

    async def fetch(self, wanted: Stored, target: Path) -> None:
        """Write what is in an object into a new file, durably.

        Raises:
            ObjectMissingError: If it is not there, or damaged.
            ObjectStoreError: If the store fails.
            OSError: If the file cannot be written.
        """
        found = hashlib.sha256()
        async with self._turn:
            with await anyio.to_thread.run_sync(target.open, "xb") as file:
                async for piece in self._pieces(wanted):
                    found.update(piece)
                    await anyio.to_thread.run_sync(file.write, piece)
                await anyio.to_thread.run_sync(_settle, file)
        if found.hexdigest() != wanted.digest:
            raise ObjectMissingError(await self._name(wanted), "is damaged")

    async def of(self, owner: str) -> dict[str, Stored]:
        """Return the objects of a run or a deployment, by digest."""
        found = await self._database.read(lambda connection: object_rows.of_owner(connection, owner))
        return {entry.digest: entry for entry in found}

    async def sweep(self) -> int:
        """Delete objects that nobody refers to, and return how many they were.

        Raises:
            ObjectStoreError: If one cannot be deleted; the next sweep tries it again.
            StoreError: If the database fails.
        """
        deleted = await self._delete_marked()
        while await self._mark():
            deleted += await self._delete_marked()
        if deleted:
            _LOG.info("Deleted %d objects that nobody refers to.", deleted)
        return deleted

    async def _mark(self) -> int:
        before = self._clock() - GRACE_MS
        query = object_rows.unowned(before, _PORTION)

        def look(connection: Connection) -> list[str]:
            return list(connection.execute(query).scalars())

        found = await self._database.read(look)
        if not found:
            return 0
        return await self._database.write(lambda transaction: object_rows.mark(transaction, found, before))

    async def _delete_marked(self) -> int:
        deleted = 0
        while marked := await self._database.read(partial(object_rows.marked, limit=_PORTION)):
            for entry in marked:
                await self._store.delete(await self._name(entry))
            await self._database.write(partial(object_rows.forget, objects=marked))
            deleted += len(marked)
        return deleted

    async def _touch(self, sizes: Mapping[str, int]) -> dict[str, Stored]:
        def work(transaction: Transaction) -> dict[str, Stored]:
            return object_rows.touch(transaction, sizes, self._clock())

        return await self._database.write(work)

    async def _put(self, entry: Stored, content: bytes | Path) -> None:
        async with self._turn:
            await self._store.put(await self._name(entry), content)

    async def _pieces(self, wanted: Stored) -> AsyncIterator[bytes]:
        try:
            async for piece in self._store.read(await self._name(wanted)):
                yield piece
        except ObjectStoreError as error:
            _LOG.error("%s", error.message)
            raise

    async def _name(self, entry: Stored) -> str:
        if self._namespace is None:
            self._namespace = await identity_of(self._database)
        return name_of(self._namespace, entry)


def name_of(database_id: str, entry: Stored) -> str:
    """Return the name of an object in the store."""
    return f"{database_id}/{entry.digest[:2]}/{entry.digest}_{entry.made_at}"


def digest_of(content: bytes) -> str:
    """Return the digest that names a content."""
    return hashlib.sha256(content).hexdigest()


def _sizes(contents: Mapping[str, bytes | Path]) -> dict[str, int]:
    return {
        digest: content.stat().st_size if isinstance(content, Path) else len(content)
        for digest, content in contents.items()
    }


def _settle(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
