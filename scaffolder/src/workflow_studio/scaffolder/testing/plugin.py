"""The plugin for pytest: fixtures for a worker that lives as long as the tests.

pytest loads this module in every project of the environment, so nothing heavy is imported before a fixture is used.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workflow_studio.client import ComputeClient
    from workflow_studio.scaffolder.errors import StudioError
    from workflow_studio.scaffolder.testing.runs import Workflows
    from workflow_studio.scaffolder.testing.throwaway import ThrowawayWorker

MARKER: Final = "fresh_workflow_worker"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what says which app is tested."""
    group = parser.getgroup("workflow-studio", "workflows on a Workflow Studio worker")
    group.addoption("--workflow-app", metavar="DIR", help="Folder of the app whose workflows are tested.")
    parser.addini("workflow_app", "Folder of the app whose workflows are tested.", type="string", default=".")
    parser.addini("workflow_env_file", "Variables for the workflows' code, one NAME=value a line.", type="string")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", f"{MARKER}: give this test a worker of its own rather than the one that tests share."
    )


@pytest.fixture(scope="session")
def workflow_app(pytestconfig: pytest.Config) -> Path:
    """Return the folder of the app whose workflows are tested: `--workflow-app`, or `workflow_app` in the settings."""
    given: str | None = pytestconfig.getoption("workflow_app")
    named: str = pytestconfig.getini("workflow_app")
    return (Path.cwd() / given if given else pytestconfig.rootpath / named).resolve()


@pytest.fixture(scope="session")
def workflow_artifact(workflow_app: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the app's workflows, once for all processes of the tests, and return the artifact."""
    from workflow_studio.scaffolder.errors import StudioError  # noqa: PLC0415
    from workflow_studio.scaffolder.testing.throwaway import built_once  # noqa: PLC0415

    base = tmp_path_factory.getbasetemp()
    # pytest-xdist gives each of its processes a folder in one that belongs to the whole run.
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    folder = shared / "workflow-artifact"
    folder.mkdir(exist_ok=True)
    try:
        return built_once(workflow_app, folder)
    except StudioError as error:
        _fail(error)


@pytest.fixture(scope="session")
def workflow_worker(request: pytest.FixtureRequest) -> Iterator[ThrowawayWorker]:
    """Run a worker with the app's workflows, as long as the tests of this process."""
    yield from _worker(request)


@pytest.fixture
def fresh_workflow_worker(request: pytest.FixtureRequest) -> Iterator[ThrowawayWorker]:
    """Run a worker with the app's workflows, for one test."""
    yield from _worker(request)


@pytest.fixture
def workflow_client(request: pytest.FixtureRequest) -> Iterator[ComputeClient]:
    """Return a client of the test's worker."""
    fresh = request.node.get_closest_marker(MARKER) is not None
    worker: ThrowawayWorker = request.getfixturevalue(MARKER if fresh else "workflow_worker")
    with worker.client() as client:
        yield client


@pytest.fixture
def workflows(request: pytest.FixtureRequest, workflow_client: ComputeClient) -> Iterator[Workflows]:
    """Start workflows of the app; whatever still runs when the test has ended is cancelled."""
    from workflow_studio.scaffolder.testing.runs import Workflows  # noqa: PLC0415

    fresh = request.node.get_closest_marker(MARKER) is not None
    started = Workflows(request.getfixturevalue(MARKER if fresh else "workflow_worker"), workflow_client)
    yield started
    started.cancel_all()


def _worker(request: pytest.FixtureRequest) -> Iterator[ThrowawayWorker]:
    from workflow_studio.scaffolder.errors import StudioError  # noqa: PLC0415
    from workflow_studio.scaffolder.testing.throwaway import ThrowawayWorker  # noqa: PLC0415

    config: pytest.Config = request.config
    app: Path = request.getfixturevalue("workflow_app")
    artifact: Path = request.getfixturevalue("workflow_artifact")
    named = config.getini("workflow_env_file")
    worker = ThrowawayWorker(app, artifact=artifact, env_file=config.rootpath / named if named else None)
    with ExitStack() as stack:
        try:
            stack.enter_context(worker)
        except StudioError as error:
            _fail(error)
        yield worker


def _fail(error: StudioError) -> NoReturn:
    """Fail the test with a sentence, not with a traceback through the kit."""
    pytest.fail(f"{error.message}\n{error.hint}" if error.hint else error.message, pytrace=False)
