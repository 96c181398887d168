"""What goes wrong in practice, and what a person reads then: the code, what happened, what to do next."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.support import FRAMEWORKS, STUDIO, App, Worker, free_port, run, studio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import PreparedApp

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

READER = "a-key-that-may-only-read-0123456789abcdef"


@pytest.fixture(scope="module")
def directory(prepared_app: PreparedApp) -> Path:
    return prepared_app("nitro")


def failure(*arguments: str | Path, cwd: Path, env: dict[str, str], expect: int = 1) -> dict[str, Any]:
    document = studio(*arguments, cwd=cwd, env=env, expect=expect)
    error: dict[str, Any] = document["error"]
    assert error["message"]
    assert error["hint"]
    return error


def test_a_wrong_key(directory: Path, worker: Worker) -> None:
    wrong = {**worker.cli, "WORKFLOW_COMPUTE_API_KEY": "not-the-key-0123456789abcdef0123456789"}
    error = failure("deploy", cwd=directory, env=wrong)
    assert error["code"] == "unauthorized"
    assert "not-the-key" not in json.dumps(error)


def test_a_missing_scope(directory: Path, tmp_path: Path, worker_with_reader: Worker) -> None:
    error = failure(
        "compute", "deploy", cwd=directory, env={**worker_with_reader.cli, "WORKFLOW_COMPUTE_API_KEY": READER}
    )
    assert error["code"] == "missing_scope"
    assert "deploy:write" in json.dumps(error)


@pytest.fixture
def worker_with_reader(tmp_path: Path) -> Iterator[Worker]:
    keys = [{"keyId": "reader", "projectId": "p", "environment": "test", "scopes": ["runs:read"], "secret": READER}]
    server = Worker(tmp_path / "worker", WORKFLOW_STUDIO_WORKER_SEED_API_KEYS=json.dumps(keys))
    server.start()
    try:
        yield server
    finally:
        server.close()


def test_a_corrupt_archive(directory: Path, worker: Worker, tmp_path: Path) -> None:
    artifact = bytearray((directory / ".workflow-studio/dist/artifact.tgz").read_bytes())
    artifact[len(artifact) // 2] ^= 0xFF
    corrupt = tmp_path / "artifact.tgz"
    corrupt.write_bytes(artifact)
    error = failure("compute", "deploy", "--artifact", corrupt, cwd=directory, env=worker.cli)
    assert error["code"] in {"invalid_artifact", "digest_mismatch"}
    kept = (worker.cwd / "data" / "artifacts").iterdir()
    leftovers = [path for path in kept if path.name != ".database" and not path.name.startswith("dep_")]
    assert all(path.is_dir() and not any(path.iterdir()) for path in leftovers), "nothing is left behind"


def test_an_unknown_deployment(directory: Path, worker: Worker) -> None:
    unknown = "dep_" + "0" * 32
    error = failure("compute", "activate", "--deployment-id", unknown, cwd=directory, env=worker.cli)
    assert error["code"] == "deployment_not_found"
    assert unknown in error["message"]


def test_no_active_deployment(directory: Path, crashing_worker: Worker) -> None:
    app = App(FRAMEWORKS["nitro"], directory, crashing_worker)
    app.start()
    try:
        assert app.http.post("/api/start", json={"workflow": "patient", "args": []}).status_code == 500
        log = app.log.read_text()
        assert "no_active_deployment" in log or "active deployment" in log
        assert "studio" in log, "the message says what to do"
    finally:
        app.close()


def test_the_worker_is_down_during_start(directory: Path, crashing_worker: Worker) -> None:
    app = App(FRAMEWORKS["nitro"], directory, crashing_worker)
    app.start()
    crashing_worker.stop()
    try:
        assert app.http.post("/api/start", json={"workflow": "patient", "args": []}).status_code == 500
        log = app.log.read_text()
        assert crashing_worker.url in log, "the message names the address that did not answer"
        assert "TRANSPORT" in log
    finally:
        app.close()


def test_the_worker_is_down_during_deploy(directory: Path) -> None:
    nowhere = f"http://localhost:{free_port()}"
    environment = {"WORKFLOW_COMPUTE_BASE_URL": nowhere, "WORKFLOW_COMPUTE_API_KEY": "x" * 40}
    error = failure("compute", "deploy", cwd=directory, env=environment)
    assert error["code"] == "unreachable"
    assert nowhere in error["message"]


def test_people_read_no_traceback(directory: Path, worker: Worker) -> None:
    output = run(STUDIO, "rollback", "--deployment-id", "nonsense", cwd=directory, env=worker.cli, expect=1)
    assert "Traceback" not in output


def test_every_route_but_health_needs_a_key(worker: Worker) -> None:
    assert httpx.get(f"{worker.url}/v1/health").json()["healthy"] is True
    for path in ("/v1/deployments", "/v1/runs", "/v1/events?runId=x", "/v1/executors"):
        refused = httpx.get(worker.url + path)
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
