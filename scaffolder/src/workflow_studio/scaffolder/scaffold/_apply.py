"""Writing a plan: all of it, or nothing."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.errors import PlanOutdatedError
from workflow_studio.scaffolder.scaffold._project import read_bytes, resolve_inside

if TYPE_CHECKING:
    from workflow_studio.scaffolder.scaffold._plan import Change, Plan


def apply(plan: Plan) -> list[str]:
    """Make every pending change of a plan; on any failure put everything back.

    Args:
        plan: The plan.

    Returns:
        The paths that were written or removed.

    Raises:
        PlanOutdatedError: A file is not what it was when the plan was made. Nothing was written.
        ScopeOfProjectError: A path leads out of the project by now. Nothing was written.
        OSError: Writing failed. Nothing is left behind.
    """
    # What goes makes room: where there was a file, there may be a folder now.
    pending = sorted(plan.pending, key=lambda change: not change.deleted)
    for change in pending:
        _verify(plan.root, change)
    undo: list[tuple[Path, bytes | None, list[Path]]] = []
    removed: list[tuple[Path, Path]] = []
    try:
        for change in pending:
            # Checked again right before the write: an earlier write of this plan must not have moved the target.
            path = resolve_inside(plan.root, change.path)
            if change.deleted:
                removed.append(_set_aside(plan.root, change.path))
                continue
            created = _make_folders(path.parent)
            undo.append((path, change.before, created))
            _replace(path, change.after or b"")
    except BaseException:
        for path, before, created in reversed(undo):
            _restore(path, before, created)
        for path, aside in reversed(removed):
            with contextlib.suppress(OSError):
                aside.replace(path)
        raise
    for path, aside in removed:
        _discard(plan.root.resolve(), path, aside)
    return [change.path for change in pending]


def _verify(root: Path, change: Change) -> None:
    if read_bytes(root, change.path) != change.before:
        raise PlanOutdatedError(
            f"{change.path} changed while the plan was made.",
            hint="Run the command again to plan with the new content.",
        )


def _make_folders(folder: Path) -> list[Path]:
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir()
    return missing


def _replace(path: Path, data: bytes) -> None:
    """Write a file in one step, with the permissions it had."""
    mode = path.stat().st_mode & 0o777 if path.exists() else None
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        temporary.chmod(mode if mode is not None else 0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _set_aside(root: Path, relative: str) -> tuple[Path, Path]:
    """Rename a file that is to go, so that it can come back as it was; a link goes, what it leads to stays."""
    folder, _, name = relative.rpartition("/")
    path = (resolve_inside(root, folder) if folder else root.resolve()) / name
    handle, aside = tempfile.mkstemp(prefix=f".{name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    try:
        path.replace(aside)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    return path, Path(aside)


def _discard(root: Path, path: Path, aside: Path) -> None:
    """Remove what was set aside, and the folders that are empty now; everything is written, so nothing is raised."""
    with contextlib.suppress(OSError):
        aside.unlink()
        for folder in path.parents:
            if folder == root or any(folder.iterdir()):
                break
            folder.rmdir()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _restore(path: Path, before: bytes | None, created: list[Path]) -> None:
    # Best effort, file by file: one that cannot be put back must not keep the others from it.
    with contextlib.suppress(OSError):
        if before is None:
            path.unlink(missing_ok=True)
        else:
            _replace(path, before)
    for folder in created:
        with contextlib.suppress(OSError):
            folder.rmdir()
