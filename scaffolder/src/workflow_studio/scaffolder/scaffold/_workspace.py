"""The monorepo that an app is a package of: where its root is, and which packages it has."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from workflow_studio.scaffolder.errors import ScopeOfProjectError
from workflow_studio.scaffolder.scaffold._project import read_bytes

_TOOLS: Final = ("turbo.json", "nx.json", "lerna.json", "rush.json", "moon.yml")
"""What works on monorepos: a hint that a folder is the root of one, without a list of its packages."""
_USUAL: Final = ("apps/*", "packages/*", "services/*")
_NO_PACKAGES: Final = frozenset({"node_modules", "dist", "build", "coverage", "vendor"})
_MOST_FOLDERS: Final = 5_000
_DEEPEST: Final = 6


@dataclass(frozen=True, slots=True)
class Workspace:
    """A monorepo.

    Attributes:
        root: Its folder.
        evidence: The files that say so.
        patterns: Which folders are its packages, as its package manager writes them.
    """

    root: Path
    evidence: tuple[str, ...]
    patterns: tuple[str, ...]

    def contains(self, folder: Path) -> bool:
        """Tell whether a folder is one of its packages."""
        try:
            relative = folder.resolve().relative_to(self.root).as_posix()
        except ValueError:
            return False
        return _matches(relative, self.patterns)

    def packages(self) -> list[str]:
        """Return the folders of its packages, as POSIX paths from its root, sorted."""
        found: list[str] = []
        for path, folders, files in islice(os.walk(self.root), _MOST_FOLDERS):
            relative = Path(path).relative_to(self.root)
            deep = len(relative.parts) >= _DEEPEST
            folders[:] = [] if deep else sorted(name for name in folders if name not in _NO_PACKAGES and name[0] != ".")
            if relative.parts and "package.json" in files and _matches(relative.as_posix(), self.patterns):
                found.append(relative.as_posix())
        return sorted(found)


def read_workspace(folder: Path) -> Workspace | None:
    """Return the monorepo whose root a folder is."""
    folder = folder.resolve()
    evidence: list[str] = []
    patterns: list[str] = []
    for name, read in (("pnpm-workspace.yaml", _pnpm), ("package.json", _npm), ("lerna.json", _lerna)):
        listed = read(folder)
        if listed:
            evidence.append(f"workspaces in {name}" if name == "package.json" else name)
            patterns += listed
    tools = [name for name in _TOOLS if name not in evidence and (folder / name).is_file()]
    if not evidence and not tools:
        return None
    return Workspace(folder, (*evidence, *tools), tuple(patterns) or _USUAL)


def find_workspace(app: Path) -> Workspace | None:
    """Return the monorepo that an app is a package of, looking up to the root of the repository."""
    folder = app.resolve()
    if (folder / ".git").exists():
        return None
    for directory in folder.parents:
        workspace = read_workspace(directory)
        if workspace is not None and workspace.contains(folder):
            return workspace
        if (directory / ".git").exists():
            break
    return None


def _pnpm(folder: Path) -> list[str]:
    import yaml  # type: ignore[import-untyped, unused-ignore] # noqa: PLC0415 - only scaffolding pays for it

    data = _read(folder, "pnpm-workspace.yaml")
    if data is None:
        return []
    try:
        document = yaml.safe_load(data.decode("utf-8"))
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return []
    return _strings(document.get("packages")) if isinstance(document, dict) else []


def _npm(folder: Path) -> list[str]:
    workspaces = _json(folder, "package.json").get("workspaces")
    # Yarn also writes {"packages": [...], "nohoist": [...]}.
    return _strings(workspaces.get("packages") if isinstance(workspaces, dict) else workspaces)


def _lerna(folder: Path) -> list[str]:
    return _strings(_json(folder, "lerna.json").get("packages"))


def _json(folder: Path, name: str) -> dict[str, Any]:
    data = _read(folder, name)
    try:
        document = json.loads(data.decode("utf-8-sig")) if data is not None else {}
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _read(folder: Path, name: str) -> bytes | None:
    try:
        return read_bytes(folder, name)
    except (OSError, ScopeOfProjectError):
        return None


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _matches(relative: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a folder is one of the packages; later patterns that start with ``!`` take folders out again."""
    found = False
    for pattern in patterns:
        plain = pattern.removeprefix("!").removeprefix("./").rstrip("/")
        if _expression(plain).fullmatch(relative):
            found = not pattern.startswith("!")
    return found


def _expression(pattern: str) -> re.Pattern[str]:
    """Return a glob of folders as a regular expression: ``*`` stays in one folder, ``**`` does not."""
    parts = re.split(r"(\*\*/|/\*\*|\*\*|\*|\?|\{[^{}]*\})", pattern)
    return re.compile("".join(_part(part) for part in parts))


def _part(part: str) -> str:
    fixed = {"**/": "(?:.*/)?", "/**": "(?:/.*)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if part in fixed:
        return fixed[part]
    if part.startswith("{") and part.endswith("}"):
        return f"(?:{'|'.join(re.escape(choice) for choice in part[1:-1].split(','))})"
    return re.escape(part)
