"""``studio doctor``: each line, the whole screen and the exit code."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest

from tests.scaffolder.build.conftest import make_stub_app
from tests.scaffolder.operate.support import studio, studio_json
from tests.worker.routes.conftest import ADMIN
from workflow_studio.scaffolder.doctor import machine
from workflow_studio.scaffolder.doctor.worker import check_worker
from workflow_studio.scaffolder.node import find_node

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scaffolder.operate.conftest import LiveWorker

    Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.node


@pytest.fixture(scope="module")
def deployment(server: LiveWorker) -> str:
    return server.deploy()


def verdicts(document: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["verdict"] for check in document["checks"]}


def test_a_machine_and_a_worker_that_are_well(
    worker: LiveWorker, deployment: str, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_LITTLE_SPACE", 0)
    node = find_node()
    own = version("workflow-studio")
    out, err = studio(capsys, "doctor")
    out[4] = out[4].partition(" GB")[2]
    assert err == []
    assert out == [
        "Machine",
        f"[PASS] packages: workflow-studio {own}, with the worker.",
        f"[PASS] node: Node.js {node.version_text} ({node.node}).",
        f"[PASS] npm: npm is there: {node.npm[-1]}.",
        f" free in {tmp_path}.",
        "[PASS] profiles: None are set up.",
        "",
        "App",
        f"[PASS] app: {tmp_path} holds no app; only machine and worker are checked.",
        "",
        "Worker",
        f"[PASS] address: {worker.url} (from WORKFLOW_COMPUTE_BASE_URL).",
        f"[PASS] worker_version: The worker is up, version {own}, like this command.",
        "[PASS] clock: The clocks agree.",
        "[PASS] key: admin, from WORKFLOW_COMPUTE_API_KEY: admin.",
        f"[PASS] active_deployment: New runs use {deployment}.",
        "",
        "All is well.",
    ]
    document = studio_json(capsys, "doctor")
    assert document["ok"] is True
    assert set(verdicts(document).values()) == {"pass"}
    assert [check for check in document["checks"] if "hint" in check] == []


def test_an_app_that_is_not_wired(worker: LiveWorker, deployment: str, capsys: Capture, tmp_path: Path) -> None:
    make_stub_app(tmp_path / "app")
    document = studio_json(capsys, "doctor", "-C", "app", expect=1)
    found = verdicts(document)
    assert (found["sdk"], found["integration"], found["target_world"]) == ("pass", "fail", "warn")
    assert found["scaffold"] == "fail", "its framework cannot be told"
    assert all("hint" in check for check in document["checks"] if check["verdict"] != "pass")


@pytest.mark.parametrize(
    ("variables", "failed"),
    [
        ({"WORKFLOW_COMPUTE_BASE_URL": "http://127.0.0.1:1"}, "reachable"),
        ({"WORKFLOW_COMPUTE_BASE_URL": "worker"}, "worker"),
        ({"WORKFLOW_COMPUTE_API_KEY": ""}, "key"),
        ({"WORKFLOW_COMPUTE_API_KEY": "not-a-key-of-this-worker"}, "key"),
        ({"STUDIO_NODE": "/nonexistent"}, "node"),
        ({"WORKFLOW_STUDIO_PROFILE": "nowhere"}, "worker"),
    ],
)
def test_what_is_wrong_is_a_line_with_what_to_do(
    worker: LiveWorker,
    deployment: str,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    failed: str,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    document = studio_json(capsys, "doctor", expect=1)
    (check,) = [check for check in document["checks"] if check["verdict"] == "fail"]
    assert check["name"] == failed
    assert check["hint"]
    assert "not-a-key" not in str(document)
    out, _ = studio(capsys, "doctor", expect=1)
    assert f"[FAIL] {failed}: {check['message']}" in out
    assert out[-1].startswith("1 wrong")


def test_a_key_with_few_scopes_and_a_short_life_is_doubtful(
    worker: LiveWorker, deployment: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = worker.http.post("/v1/keys", json={"scopes": ["runs:read"], "expiresInDays": 3}).json()
    monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", made["secret"])
    document = studio_json(capsys, "doctor", expect=2)
    found = verdicts(document)
    assert (found["key"], found["active_deployment"]) == ("warn", "warn")
    assert made["secret"] not in str(document)


def test_a_clock_that_is_wrong_is_noticed(worker: LiveWorker, deployment: str, tmp_path: Path) -> None:
    def found(offset: timedelta) -> tuple[str, str]:
        checks = check_worker(
            tmp_path,
            url=worker.url,
            profile=None,
            api_key=ADMIN,
            environment={},
            now=lambda: datetime.now(UTC) + offset,
        )
        (clock,) = [check for check in checks if check.name == "clock"]
        return str(clock.verdict), clock.message

    assert found(timedelta())[0] == "pass"
    verdict, message = found(timedelta(minutes=5))
    assert verdict == "warn"
    assert "behind this machine's" in message
    assert "ahead of this machine's" in found(timedelta(minutes=-5))[1]
