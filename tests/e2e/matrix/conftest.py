"""Which part of the matrix runs, and the app of each framework in its two modes.

All of it runs with ``STUDIO_MATRIX=all``, some with the names; without, a part that rotates with the commits.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.matrix.prepare import prepare
from tests.e2e.matrix.starter import path_of_node
from tests.e2e.support import App, upload

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import PreparedApp
    from tests.e2e.matrix.starter import Starter
    from tests.e2e.support import Worker

HERE = Path(__file__).parent
PART = 2
"""Frameworks in one ordinary run."""
REMOTE = ("WORKFLOW_TARGET_WORLD", "WORKFLOW_COMPUTE_BASE_URL", "WORKFLOW_COMPUTE_API_KEY")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = choose(sorted(framework_of(path) for path in HERE.glob("test_*.py")))
    others = [item for item in items if item.path.parent == HERE and framework_of(item.path) not in chosen]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]


def framework_of(path: Path) -> str:
    return path.stem.removeprefix("test_").replace("_", "-")


def choose(names: list[str]) -> set[str]:
    """Return the frameworks to run out of all there are, sorted."""
    wanted = os.environ.get("STUDIO_MATRIX", "")
    if wanted == "all":
        return set(names)
    if wanted:
        found = {name.strip() for name in wanted.split(",")}
        unknown = ", ".join(sorted(found - set(names)))
        if unknown:
            raise pytest.UsageError(f"STUDIO_MATRIX names {unknown}; there are: {', '.join(names)}")
        return found
    first = commits() * PART
    return {names[(first + offset) % len(names)] for offset in range(PART)}


def commits() -> int:
    git = shutil.which("git")
    counted = git and subprocess.run(
        [git, "rev-list", "--count", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return int(counted.stdout) if counted and counted.stdout.strip().isdigit() else 0


@pytest.fixture(scope="class")
def starter(request: pytest.FixtureRequest) -> Starter:
    found: Starter = request.cls.starter
    return found


@pytest.fixture(scope="class")
def folder(starter: Starter, prepared_app: PreparedApp) -> Path:
    """The app, scaffolded, installed and built."""
    return prepared_app(f"matrix-{starter.label}", lambda target: prepare(starter, target))


@pytest.fixture(scope="class")
def environment(starter: Starter, folder: Path) -> dict[str, str]:
    return {**starter.environment, **path_of_node(starter, folder.parent / f"node-of-{folder.name}")}


@pytest.fixture
def local(starter: Starter, folder: Path, environment: dict[str, str], worker: Worker) -> Iterator[App]:
    """The production server without any variable of Workflow Studio."""
    app = App(starter.framework, folder, worker)
    app.env = {name: value for name, value in app.env.items() if name not in REMOTE} | environment
    app.start()
    try:
        yield app
    finally:
        app.close()


@pytest.fixture(scope="class")
def remote(starter: Starter, folder: Path, environment: dict[str, str], worker: Worker) -> Iterator[App]:
    """The same build with the variables that send its runs to the worker."""
    upload(folder, worker)
    app = App(starter.framework, folder, worker)
    app.env = {**app.env, **environment}
    app.start()
    try:
        yield app
    finally:
        app.close()
