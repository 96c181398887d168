"""What can go wrong with a backup, beside what goes wrong with a database."""

from __future__ import annotations

from workflow_studio.worker.store import StoreError


class BackupRefusedError(StoreError):
    """A backup cannot be taken or put back like this; nothing was changed."""


class BackupDamagedError(StoreError):
    """A backup is not what was written into it."""


class ToolMissingError(StoreError):
    """A program that the backup needs is not installed."""
