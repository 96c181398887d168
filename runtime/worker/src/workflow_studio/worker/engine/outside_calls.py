"""Calls that have their effect outside the database, made once however often a request is repeated.

What such a call does and its record cannot be committed together. So the call's particulars are stored first, its
answer after it; a repeat of a call that was cut short in between is made with the same particulars, so that whoever is
called can tell that it is one. Repeats at the same time share one call.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.engine.idempotency import conflict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from workflow_studio.worker.engine.idempotency import IdempotencyKeys
    from workflow_studio.worker.ports import IdempotencyKey
    from workflow_studio.worker.store import Database, Transaction

_BEGUN: Final = " (begun)"
"""What the endpoint's name ends in under which a call's particulars are stored."""

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _UnderWay:
    digest: str
    task: asyncio.Task[Answer]


class OutsideCalls:
    """The calls of this worker."""

    def __init__(self, database: Database, records: IdempotencyKeys) -> None:
        self._database = database
        self._records = records
        self._under_way: dict[tuple[str, str, str], _UnderWay] = {}

    async def once(
        self,
        key: IdempotencyKey | None,
        particulars: Callable[[], Answer],
        call: Callable[[Answer], Awaitable[Answer]],
    ) -> Answer:
        """Make a call and keep its answer, or return the answer that it gave before.

        A call that was begun is made to its end, though whoever asked for it may have left.

        Args:
            key: What names the request; None makes the call each time.
            particulars: Returns what must be the same each time the call is made, as CBOR can hold it.
            call: Makes the call; a refusal leaves no record.

        Raises:
            EngineError: ``idempotency_conflict``, if the key names another request.
        """
        if key is None:
            return await call(particulars())
        name = (key.project, key.endpoint, key.key)
        known = self._under_way.get(name)
        if known is None:
            task = asyncio.ensure_future(self._make(key, particulars, call))
            known = self._under_way[name] = _UnderWay(key.digest, task)
            task.add_done_callback(lambda done: self._over(name, done))
        elif known.digest != key.digest:
            raise conflict()
        return await asyncio.shield(known.task)

    async def settle(self, seconds: float) -> None:
        """Wait for the calls under way, for so long at most; then give them up."""
        tasks = [call.task for call in self._under_way.values()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(
        self,
        key: IdempotencyKey,
        particulars: Callable[[], Answer],
        call: Callable[[Answer], Awaitable[Answer]],
    ) -> Answer:
        begun = replace(key, endpoint=key.endpoint + _BEGUN)

        def begin(transaction: Transaction) -> tuple[Answer | None, Answer]:
            known: Answer | None = self._records.find(transaction, key)
            if known is not None:
                return known, {}
            return None, self._records.once(transaction, begun, particulars)

        answer, wanted = await self._database.write(begin)
        if answer is not None:
            return answer
        try:
            made = await call(wanted)
        except (EngineError, WorldError) as refusal:
            if refusal.status < 500:
                await self._database.write(lambda transaction: self._records.forget(transaction, begun))
            raise
        return await self._database.write(lambda transaction: self._records.once(transaction, key, lambda: made))

    def _over(self, name: tuple[str, str, str], task: asyncio.Task[Answer]) -> None:
        del self._under_way[name]
        if not task.cancelled():
            task.exception()  # whoever asked for it may have left; whoever is still there hears of it
