"""What a project in Python holds: its dependencies, and the module that makes the app."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from workflow_studio.scaffolder.errors import DetectionError
from workflow_studio.scaffolder.scaffold._project import read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

PYPROJECT: Final = "pyproject.toml"
REQUIREMENTS: Final = ("requirements.txt", "requirements.in", "requirements/base.txt", "requirements/base.in")
_USUAL_MODULES: Final = tuple(
    f"{folder}{name}.py"
    for folder in ("", "app/", "src/", "src/app/", "backend/", "backend/app/", "api/")
    for name in ("main", "app", "api")
)
"""Where apps are, the most usual first (source: ``fastapi`` command, which looks for the same names)."""
_APP: Final = re.compile(rb"^[ \t]*\w+[ \t]*(?::[^=\n]*)?=[ \t]*(?:\w+\.)*FastAPI\(", re.MULTILINE)
_NO_SOURCES: Final = frozenset(
    {"node_modules", "venv", "env", "site-packages", "__pycache__", "tests", "test", "docs", "build", "dist"}
)
_MOST_FILES: Final = 5_000
_LARGEST: Final = 1_000_000


def python_dependencies(root: Path) -> dict[str, str]:
    """Return what the project depends on, by normalised name: the requirement, and the file that has it.

    Raises:
        DetectionError: ``pyproject.toml`` is not TOML.
    """
    found: dict[str, str] = {}
    for requirement, file in _requirements(root):
        found.setdefault(canonicalize_name(requirement.name), f"{requirement} in {file}")
    return found


def read_pyproject(root: Path) -> dict[str, Any]:
    """Return ``pyproject.toml``; empty if there is none.

    Raises:
        DetectionError: It is not TOML.
    """
    data = read_bytes(root, PYPROJECT)
    if data is None:
        return {}
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DetectionError(f"{PYPROJECT} is not valid TOML: {error}.", hint="Repair it and try again.") from error


def _requirements(root: Path) -> Iterator[tuple[Requirement, str]]:
    for text in _declared(read_pyproject(root)):
        if requirement := _parsed(text):
            yield requirement, PYPROJECT
    for file in REQUIREMENTS:
        data = read_bytes(root, file) or b""
        for line in data.decode("utf-8", "replace").splitlines():
            if requirement := _parsed(line.split(" #", 1)[0].split(" --", 1)[0]):
                yield requirement, file


def _declared(pyproject: dict[str, Any]) -> Iterator[object]:
    project = _table(pyproject, "project")
    yield from _list(project.get("dependencies"))
    for table in (_table(project, "optional-dependencies"), _table(pyproject, "dependency-groups")):
        for group in table.values():
            yield from _list(group)
    yield from _table(_table(_table(pyproject, "tool"), "poetry"), "dependencies")


def _table(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _parsed(text: object) -> Requirement | None:
    try:
        return Requirement(text.strip()) if isinstance(text, str) else None
    except InvalidRequirement:
        return None  # a comment, an option of pip, a path


def find_app_modules(root: Path) -> list[str]:
    """Return the modules that make a FastAPI app, the likeliest first, as POSIX paths inside the project."""
    found = sorted(_modules(root), key=lambda path: (path.count("/"), path))
    usual = [path for path in _USUAL_MODULES if path in found]
    return usual[:1] or found


def _modules(root: Path) -> Iterator[str]:
    looked_at = 0
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if _holds_sources(Path(folder) / name))
        for file in sorted(files):
            path = Path(folder) / file
            if not file.endswith(".py") or path.is_symlink():
                continue
            looked_at += 1
            if looked_at > _MOST_FILES:
                return
            if _makes_an_app(path):
                yield path.relative_to(root).as_posix()


def _holds_sources(folder: Path) -> bool:
    is_environment = (folder / "pyvenv.cfg").exists()
    return folder.name not in _NO_SOURCES and not folder.name.startswith(".") and not is_environment


def _makes_an_app(path: Path) -> bool:
    try:
        return path.stat().st_size <= _LARGEST and _APP.search(path.read_bytes()) is not None
    except OSError:
        return False  # not ours to read
