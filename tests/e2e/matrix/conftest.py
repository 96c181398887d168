"""Which part of the matrix runs, and the app of each framework in its two modes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.matrix.prepare import prepare
from tests.e2e.matrix.starter import OPEN, path_of_node
from tests.e2e.support import App, upload
from tests.support.rotation import part_of, refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import PreparedApp
    from tests.e2e.matrix.starter import Starter
    from tests.e2e.support import Worker

HERE = Path(__file__).parent
PART = 1
"""Frameworks in one ordinary run; several have more than one app."""
REMOTE = ("WORKFLOW_TARGET_WORLD", "WORKFLOW_COMPUTE_BASE_URL", "WORKFLOW_COMPUTE_API_KEY")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    names = [framework_of(path) for path in HERE.glob("test_*.py")]
    refuse_unknown(names)
    chosen = part_of(names, PART)
    others = {item for item in items if item.path.parent == HERE and framework_of(item.path) not in chosen}
    if others:
        config.hook.pytest_deselected(items=list(others))
        items[:] = [item for item in items if item not in others]


def framework_of(path: Path) -> str:
    return path.stem.removeprefix("test_").replace("_", "-")


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
    """The same build with the variables that send its runs to the worker, and with open routes of its own."""
    upload(folder, worker)
    app = App(starter.framework, folder, worker)
    app.env = {**app.env, **environment, **OPEN}
    app.start()
    try:
        yield app
    finally:
        app.close()
