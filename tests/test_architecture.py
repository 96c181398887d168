"""The arrows of the house: who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "compute": ROOT / "runtime/compute/src/workflow_studio/compute",
    "client": ROOT / "runtime/client/src/workflow_studio/client",
    "worker": ROOT / "runtime/worker/src/workflow_studio/worker",
    "scaffolder": ROOT / "scaffolder/src/workflow_studio/scaffolder",
}
ARROWS = {
    "compute": set(),
    "client": {"compute"},
    "worker": {"compute"},
    "scaffolder": {"client", "compute"},
}
ROOMS = {
    # room of the worker: rooms it may import
    "store": set(),
    "execution": set(),
    "artifacts": set(),
    "engine": {"store"},
    "routes": {"engine", "artifacts"},
}
FRAMEWORKS = {"fastapi", "starlette", "uvicorn", "httpx", "sqlalchemy", "sqlmodel", "typer", "copier"}


def imported_modules(file: Path) -> set[str]:
    """Return the absolute names of the modules a file imports, wherever in the file it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} has a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part_of(module: str, depth: int) -> str | None:
    parts = module.split(".")
    return parts[depth] if parts[0] == "workflow_studio" and len(parts) > depth else None


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_along_the_arrows(package: str) -> None:
    files = list(PACKAGES[package].rglob("*.py"))
    assert files
    for file in files:
        targets = {part_of(module, 1) for module in imported_modules(file)} - {None, package}
        assert targets <= ARROWS[package], f"{file.relative_to(ROOT)} imports {targets - ARROWS[package]}"


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_of_the_worker_import_only_along_the_arrows(room: str) -> None:
    files = list((PACKAGES["worker"] / room).rglob("*.py"))
    assert files
    for file in files:
        modules = {module for module in imported_modules(file) if part_of(module, 1) == "worker"}
        targets = {part_of(module, 2) for module in modules} & ROOMS.keys() - {room}
        assert targets <= ROOMS[room], f"{file.relative_to(ROOT)} imports {targets - ROOMS[room]}"


def test_the_protocol_imports_no_framework() -> None:
    for file in PACKAGES["compute"].rglob("*.py"):
        roots = {module.partition(".")[0] for module in imported_modules(file)}
        assert not roots & FRAMEWORKS, f"{file.relative_to(ROOT)} imports {roots & FRAMEWORKS}"


def test_transitions_are_pure() -> None:
    forbidden = {"sqlalchemy", "sqlmodel", "asyncio", "time", "random", "os", "secrets", "threading", "datetime"}
    places = list((PACKAGES["worker"] / "engine").glob("transitions*"))
    files = [file for place in places for file in (place.rglob("*.py") if place.is_dir() else [place])]
    assert files
    for file in files:
        roots = {module.partition(".")[0] for module in imported_modules(file)}
        assert not roots & forbidden, f"{file.relative_to(ROOT)} imports {roots & forbidden}"


def test_routes_hold_no_sql() -> None:
    for file in (PACKAGES["worker"] / "routes").rglob("*.py"):
        roots = {module.partition(".")[0] for module in imported_modules(file)}
        assert not roots & {"sqlalchemy", "sqlmodel", "sqlite3"}, file
