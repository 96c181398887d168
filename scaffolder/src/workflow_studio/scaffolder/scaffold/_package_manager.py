"""Which package manager installs a project's packages, and the evidence for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.errors import ScopeOfProjectError
from workflow_studio.scaffolder.scaffold._project import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE_MANAGERS = ("npm", "pnpm", "yarn", "bun")
_LOCKFILES = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}


def detect_package_manager(root: Path) -> tuple[str, str]:
    """Return the package manager and the evidence, looking up to the root of the repository."""
    folder = root.resolve()
    for directory in (folder, *folder.parents):
        for name, manager in _LOCKFILES.items():
            if (directory / name).is_file():
                return manager, name
        declared = _declared_manager(directory)
        if declared is not None:
            return declared
        if (directory / "pnpm-workspace.yaml").is_file():
            return "pnpm", "pnpm-workspace.yaml"
        if (directory / ".git").exists():
            break
    return "npm", "the default"


def _declared_manager(directory: Path) -> tuple[str, str] | None:
    try:
        data = read_bytes(directory, "package.json")
        package = json.loads(data.decode("utf-8-sig")) if data is not None else {}
    except (OSError, ValueError, RecursionError, ScopeOfProjectError):
        return None
    if not isinstance(package, dict):
        return None
    field = package.get("packageManager")
    if isinstance(field, str) and field.split("@", 1)[0] in PACKAGE_MANAGERS:
        return field.split("@", 1)[0], "packageManager in package.json"
    engines = package.get("devEngines")
    wanted = engines.get("packageManager") if isinstance(engines, dict) else None
    name = wanted.get("name") if isinstance(wanted, dict) else None
    if isinstance(name, str) and name in PACKAGE_MANAGERS:
        return name, "devEngines in package.json"
    return None
