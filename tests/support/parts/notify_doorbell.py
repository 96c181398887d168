"""A doorbell that rings over PostgreSQL's LISTEN/NOTIFY, for whoever listens to the database."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from workflow_studio.worker.parts import Doorbell, FactoryContext
    from workflow_studio.worker.store import Transaction

CHANNEL = "workflow_studio_messages"
_NOTIFY = text(f"SELECT pg_notify('{CHANNEL}', :run_at)")


class NotifyDoorbell:
    """Implements :class:`workflow_studio.worker.parts.Doorbell`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._callbacks: list[Callable[[], None]] = []
        self._listening: asyncio.Task[None] | None = None
        self.heard: list[int] = []

    async def start(self) -> None:
        self._listening = asyncio.create_task(self._listen(await self._connect()))

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening

    def ring(self, transaction: Transaction, run_at: int, /) -> None:
        # PostgreSQL sends it with the commit, and not at all if the transaction is undone.
        transaction.execute(_NOTIFY, {"run_at": str(run_at)})

    def on_ring(self, callback: Callable[[], None], /) -> None:
        self._callbacks.append(callback)

    async def _connect(self) -> psycopg.AsyncConnection:
        connection = await psycopg.AsyncConnection.connect(self._url, autocommit=True)
        await connection.execute(f"LISTEN {CHANNEL}")
        return connection

    async def _listen(self, connection: psycopg.AsyncConnection) -> None:
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                async with connection:
                    async for notification in connection.notifies():
                        self._ring(int(notification.payload))
            # What was rung while nobody listened: one ring stands for all of it.
            await asyncio.sleep(1)
            with contextlib.suppress(psycopg.OperationalError):
                connection = await self._connect()
                self._ring(0)

    def _ring(self, run_at: int) -> None:
        self.heard.append(run_at)
        for callback in self._callbacks:
            callback()


def make(context: FactoryContext[Doorbell]) -> Doorbell:
    """Ring over the worker's own database."""
    return NotifyDoorbell(context.env["WORKFLOW_STUDIO_WORKER_DATABASE_URL"])
