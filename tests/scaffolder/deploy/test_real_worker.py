"""The deploy commands against a real worker process: `studio worker start` in one folder, `studio deploy` beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.scaffolder.build.conftest import CHARGE, StubApp, make_stub_app
from workflow_studio.scaffolder.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.node

STUDIO = Path(sys.executable).with_name("studio")


class Folder:
    """An app's folder in which a worker runs with the key it made up for itself."""

    def __init__(self, app: StubApp, url: str) -> None:
        self.app = app
        self.url = url

    def studio(self, *arguments: str, expect: int = 0) -> dict[str, Any]:
        command = [STUDIO, *arguments, "--json"]
        env = {**environment(), "WORKFLOW_COMPUTE_BASE_URL": self.url}
        done = subprocess.run(command, cwd=self.app.folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == expect, done.stdout + done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("WORKFLOW_", "PORT"))}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    app = make_stub_app(tmp_path / "app")
    port = free_port()
    log = (tmp_path / "worker.log").open("wb")
    process = subprocess.Popen(
        [STUDIO, "worker", "start", "--port", str(port)],
        cwd=app.folder,
        env=environment(),
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(process, url, tmp_path / "worker.log")
        yield Folder(app, url)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0, "SIGTERM reaches the worker and ends it in order"
    finally:
        process.kill()
        process.wait()
        log.close()


def wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if httpx.get(f"{url}/v1/health").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)


def test_deploying_twice_and_going_back(folder: Folder) -> None:
    first = folder.studio("deploy")
    assert first["status"] == "active"
    assert folder.studio("deploy")["deploymentId"] == first["deploymentId"], "the same code is the same deployment"

    folder.app.plan(bundles={"step.js": f"exports.POST = () => '{CHARGE}' + 1;\n"})
    folder.studio("build")
    second = folder.studio("compute", "deploy")
    assert (second["status"], second["deploymentId"] != first["deploymentId"]) == ("created", True)
    assert statuses(folder) == {second["deploymentId"]: "created", first["deploymentId"]: "active"}

    folder.studio("compute", "activate", "--deployment-id", second["deploymentId"])
    assert statuses(folder) == {second["deploymentId"]: "active", first["deploymentId"]: "retired"}
    assert folder.studio("rollback")["deploymentId"] == first["deploymentId"]
    assert folder.studio("rollback")["deploymentId"] == second["deploymentId"]
    assert folder.studio("rollback", "--deployment-id", first["deploymentId"])["status"] == "active"


def statuses(folder: Folder) -> dict[str, str]:
    listed = folder.studio("compute", "list")["deployments"]
    return {entry["deploymentId"]: entry["status"] for entry in listed}


def test_what_the_worker_refuses(folder: Folder, tmp_path: Path) -> None:
    def code(*arguments: str) -> str:
        error = folder.studio(*arguments, expect=1)["error"]
        assert error["hint"]
        assert error["message"]
        return str(error["code"])

    assert code("rollback") == "no_earlier_deployment"
    assert code("compute", "activate", "--deployment-id", "dep_" + "0" * 32) == "deployment_not_found"
    assert code("compute", "activate", "--deployment-id", "nonsense") == "invalid_deployment_id"
    assert code("deploy", "--api-key", "not-the-key-0123456789abcdef") == "unauthorized"

    folder.studio("build")
    good = (folder.app.folder / ".workflow-studio/dist/artifact.tgz").read_bytes()
    (tmp_path / "cut.tgz").write_bytes(good[: len(good) // 2])
    assert code("compute", "deploy", "--artifact", str(tmp_path / "cut.tgz")) == "invalid_artifact"
    assert statuses(folder) == {}
