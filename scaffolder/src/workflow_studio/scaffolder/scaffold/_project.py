"""Reading a project's folder: it is the user's, and nothing outside it is read or written."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

from workflow_studio.scaffolder.errors import DetectionError, ScopeOfProjectError

_MAX_BYTES = 5_000_000


def resolve_inside(root: Path, relative: str) -> Path:
    """Return the real path of a file of the project.

    Args:
        root: The project's folder.
        relative: POSIX path inside it.

    Raises:
        ScopeOfProjectError: It leads outside, by ``..``, by being absolute, or through a symbolic link.
    """
    pure = PurePosixPath(relative)
    if not relative or pure.is_absolute() or ".." in pure.parts or "\\" in relative or ":" in relative:
        raise ScopeOfProjectError(f"{relative!r} is not a path inside the project.")
    real_root = root.resolve()
    path = (real_root / pure).resolve()
    if not path.is_relative_to(real_root):
        raise ScopeOfProjectError(
            f"{relative} is a symbolic link that leads out of the project.",
            hint=f"Replace the link by a file, or run the command in {path.parent}.",
        )
    return path


def read_bytes(root: Path, relative: str) -> bytes | None:
    """Return the content of a file of the project, or ``None`` when there is none.

    Raises:
        ScopeOfProjectError: It leads outside, is a folder, or is larger than any source file.
    """
    path = resolve_inside(root, relative)
    if not path.exists():
        return None
    if not path.is_file():
        raise ScopeOfProjectError(f"{relative} is not a file.")
    if path.stat().st_size > _MAX_BYTES:
        raise ScopeOfProjectError(f"{relative} is larger than {_MAX_BYTES // 1_000_000} MB.")
    return path.read_bytes()


def read_package_json(root: Path) -> dict[str, Any]:
    """Return the project's ``package.json``.

    Raises:
        DetectionError: There is none, or it is not a JSON object.
    """
    data = read_bytes(root, "package.json")
    if data is None:
        raise DetectionError(
            f"There is no package.json in {root}.",
            hint="Run this in the folder of an app, or make a new one: studio scaffold --new my-app --framework nitro",
        )
    try:
        package = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DetectionError(f"package.json is not valid JSON: {error}.", hint="Repair it and try again.") from error
    if not isinstance(package, dict):
        raise DetectionError("package.json is not a JSON object.", hint="Repair it and try again.")
    return package


def dependencies(package: dict[str, Any]) -> dict[str, str]:
    """Return what ``package.json`` depends on, at run time and for development, whatever shape the fields have."""
    found: dict[str, str] = {}
    for field in ("peerDependencies", "devDependencies", "dependencies"):
        members = package.get(field)
        if isinstance(members, dict):
            found |= {str(name): str(spec) for name, spec in members.items()}
    return found
