"""Flask apps: what they answer, and the requests they make data of."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from flask import Flask, Request
from pydantic import SecretStr

from tests.template.flask_app import Connected, load, settings, studio_app
from tests.template.python_answers import Answers
from tests.template.python_support import DIAGNOSTICS, HOOK, KEY, RUN_ID, STARTED, TOKEN, Fake

if TYPE_CHECKING:
    from collections.abc import Iterator


class TestAnswers(Answers):
    @contextmanager
    def connected(self, **given: Any) -> Iterator[Any]:
        yield Connected(**given)


class TestTriggers:
    @pytest.mark.parametrize(
        ("given", "sent"), [(None, []), ([1, 2], [1, 2]), ({"a": 1}, [{"a": 1}]), ("x", ["x"]), (0, [0])]
    )
    def test_give_the_workflow_its_arguments(self, given: Any, sent: Any) -> None:
        found = Connected()
        found.worker.answer = lambda _: httpx.Response(201, json=STARTED)
        with found.app.test_request_context("/", method="POST") as context:
            started = studio_app.proxy_trigger_from_flask(
                context.request, workflow_name="workflow//./a//b", input=given
            )
        assert started.run_id == RUN_ID
        assert json.loads(found.worker.requests[0].content).get("input", []) == sent

    def test_of_two_users_with_one_idempotency_key_are_two(self) -> None:
        found = Connected()
        found.worker.answer = lambda _: httpx.Response(201, json=STARTED)
        for user in ("ada", "bob", "ada", None):
            with found.app.test_request_context("/", method="POST", headers={"idempotency-key": "1"}) as context:
                studio_app.proxy_trigger_from_flask(
                    context.request, workflow_name="workflow//./a//b", idempotency_scope=user
                )
        sent = [request.headers["idempotency-key"] for request in found.worker.requests]
        assert sent[0] == sent[2] != sent[1]
        assert sent[3] == "1"


def made(path: str = "/a%20b?q=%2F", **more: Any) -> Request:
    from werkzeug.test import EnvironBuilder  # noqa: PLC0415 - only these tests make requests by hand

    environ = EnvironBuilder(path, method="POST", base_url="http://shop.example:81", **more).get_environ()
    return Request({**environ, "REMOTE_ADDR": "10.1.2.3"})


class TestTheConverter:
    def test_makes_data_of_a_request(self) -> None:
        found = studio_app.to_web_request(made(data=b"\x00\xff" * 70_000, headers={"x-a": "1"}))
        assert (found.method, found.url) == ("POST", "http://shop.example:81/a%20b?q=%2F")
        assert found.body == b"\x00\xff" * 70_000
        assert dict(found.headers) == {"host": "shop.example:81", "x-a": "1", "content-length": "140000"}

    def test_takes_what_was_read_before(self) -> None:
        request = made(data=b"signed")
        assert request.get_data() == b"signed"
        assert studio_app.to_web_request(request).body == b"signed"

    @pytest.mark.parametrize("read_before", [True, False])
    def test_stops_reading_at_the_limit(self, read_before: bool) -> None:
        request = made(data=b"x" * 101)
        if read_before:
            request.get_data()
        with pytest.raises(Exception, match="larger than 100") as caught:
            studio_app.to_web_request(request, largest_body=100)
        assert caught.value.status == 413  # type: ignore[attr-defined]

    def test_is_told_when_the_caller_leaves(self) -> None:
        request = made(data=b"half")
        request.environ["CONTENT_LENGTH"] = "8"
        with pytest.raises(Exception, match="broke off"):
            studio_app.to_web_request(request)

    @pytest.mark.parametrize("is_terminated", [True, False])
    def test_reads_chunks_only_of_servers_that_tell_where_they_end(self, is_terminated: bool) -> None:
        request = made(data=b"whole", headers={"transfer-encoding": "chunked"})
        del request.environ["CONTENT_LENGTH"]
        request.environ["wsgi.input_terminated"] = is_terminated
        if is_terminated:
            assert studio_app.to_web_request(request).body == b"whole"
            return
        with pytest.raises(Exception, match="unknown length") as caught:
            studio_app.to_web_request(request)
        assert caught.value.status == 411  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        ("environ", "expected"),
        [
            ({}, "http://shop.example:81/a%20b?q=%2F"),
            ({"HTTP_HOST": "evil/../x"}, "http://shop.example:81/a%20b?q=%2F"),
            ({"HTTP_X_FORWARDED_PROTO": "https", "HTTP_X_FORWARDED_HOST": "a, b"}, "https://b/a%20b?q=%2F"),
            # Something between the server and the app took a part of the path away.
            ({"RAW_URI": "/prefix/a%20b", "REQUEST_URI": "/prefix/a%20b"}, "http://shop.example:81/a%20b?q=%2F"),
            ({"RAW_URI": "http://x/a%20%62", "REQUEST_URI": ""}, "http://shop.example:81/a%20%62?q=%2F"),
            ({"RAW_URI": "", "REQUEST_URI": ""}, "http://shop.example:81/a%20b?q=%2F"),
            ({"SCRIPT_NAME": "/m", "RAW_URI": "/m/a%20b"}, "http://shop.example:81/m/a%20b?q=%2F"),
        ],
    )
    def test_tells_the_address_as_the_caller_wrote_it(self, environ: dict[str, str], expected: str) -> None:
        request = made()
        request.environ.update(environ)
        trusted = settings(studio_trusted_proxies="10.0.0.0/8").studio_trusted_proxies
        assert studio_app.public_url(request, trusted) == expected

    def test_believes_no_stranger(self) -> None:
        request = made(headers={"x-forwarded-proto": "https", "x-forwarded-host": "evil"})
        assert studio_app.public_url(request) == "http://shop.example:81/a%20b?q=%2F"


def test_a_provider_is_vouched_for_by_the_apps_key() -> None:
    found = Connected()
    found.worker.answer = lambda _: httpx.Response(200, json={"accepted": True})
    with found.app.test_request_context(
        "/?q=%2F", method="POST", data=b"{}", headers={"stripe-signature": "s"}
    ) as context:
        answer = studio_app.proxy_webhook_from_flask(context.request, provider="stripe")
        with pytest.raises(TypeError):
            studio_app.proxy_webhook_from_flask(context.request, "token", provider="stripe")
    assert answer.json == {"accepted": True}
    (sent,) = found.worker.requests
    assert sent.url == "http://worker.example/v1/webhooks/stripe?q=%2F"
    assert (sent.headers["stripe-signature"], sent.headers["authorization"]) == ("s", f"Bearer {KEY}")


class TestTheDoor:
    def test_is_in_front_of_what_the_app_refuses(self) -> None:
        worker = Fake()
        app = Flask("shop")

        @app.before_request
        def nobody_is_logged_in() -> tuple[str, int]:
            return "Log in.", 403

        studio_app.add_workflow_studio(app, settings(studio_diagnostics_token=SecretStr(TOKEN)), transport=worker)
        client = app.test_client()
        assert client.get("/anything").status_code == 403
        assert client.post(HOOK).status_code == 200
        assert client.get(DIAGNOSTICS).status_code == 401
        assert client.post("/.well-known/workflow/v1/flow").status_code == 409

    def test_leaves_other_addresses_and_methods_to_the_app(self) -> None:
        client = Connected().app.test_client()
        for method, path in (
            ("TRACE", HOOK), ("POST", DIAGNOSTICS), ("GET", "/.well-known/workflow/v1/flow"),
            ("GET", "/.well-known/workflow/v1"), ("GET", f"{DIAGNOSTICS}/x"),
        ):  # fmt: skip
            assert client.open(path, method=method).status_code == 404

    def test_is_one(self) -> None:
        app = Connected().app
        with pytest.raises(RuntimeError, match="before"):
            studio_app.add_workflow_studio(app, settings())

    def test_that_is_missing_is_named(self) -> None:
        with Flask("shop").app_context(), pytest.raises(RuntimeError, match="add_workflow_studio"):
            studio_app.get_studio()


def test_a_process_that_was_forked_has_a_connection_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Connected().app
    connections = app.extensions["workflow_studio"]
    first = connections.get()
    assert connections.get() is first
    monkeypatch.setattr(load("workflow_studio_app.core.processes").os, "getpid", lambda: 1)
    assert connections.get() is not first
