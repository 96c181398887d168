"""``studio compute validate-ownership``: each check, the lines and the exit code."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from workflow_studio.scaffolder.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.scaffolder.deploy.conftest import FakeWorker

    Capture = pytest.CaptureFixture[str]

A = "dep_" + "a" * 32
TOKEN = "token-of-the-tests"
TARGET = "workflow-studio/world-remote"


class FakeApp:
    """Answers for the app's diagnostics."""

    def __init__(self, worker_url: str) -> None:
        self.url = ""
        self.token: str | None = TOKEN
        self.answer: tuple[int, bytes] | None = None
        self.report: dict[str, Any] = {
            "status": "pass",
            "problems": [],
            "executionMode": "remote",
            "targetWorld": TARGET,
            "expectedTargetWorld": TARGET,
            "worker": {
                "baseUrl": worker_url,
                "apiKeyConfigured": True,
                "access": {"status": "ok", "code": None, "message": None},
            },
            "instance": {"id": "0b1e", "host": "web-1", "pid": 42, "startedAt": "2026-01-02T03:04:05.000Z"},
        }

    def respond(self, path: str, authorization: str | None) -> tuple[int, bytes]:
        if self.answer is not None:
            return self.answer
        if path.partition("?")[0] != "/api/workflow-studio/diagnostics/remote-ownership":
            return 404, b"{}"
        if self.token is not None and authorization != f"Bearer {self.token}":
            return 401, b'{"code": "unauthorized"}'
        return 200, json.dumps(self.report).encode()


@pytest.fixture
def app(worker: FakeWorker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeApp]:
    monkeypatch.chdir(tmp_path)
    fake = FakeApp(worker.url)
    worker.refusals["GET /v1/health"] = (200, {"healthy": True, "version": "0.1.0"})
    worker.refusals["GET /v1/deployments/active"] = (200, {"deploymentId": A})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, content = fake.respond(self.path, self.headers.get("authorization"))
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        fake.url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN", TOKEN)
        yield fake
        server.shutdown()
        thread.join()


def validate(capsys: Capture, *arguments: str, expect: int = 0) -> dict[str, tuple[str, str]]:
    """Run it both ways; return verdict and message by check."""
    assert main(["compute", "validate-ownership", *arguments]) == expect
    out, err = capsys.readouterr()
    assert err == ""
    assert main(["compute", "validate-ownership", *arguments, "--json"]) == expect
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is (expect != 1)
    lines = []
    for check in document["checks"]:
        lines.append(f"[{check['verdict'].upper()}] {check['name']}: {check['message']}")
        if check["verdict"] != "pass" and "hint" in check:
            lines.append(f"       {check['hint']}")
    assert out.splitlines() == lines
    return {check["name"]: (check["verdict"], check["message"]) for check in document["checks"]}


def test_a_worker_with_an_active_deployment_passes(worker: FakeWorker, app: FakeApp, capsys: Capture) -> None:
    assert validate(capsys) == {
        "worker_health": ("pass", f"The worker at {worker.url} is up (version 0.1.0)."),
        "active_deployment": ("pass", f"New runs use {A}."),
    }


def test_an_environment_is_named_with_what_is_active_in_it(worker: FakeWorker, app: FakeApp, capsys: Capture) -> None:
    worker.refusals["GET /v1/deployments/active"] = (200, {"deploymentId": A, "environment": "dev-ada"})
    assert main(["compute", "validate-ownership", "--environment", "dev-ada"]) == 0
    assert f"New runs in dev-ada use {A}." in capsys.readouterr().out
    body = {"code": "no_active_deployment", "message": "No deployment is active."}
    worker.refusals["GET /v1/deployments/active"] = (409, body)
    assert main(["compute", "validate-ownership", "--environment", "dev-ada"]) == 1
    assert "studio deploy --environment dev-ada" in capsys.readouterr().out


def test_no_active_deployment_fails(worker: FakeWorker, app: FakeApp, capsys: Capture) -> None:
    body = {"code": "no_active_deployment", "message": "No deployment is active."}
    worker.refusals["GET /v1/deployments/active"] = (409, body)
    found = validate(capsys, expect=1)
    assert found["active_deployment"] == ("fail", "No deployment is active.")
    assert main(["compute", "validate-ownership"]) == 1
    assert "[FAIL] active_deployment: No deployment is active.\n" in capsys.readouterr().out


def test_a_worker_that_is_down_fails(app: FakeApp, capsys: Capture) -> None:
    found = validate(capsys, "--url", "http://127.0.0.1:1", expect=1)
    assert [verdict for verdict, _ in found.values()] == ["fail", "fail"]


def test_strict_asks_the_app_and_names_the_instance(app: FakeApp, capsys: Capture) -> None:
    found = validate(capsys, "--strict", "--app-url", app.url)
    assert found["app_diagnostics"] == ("pass", f"The app at {app.url} answers.")
    assert found["target_world"] == ("pass", f"WORKFLOW_TARGET_WORLD is {TARGET}.")
    assert found["ownership_status"] == ("pass", "The app leaves execution to the worker.")
    assert found["app_key"] == ("pass", "The worker takes the app's key.")
    assert "id 0b1e, host web-1, pid 42, startedAt 2026-01-02T03:04:05.000Z" in found["instance"][1]


def test_strict_needs_the_apps_address(app: FakeApp, capsys: Capture) -> None:
    assert main(["compute", "validate-ownership", "--strict", "--json"]) == 2
    assert "--app-url" in json.loads(capsys.readouterr().out)["error"]["hint"]


