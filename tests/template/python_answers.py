"""What an app in Python answers, whatever its framework: triggers, refusals, diagnostics, streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import pytest
from pydantic import SecretStr

from tests.template.python_support import DIAGNOSTICS, HOOK, KEY, NO_ENTRIES, RUN, RUN_ID, STARTED, TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Protocol

    from tests.template.python_support import Fake

    class Connected(Protocol):
        """An app with a worker that is a function."""

        worker: Fake
        http: httpx.Client


ORDER = {"customer": "ada", "items": ["tea"]}
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


class Answers:
    """Tests for a subclass that connects an app.

    Attributes:
        webhook: What the log calls the address of a webhook.
        pause: What a stream gives where the worker gives a blank line.
    """

    webhook: ClassVar = "/.well-known/workflow/v1/webhook/<token>"
    pause: ClassVar = ": still here\n\n"

    def connected(self, **settings: Any) -> AbstractContextManager[Connected]:
        """Return the app with a worker that is a function."""
        raise NotImplementedError

    @pytest.mark.parametrize(("status", "code", "expected"), REFUSALS)
    def test_of_the_worker_that_refuse_are_told_with_a_code_and_no_secret(
        self, status: int, code: str, expected: int
    ) -> None:
        with self.connected() as app:
            body = {"code": code, "message": "the worker's words", "recovery": "do"}
            app.worker.answer = lambda _: httpx.Response(status, json=body, headers={"retry-after": "3"})
            answer = app.http.post("/api/orders", json=ORDER, headers={"idempotency-key": "1"})
        assert (answer.status_code, answer.json()["code"]) == (expected, code)
        assert answer.headers["retry-after"] == "3"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json()["recovery"]
        assert (answer.json()["message"] == "the worker's words") == (expected < 500)
        assert KEY not in answer.text
        assert "worker.example" not in answer.text

    def test_of_the_worker_are_told_in_full_to_developers(self) -> None:
        with self.connected(studio_environment="development") as app:
            app.worker.answer = lambda _: httpx.Response(401, json={"code": "unauthorized", "message": "Unknown."})
            answer = app.http.get(f"/api/orders/{RUN_ID}")
        assert (answer.status_code, answer.json()["message"]) == (502, "Unknown.")

    def test_without_a_worker_say_what_to_set(self, caplog: pytest.LogCaptureFixture) -> None:
        with self.connected(compute_base_url=None) as app:
            answers = [app.http.get(path) for path in (f"/api/orders/{RUN_ID}", HOOK)]
        assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(503, "not_configured")] * 2
        assert "WORKFLOW_COMPUTE_BASE_URL" in caplog.text

    def test_to_a_webhook_call_that_fails_are_logged_without_its_token(self, caplog: pytest.LogCaptureFixture) -> None:
        def nobody(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused", request=request)

        with self.connected() as app:
            app.worker.answer = nobody
            answer = app.http.post(HOOK.replace("a-token", "swordfish"))
        assert (answer.status_code, answer.json()["code"]) == (503, "unreachable")
        (said,) = [record.getMessage() for record in caplog.records if record.name.startswith("workflow_studio_app")]
        assert said.startswith(f"POST {self.webhook}: ")
        assert "swordfish" not in caplog.text

    def test_pass_the_idempotency_key_on(self) -> None:
        with self.connected() as app:
            app.worker.answer = lambda _: httpx.Response(201, json=STARTED)
            answer = app.http.post("/api/orders", json=ORDER, headers={"idempotency-key": "order-1"})
        assert (answer.status_code, answer.json()) == (202, {"runId": RUN_ID})
        (sent,) = app.worker.requests
        assert sent.headers["idempotency-key"] == "order-1"
        assert sent.headers["authorization"] == f"Bearer {KEY}"

    def test_of_the_diagnostics_are_closed_in_production_without_a_token(self) -> None:
        with self.connected() as app:
            answer = app.http.get(DIAGNOSTICS)
        assert (answer.status_code, answer.json()["code"]) == (403, "diagnostics_disabled")

    @pytest.mark.parametrize("given", [None, "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"])
    def test_of_the_diagnostics_ask_for_the_token(self, given: str | None) -> None:
        headers = {"authorization": given} if given else {}
        with self.connected(studio_diagnostics_token=SecretStr(TOKEN)) as app:
            assert app.http.get(DIAGNOSTICS, headers=headers).status_code == 401

    def test_of_the_diagnostics_tell_what_the_apps_in_javascript_tell(self) -> None:
        with self.connected(studio_diagnostics_token=SecretStr(TOKEN)) as app:
            app.worker.answer = lambda _: httpx.Response(200, json=NO_ENTRIES)
            report = self.report(app)
        assert report.pop("instance").keys() == {"id", "host", "pid", "startedAt"}
        assert report == {
            "status": "pass", "problems": [], "executionMode": "remote", "language": "python",
            "targetWorld": "workflow-studio/world-remote", "expectedTargetWorld": "workflow-studio/world-remote",
            "worker": {
                "baseUrl": "http://worker.example", "environment": None, "apiKeyConfigured": True,
                "access": {"status": "ok", "code": None, "message": None},
            },
            "unexpectedHits": 0, "refusedRequests": 0, "lastEvent": None,
            "failPolicy": "error", "fallbacks": 0, "lastFallback": None,
        }  # fmt: skip

    @staticmethod
    def report(app: Connected) -> dict[str, Any]:
        answer = app.http.get(DIAGNOSTICS, headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert KEY not in answer.text
        found: dict[str, Any] = answer.json()
        return found

    @pytest.mark.parametrize(
        ("status", "code", "expected"),
        [(401, "unauthorized", "fail"), (403, "missing_scope", "fail"), (500, "internal_error", "warn")],
    )
    def test_of_the_diagnostics_tell_whether_the_worker_takes_the_key(
        self, status: int, code: str, expected: str
    ) -> None:
        with self.connected(studio_diagnostics_token=SecretStr(TOKEN)) as app:
            body = {"code": code, "message": "no", "required": "runs:read"}
            app.worker.answer = lambda _: httpx.Response(status, json=body)
            report = self.report(app)
        assert (report["status"], report["worker"]["access"]["code"]) == (expected, code)

    def test_of_the_diagnostics_remember_what_a_queue_delivered(self) -> None:
        with self.connected(studio_diagnostics_token=SecretStr(TOKEN)) as app:
            app.worker.answer = lambda _: httpx.Response(200, json=NO_ENTRIES)
            for headers in ({}, {"x-workflow-message-id": "msg_1"}):
                refused = app.http.post("/.well-known/workflow/v1/step", json={"runId": RUN_ID}, headers=headers)
                assert (refused.status_code, refused.json()["code"]) == (409, "remote_execution_enabled")
            report = self.report(app)
        assert (report["status"], report["unexpectedHits"], report["refusedRequests"]) == ("fail", 1, 2)
        assert report["lastEvent"]["bodyShapeMatched"] is True
        assert report["lastEvent"]["path"] == "/.well-known/workflow/v1/step"

    def test_to_a_queue_read_no_more_than_a_message(self) -> None:
        with self.connected(studio_diagnostics_token=SecretStr(TOKEN)) as app:
            app.worker.answer = lambda _: httpx.Response(200, json=NO_ENTRIES)
            huge = {"runId": RUN_ID, "x": "x" * 1_100_000}
            headers = {"x-workflow-message-id": "msg_1"}
            assert app.http.post("/.well-known/workflow/v1/flow", json=huge, headers=headers).status_code == 409
            assert self.report(app)["lastEvent"]["bodyShapeMatched"] is False

    def test_of_streams_go_on_behind_the_last_event_that_was_seen(self) -> None:
        lines = '{"index":3,"value":"line\\nbreak"}\n\n{"done":true,"nextIndex":4}\n'
        with self.connected() as app:
            app.worker.answer = _stream(lambda _: httpx.Response(200, text=lines, headers=_NDJSON))
            found = app.http.get(f"/api/orders/{RUN_ID}/events", headers={"last-event-id": "2"})
        assert found.headers["content-type"].startswith("text/event-stream")
        assert found.text == 'id: 3\ndata: "line\\nbreak"\n\n' + self.pause + "event: end\ndata: {}\n\n"
        assert app.worker.requests[-1].url.params["startIndex"] == "3"

    def test_of_streams_that_nobody_wrote_end(self) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/streams"):
                return httpx.Response(200, json=NO_ENTRIES)
            if "/streams/" in request.url.path:
                return httpx.Response(404, json={"code": "not_found", "message": "no stream"})
            return httpx.Response(200, json=RUN)

        with self.connected() as app:
            app.worker.answer = answer
            assert app.http.get(f"/api/orders/{RUN_ID}/events").text == "event: end\ndata: {}\n\n"

    def test_of_streams_that_break_off_say_so(self) -> None:
        failed = {"code": "internal_error", "message": "a secret of the worker"}
        with self.connected() as app:
            app.worker.answer = _stream(lambda _: httpx.Response(500, json=failed))
            found = app.http.get(f"/api/orders/{RUN_ID}/events")
        assert found.text.startswith('event: error\ndata: {"code":"internal_error"')
        assert "secret" not in found.text

    def test_of_streams_of_no_run_are_none(self) -> None:
        with self.connected() as app:
            app.worker.answer = lambda _: httpx.Response(404, json={"code": "run_not_found", "message": "no"})
            assert app.http.get(f"/api/orders/{RUN_ID}/events").status_code == 404


_NDJSON = {"content-type": "application/x-ndjson"}


def _stream(chunks: Callable[[httpx.Request], httpx.Response]) -> Callable[[httpx.Request], httpx.Response]:
    """Return what answers for a worker with one run, which has a stream."""
    page = {**NO_ENTRIES, "data": [{"name": f"strm_{RUN_ID[5:]}_user", "tailIndex": 3, "done": True}]}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/streams"):
            return httpx.Response(200, json=page)
        return chunks(request) if "/streams/" in request.url.path else httpx.Response(200, json=RUN)

    return answer
