"""Moves a service to another database, and says what has to be moved beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workflow_studio.worker.store.copying import copy
from workflow_studio.worker.store.database import is_postgres, path_of

if TYPE_CHECKING:
    from pathlib import Path

    from workflow_studio.worker.db.lines import Progress

_BESIDE: Final = ("artifacts", "objects", "variables-key", "api-key")
"""What a worker keeps in its data folder beside the database."""


def move(source: str | Path, target: str | Path, progress: Progress) -> dict[str, Any]:
    """Copy a service; return what was done.

    ``bring`` names what is in the source's data folder and is no part of the database.
    """
    done = copy(source, target, progress)
    folder = None if is_postgres(source) else path_of(source).absolute().parent
    return {
        "runs": done.runs,
        "copied": done.copied,
        "rows": done.rows,
        "bring": [str(folder / name) for name in _BESIDE if (folder / name).exists()] if folder else [],
    }
