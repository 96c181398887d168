"""Retirement: noting when the last run of a deployment ends that new runs do not use any more.

Whether a deployment drains or has retired follows from its runs and is not stored; when it retired is. A run that ends
on the active deployment, as nearly all do, costs a comparison here and no statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import select, update

from workflow_studio.worker.engine.deployments import has_live_runs, last_end
from workflow_studio.worker.engine.environments import is_active
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from workflow_studio.worker.engine.bus import Bus
    from workflow_studio.worker.store import Database, Transaction

_T: Final = tables.deployments
ACTIVATED: Final = "activated"
"""What the other workers are told, with the deployment's id, when one is activated; without an id, when none is."""


class Retirement:
    """Notes when deployments retire.

    Args:
        database: Where it is noted.
        bus: Tells of what other workers activate.
    """

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._active: frozenset[str] = frozenset()
        bus.on(ACTIVATED, lambda _: self._forget())
        bus.on_gap(self._forget)

    def run_ended(self, transaction: Transaction, deployment_id: str, at: int) -> None:
        """Note that a run of a deployment has ended, in the transaction that ends it.

        Args:
            transaction: That transaction.
            deployment_id: The deployment.
            at: When it ended, in epoch milliseconds.
        """
        if deployment_id in self._active:
            return
        connection = transaction.connection
        if is_active(connection, deployment_id):
            self._active |= {deployment_id}
            return
        # Of two runs that end at once, the one that comes second sees that the other has ended.
        transaction.lock("retirement", deployment_id)
        if not has_live_runs(connection, deployment_id):
            _retire(connection, deployment_id, at)

    def replaced(self, transaction: Transaction, former: str | None, active: str | None, at: int) -> None:
        """Note that new runs of an environment use another deployment, or none, in the transaction that decides it.

        Args:
            transaction: That transaction.
            former: The deployment that they used until now.
            active: The deployment that they use from now on.
            at: When, in epoch milliseconds.
        """
        connection = transaction.connection
        self._forget()
        self._bus.tell(transaction, ACTIVATED, active or "")
        if active is not None:
            transaction.after_commit(lambda: self._note_active(active))
        if former is not None and not is_active(connection, former):
            _retire(connection, former, None if has_live_runs(connection, former) else at)

    def _forget(self) -> None:
        self._active = frozenset()

    def _note_active(self, deployment_id: str) -> None:
        self._active |= {deployment_id}

    async def settle(self) -> int:
        """Note when those retired of which that is not known, and return how many they were.

        That happens where a last run ended in the same moment in which another deployment was activated.
        """

        def look(connection: Connection) -> dict[str, int]:
            unsettled = select(_T.c.id).where(_T.c.activated_at.is_not(None), _T.c.retired_at.is_(None))
            ids = [row.id for row in connection.execute(unsettled).all() if not is_active(connection, row.id)]
            found = {name: last_end(connection, name) for name in ids if not has_live_runs(connection, name)}
            return {name: at for name, at in found.items() if at is not None}

        def note(transaction: Transaction, deployment_id: str, at: int) -> None:
            connection = transaction.connection
            if not is_active(connection, deployment_id) and not has_live_runs(connection, deployment_id):
                _retire(connection, deployment_id, at)

        ended = await self._database.read(look)
        for name, at in ended.items():
            await self._database.write(lambda transaction, name=name, at=at: note(transaction, name, at))  # type: ignore[misc]
        return len(ended)


def _retire(connection: Connection, deployment_id: str, at: int | None) -> None:
    mine = update(_T).where(_T.c.id == deployment_id, _T.c.activated_at.is_not(None))
    connection.execute(mine.values(retired_at=at))
