"""``studio deploy``, ``rollback`` and ``compute``: what they send, the whole output, and every refusal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.scaffolder.build.conftest import make_stub_app
from tests.scaffolder.deploy.conftest import key_with
from workflow_studio.scaffolder.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.scaffolder.deploy.conftest import FakeWorker

    Capture = pytest.CaptureFixture[str]

A, B, C = ("dep_" + letter * 32 for letter in "abc")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def artifact(folder: Path) -> Path:
    path = folder / ".workflow-studio/dist/artifact.tgz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"an artifact")
    return path


def deployment(identifier: str, status: str, activated: str | None = None) -> dict[str, Any]:
    sdk = {"workflow": "4.8.9", "core": "4.8.9", "specVersion": 3}
    entry = {"deploymentId": identifier, "status": status, "workflows": ["w"], "sdk": sdk}
    return entry | ({"activatedAt": activated} if activated else {})


def refused(capsys: Capture, *arguments: str, status: int = 1) -> dict[str, str]:
    """Run a command that fails, both ways, and return the error document."""
    assert main([*arguments]) == status
    text = capsys.readouterr()
    assert text.out == ""
    assert "Traceback" not in text.err
    assert main([*arguments, "--json"]) == status
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    error: dict[str, str] = document["error"]
    assert f"Error: {error['message']}" in text.err
    assert error["hint"] in text.err
    return error


# Single steps -------------------------------------------------------------------------------------------------------


def test_compute_deploy_uploads_and_does_not_activate(worker: FakeWorker, artifact: Path, capsys: Capture) -> None:
    assert main(["compute", "deploy"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{A}\n"
    assert f"Activate it: studio compute activate --deployment-id {A}" in err
    assert worker.uploaded == [artifact.read_bytes()]
    assert worker.requests == ["POST /v1/deployments"]


def test_compute_deploy_takes_another_archive(worker: FakeWorker, folder: Path, capsys: Capture) -> None:
    (folder / "other.tgz").write_bytes(b"another artifact")
    assert main(["compute", "deploy", "--artifact", "other.tgz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "ok": True,
        "deploymentId": A,
        "status": "created",
        "url": worker.url,
    }
    assert worker.uploaded == [b"another artifact"]


def test_compute_activate(worker: FakeWorker, capsys: Capture) -> None:
    assert main(["compute", "activate", "--deployment-id", B]) == 0
    assert capsys.readouterr().out == f"{B}\n"
    assert worker.requests == [f"POST /v1/deployments/{B}/activate"]


def test_compute_list_follows_the_pages(worker: FakeWorker, capsys: Capture) -> None:
    worker.deployments = [
        deployment(C, "created"),
        deployment(B, "active", "2025-06-02T10:00:00Z"),
        deployment(A, "retired", "2025-06-01T10:00:00Z"),
    ]
    assert main(["compute", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [
        "deployment",
        "status",
        "live",
        "runs",
        "workflows",
        "workflow",
        "uploaded",
        "activated",
        "active",
        "in",
    ]
    assert [line.split()[:5] for line in lines[1:]] == [
        [C, "created", "0", "1", "4.8.9"],
        [B, "active", "0", "1", "4.8.9"],
        [A, "retired", "0", "1", "4.8.9"],
    ]
    assert main(["compute", "list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [entry["deploymentId"] for entry in document["deployments"]] == [C, B, A]


def test_an_empty_list_says_what_to_do(worker: FakeWorker, capsys: Capture) -> None:
    assert main(["compute", "list"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "The worker has no deployment yet. Make one: studio deploy\n")
    assert worker.requests


# Rollback -----------------------------------------------------------------------------------------------------------


def test_rollback_leaves_it_to_the_worker_which_deployment_was_active_before(
    worker: FakeWorker, capsys: Capture
) -> None:
    worker.refusals["POST /v1/deployments/rollback"] = (200, deployment(A, "active"))
    assert main(["rollback", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "ok": True,
        "deploymentId": A,
        "status": "active",
        "url": worker.url,
        "environment": "production",
    }
    assert worker.requests == ["POST /v1/deployments/rollback"]


def test_rollback_to_a_named_deployment_asks_for_no_list(worker: FakeWorker, capsys: Capture) -> None:
    assert main(["rollback", "--deployment-id", B]) == 0
    assert capsys.readouterr().out == f"{B}\n"
    assert worker.requests == [f"POST /v1/deployments/{B}/activate"]


def test_rollback_without_an_earlier_deployment(worker: FakeWorker, capsys: Capture) -> None:
    body = {"code": "no_earlier_deployment", "message": "No other deployment was active before."}
    worker.refusals["POST /v1/deployments/rollback"] = (409, body | {"recovery": "Activate one by its id."})
    error = refused(capsys, "rollback")
    assert error["code"] == "no_earlier_deployment"


# Environments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("compute", "activate", "--deployment-id", B),
        ("compute", "deploy"),
        ("deployments", "activate", B),
        ("rollback", "--deployment-id", B),
    ],
)
def test_commands_about_an_environment_name_it_to_the_worker(
    worker: FakeWorker, artifact: Path, arguments: tuple[str, ...]
) -> None:
    assert main([*arguments, "--environment", "dev-ada"]) == 0
    assert worker.environments == ["dev-ada"]


def test_the_environment_comes_from_the_variable_and_is_none_without(
    worker: FakeWorker, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert main(["compute", "activate", "--deployment-id", B]) == 0
    monkeypatch.setenv("WORKFLOW_COMPUTE_ENVIRONMENT", "staging")
    capsys.readouterr()
    assert main(["compute", "activate", "--deployment-id", B, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["environment"] == "staging"
    assert worker.environments == [None, "staging"]


def test_what_is_no_environment_is_refused_before_the_worker_is_asked(worker: FakeWorker, capsys: Capture) -> None:
    assert main(["deployments", "activate", B, "--environment", "Dev Ada", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "invalid_environment"
    assert worker.requests == []


def test_deployments_are_listed_with_where_they_are_active(worker: FakeWorker, capsys: Capture) -> None:
    worker.deployments = [
        deployment(B, "active") | {"environments": ["dev-ada", "production"]},
        deployment(A, "retired"),
    ]
    assert main(["deployments", "list"]) == 0
    assert [line.split()[-2:] for line in capsys.readouterr().out.splitlines()[1:2]] == [["dev-ada,", "production"]]
    assert main(["deployments", "list", "--environment", "dev-ada", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["deployments"]
    assert [entry["deploymentId"] for entry in found] == [B]


def test_environments_are_listed_and_deleted(worker: FakeWorker, capsys: Capture) -> None:
    page = {"data": [{"name": "dev-ada", "deploymentId": A, "activatedBy": "ada"}], "cursor": None, "hasMore": False}
    worker.refusals["GET /v1/environments"] = (200, page)
    assert main(["environments", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["dev-ada", A, "ada"]
    worker.refusals["DELETE /v1/environments/dev-ada"] = (204, {})
    assert main(["environments", "delete", "dev-ada", "--yes"]) == 0
    assert capsys.readouterr().out == "dev-ada deleted\n"
    assert worker.requests[-1] == "DELETE /v1/environments/dev-ada"


# All at once --------------------------------------------------------------------------------------------------------


@pytest.mark.node
def test_deploy_builds_uploads_and_activates(worker: FakeWorker, folder: Path, capsys: Capture) -> None:
    app = make_stub_app(folder / "app")
    assert main(["deploy", "-C", "app"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{A}\n"
    stages = [line.partition(": done")[0] for line in err.splitlines() if ": done" in line]
    assert stages == ["Building workflows", "Packing the artifact", "Uploading the artifact", f"Activating {A}"]
    assert worker.requests == ["GET /v1/keys/current", "POST /v1/deployments", f"POST /v1/deployments/{A}/activate"]
    assert worker.uploaded == [(app.folder / ".workflow-studio/dist/artifact.tgz").read_bytes()]


@pytest.mark.node
def test_a_refused_upload_is_not_activated(worker: FakeWorker, folder: Path, capsys: Capture) -> None:
    make_stub_app(folder / "app")
    worker.refusals["POST /v1/deployments"] = (422, {"code": "unsupported_artifact", "message": "Too new."})
    error = refused(capsys, "deploy", "-C", "app")
    assert error["code"] == "unsupported_artifact"
    assert not any("activate" in request for request in worker.requests)


def test_deploy_without_a_key_builds_nothing(folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKFLOW_COMPUTE_API_KEY", raising=False)
    monkeypatch.delenv("WORKFLOW_COMPUTE_BASE_URL", raising=False)
    (folder / "package.json").write_text("{}")
    error = refused(capsys, "deploy", status=2)
    assert error["code"] == "api_key_missing"
    assert [path.name for path in folder.iterdir()] == ["package.json"]


@pytest.mark.parametrize("trouble", ["down", "wrong key", "missing scope"])
def test_deploy_finds_out_before_the_build_that_the_worker_will_not_have_it(
    worker: FakeWorker, folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    (folder / "package.json").write_text("{}")
    if trouble == "down":
        monkeypatch.setenv("WORKFLOW_COMPUTE_BASE_URL", "http://127.0.0.1:1")
    elif trouble == "wrong key":
        monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", "wrong-key-0123456789")
    else:
        worker.refusals["GET /v1/keys/current"] = (200, key_with("runs:read"))
    code = {"down": "unreachable", "wrong key": "unauthorized", "missing scope": "missing_scope"}[trouble]
    assert refused(capsys, "deploy")["code"] == code
    assert [path.name for path in folder.iterdir()] == ["package.json"]


def test_deploy_in_a_folder_without_an_app_says_that_first(
    folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKFLOW_COMPUTE_API_KEY", raising=False)
    assert refused(capsys, "deploy")["code"] == "not_an_app"
    assert list(folder.iterdir()) == []


# Refusals -----------------------------------------------------------------------------------------------------------


def test_no_artifact_yet(worker: FakeWorker, capsys: Capture) -> None:
    error = refused(capsys, "compute", "deploy", status=2)
    assert (error["code"], error["hint"]) == ("artifact_not_found", "Build it first: studio build")
    assert worker.requests == []


def test_a_wrong_key_is_not_repeated_in_the_output(worker: FakeWorker, artifact: Path, capsys: Capture) -> None:
    error = refused(capsys, "compute", "deploy", "--api-key", "wrong-key-0123456789")
    assert error["code"] == "unauthorized"
    assert "wrong-key" not in json.dumps(error)


def test_a_missing_scope_is_named(worker: FakeWorker, artifact: Path, capsys: Capture) -> None:
    body = {"code": "missing_scope", "message": "The key may not do this.", "required": "deploy:write"}
    worker.refusals["POST /v1/deployments"] = (403, body)
    error = refused(capsys, "compute", "deploy")
    assert error["code"] == "missing_scope"
    assert "deploy:write" in error["hint"]


@pytest.mark.parametrize("code", ["invalid_artifact", "digest_mismatch", "artifact_too_large"])
def test_an_archive_the_worker_refuses(worker: FakeWorker, artifact: Path, capsys: Capture, code: str) -> None:
    worker.refusals["POST /v1/deployments"] = (400, {"code": code, "message": "It is not what it says."})
    assert refused(capsys, "compute", "deploy")["code"] == code


def test_an_unknown_deployment(worker: FakeWorker, capsys: Capture) -> None:
    body = {"code": "deployment_not_found", "message": f"There is no deployment {A}.", "recovery": "Upload it first."}
    worker.refusals[f"POST /v1/deployments/{A}/activate"] = (404, body)
    error = refused(capsys, "compute", "activate", "--deployment-id", A)
    assert error == {"code": "deployment_not_found", "message": body["message"], "hint": "Upload it first."}


def test_a_worker_that_is_down(artifact: Path, capsys: Capture, worker: FakeWorker) -> None:
    error = refused(capsys, "compute", "deploy", "--url", "http://127.0.0.1:1")
    assert "http://127.0.0.1:1" in error["message"]
    assert worker.requests == []


def test_something_else_answers_in_the_place_of_the_worker(artifact: Path, capsys: Capture, worker: FakeWorker) -> None:
    worker.refusals["POST /v1/deployments"] = (200, {"hello": "world"})
    assert refused(capsys, "compute", "deploy")["code"] == "unexpected_response"


def test_text_from_the_worker_does_not_drive_the_terminal(artifact: Path, capsys: Capture, worker: FakeWorker) -> None:
    worker.refusals["POST /v1/deployments"] = (400, {"code": "invalid_artifact", "message": "\x1b[2Jbad\x07"})
    assert main(["compute", "deploy"]) == 1
    err = capsys.readouterr().err
    assert "Error: bad" in err
    assert "\x1b" not in err
