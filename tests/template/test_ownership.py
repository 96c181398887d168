"""What keeps the app from executing workflows that the worker owns, and what tells about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.template.support import Answer, FakeWorker, cbor, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template.support import App

pytestmark = pytest.mark.node

NOBODY = "http://127.0.0.1:9"
REMOTE = {
    "WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote",
    "WORKFLOW_COMPUTE_BASE_URL": NOBODY,
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


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    for server in FakeWorker().serve():
        server.answers(cbor({"deploymentId": "dep_1"}))
        yield server


def at(worker: FakeWorker) -> dict[str, str]:
    return {**REMOTE, "WORKFLOW_COMPUTE_BASE_URL": worker.url}


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


def test_a_healthy_app_passes(app: App, worker: FakeWorker) -> None:
    report = app.value(f"{REFUSE} return report()", **at(worker))
    assert (report["status"], report["problems"]) == ("pass", [])
    assert report["targetWorld"] == report["expectedTargetWorld"] == "workflow-studio/world-remote"
    assert report["executionMode"] == "remote"
    access = {"status": "ok", "code": None, "message": None}
    assert report["worker"] == {"baseUrl": worker.url, "environment": None, "apiKeyConfigured": True, "access": access}
    assert "key-of-these-tests" not in str(report)
    (asked,) = worker.requests
    assert (asked.method, asked.path) == ("GET", "/v1/world/deployment-id")
    assert asked.headers["authorization"] == "Bearer key-of-these-tests"


def test_the_answer_names_the_instance(app: App) -> None:
    twice = app.value(f"{REFUSE} return [await report(), await report()]", **REMOTE)
    first, second = (report["instance"] for report in twice)
    assert first == second
    assert first.keys() == {"id", "host", "pid", "startedAt"}
    assert len(first["id"]) == 36
    assert first["host"]
    assert first["id"] != app.value(f"{REFUSE} return report()", **REMOTE)["instance"]["id"]


@pytest.mark.parametrize("code", ["unauthorized", "missing_scope"])
def test_a_key_that_the_worker_refuses_is_a_failure(app: App, worker: FakeWorker, code: str) -> None:
    worker.answers(refusal(401 if code == "unauthorized" else 403, code))
    report = app.value(f"{REFUSE} return report()", **at(worker))
    assert report["status"] == "fail"
    assert (report["worker"]["access"]["status"], report["worker"]["access"]["code"]) == ("refused", code)
    (problem,) = report["problems"]
    assert "WORKFLOW_COMPUTE_API_KEY" in problem
    assert "key-of-these-tests" not in str(report)


def test_a_worker_without_a_deployment_took_the_key(app: App, worker: FakeWorker) -> None:
    worker.answers(refusal(409, "no_active_deployment"))
    report = app.value(f"{REFUSE} return report()", **at(worker))
    assert (report["status"], report["worker"]["access"]["status"]) == ("pass", "ok")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(200, b"<html>key-of-these-tests</html>", "text/html"), "unexpected_response"),
        (Answer(302, b"", "text/html", {"location": "http://elsewhere.test/"}), "unexpected_response"),
        (Answer(500, b'{"code": "internal_error"}', "application/json"), "internal_error"),
        (Answer(502, b'{"code": "<b>Bad Gateway</b>"}', "application/json"), "unexpected_response"),
    ],
    ids=["a page", "a redirect", "a failing worker", "a proxy"],
)
def test_what_is_no_answer_about_the_key_is_a_warning(app: App, worker: FakeWorker, answer: Answer, code: str) -> None:
    worker.answers(answer)
    report = app.value(f"{REFUSE} return report()", **at(worker))
    assert (report["status"], report["worker"]["access"]["status"]) == ("warn", "unknown")
    assert report["worker"]["access"]["code"] == code
    assert "key-of-these-tests" not in str(report)
    assert "<b>" not in str(report)
    assert len(worker.requests) == 1, "a redirect is not followed with the key"


def test_a_worker_that_does_not_answer_is_a_warning(app: App) -> None:
    report = app.value(f"{REFUSE} return report()", **REMOTE)
    assert report["status"] == "warn"
    assert report["worker"]["access"]["code"] == "unreachable"
    assert NOBODY in report["problems"][0]


def test_an_app_that_executes_by_itself_asks_no_worker(app: App, worker: FakeWorker) -> None:
    local = {**at(worker), "WORKFLOW_TARGET_WORLD": "local"}
    report = app.value(f"{REFUSE} return report()", **local)
    assert report["worker"]["access"] is None
    assert worker.requests == []


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


def test_no_more_of_a_body_is_read_than_a_message_needs(app: App) -> None:
    script = f"""{REFUSE}
        let given = 0;
        const body = new ReadableStream({{
            pull(controller) {{
                given += 1;
                controller.enqueue(new Uint8Array(65536).fill(32));
            }},
        }});
        const headers = {{ 'content-type': 'application/json', 'x-vqs-signature': 's' }};
        const hit = new Request({FLOW!r}, {{ method: 'POST', headers, body, duplex: 'half' }});
        await handle(hit);
        const {{ lastEvent }} = await report();
        return [given < 30, lastEvent.bodyShapeMatched];"""
    assert app.value(script, **REMOTE) == [True, False]
