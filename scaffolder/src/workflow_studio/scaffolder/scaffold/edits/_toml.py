"""Edits of ``pyproject.toml`` and ``Pipfile``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.errors import EditRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping


def add_requirements(path: str, data: bytes, requirements: Mapping[str, str]) -> bytes:
    """Return the file with more dependencies of the project; the rest stays as it is, byte for byte.

    Args:
        path: The file, for refusals; in a ``Pipfile`` dependencies are elsewhere.
        data: The file.
        requirements: Version ranges, such as ``>=1``, by name. None of them is there yet.

    Raises:
        EditRefusedError: The file has no list of dependencies that can be added to.
    """
    import tomlkit  # noqa: PLC0415 - only scaffolding pays for it
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    try:
        document: Any = tomlkit.parse(data.decode("utf-8"))
    except (TOMLKitError, UnicodeDecodeError, RecursionError) as error:
        raise EditRefusedError("the file cannot be read as TOML", path=path) from error
    listed, table, missing = _places(path, document)
    if isinstance(listed, list):
        for name, versions in requirements.items():
            listed.append(f"{name}{versions}")
    elif isinstance(table, dict):
        for name, versions in requirements.items():
            table[name] = versions
    else:
        raise EditRefusedError(missing, path=path)
    edited: bytes = tomlkit.dumps(document).encode()
    if tomlkit.parse(edited.decode()) != document:
        raise EditRefusedError("the edited file would not say the same", path=path)
    return edited


def _places(path: str, document: Any) -> tuple[Any, Any, str]:
    """Return the list of dependencies, or the table of them, and what to say if there is neither."""
    if path == "Pipfile":
        return None, document.get("packages"), "it has no [packages]"
    project = document.get("project", {})
    poetry = document.get("tool", {}).get("poetry", {})
    return project.get("dependencies"), poetry.get("dependencies"), "it has no list of dependencies in [project]"
