"""What can go wrong in the store.

::

StoreError                  the database refused or failed
├── StoreLockedError        another worker has it open
├── StoreVersionError       a newer worker wrote it
└── StoreValueError         it cannot hold a value
"""

from __future__ import annotations


class StoreError(Exception):
    """The database refused or failed.

    Args:
        message: What happened.
        recovery: What to do next, in a sentence.
    """

    def __init__(self, message: str, recovery: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.recovery = recovery


class StoreLockedError(StoreError):
    """Another worker has the database open."""


class StoreVersionError(StoreError):
    """The database was written by a newer worker."""


class StoreValueError(StoreError):
    """The database cannot hold a value, such as a text with a null character in PostgreSQL."""
