"""Backups of a whole service in a folder: taken beside running workers, verified, and put back."""

from __future__ import annotations

from workflow_studio.worker.db.backup.errors import BackupDamagedError, BackupRefusedError, ToolMissingError
from workflow_studio.worker.db.backup.restoring import restore
from workflow_studio.worker.db.backup.taking import take

__all__ = ["BackupDamagedError", "BackupRefusedError", "ToolMissingError", "restore", "take"]
