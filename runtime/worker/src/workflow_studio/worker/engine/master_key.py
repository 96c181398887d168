"""That all workers of a service have the same master key: what one seals another one opens.

The database holds a value that is derived from the key, from which nobody gets back to it. A worker whose key gives
another one is refused before it seals anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, exists, insert, select

from workflow_studio.worker.engine.encryption import derived_key
from workflow_studio.worker.engine.identity import identity_of
from workflow_studio.worker.store import StoreError, tables

if TYPE_CHECKING:
    from workflow_studio.worker.store import Database, Transaction

NAME: Final = "master_key_check"
"""The setting in the database that holds the value."""

NO_KEY: Final = "none"
"""The value where the service has no key."""

_T: Final = tables.settings
_W: Final = tables.workers


class MasterKeyError(StoreError):
    """The worker's master key is not that of the service."""


async def check_master_key(database: Database, master_key: bytes | None, worker_id: str) -> None:
    """See whether a worker has the master key of its service; the first one that has a key decides.

    Args:
        database: Of the service.
        master_key: The worker's key, if it has one.
        worker_id: The worker, which is registered.

    Raises:
        MasterKeyError: If it has another one, or none where the others have one, or the other way round.
        StoreError: If the database fails.
    """
    mine = NO_KEY if master_key is None else _value(master_key, await identity_of(database))

    def work(transaction: Transaction) -> None:
        transaction.lock(NAME)
        known = transaction.execute(select(_T.c.value).where(_T.c.key == NAME)).scalar()
        if known == mine:
            return
        if known not in {None, NO_KEY}:
            raise _other_key() if master_key is not None else _no_key()
        if known == NO_KEY and transaction.execute(select(exists().where(_W.c.worker_id != worker_id))).scalar():
            raise MasterKeyError(
                "The other workers of this service run without a master key.",
                "Stop all of them, and start them with the same WORKFLOW_STUDIO_WORKER_MASTER_KEY.",
            )
        transaction.execute(delete(_T).where(_T.c.key == NAME))
        transaction.execute(insert(_T).values(key=NAME, value=mine))

    await database.write(work)


def _value(master_key: bytes, database_id: str) -> str:
    # Of two services with the same key nobody sees that.
    return derived_key(master_key, f"studio-check|{database_id}").hex()


def _other_key() -> MasterKeyError:
    return MasterKeyError(
        "The master key of this worker is not the one that this database was written under.",
        "Set WORKFLOW_STUDIO_WORKER_MASTER_KEY to the key of the service. If that is lost for good: "
        "studio db forget-key; what was sealed under it stays unreadable.",
    )


def _no_key() -> MasterKeyError:
    return MasterKeyError(
        "This database was written under a master key, and this worker has none.",
        "Set WORKFLOW_STUDIO_WORKER_MASTER_KEY to the key of the service. If that is lost for good: "
        "studio db forget-key; what was sealed under it stays unreadable.",
    )
