"""What waits in the database: messages by kind and state, and runs that go on. For those who watch the service."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, case, func, select

from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.store import Database

MAX_AGE_SECONDS: Final = 5.0
"""Whoever asks again so soon is given what the one before was given."""

_PATIENCE_SECONDS: Final = 2.0
_T: Final = tables.messages
_MESSAGES: Final = select(
    _T.c.kind,
    _T.c.status,
    func.count().label("messages"),
    func.sum(case((_T.c.run_at <= bindparam("now"), 1), else_=0)).label("due"),
    func.min(_T.c.run_at).label("first_at"),
).group_by(_T.c.kind, _T.c.status)
_RUNS: Final = (
    select(tables.runs.c.status, func.count().label("runs"))
    .where(tables.runs.c.status.in_(("pending", "running")))
    .group_by(tables.runs.c.status)
)


@dataclass(frozen=True, slots=True)
class Depth:
    """Messages of one kind.

    Attributes:
        due: That could be delivered now.
        scheduled: Whose time is still to come.
        leased: That are being delivered.
        dead: That are not delivered any more.
        oldest_due_seconds: How long the first of those that are due has been so.
    """

    due: int = 0
    scheduled: int = 0
    leased: int = 0
    dead: int = 0
    oldest_due_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits.

    Attributes:
        messages: By kind.
        runs: Those that have not ended, by status.
    """

    messages: dict[str, Depth]
    runs: dict[str, int]


class Backlog:
    """Tells what waits, with one look at the database for all who ask within a few seconds.

    Args:
        database: Where the messages and runs are.
        clock: Tells the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._found: Waiting | None = None

    async def look(self) -> Waiting | None:
        """Return what waits, a few seconds old at most; None if the database does not say in time."""
        async with self._looking:
            if time.monotonic() - self._looked_at >= MAX_AGE_SECONDS:
                self._found = await self._ask()
                self._looked_at = time.monotonic()
            return self._found

    async def _ask(self) -> Waiting | None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._database.read(self._read)
        except Exception:  # noqa: BLE001  # that it does not answer is what is to be told
            return None

    def _read(self, connection: Connection) -> Waiting:
        now = self._clock()
        found: dict[str, dict[str, float]] = {"workflow": {}, "step": {}}
        for row in connection.execute(_MESSAGES, {"now": now}):
            if row.status == "ready":
                age = (now - row.first_at) / 1000 if row.due else 0.0
                found[row.kind] |= {"due": row.due, "scheduled": row.messages - row.due, "oldest_due_seconds": age}
            else:
                found[row.kind][row.status] = row.messages
        runs = {row.status: row.runs for row in connection.execute(_RUNS)}
        depths = {kind: Depth(**depth) for kind, depth in found.items()}  # type: ignore[arg-type]  # all are numbers
        return Waiting(depths, {"pending": 0, "running": 0} | runs)
