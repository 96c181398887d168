"""The Python package that FastAPI apps get, as the example has it: the webhook proxy and the request converter."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Self

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from tests.support.template import files
from tests.template.fastapi_app import EXAMPLE, WireWorker, exchange, load, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

studio_app = load("workflow_studio_app")
main = load("app.main")

KEY = "key-of-these-tests"
TOKEN = "token-of-these-tests"
HOOK = "/.well-known/workflow/v1/webhook/a-token"
RUN_ID = "wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV"
DEPLOYMENT_ID = "dep_0123456789abcdef0123456789abcdef"
DIAGNOSTICS = "/api/workflow-studio/diagnostics/remote-ownership"


def settings(**values: Any) -> Any:
    given = {"compute_base_url": "http://worker.example", "compute_api_key": SecretStr(KEY), "compute_retries": 0}
    return studio_app.WorkflowStudioSettings(_env_file=None, **{**given, **values})


@pytest.fixture
async def worker() -> AsyncIterator[WireWorker]:
    worker = WireWorker()
    async with worker.serve() as worker.url:
        yield worker


@pytest.fixture
async def port(worker: Any) -> AsyncIterator[int]:
    async with serving(main.create_app(settings(compute_base_url=worker.url))) as port:
        yield port


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"{line} HTTP/1.1", "host: app.example", "connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


class TestAWebhookCall:
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    async def test_arrives_with_its_method_query_and_binary_body(self, worker: Any, port: int, method: str) -> None:
        body = bytes(range(256))
        call = request(f"{method} {HOOK}?a=1&a=%2F&b", "content-type: x/y", "content-length: 256", body=body)
        answer = await exchange(port, call)
        assert answer.startswith(b"HTTP/1.1 202 ")
        (call,) = worker.calls
        assert call.start == f"{method} {HOOK}?a=1&a=%2F&b HTTP/1.1"
        assert call.body == body
        assert call.header("content-length") == ["256"]
        assert call.header("content-type") == ["x/y"]

    async def test_brings_no_key_of_the_app(self, worker: Any, port: int) -> None:
        await exchange(port, request(f"POST {HOOK}", "authorization: Bearer of-the-caller", "content-length: 0"))
        assert worker.calls[0].header("authorization") == ["Bearer of-the-caller"]
        assert KEY not in str(worker.calls)

    async def test_keeps_repeated_headers_and_bytes_that_are_not_ascii(self, worker: Any, port: int) -> None:
        headers = ("x-a: 1", "x-b: caf\xe9", "x-a: 2", "cookie: a=1", "x-a: 3")
        await exchange(port, request(f"GET {HOOK}", *headers))
        assert worker.calls[0].header("x-a") == ["1", "2", "3"]
        assert worker.calls[0].header("x-b") == ["caf\xe9"]

    async def test_keeps_a_huge_header(self, worker: Any, port: int) -> None:
        await exchange(port, request(f"GET {HOOK}", f"x-huge: {'h' * 40_000}"))
        assert worker.calls[0].header("x-huge") == ["h" * 40_000]

    async def test_loses_what_is_about_the_connection(self, worker: Any, port: int) -> None:
        headers = (
            "connection: x-hop, authorization", "x-hop: 1", "te: trailers", "upgrade: h2c", "keep-alive: 5",
            "proxy-authorization: Basic x", "authorization: Bearer kept", "accept-encoding: br",
        )  # fmt: skip
        await exchange(port, request(f"GET {HOOK}", *headers))
        (call,) = worker.calls
        gone = ("x-hop", "te", "upgrade", "keep-alive", "proxy-authorization", "connection")
        assert {name: call.header(name) for name in gone} == {name: [] for name in gone}
        assert call.header("authorization") == ["Bearer kept"]
        assert call.header("accept-encoding") == ["br"]

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_has_no_body_with_a_method_that_has_none(self, worker: Any, port: int, method: str) -> None:
        await exchange(port, request(f"{method} {HOOK}", "content-length: 5", body=b"12345"))
        (call,) = worker.calls
        assert (call.body, call.header("content-length"), call.header("transfer-encoding")) == (b"", [], [])

    async def test_of_chunks_arrives_while_it_is_written(self, worker: Any, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"POST {HOOK}", "transfer-encoding: chunked", body=b"3\r\none\r\n"))
        await worker.body_begun.wait()
        writer.write(b"4\r\n\x00two\r\n0\r\n\r\n")
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 202 ")
        assert worker.calls[0].body == b"one\x00two"

    async def test_whose_caller_leaves_while_it_waits_is_given_up(self, worker: Any, port: int) -> None:
        worker.silent = True
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"POST {HOOK}", "content-length: 4", body=b"body"))
        await worker.called.wait()
        writer.close()
        await worker.cut.wait()

    async def test_whose_caller_leaves_while_it_writes_is_given_up(self, worker: Any, port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"POST {HOOK}", "transfer-encoding: chunked", body=b"3\r\none\r\n"))
        await worker.body_begun.wait()
        writer.close()
        await worker.cut.wait()
        assert worker.calls == []

    async def test_gets_the_workflows_answer(self, worker: Any, port: int) -> None:
        worker.answer = lambda _: (
            b"HTTP/1.1 418 Teapot\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-encoding: gzip\r\n"
            b"connection: x-hop\r\nx-hop: 1\r\ntransfer-encoding: chunked\r\n\r\n3\r\n\x1f\x8b\x00\r\n0\r\n\r\n"
        )
        answer = await exchange(port, request(f"GET {HOOK}"))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 418 ")
        assert head.count(b"set-cookie: ") == 2
        assert b"content-encoding: gzip" in head
        assert b"x-hop" not in head
        assert b"\x1f\x8b\x00" in body

    async def test_of_head_gets_the_length_of_what_it_does_not_get(self, worker: Any, port: int) -> None:
        worker.answer = lambda _: b"HTTP/1.1 200 OK\r\ncontent-length: 12345\r\n\r\n"
        answer = await exchange(port, request(f"HEAD {HOOK}"))
        assert b"content-length: 12345" in answer
        assert answer.endswith(b"\r\n\r\n")

    async def test_is_not_led_elsewhere_by_its_token(self, worker: Any, port: int) -> None:
        for token in ("..%2F..%2F..%2F..%2Fv1%2Fruns", "a%2Fb%3Fc%23d"):
            await exchange(port, request(f"GET {HOOK.replace('a-token', token)}"))
            assert worker.calls[-1].start == f"GET {HOOK.replace('a-token', token)} HTTP/1.1"
        seen = len(worker.calls)
        assert b" 404 " in await exchange(port, request(f"GET {HOOK.replace('a-token', '..')}"))
        assert len(worker.calls) == seen

    async def test_does_not_leave_its_cookies_to_the_next_one(self, worker: Any, port: int) -> None:
        worker.answer = lambda _: b"HTTP/1.1 200 OK\r\nset-cookie: secret=1; path=/\r\ncontent-length: 0\r\n\r\n"
        await exchange(port, request(f"GET {HOOK}"))
        await exchange(port, request(f"GET {HOOK}"))
        assert worker.calls[1].header("cookie") == []

    async def test_says_who_called_and_nothing_that_a_stranger_made_up(self, worker: Any) -> None:
        headers = ("x-forwarded-for: 1.2.3.4", "x-forwarded-proto: https", "x-forwarded-host: evil", "forwarded: for=x")
        # uvicorn itself believes what comes from this machine, unless it is told not to.
        async with serving(main.create_app(settings(compute_base_url=worker.url)), proxy_headers=False) as port:
            await exchange(port, request(f"GET {HOOK}", *headers))
        (call,) = worker.calls
        assert call.header("x-forwarded-for") == ["127.0.0.1"]
        assert call.header("x-forwarded-proto") == ["http"]
        assert call.header("x-forwarded-host") == ["app.example"]
        assert call.header("forwarded") == []

    async def test_passes_on_what_a_trusted_proxy_says(self, worker: Any) -> None:
        app = main.create_app(settings(compute_base_url=worker.url, studio_trusted_proxies="10.0.0.0/8, 127.0.0.1"))
        headers = ("x-forwarded-for: 1.2.3.4", "x-forwarded-proto: https", "x-forwarded-host: shop.example")
        async with serving(app, proxy_headers=False) as port:
            await exchange(port, request(f"GET {HOOK}", *headers))
        (call,) = worker.calls
        assert call.header("x-forwarded-for") == ["1.2.3.4, 127.0.0.1"]
        assert call.header("x-forwarded-proto") == ["https"]
        assert call.header("x-forwarded-host") == ["shop.example"]

    async def test_that_no_worker_takes_is_told_so(self, worker: Any) -> None:
        app = main.create_app(settings(compute_base_url="http://127.0.0.1:9"))
        async with serving(app) as port:
            answer = await exchange(port, request(f"POST {HOOK}", "content-length: 2", body=b"{}"))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "unreachable"
        assert b"127.0.0.1:9" not in answer

    async def test_that_takes_too_long_is_told_so(self, worker: Any) -> None:
        worker.silent = True
        app = main.create_app(settings(compute_base_url=worker.url, compute_webhook_timeout=0.05))
        async with serving(app) as port:
            answer = await exchange(port, request(f"POST {HOOK}", "content-length: 2", body=b"{}"))
        assert answer.startswith(b"HTTP/1.1 504 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "timeout"


def scope(method: str = "POST", *, headers: list[tuple[bytes, bytes]] = [], **more: Any) -> Any:  # noqa: B006 - read
    from starlette.requests import Request  # noqa: PLC0415 - as the app does

    bodies = [{"type": "http.request", "body": piece, "more_body": True} for piece in more.pop("pieces", [])]
    messages = iter([*bodies, {"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        return next(messages, {"type": "http.disconnect"})

    return Request(
        {
            "type": "http", "method": method, "scheme": "http", "path": "/a b", "raw_path": b"/a%20b",
            "query_string": b"q=%2F", "headers": headers, "client": ("10.1.2.3", 5), "server": ("::1", 8000), **more,
        },
        receive,
    )  # fmt: skip


class TestTheConverter:
    async def test_makes_data_of_a_request(self) -> None:
        headers = [(b"host", b"shop.example:81"), (b"x-a", b"1"), (b"x-a", b"2"), (b"transfer-encoding", b"chunked")]
        made = await studio_app.to_web_request(scope(headers=headers, pieces=[b"\x00", b"", b"\xff" * 70_000]))
        assert (made.method, made.url) == ("POST", "http://shop.example:81/a%20b?q=%2F")
        assert made.headers == (("host", "shop.example:81"), ("x-a", "1"), ("x-a", "2"), ("content-length", "70001"))
        assert made.body == b"\x00" + b"\xff" * 70_000

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_takes_no_body_with_a_method_that_has_none(self, method: str) -> None:
        made = await studio_app.to_web_request(scope(method, headers=[(b"content-length", b"3")], pieces=[b"abc"]))
        assert (made.body, made.headers) == (b"", ())

    async def test_stops_reading_at_the_limit(self) -> None:
        chunked = [(b"transfer-encoding", b"chunked")]
        with pytest.raises(Exception, match="413") as caught:
            await studio_app.to_web_request(scope(headers=chunked, pieces=[b"x" * 60] * 3), largest_body=100)
        assert caught.value.status_code == 413  # type: ignore[attr-defined]

    async def test_is_told_when_the_caller_leaves(self) -> None:
        from starlette.requests import ClientDisconnect  # noqa: PLC0415 - as the app does

        left = scope(headers=[(b"transfer-encoding", b"chunked")])
        left._receive = leave
        with pytest.raises(ClientDisconnect):
            await studio_app.to_web_request(left)

    @pytest.mark.parametrize(
        ("headers", "expected"),
        [
            ([], "http://[::1]:8000/a%20b?q=%2F"),
            ([(b"host", b"evil/../x")], "http://[::1]:8000/a%20b?q=%2F"),
            ([(b"host", b"user@evil")], "http://[::1]:8000/a%20b?q=%2F"),
            ([(b"host", b"[::2]:9")], "http://[::2]:9/a%20b?q=%2F"),
            ([(b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"a, b")], "https://b/a%20b?q=%2F"),
            ([(b"x-forwarded-proto", b"javascript"), (b"x-forwarded-host", b"a b")], "http://[::1]:8000/a%20b?q=%2F"),
            ([(b"x-forwarded-host", b"a"), (b"x-forwarded-host", b"b")], "http://b/a%20b?q=%2F"),
        ],
    )
    async def test_tells_the_address_as_the_caller_wrote_it(self, headers: Any, expected: str) -> None:
        trusted = settings(studio_trusted_proxies="10.0.0.0/8").studio_trusted_proxies
        assert studio_app.public_url(scope(headers=headers), trusted) == expected

    @pytest.mark.parametrize("client", [("11.1.2.3", 5), ("testclient", 1), None])
    async def test_believes_no_stranger(self, client: Any) -> None:
        headers = [(b"host", b"a"), (b"x-forwarded-proto", b"https"), (b"x-forwarded-host", b"evil")]
        trusted = settings(studio_trusted_proxies="10.0.0.0/8").studio_trusted_proxies
        assert studio_app.public_url(scope(headers=headers, client=client), trusted) == "http://a/a%20b?q=%2F"

    async def test_knows_an_address_of_ipv4_in_the_clothes_of_ipv6(self) -> None:
        trusted = settings(studio_trusted_proxies="10.0.0.0/8").studio_trusted_proxies
        found = scope(headers=[(b"host", b"a"), (b"x-forwarded-proto", b"https")], client=("::ffff:10.9.9.9", 5))
        assert studio_app.public_url(found, trusted).startswith("https://a/")


async def leave() -> Any:
    return {"type": "http.disconnect"}


class Fake(httpx.MockTransport):
    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Any = lambda _: httpx.Response(200, json={})
        super().__init__(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer: httpx.Response = self.answer(request)
        return answer


class Connected:
    """The app with a worker that is a function."""

    def __init__(self, **values: Any) -> None:
        self.worker = Fake()
        self.app = main.create_app(settings(**values), self.worker)

    async def __aenter__(self) -> Self:
        self._lifespan = self.app.router.lifespan_context(self.app)
        await self._lifespan.__aenter__()
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://app.example")
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.http.aclose()
        await self._lifespan.__aexit__(None, None, None)


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
            started = {"runId": RUN_ID, "status": "pending", "deploymentId": DEPLOYMENT_ID}
            connected.worker.answer = lambda _: httpx.Response(201, json=started)
            found = await studio_app.proxy_trigger_from_fastapi(
                scope(app=connected.app), workflow_name="workflow//./a//b", input=given
            )
        assert found.run_id == RUN_ID
        assert json.loads(connected.worker.requests[0].content).get("input", []) == sent

    async def test_of_two_users_with_one_idempotency_key_are_two(self) -> None:
        sent = []
        async with Connected() as connected:
            started = {"runId": RUN_ID, "status": "pending", "deploymentId": DEPLOYMENT_ID}
            connected.worker.answer = lambda _: httpx.Response(201, json=started)
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
            connected.worker.answer = lambda _: httpx.Response(200, json={"data": [], "hasMore": False, "cursor": None})
            report = await self.report(connected)
        assert report.pop("instance").keys() == {"id", "host", "pid", "startedAt"}
        assert report == {
            "status": "pass", "problems": [], "executionMode": "remote",
            "targetWorld": "workflow-studio/world-remote", "expectedTargetWorld": "workflow-studio/world-remote",
            "worker": {
                "baseUrl": "http://worker.example", "apiKeyConfigured": True,
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
            connected.worker.answer = lambda _: httpx.Response(200, json={"data": [], "hasMore": False, "cursor": None})
            for headers in ({}, {"x-workflow-message-id": "msg_1"}):
                refused = await connected.http.post(
                    "/.well-known/workflow/v1/step", json={"runId": RUN_ID}, headers=headers
                )
                assert (refused.status_code, refused.json()["code"]) == (409, "remote_execution_enabled")
            report = await self.report(connected)
        assert (report["status"], report["unexpectedHits"], report["refusedRequests"]) == ("fail", 1, 2)
        assert report["lastEvent"]["bodyShapeMatched"] is True


class TestStreams:
    async def test_are_followed_from_the_last_event_that_was_seen(self) -> None:
        lines = '{"index":3,"value":"line\\nbreak"}\n\n{"done":true,"nextIndex":4}\n'
        name = studio_app.stream_name(RUN_ID)

        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/streams"):
                page = {"data": [{"name": name, "tailIndex": 3, "done": True}], "hasMore": False, "cursor": None}
                return httpx.Response(200, json=page)
            if name in request.url.path:
                return httpx.Response(200, text=lines, headers={"content-type": "application/x-ndjson"})
            return httpx.Response(200, json=run())

        async with Connected() as connected:
            connected.worker.answer = answer
            found = await connected.http.get(f"/api/orders/{RUN_ID}/events", headers={"last-event-id": "2"})
        assert found.headers["content-type"].startswith("text/event-stream")
        assert found.text == 'id: 3\ndata: "line\\nbreak"\n\nevent: end\ndata: {}\n\n'
        assert connected.worker.requests[-1].url.params["startIndex"] == "3"

    async def test_that_nobody_follows_any_more_are_given_up(self, worker: Any, port: int) -> None:
        page = {"data": [{"name": studio_app.stream_name(RUN_ID)}], "hasMore": False, "cursor": None}

        def answer(call: Any) -> bytes:
            if "/streams/" in call.start:
                line = b'{"index":0,"value":"hello"}\n'
                head = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
                return head + b"%x\r\n%b\r\n" % (len(line), line)
            body = json.dumps(page if "/streams" in call.start else {**run(), "status": "running"}).encode()
            return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

        worker.answer = answer
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"GET /api/orders/{RUN_ID}/events"))
        assert b"id: 0" in await reader.readuntil(b'data: "hello"\n\n')
        assert not worker.cut.is_set()
        writer.close()
        await worker.cut.wait()

    async def test_of_a_run_that_wrote_nothing_end(self) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/streams"):
                return httpx.Response(200, json={"data": [], "hasMore": False, "cursor": None})
            if "/streams/" in request.url.path:
                return httpx.Response(404, json={"code": "not_found", "message": "no stream"})
            return httpx.Response(200, json=run())

        async with Connected() as connected:
            connected.worker.answer = answer
            found = await connected.http.get(f"/api/orders/{RUN_ID}/events")
        assert found.text == "event: end\ndata: {}\n\n"

    async def test_that_break_off_say_so(self) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/streams"):
                return httpx.Response(500, json={"code": "internal_error", "message": "a secret of the worker"})
            return httpx.Response(200, json=run())

        async with Connected() as connected:
            connected.worker.answer = answer
            found = await connected.http.get(f"/api/orders/{RUN_ID}/events")
        assert found.text.startswith('event: error\ndata: {"code":"internal_error"')
        assert "secret" not in found.text

    def test_have_the_names_that_the_sdk_gives_them(self) -> None:
        assert studio_app.stream_name(RUN_ID) == "strm_01ARZ3NDEKTSV4RRFFQ69G5FAV_user"
        assert studio_app.stream_name(RUN_ID, "a/b?") == "strm_01ARZ3NDEKTSV4RRFFQ69G5FAV_user_YS9iPw"


def run() -> dict[str, Any]:
    orders = load("app.orders")
    return {
        "runId": RUN_ID, "status": "completed", "workflowName": orders.FULFIL_ORDER, "deploymentId": DEPLOYMENT_ID,
    }  # fmt: skip


class TestSettings:
    def test_come_from_the_environment(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / ".env").write_text("WORKFLOW_COMPUTE_API_KEY=of-the-file\nOTHER=1\n")
        monkeypatch.setenv("WORKFLOW_COMPUTE_BASE_URL", "https://worker.example/studio/")
        monkeypatch.setenv("WORKFLOW_STUDIO_TRUSTED_PROXIES", "10.0.0.0/8, ::1")
        found = studio_app.WorkflowStudioSettings()
        assert found.compute_base_url == "https://worker.example/studio"
        assert found.compute_api_key.get_secret_value() == "of-the-file"
        assert [str(network) for network in found.studio_trusted_proxies] == ["10.0.0.0/8", "::1/128"]

    def test_show_no_secret(self) -> None:
        shown = repr(settings(studio_diagnostics_token=SecretStr(TOKEN)))
        assert KEY not in shown
        assert TOKEN not in shown

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("compute_base_url", "http://user:hunter2@worker.example"),
            ("compute_base_url", "hunter2"),
            ("compute_base_url", "file:///hunter2"),
            ("compute_base_url", "https://worker.example/?key=hunter2"),
            ("compute_api_key", "hunter2\nx: y"),
            ("compute_api_key", "hünter2"),
            ("studio_trusted_proxies", "hunter2"),
            ("compute_timeout", 0),
        ],
    )
    def test_that_cannot_work_are_refused_without_being_repeated(self, name: str, value: Any) -> None:
        with pytest.raises(ValidationError) as caught:
            settings(**{name: value})
        assert "hunter2" not in str(caught.value)


async def test_a_provider_is_vouched_for_by_the_apps_key() -> None:
    async with Connected() as connected:
        connected.worker.answer = lambda _: httpx.Response(200, json={"accepted": True})
        headers = [(b"content-length", b"2"), (b"stripe-signature", b"s")]
        found = await studio_app.proxy_webhook_from_fastapi(
            scope(app=connected.app, headers=headers, pieces=[b"{}"]), provider="stripe"
        )
    assert json.loads(found.body) == {"accepted": True}
    (sent,) = connected.worker.requests
    assert sent.url == "http://worker.example/v1/webhooks/stripe?q=%2F"
    assert (sent.headers["stripe-signature"], sent.headers["authorization"]) == ("s", f"Bearer {KEY}")


async def test_an_app_that_was_never_started_says_what_is_missing() -> None:
    app = main.create_app(settings())
    with pytest.raises(RuntimeError, match="lifespan"):
        studio_app.get_studio(scope(app=app))


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"], ["pytest", "-q"]])
def test_the_example_passes_its_own_checks(tmp_path: Path, command: list[str]) -> None:
    folder = tmp_path / "orders"
    for path, content in files(EXAMPLE).items():
        if not path.startswith("node_modules/"):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
