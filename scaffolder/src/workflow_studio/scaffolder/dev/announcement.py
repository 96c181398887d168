"""How other commands in the same folder find the worker of the session that runs there."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEV_DIR: Final = "dev"
"""Folder in the app's state folder for what sessions keep."""

KEY_NAME: Final = "api-key"
"""File in it with the key of the sessions' worker."""

_PATH: Final = f".workflow-studio/{DEV_DIR}"
_NAME: Final = "session.json"


@contextmanager
def announced(app_dir: Path, url: str) -> Iterator[None]:
    """Say where the session's worker is, as long as the block lasts."""
    path = app_dir / _PATH / _NAME
    path.write_text(json.dumps({"pid": os.getpid(), "url": url}), encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def session_worker(app_dir: Path) -> tuple[str, str] | None:
    """Return the URL and the key of the worker of the session that runs in a folder, if one does."""
    folder = app_dir / _PATH
    try:
        said = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        os.kill(said["pid"], 0)
        return str(said["url"]), (folder / KEY_NAME).read_text(encoding="ascii")
    except (OSError, ValueError, KeyError, TypeError):
        return None
