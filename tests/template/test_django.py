"""Django projects: what they answer, the requests they make data of, and what their checks say."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncRequestFactory, RequestFactory, override_settings
from pydantic import SecretStr

from tests.template.django_app import aclose, asgi_app, configured, connected, load, studio_app, wsgi_app
from tests.template.python_answers import Answers
from tests.template.python_app import WireWorker, serving
from tests.template.python_support import (
    DIAGNOSTICS,
    HOOK,
    KEY,
    NO_ENTRIES,
    RUN,
    RUN_ID,
    STARTED,
    TOKEN,
    Fake,
    request,
    unending_stream,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from django.core.handlers.asgi import ASGIRequest
    from django.http import HttpRequest

WORKFLOW = "workflow//./a//b"
MIDDLEWARE = "workflow_studio_app.middleware.WorkflowStudioMiddleware"


class TestAnswers(Answers):
    def connected(self, **given: Any) -> AbstractContextManager[Any]:
        return connected(**given)


def by_wsgi(path: str = "/a%20b?q=%2F", data: bytes = b"", **headers: str) -> HttpRequest:
    made: HttpRequest = RequestFactory().post(path, data, "x/y", headers={"host": "testserver", **headers})
    return made


def by_asgi(path: str = "/a%20b?q=%2F", data: bytes = b"", **headers: str) -> ASGIRequest:
    return AsyncRequestFactory().post(path, data, "x/y", headers=headers)


BOTH = pytest.mark.parametrize("made", [by_wsgi, by_asgi])


def trigger(how: str, request: HttpRequest, **more: Any) -> Any:
    if how == "blocking":
        return studio_app.proxy_trigger_from_django(request, workflow_name=WORKFLOW, **more)
    return async_to_sync(studio_app.aproxy_trigger_from_django)(request, workflow_name=WORKFLOW, **more)


@BOTH
@pytest.mark.parametrize("how", ["blocking", "awaited"])
class TestTriggers:
    @pytest.mark.parametrize(
        ("given", "sent"), [(None, []), ([1, 2], [1, 2]), ({"a": 1}, [{"a": 1}]), ("x", ["x"]), (0, [0])]
    )
    def test_give_the_workflow_its_arguments(self, made: Any, how: str, given: Any, sent: Any) -> None:
        worker = Fake()
        worker.answer = lambda _: httpx.Response(201, json=STARTED)
        with configured(worker):
            assert trigger(how, made(), input=given).run_id == RUN_ID
        assert json.loads(worker.requests[0].content).get("input", []) == sent

    def test_of_two_users_with_one_idempotency_key_are_two(self, made: Any, how: str) -> None:
        worker = Fake()
        worker.answer = lambda _: httpx.Response(201, json=STARTED)
        with configured(worker):
            for user in ("ada", "bob", "ada", None):
                trigger(how, made(**{"idempotency-key": "1"}), idempotency_scope=user)
        sent = [request.headers["idempotency-key"] for request in worker.requests]
        assert sent[0] == sent[2] != sent[1]
        assert sent[3] == "1"


@BOTH
class TestTheConverter:
    def test_makes_data_of_a_request(self, made: Any) -> None:
        found = studio_app.to_web_request(made(data=b"\x00\xff" * 70_000, **{"x-a": "1"}))
        assert (found.method, found.url) == ("POST", "http://testserver/a%20b?q=%2F")
        assert found.body == b"\x00\xff" * 70_000
        headers = dict(found.headers)
        assert (headers["x-a"], headers["content-length"], headers["content-type"]) == ("1", "140000", "x/y")

    def test_takes_what_was_read_before(self, made: Any) -> None:
        request = made(data=b"signed")
        assert request.body == b"signed"
        assert studio_app.to_web_request(request).body == b"signed"

    @pytest.mark.parametrize("read_before", [True, False])
    def test_stops_reading_at_the_limit(self, made: Any, read_before: bool) -> None:
        request = made(data=b"x" * 101)
        assert not read_before or request.body
        with pytest.raises(Exception, match="larger than 100") as caught:
            studio_app.to_web_request(request, largest_body=100)
        assert caught.value.status == 413  # type: ignore[attr-defined]

    def test_takes_more_than_django_takes_of_forms(self, made: Any) -> None:
        assert len(studio_app.to_web_request(made(data=b"x" * 3_000_000)).body) == 3_000_000

    def test_believes_proxies_that_are_trusted_only(self, made: Any) -> None:
        forwarded = {"x-forwarded-proto": "https", "x-forwarded-host": "shop.example"}
        with configured(studio_trusted_proxies="127.0.0.1"):
            trusted = load("workflow_studio_app.connection").read_settings().studio_trusted_proxies
        assert studio_app.public_url(made(**forwarded)) == "http://testserver/a%20b?q=%2F"
        assert studio_app.public_url(made(**forwarded), trusted) == "https://shop.example/a%20b?q=%2F"


@BOTH
@pytest.mark.parametrize("how", ["blocking", "awaited"])
def test_a_provider_is_vouched_for_by_the_apps_key(made: Any, how: str) -> None:
    worker = Fake()
    worker.answer = lambda _: httpx.Response(200, json={"accepted": True})
    call = studio_app.proxy_webhook_from_django
    if how == "awaited":
        call = async_to_sync(studio_app.aproxy_webhook_from_django)
    with configured(worker):
        answer = call(made(data=b"{}", **{"stripe-signature": "s"}), provider="stripe")
        with pytest.raises(TypeError):
            call(made(), "token", provider="stripe")
    assert json.loads(answer.content) == {"accepted": True}
    (sent,) = worker.requests
    assert sent.url == "http://worker.example/v1/webhooks/stripe?q=%2F"
    assert (sent.headers["stripe-signature"], sent.headers["authorization"]) == ("s", f"Bearer {KEY}")


class TestByAsgi:
    async def test_every_address_is_answered(self) -> None:
        worker = Fake()
        worker.answer = lambda _: httpx.Response(200, json=NO_ENTRIES)
        transport = httpx.ASGITransport(asgi_app())
        with configured(worker, studio_diagnostics_token=SecretStr(TOKEN)):
            async with httpx.AsyncClient(transport=transport, base_url="http://app.example") as http:
                headers = {"x-workflow-message-id": "msg_1"}
                refused = await http.post("/.well-known/workflow/v1/step", json={"runId": RUN_ID}, headers=headers)
                report = await http.get(DIAGNOSTICS, headers={"authorization": f"Bearer {TOKEN}"})
                called = await http.post(HOOK, content=b"x")
                worker.answer = lambda _: httpx.Response(401, json={"code": "unauthorized", "message": "no"})
                failed = await http.get(f"/api/orders/{RUN_ID}")
        assert refused.status_code == 409
        assert (report.json()["unexpectedHits"], report.json()["lastEvent"]["bodyShapeMatched"]) == (1, True)
        assert (called.status_code, called.json()) == (200, NO_ENTRIES)
        assert (failed.status_code, failed.json()["code"]) == (502, "unauthorized")

    async def test_a_stream_that_nobody_follows_any_more_is_given_up(self) -> None:
        worker = WireWorker()
        async with worker.serve() as url:
            worker.answer = unending_stream()
            with configured(compute_base_url=url):
                async with serving(asgi_app(), lifespan="off") as port:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(request(f"GET /api/orders/{RUN_ID}/events"))
                    assert b"id: 0" in await reader.readuntil(b'data: "hello"\n\n')
                    assert not worker.cut.is_set()
                    writer.close()
                    await worker.cut.wait()
                    await aclose()


class TestTheDoor:
    def test_is_in_front_of_what_the_project_refuses(self) -> None:
        worker = Fake()
        app = wsgi_app(MIDDLEWARE=[MIDDLEWARE, "tests.template.django_app.refuses"])
        with configured(worker, studio_diagnostics_token=SecretStr(TOKEN)):
            http = httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://app.example")
            assert http.get("/anything").status_code == 403
            assert http.post(HOOK).status_code == 200
            assert http.get(DIAGNOSTICS).status_code == 401
            assert http.post("/.well-known/workflow/v1/flow").status_code == 409

    def test_leaves_other_addresses_and_methods_to_the_project(self) -> None:
        with connected() as app:
            for method, path in (
                ("TRACE", HOOK), ("POST", DIAGNOSTICS), ("GET", "/.well-known/workflow/v1/flow"),
                ("GET", "/.well-known/workflow/v1"), ("GET", f"{DIAGNOSTICS}/x"),
            ):  # fmt: skip
                assert app.http.request(method, path).status_code in {403, 404}

    def test_lets_a_middleware_in_front_of_it_change_headers(self) -> None:
        worker = Fake()
        worker.answer = lambda _: httpx.Response(200, headers=[("x-a", "1"), ("x-a", "2"), ("x-b", "1"), ("x-c", "1")])
        app = wsgi_app(MIDDLEWARE=["tests.template.django_app.changes_headers", MIDDLEWARE])
        with configured(worker):
            http = httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://app.example")
            answer = http.post(HOOK)
        found = [entry for entry in answer.headers.multi_items() if entry[0].startswith("x-")]
        assert sorted(found) == [("x-a", "1"), ("x-a", "2"), ("x-b", "changed"), ("x-d", "new")]

    def test_answers_for_the_errors_of_the_worker_only(self) -> None:
        middleware = load("workflow_studio_app.middleware").WorkflowStudioMiddleware(lambda request: None)
        assert middleware.process_exception(by_wsgi(), ValueError("mine")) is None


class TestChecks:
    @staticmethod
    def ids(**given: Any) -> list[str]:
        with configured(**given):
            return [found.id for found in load("workflow_studio_app.checks").check_settings(None)]

    def test_are_content(self) -> None:
        assert self.ids() == []

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"compute_base_url": None}, ["workflow_studio.W001"]),
            ({"compute_api_key": None}, ["workflow_studio.W002"]),
            ({"compute_base_url": "hunter2"}, ["workflow_studio.E002"]),
        ],
    )
    def test_name_what_is_missing(self, given: dict[str, Any], expected: list[str]) -> None:
        assert self.ids(**given) == expected

    def test_miss_the_middleware(self) -> None:
        with override_settings(MIDDLEWARE=[]):
            assert self.ids() == ["workflow_studio.E001"]

    def test_repeat_no_value(self) -> None:
        with configured(compute_base_url="hunter2"):
            found = load("workflow_studio_app.checks").check_settings(None)
        assert "hunter2" not in str(found)


def test_settings_of_django_are_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKFLOW_COMPUTE_BASE_URL", "http://of-the-environment.example")
    monkeypatch.setenv("WORKFLOW_COMPUTE_TIMEOUT", "3")
    with override_settings(WORKFLOW_STUDIO={"compute_base_url": "http://of-django.example", "_env_file": None}):
        found = load("workflow_studio_app.connection").read_settings()
    assert (found.compute_base_url, found.compute_timeout) == ("http://of-django.example", 3)


async def test_each_event_loop_has_a_connection_of_its_own() -> None:
    worker = Fake()
    worker.answer = lambda _: httpx.Response(200, json=RUN)
    with configured(worker):
        here = studio_app.get_async_client()
        assert studio_app.get_async_client() is here

        async def there() -> Any:
            return studio_app.get_async_client()

        assert await asyncio.to_thread(asyncio.run, there()) is not here


def test_requests_that_are_the_first_ones_together_share_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = load("workflow_studio_app.connection")
    read, together = connection.read_settings, threading.Barrier(2)

    def read_settings() -> Any:
        with suppress(threading.BrokenBarrierError):
            together.wait(0.3)  # in vain, unless both make one
        return read()

    with configured(Fake()), ThreadPoolExecutor() as threads:
        monkeypatch.setattr(connection, "read_settings", read_settings)
        first, second = threads.map(lambda _: connection.connections(), range(2))
    assert first is second
