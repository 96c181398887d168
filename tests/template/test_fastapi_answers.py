"""FastAPI apps: starting runs, refusals, diagnostics."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.template.fastapi_app import Connected, main, scope, settings, studio_app
from tests.template.python_support import DIAGNOSTICS, HOOK, KEY, NO_ENTRIES, RUN_ID, STARTED, TOKEN

REFUSALS = [
    (401, "unauthorized", 502),
    (403, "missing_scope", 502),
    (404, "hook_not_found", 404),
    (409, "idempotency_conflict", 409),
    (409, "no_active_deployment", 409),
    (413, "request_too_large", 413),
    (429, "rate_limited", 429),
    (500, "internal_error", 502),
    (503, "executor_unavailable", 503),
]


class TestRefusals:
    @pytest.mark.parametrize(("status", "code", "expected"), REFUSALS)
    async def test_are_told_with_a_code_and_no_secret(self, status: int, code: str, expected: int) -> None:
        async with Connected() as connected:
            body = {"code": code, "message": "the worker's words", "recovery": "do"}
            connected.worker.answer = lambda _: httpx.Response(status, json=body, headers={"retry-after": "3"})
            order = {"customer": "ada", "items": ["tea"]}
            answer = await connected.http.post("/api/orders", json=order, headers={"idempotency-key": "1"})
        assert (answer.status_code, answer.json()["code"]) == (expected, code)
        assert answer.headers["retry-after"] == "3"
        assert answer.json()["recovery"]
        assert (answer.json()["message"] == "the worker's words") == (expected < 500)
        assert KEY not in answer.text
        assert "worker.example" not in answer.text

    async def test_are_told_in_full_to_developers(self) -> None:
        async with Connected(studio_environment="development") as connected:
            connected.worker.answer = lambda _: httpx.Response(
                401, json={"code": "unauthorized", "message": "Unknown."}
            )
            answer = await connected.http.get(f"/api/orders/{RUN_ID}")
        assert (answer.status_code, answer.json()["message"]) == (502, "Unknown.")

    async def test_without_a_worker_say_what_to_set(self, caplog: pytest.LogCaptureFixture) -> None:
        async with Connected(compute_base_url=None) as connected:
            answers = [await connected.http.get(path) for path in (f"/api/orders/{RUN_ID}", HOOK)]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(503, "not_configured")] * 2
        assert "WORKFLOW_COMPUTE_BASE_URL" in caplog.text


class TestTriggers:
    @pytest.mark.parametrize(
        ("given", "sent"), [(None, []), ([1, 2], [1, 2]), ({"a": 1}, [{"a": 1}]), ("x", ["x"]), (0, [0])]
    )
    async def test_give_the_workflow_its_arguments(self, given: Any, sent: Any) -> None:
        async with Connected() as connected:
            connected.worker.answer = lambda _: httpx.Response(201, json=STARTED)
            found = await studio_app.proxy_trigger_from_fastapi(
                scope(app=connected.app), workflow_name="workflow//./a//b", input=given
            )
        assert found.run_id == RUN_ID
        assert json.loads(connected.worker.requests[0].content).get("input", []) == sent

    async def test_of_two_users_with_one_idempotency_key_are_two(self) -> None:
        sent = []
        async with Connected() as connected:
            connected.worker.answer = lambda _: httpx.Response(201, json=STARTED)
            for user in ("ada", "bob", "ada", None):
                await studio_app.proxy_trigger_from_fastapi(
                    scope(app=connected.app, headers=[(b"idempotency-key", b"1")]),
                    workflow_name="workflow//./a//b",
                    idempotency_scope=user,
                )
                sent.append(connected.worker.requests[-1].headers["idempotency-key"])
        assert sent[0] == sent[2] != sent[1]
        assert sent[3] == "1"


class TestDiagnostics:
    async def test_are_closed_in_production_without_a_token(self) -> None:
        async with Connected() as connected:
            answer = await connected.http.get(DIAGNOSTICS)
        assert (answer.status_code, answer.json()["code"]) == (403, "diagnostics_disabled")

    @pytest.mark.parametrize("given", [None, "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9"])
    async def test_ask_for_the_token(self, given: str | None) -> None:
        headers = {"authorization": given.encode("latin-1")} if given else {}
        async with Connected(studio_diagnostics_token=SecretStr(TOKEN)) as connected:
            assert (await connected.http.get(DIAGNOSTICS, headers=headers)).status_code == 401

    async def test_tell_what_the_apps_in_javascript_tell(self) -> None:
        async with Connected(studio_diagnostics_token=SecretStr(TOKEN)) as connected:
            connected.worker.answer = lambda _: httpx.Response(200, json=NO_ENTRIES)
            report = await self.report(connected)
        assert report.pop("instance").keys() == {"id", "host", "pid", "startedAt"}
        assert report == {
            "status": "pass", "problems": [], "executionMode": "remote",
            "targetWorld": "workflow-studio/world-remote", "expectedTargetWorld": "workflow-studio/world-remote",
            "worker": {
                "baseUrl": "http://worker.example", "environment": None, "apiKeyConfigured": True,
                "access": {"status": "ok", "code": None, "message": None},
            },
            "language": "python", "unexpectedHits": 0, "refusedRequests": 0, "lastEvent": None,
            "failPolicy": "error", "fallbacks": 0, "lastFallback": None,
        }  # fmt: skip

    @staticmethod
    async def report(connected: Connected) -> dict[str, Any]:
        answer = await connected.http.get(DIAGNOSTICS, headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert KEY not in answer.text
        found: dict[str, Any] = answer.json()
        return found

    @pytest.mark.parametrize(
        ("status", "code", "expected"),
        [(401, "unauthorized", "fail"), (403, "missing_scope", "fail"), (500, "internal_error", "warn")],
    )
    async def test_tell_whether_the_worker_takes_the_key(self, status: int, code: str, expected: str) -> None:
        async with Connected(studio_diagnostics_token=SecretStr(TOKEN)) as connected:
            body = {"code": code, "message": "no", "required": "runs:read"}
            connected.worker.answer = lambda _: httpx.Response(status, json=body)
            report = await self.report(connected)
        assert (report["status"], report["worker"]["access"]["code"]) == (expected, code)

    async def test_remember_what_a_queue_delivered(self) -> None:
        async with Connected(studio_diagnostics_token=SecretStr(TOKEN)) as connected:
            connected.worker.answer = lambda _: httpx.Response(200, json=NO_ENTRIES)
            for headers in ({}, {"x-workflow-message-id": "msg_1"}):
                refused = await connected.http.post(
                    "/.well-known/workflow/v1/step", json={"runId": RUN_ID}, headers=headers
                )
                assert (refused.status_code, refused.json()["code"]) == (409, "remote_execution_enabled")
            report = await self.report(connected)
        assert (report["status"], report["unexpectedHits"], report["refusedRequests"]) == ("fail", 1, 2)
        assert report["lastEvent"]["bodyShapeMatched"] is True


async def test_an_app_that_was_never_started_says_what_is_missing() -> None:
    app = main.create_app(settings())
    with pytest.raises(RuntimeError, match="lifespan"):
        studio_app.get_studio(scope(app=app))
