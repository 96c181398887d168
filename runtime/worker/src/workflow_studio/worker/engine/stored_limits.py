"""Limits that are changed while workers run. They are in the database and count before those of the settings."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, select

from workflow_studio.worker.engine import audit
from workflow_studio.worker.engine.limits import Limits
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.bus import Bus
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.leases import Leases
    from workflow_studio.worker.engine.queue import Queue
    from workflow_studio.worker.store import Database, Transaction

LIMITS: Final = "limits"
"""What the others are told when limits were changed."""

_T: Final = tables.limits


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that counts.

    Attributes:
        name: Its scope, a colon, and the name of what it limits.
        most: How many steps there may be.
        updated_at: When it was set, in epoch milliseconds; None if it comes from the settings.
        updated_by: The key that set it.
    """

    name: str
    most: int
    updated_at: int | None = None
    updated_by: str | None = None


class StoredLimits:
    """The limits of the service, as this worker keeps to them.

    Args:
        database: Where they are.
        clock: Tells the time.
        bus: Tells the other workers of changes.
        queue: Hears that steps may go on.
        leases: Keeps to them.
        settings: Those of this worker's settings.
    """

    def __init__(
        self, database: Database, clock: Clock, bus: Bus, queue: Queue, leases: Leases, settings: Limits
    ) -> None:
        self._database = database
        self._clock = clock
        self._bus = bus
        self._queue = queue
        self._leases = leases
        self._settings = settings
        self._loading = asyncio.Lock()

    async def load(self) -> None:
        """Keep to the limits that are in the database now.

        Raises:
            StoreError: If it fails.
        """
        # One after the other, so that what was read first does not count last.
        async with self._loading:
            found = await self._database.read(self._all)
            self._leases.keep_to(Limits.named({limit.name: limit.most for limit in found}))

    async def change(self, changes: Mapping[str, int | None], *, by: str | None) -> tuple[Limit, ...]:
        """Set limits, and remove those that are None: what the settings say counts again then.

        Args:
            changes: How many steps there may be, by name; what is not named stays.
            by: The key that does it.

        Returns:
            The limits that count now.
        """

        def work(transaction: Transaction) -> tuple[Limit, ...]:
            transaction.lock("stored limits")
            now = self._clock()
            transaction.execute(delete(_T).where(_T.c.name.in_(changes)))
            for name, most in changes.items():
                if most is not None:
                    transaction.execute(insert(_T).values(name=name, most=most, updated_at=now, updated_by=by))
            audit.describe(
                set={name: most for name, most in changes.items() if most is not None} or None,
                removed=sorted(name for name, most in changes.items() if most is None) or None,
            )
            self._bus.tell(transaction, LIMITS, "")
            return self._all(transaction.connection)

        changed = await self._database.write(work)
        await self.load()
        await self._database.write(self._queue.announce)  # what was held back may go on
        return changed

    async def list(self) -> tuple[Limit, ...]:
        """Return the limits that count, by name."""
        return await self._database.read(self._all)

    def _all(self, connection: Connection) -> tuple[Limit, ...]:
        found = {f"{scope}:{name}": Limit(f"{scope}:{name}", most) for (scope, name), most in self._settings.of.items()}
        found |= {row.name: Limit(*row) for row in connection.execute(select(*_T.c))}
        return tuple(found[name] for name in sorted(found))
