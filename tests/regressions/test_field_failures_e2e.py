"""The field failures that take a built app and a worker: what the SDK's own code does in its steps."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support import Worker, run, studio, upload

if TYPE_CHECKING:
    from tests.e2e.conftest import PreparedApp

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WORKFLOWS = Path(__file__).parent / "workflows"


@pytest.fixture(scope="module")
def app(prepared_app: PreparedApp, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Nitro app with the workflows of this folder, built for the worker."""
    directory = tmp_path_factory.mktemp("regressions") / "app"
    prepared = prepared_app("nitro")
    built = {"node_modules", ".output", ".workflow-studio", ".swc", ".nitro"}
    shutil.copytree(prepared, directory, symlinks=True, ignore=lambda *_: built)
    run("cp", "-al", prepared / "node_modules", directory / "node_modules", cwd=directory)
    shutil.copytree(WORKFLOWS, directory / "workflows", dirs_exist_ok=True)
    studio("build", cwd=directory)
    return directory


def test_14_runs_that_await_each_other_end_at_concurrency_one(app: Path, tmp_path: Path) -> None:
    """At concurrency N, N parents that awaited their children's results kept the children from being run, for ever.

    Source: the Fibonacci example in the documentation of vercel/workflow's PostgreSQL World.
    """
    worker = Worker(tmp_path / "worker", WORKFLOW_STUDIO_WORKER_CONCURRENCY="1")
    worker.start()
    try:
        upload(app, worker)
        name = "workflow//./workflows/fibonacci//fibonacci"
        started = worker.http.post(
            "/v1/runs", json={"workflowName": name, "input": [4]}, headers={"idempotency-key": "4"}
        )
        assert started.status_code == 201, started.text
        finished = worker.finished(started.json()["runId"], seconds=60)
        assert (finished["status"], finished["output"]) == ("completed", 3)
        assert len(worker.get("/v1/runs", limit="100")["data"]) == 9
    finally:
        worker.close()
