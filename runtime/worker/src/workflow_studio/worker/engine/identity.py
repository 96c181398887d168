"""The database's own id: what is kept beside the database is marked with it, so that it is known whose it is."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from sqlalchemy import insert, select

from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from workflow_studio.worker.store import Database, Transaction

_T: Final = tables.settings
_NAME: Final = "database_id"


async def identity_of(database: Database) -> str:
    """Return the id of a database; it gets one the first time. A copy or a backup of the database has the same.

    Raises:
        StoreError: If the database fails.
    """

    def work(transaction: Transaction) -> str:
        transaction.lock(_NAME)
        known: str | None = transaction.execute(select(_T.c.value).where(_T.c.key == _NAME)).scalar()
        if known is not None:
            return known
        made = f"db_{uuid.uuid4().hex}"
        transaction.execute(insert(_T).values(key=_NAME, value=made))
        return made

    return await database.write(work)
