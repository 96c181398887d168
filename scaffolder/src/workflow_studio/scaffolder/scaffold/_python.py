"""What a project in Python holds: its dependencies, and the module that makes the app, or Django's settings."""

from __future__ import annotations

import os
import posixpath
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from workflow_studio.scaffolder.errors import DetectionError, ScopeOfProjectError
from workflow_studio.scaffolder.scaffold._project import read_bytes
from workflow_studio.scaffolder.scaffold.edits import dynamic_files, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PYPROJECT: Final = "pyproject.toml"
PIPFILE: Final = "Pipfile"
REQUIREMENTS_TXT: Final = "requirements.txt"
# What others are made from comes first.
REQUIREMENTS: Final = ("requirements.in", REQUIREMENTS_TXT, "requirements/base.in", "requirements/base.txt")
_USUAL_NAMES: Final = {
    "fastapi": ("main", "app", "api"),  # source: `fastapi` command, which looks for the same names
    "flask": ("app", "wsgi", "main", "application"),
}
_USUAL_FOLDERS: Final = ("", "app/", "src/", "src/app/", "backend/", "backend/app/", "api/")
_APPS: Final = {
    framework: re.compile(rb"^[ \t]*\w+[ \t]*(?::[^=\n]*)?=[ \t]*(?:\w+\.)*" + name + rb"\(", re.MULTILINE)
    for framework, name in (("fastapi", b"FastAPI"), ("flask", b"Flask"))
}
_SETTINGS_MODULE: Final = re.compile(rb"""["']DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']""")
_STAR: Final = re.compile(r"^from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+\*", re.MULTILINE)
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
    return _read_toml(root, PYPROJECT)


def _read_toml(root: Path, file: str) -> dict[str, Any]:
    data = read_bytes(root, file)
    if data is None:
        return {}
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DetectionError(f"{file} is not valid TOML: {error}.", hint="Repair it and try again.") from error


def _requirements(root: Path) -> Iterator[tuple[Requirement, str]]:
    pyproject = read_pyproject(root)
    for text in _declared(pyproject):
        if requirement := _parsed(text):
            yield requirement, PYPROJECT
    for text in _table(_read_toml(root, PIPFILE), "packages"):
        if requirement := _parsed(text):
            yield requirement, PIPFILE
    waiting, seen = [*REQUIREMENTS, *dynamic_files(pyproject)], set[str]()
    while waiting:
        file = posixpath.normpath(waiting.pop(0))
        if file in seen:
            continue
        seen.add(file)
        for line in listed(_read_list(root, file)):
            if line.included:
                waiting.append(posixpath.join(posixpath.dirname(file), line.included))
            elif requirement := _parsed(line.requirement):
                yield requirement, file


def _read_list(root: Path, file: str) -> bytes:
    """Return a list of requirements; empty if there is none, or it is not of this project."""
    try:
        return read_bytes(root, file) or b""
    except ScopeOfProjectError:
        return b""  # of a workspace, or from the web


def made_file(root: Path, file: str) -> str:
    """Return the list of requirements that is made from another one, which ends in ``.in``; empty if there is none."""
    made = f"{file.removesuffix('.in')}.txt"
    return made if file.endswith(".in") and (root / made).is_file() else ""


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


def find_app_modules(root: Path, framework: str = "fastapi") -> list[str]:
    """Return the modules that make an app, the likeliest first, as POSIX paths inside the project.

    For Django, that is ``manage.py``: what it is in is on Python's path.
    """
    if framework == "django":
        return _find(root, lambda path: path.name == "manage.py" and _settings_module(path) is not None)
    found = _find(root, lambda path: _contains(path, _APPS[framework]))
    usual = [f"{folder}{name}.py" for folder in _USUAL_FOLDERS for name in _USUAL_NAMES[framework]]
    return [path for path in usual if path in found][:1] or found


def find_source_folder(root: Path, framework: str) -> tuple[str, str]:
    """Return the folder below which the app's modules have their names, empty for the root, and why."""
    modules = find_app_modules(root, framework)
    if framework == "django":
        return (modules[0].rpartition("/")[0], modules[0]) if modules else ("", "no manage.py")
    # What is in src/ is imported by the names below it, unless src is a package itself.
    in_source = bool(modules) and all(path.startswith("src/") for path in modules)
    if in_source and not (root / "src/__init__.py").is_file():
        return "src", modules[0]
    return "", modules[0] if modules else "no module in src/"


def find_django_settings(root: Path) -> list[str]:
    """Return the modules of Django's settings: what ``manage.py`` names, then what that takes everything from.

    If that leads nowhere, the only module that sets ``INSTALLED_APPS``.
    """
    for manage in find_app_modules(root, "django")[:1]:
        top = (root / manage).parent
        chain = list(_taken_from(top, _settings_module(root / manage) or ""))
        if chain:
            return [path.relative_to(root).as_posix() for path in chain]
    pattern = re.compile(rb"^INSTALLED_APPS[ \t]*(?::[^=\n]*)?=", re.MULTILINE)
    found = _find(root, lambda path: _contains(path, pattern))
    return found if len(found) == 1 else []


def _settings_module(manage: Path) -> str | None:
    try:
        found = _SETTINGS_MODULE.search(manage.read_bytes())
    except OSError:
        return None
    return found[1].decode() if found else None


def _taken_from(top: Path, module: str) -> Iterator[Path]:
    """Yield the file of a module, and those that it imports everything from, as long as they are of this project."""
    waiting, seen = [module], set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in seen or len(seen) > 20:
            continue
        seen.add(name)
        base = top.joinpath(*name.split("."))
        file = next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
        if file is None or file.is_symlink() or file.stat().st_size > _LARGEST:
            continue
        yield file
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        text = file.read_text("utf-8", "replace")
        waiting += [_absolute(found, package) for found in _STAR.findall(text)]


def _absolute(name: str, package: str) -> str:
    """Return the whole name of a module that is imported in a package."""
    dots = len(name) - len(name.lstrip("."))
    if not dots:
        return name
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - dots + 1], *([rest] if (rest := name[dots:]) else [])])


def _find(root: Path, wanted: Callable[[Path], bool]) -> list[str]:
    """Return the modules of the project that are wanted, those that are least deep first."""
    return sorted(_modules(root, wanted), key=lambda path: (path.count("/"), path))


def _modules(root: Path, wanted: Callable[[Path], bool]) -> Iterator[str]:
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
            if wanted(path):
                yield path.relative_to(root).as_posix()


def _holds_sources(folder: Path) -> bool:
    is_environment = (folder / "pyvenv.cfg").exists()
    return folder.name not in _NO_SOURCES and not folder.name.startswith(".") and not is_environment


def _contains(path: Path, pattern: re.Pattern[bytes]) -> bool:
    try:
        return path.stat().st_size <= _LARGEST and pattern.search(path.read_bytes()) is not None
    except OSError:
        return False  # not ours to read