def test_an_app_that_executes_by_itself_fails(app: FakeApp, capsys: Capture) -> None:
    app.report |= {"targetWorld": None, "status": "fail", "problems": ["WORKFLOW_TARGET_WORLD must be set."]}
    found = validate(capsys, "--strict", "--app-url", app.url, expect=1)
    assert found["target_world"] == ("fail", "WORKFLOW_TARGET_WORLD is not set in the app.")
    assert found["ownership_status"] == ("fail", "WORKFLOW_TARGET_WORLD must be set.")


def test_a_warning_of_the_app_is_one_here(app: FakeApp, capsys: Capture) -> None:
    app.report |= {"status": "warn", "problems": ["2 run(s) were started in this app."]}
    found = validate(capsys, "--strict", "--app-url", app.url, expect=2)
    assert found["ownership_status"] == ("warn", "2 run(s) were started in this app.")


def test_a_wrong_key_of_the_app_fails(app: FakeApp, capsys: Capture) -> None:
    message = "The worker does not take the key in WORKFLOW_COMPUTE_API_KEY."
    app.report["worker"]["access"] = {"status": "refused", "code": "unauthorized", "message": message}
    assert validate(capsys, "--strict", "--app-url", app.url, expect=1)["app_key"] == ("fail", message)


def test_a_key_that_an_older_app_does_not_check_is_said_to_be_unchecked(app: FakeApp, capsys: Capture) -> None:
    del app.report["worker"]["access"]
    verdict, message = validate(capsys, "--strict", "--app-url", app.url, expect=2)["app_key"]
    assert (verdict, "could not be checked" in message) == ("warn", True)


@pytest.mark.parametrize(
    ("language", "scopes", "package"),
    [(None, "scope world:proxy", "workflow-studio"), ("python", "trigger:write and runs:read", "workflow_studio_app")],
)
def test_what_to_do_about_a_key_depends_on_what_the_app_does_with_it(
    app: FakeApp, capsys: Capture, language: str | None, scopes: str, package: str
) -> None:
    app.report |= {"language": language} if language else {}
    app.report["worker"]["access"] = {"status": "refused", "code": "unauthorized", "message": "no"}
    main(["compute", "validate-ownership", "--strict", "--app-url", app.url])
    assert f"{scopes}." in capsys.readouterr().out
    del app.report["worker"]["access"]
    main(["compute", "validate-ownership", "--strict", "--app-url", app.url])
    shown = capsys.readouterr().out
    assert f"--force {package}\n" in shown


def test_an_app_that_points_to_another_worker_is_a_warning(app: FakeApp, capsys: Capture) -> None:
    app.report["worker"]["baseUrl"] = "https://other.test"
    assert validate(capsys, "--strict", "--app-url", app.url, expect=2)["same_worker"][0] == "warn"


def test_an_app_whose_runs_belong_to_another_environment_is_a_warning(app: FakeApp, capsys: Capture) -> None:
    app.report["worker"]["environment"] = "dev-ada"
    verdict, message = validate(capsys, "--strict", "--app-url", app.url, expect=2)["same_worker"]
    assert (verdict, "dev-ada" in message, "production" in message) == ("warn", True, True)
    options = ("--strict", "--app-url", app.url, "--environment", "dev-ada")
    assert validate(capsys, *options)["same_worker"][0] == "pass"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((401, b"{}"), "refuses the token"),
        ((403, b"{}"), "is closed"),
        ((404, b"<html>"), "does not exist"),
        ((500, b'{"code": "invalid_config", "message": "execution.mode is wrong."}'), "execution.mode is wrong."),
        ((200, b"<html>"), "not with diagnostics"),
        ((200, b'"text"'), "not with diagnostics"),
        ((302, b""), "not with diagnostics"),
    ],
)
def test_diagnostics_that_cannot_be_read(app: FakeApp, capsys: Capture, answer: tuple[int, bytes], reason: str) -> None:
    app.answer = answer
    verdict, message = validate(capsys, "--strict", "--app-url", app.url, expect=1)["app_diagnostics"]
    assert (verdict, reason in message) == ("fail", True)
    assert validate(capsys, "--app-url", app.url, expect=2)["app_diagnostics"][0] == "warn"


def test_an_app_that_is_down_fails_only_if_strict(app: FakeApp, capsys: Capture) -> None:
    assert "app_diagnostics" in validate(capsys, "--strict", "--app-url", "http://127.0.0.1:1", expect=1)
    assert "app_diagnostics" in validate(capsys, "--app-url", "http://127.0.0.1:1", expect=2)


def test_an_app_that_gets_no_token_asks_for_one(app: FakeApp, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN")
    app.answer = (401, b"{}")
    _, message = validate(capsys, "--strict", "--app-url", app.url, expect=1)["app_diagnostics"]
    assert "asks for a token" in message


def test_the_reason_why_an_app_is_out_of_reach_has_no_error_number(app: FakeApp, capsys: Capture) -> None:
    _, message = validate(capsys, "--strict", "--app-url", "http://127.0.0.1:1", expect=1)["app_diagnostics"]
    assert message.endswith("cannot be reached: Connection refused.")


def test_an_address_of_the_app_without_a_scheme_is_refused(app: FakeApp, capsys: Capture) -> None:
    assert main(["compute", "validate-ownership", "--strict", "--app-url", "localhost:3000"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "Error: localhost:3000 is not the URL of an app.",
        "It looks like http://localhost:3000.",
    ]


def test_a_wrong_token_is_not_repeated(app: FakeApp, capsys: Capture) -> None:
    arguments = ("--strict", "--app-url", app.url, "--diagnostics-token", "wrong-token")
    found = validate(capsys, *arguments, expect=1)
    assert "wrong-token" not in str(found)
