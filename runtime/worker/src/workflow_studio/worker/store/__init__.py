"""Durable storage: tables, migrations, grouped writes and snapshot reads."""

from __future__ import annotations

from workflow_studio.worker.store._jobs import Ahead, Transaction
from workflow_studio.worker.store.database import LAZILY, Database
from workflow_studio.worker.store.errors import StoreError, StoreLockedError, StoreValueError, StoreVersionError

__all__ = [
    "LAZILY",
    "Ahead",
    "Database",
    "StoreError",
    "StoreLockedError",
    "StoreValueError",
    "StoreVersionError",
    "Transaction",
]
