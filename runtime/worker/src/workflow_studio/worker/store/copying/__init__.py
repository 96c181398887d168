"""Moves a whole service from one database to another: run by run, verified at both ends, and resumed where it ended."""

from __future__ import annotations

from workflow_studio.worker.store.copying._copy import Copied, copy
from workflow_studio.worker.store.copying.errors import CopyDamagedError, CopyRefusedError

__all__ = ["Copied", "CopyDamagedError", "CopyRefusedError", "copy"]
