"""What keeps the app from executing workflows that the worker owns, and what tells about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.template.support import App

pytestmark = pytest.mark.node

REMOTE = {
    "WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote",
    "WORKFLOW_COMPUTE_BASE_URL": "http://localhost:8787",
    "WORKFLOW_COMPUTE_API_KEY": "key-of-these-tests",
    "NODE_ENV": "development",
}
FLOW = "http://app.example.com/.well-known/workflow/v1/flow"
HIT = {"content-type": "application/json", "x-workflow-message-id": "msg_1"}
REFUSE = (
    "const handle = require('workflow-studio/world-remote').createWorld().createQueueHandler('__wkf_', () => {});"
    "const studio = require('workflow-studio'); const report = async () =>"
    "  (await studio.createOwnershipDiagnosticsHandler()(new Request('http://app/'))).json();"
)


def request(url: str = FLOW, method: str = "POST", headers: dict[str, str] | None = None, body: str = "{}") -> str:
    body = "" if method == "GET" else f", body: {body!r}"
    return f"new Request({url!r}, {{method: {method!r}, headers: {headers or {}}{body}}})"


def test_a_queue_message_is_refused_and_reported(app: App) -> None:
    hit = request(headers=HIT, body='{"runId": "wrun_1"}')
    report: dict[str, Any] = app.value(f"{REFUSE} await handle({hit}); return report()", **REMOTE)
    assert report["status"] == "fail"
    assert (report["unexpectedHits"], report["refusedRequests"]) == (1, 1)
    event = report["lastEvent"]
    assert (event["method"], event["path"]) == ("POST", "/.well-known/workflow/v1/flow")
    assert event["headers"] == ["x-workflow-message-id"]
    assert event["bodyShapeMatched"] is True
    assert any("queue delivered 1 message" in problem for problem in report["problems"])


@pytest.mark.parametrize(
    "noise",
    [
        request(method="GET", headers=HIT),
        request(url="http://app/.well-known/workflow/v1/webhook/t", headers=HIT),
        request(headers={"x-workflow-message-id": "m", "content-type": "text/plain"}),
        request(headers={"content-type": "application/json"}),
    ],
)
def test_what_does_not_look_like_a_queue_is_refused_without_alarm(app: App, noise: str) -> None:
    value = app.value(
        f"{REFUSE} const {{ status }} = await handle({noise}); const {{ unexpectedHits, refusedRequests, lastEvent }}"
        " = await report(); return [status, unexpectedHits, refusedRequests, lastEvent]",
        **REMOTE,
    )
    assert value == [409, 0, 1, None]


def test_a_body_of_another_shape_is_recorded_all_the_same(app: App) -> None:
    hit = request(headers={"content-type": "application/cloudevents+json", "x-vqs-signature": "s"}, body="not JSON")
    report = app.value(f"{REFUSE} await handle({hit}); return report()", **REMOTE)
    assert (report["unexpectedHits"], report["lastEvent"]["bodyShapeMatched"]) == (1, False)


def test_a_healthy_app_passes(app: App) -> None:
    report = app.value(f"{REFUSE} return report()", **REMOTE)
    assert (report["status"], report["problems"]) == ("pass", [])
    assert report["targetWorld"] == report["expectedTargetWorld"] == "workflow-studio/world-remote"
    assert report["executionMode"] == "remote"
    assert report["worker"] == {"baseUrl": "http://localhost:8787", "apiKeyConfigured": True}
    assert "key-of-these-tests" not in str(report)


def test_the_report_names_what_is_missing(app: App) -> None:
    app.write("workflow.config.json", '{"execution": {"mode": "remote"}}')
    report = app.value(f"{REFUSE} return report()", NODE_ENV="development")
    assert report["status"] == "fail"
    problems = " ".join(report["problems"])
    assert "WORKFLOW_TARGET_WORLD must be workflow-studio/world-remote" in problems
    assert "WORKFLOW_COMPUTE_BASE_URL" in problems
    assert "WORKFLOW_COMPUTE_API_KEY" in problems


@pytest.mark.parametrize(
    ("env", "header", "status"),
    [
        ({"NODE_ENV": "production"}, None, 403),
        ({}, None, 403),
        ({"NODE_ENV": "development"}, None, 200),
        ({"NODE_ENV": "production", "WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN": "tok"}, None, 401),
        ({"NODE_ENV": "production", "WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN": "tok"}, "Bearer to", 401),
        ({"NODE_ENV": "production", "WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN": "tok"}, "Bearer tok", 200),
        ({"NODE_ENV": "development", "WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN": "tok"}, None, 401),
    ],
)
def test_the_diagnostics_are_closed_in_production(
    app: App, env: dict[str, str], header: str | None, status: int
) -> None:
    headers = {"authorization": header} if header else {}
    assert (
        app.value(
            "const handle = require('workflow-studio').createOwnershipDiagnosticsHandler();"
            f"return (await handle(new Request('http://app/', {{headers: {headers}}}))).status",
            **env,
        )
        == status
    )


@pytest.mark.parametrize(
    ("mode", "target", "env", "refused"),
    [
        ("remote", None, "production", True),
        ("remote", "local", "production", True),
        ("remote", "workflow-studio/world-remote", "production", False),
        ("remote", None, "development", False),
        ("local", None, "production", False),
        ("local", "workflow-studio/world-remote", "production", True),
    ],
)
def test_production_does_not_start_half_rerouted(
    app: App, mode: str, target: str | None, env: str, *, refused: bool
) -> None:
    app.write("workflow.config.json", f'{{"execution": {{"mode": "{mode}"}}}}')
    answer = app.node(
        "require('workflow-studio').assertRemoteReroute()",
        NODE_ENV=env,
        **({"WORKFLOW_TARGET_WORLD": target} if target else {}),
    )
    assert ("error" in answer) is refused
    if refused:
        assert answer["error"]["code"] == "remote_reroute_missing"
        assert "WORKFLOW_TARGET_WORLD" in answer["error"]["message"]
