"""Forgets which master key a service has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete

from workflow_studio.worker.engine.master_key import NAME
from workflow_studio.worker.store import maintenance, tables

if TYPE_CHECKING:
    from pathlib import Path


def forget(location: str | Path) -> bool:
    """Have the next worker decide which master key the service has; return whether there was one to forget.

    Raises:
        StoreLockedError: If a worker uses the database.
        StoreError: If the database cannot be opened, or fails.
    """
    known = delete(tables.settings).where(tables.settings.c.key == NAME)
    with maintenance.alone_with(location) as engine, engine.begin() as connection:
        return bool(connection.execute(known).rowcount)
