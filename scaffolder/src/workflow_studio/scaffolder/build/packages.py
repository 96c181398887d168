"""Find installed npm packages the way Node.js does: up the tree of ``node_modules`` folders, through links.

A package's ``exports`` may hide its ``package.json`` from ``require.resolve``, so the folders are walked here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Package:
    """An installed npm package.

    Attributes:
        name: Its name.
        version: Its exact version.
        directory: Where it really is, links followed.
        manifest: Its ``package.json``.
    """

    name: str
    version: str
    directory: Path
    manifest: dict[str, Any]


def find_package(name: str, start: Path) -> Package | None:
    """Return the package ``name`` that code in ``start`` would import, or ``None``.

    Args:
        name: Package name, with its scope.
        start: Folder of the importing code.

    Raises:
        BuildError: If the package is there, but its ``package.json`` cannot be read.
    """
    origin = start.resolve()
    for folder in (origin, *origin.parents):
        if folder.name == "node_modules":
            continue
        candidate = folder / "node_modules" / name
        if (candidate / "package.json").is_file():
            return _read(name, candidate.resolve())
    return None


def require_chain(start: Path, *names: str) -> Package:
    """Return the last package of a chain in which each package is imported by the one before.

    With a package manager that isolates dependencies, only this finds the copy that is really used.

    Raises:
        BuildError: If a link of the chain is not installed.
    """
    folder = start
    package = None
    for name in names:
        package = find_package(name, folder)
        if package is None:
            raise BuildError(
                f"The npm package {name} is not installed in {start}.",
                code="package_not_installed",
                hint="Install the app's packages first: npm install",
            )
        folder = package.directory
    if package is None:
        raise ValueError("A chain has at least one package.")
    return package


def read_package_json(path: Path) -> dict[str, Any]:
    """Return a ``package.json``.

    Raises:
        BuildError: If it is missing or no JSON object.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BuildError(
            f"There is no {path.name} in {path.parent}.",
            code="not_an_app",
            hint="Run the command in the folder of a JavaScript app, or name it with --directory.",
        ) from error
    except (OSError, ValueError) as error:
        raise BuildError(f"{path} cannot be read: {error}", code="invalid_package_json") from error
    if not isinstance(data, dict):
        raise BuildError(f"{path} is not a JSON object.", code="invalid_package_json")
    return data


def _read(name: str, directory: Path) -> Package:
    manifest = read_package_json(directory / "package.json")
    version = manifest.get("version")
    if not isinstance(version, str):
        raise BuildError(f"{directory / 'package.json'} has no version.", code="invalid_package_json")
    return Package(name=name, version=version, directory=directory, manifest=manifest)
