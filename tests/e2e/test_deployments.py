"""Deploying again: new runs use the new deployment, old runs stay on theirs, and a rollback only moves the pointer."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support import FRAMEWORKS, App, run, studio, upload, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import PreparedApp
    from tests.e2e.support import Worker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_runs_stay_on_the_deployment_they_started_on(
    prepared_app: PreparedApp, crashing_worker: Worker, tmp_path: Path
) -> None:
    worker = crashing_worker
    original = prepared_app("nitro")
    first = upload(original, worker)

    changed = tmp_path / "changed"
    shutil.copytree(original, changed, symlinks=True, ignore=shutil.ignore_patterns("node_modules"))
    run("cp", "-al", original / "node_modules", changed / "node_modules", cwd=tmp_path)
    source = changed / "workflows/features.ts"
    source.write_text(
        source.read_text()
        .replace("receipt for", "new receipt for")
        .replace("answers.length === 2", "answers.length === 1")
    )

    app = App(FRAMEWORKS["nitro"], original, worker)
    app.start()
    try:
        old_run = app.begin("approval", "pinned")
        wait_until(lambda: worker.get(f"/v1/runs/{old_run}/hooks")["data"], what="the hook's creation")

        second = studio("deploy", cwd=changed, env=worker.cli)["deploymentId"]
        assert second != first
        new_run = app.begin("order", "dora", [1])
        assert worker.finished(new_run)["deploymentId"] == second
        assert app.ask(new_run)["result"]["receipt"] == "new receipt for dora"

        app.resume("pinned", {"ok": True})
        app.resume("pinned", {"ok": False})
        assert worker.finished(old_run)["deploymentId"] == first
        assert app.ask(old_run)["result"] == [True, False], "the old run still waits for two answers"

        assert studio("rollback", cwd=original, env=worker.cli)["deploymentId"] == first
        wait_until(lambda: worker.get("/v1/deployments/active")["deploymentId"] == first, what="the rollback")
        back = app.begin("order", "edna", [1])
        assert worker.finished(back)["deploymentId"] == first
        assert app.ask(back)["result"]["receipt"] == "receipt for edna"
    finally:
        app.close()


def test_deploying_the_same_code_again_is_the_same_deployment(
    prepared_app: PreparedApp, crashing_worker: Worker
) -> None:
    directory = prepared_app("nitro")
    first = studio("deploy", cwd=directory, env=crashing_worker.cli)
    artifact = (directory / ".workflow-studio/dist/artifact.tgz").read_bytes()
    again = studio("deploy", cwd=directory, env=crashing_worker.cli)
    assert again["deploymentId"] == first["deploymentId"]
    assert (directory / ".workflow-studio/dist/artifact.tgz").read_bytes() == artifact
