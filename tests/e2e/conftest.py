"""Fixtures of the end-to-end tests. Each framework's app is installed and built once for the whole test run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from tests.e2e.support import FRAMEWORKS, App, Worker, prepare, run, upload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    class PreparedApp(Protocol):
        """Return an app's folder; ``make`` fills it, if not by the framework of that name."""

        def __call__(self, name: str, make: Callable[[Path], object] | None = None) -> Path: ...


@pytest.fixture(scope="session")
def prepared_app(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> PreparedApp:
    """Install and build an app once; give each test process a copy, because it deploys from there."""
    base = tmp_path_factory.getbasetemp()
    kept = os.environ.get("STUDIO_TEST_APPS")  # prepared apps outlive the test run, for work on what comes after
    shared = Path(kept) if kept else (base if worker_id == "master" else base.parent) / "apps"
    shared.mkdir(exist_ok=True)

    def prepared(name: str, make: Callable[[Path], object] | None = None) -> Path:
        directory = shared / name
        ready = shared / f"{name}.ready"
        with FileLock(shared / f"{name}.lock"):
            if not ready.exists():
                if make is None:
                    prepare(FRAMEWORKS[name], directory)
                else:
                    make(directory)
                ready.touch()
        copy = base / "apps-of-this-process" / name
        if not copy.exists():
            copy.parent.mkdir(exist_ok=True)
            run("cp", "-al", directory, copy, cwd=base)
        return copy

    return prepared


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    server = Worker(tmp_path_factory.mktemp("worker"))
    server.start()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def crashing_worker(tmp_path: Path) -> Iterator[Worker]:
    """A worker of the test's own, which it may kill."""
    # An executor that is there had something to do.
    server = Worker(tmp_path / "worker", WORKFLOW_STUDIO_WORKER_WARM_DEPLOYMENTS="0")
    server.start()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def nitro_app(prepared_app: PreparedApp, worker: Worker) -> Iterator[App]:
    yield from running_app("nitro", prepared_app, worker)


def running_app(name: str, prepared_app: PreparedApp, worker: Worker) -> Iterator[App]:
    directory = prepared_app(name)
    upload(directory, worker)
    app = App(FRAMEWORKS[name], directory, worker)
    app.start()
    try:
        yield app
    finally:
        app.close()
