"""What only one framework does with requests, responses and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.template.converters.servers import Shape
from tests.template.converters.wire import connected

if TYPE_CHECKING:
    from tests.template.converters.servers import Server

EXPRESS = Shape("Express", "express.mjs", "")
FASTIFY = Shape("Fastify", "fastify.mjs", "")

pytestmark = pytest.mark.e2e

express = pytest.mark.parametrize("shape", [EXPRESS], ids=str)
fastify = pytest.mark.parametrize("shape", [FASTIFY], ids=str)


@express
def test_express_goes_on_where_nothing_is_answered(server: Server) -> None:
    with connected(server.port) as connection:
        assert connection.ask("GET /passed/x?y HTTP/1.1\nHost: app").body == b"left /passed/x?y"


@express
def test_express_handles_what_the_handler_throws(server: Server) -> None:
    with connected(server.port) as connection:
        answer = connection.ask("GET /failed HTTP/1.1\nHost: app")
    assert (answer.status, answer.body) == (599, b"the handler failed")


@express
def test_a_body_that_middleware_has_swallowed_is_refused_at_once(server: Server) -> None:
    with connected(server.port) as connection:
        answer = connection.ask("POST /swallowed HTTP/1.1\nHost: app\nContent-Length: 2", b"hi")
        assert (answer.status, answer.json["code"]) == (500, "body_already_read")
        assert "rawBody" in answer.json["recovery"]
        assert connection.ask("POST /swallowed HTTP/1.1\nHost: app\nContent-Length: 0").status == 200


@express
@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/x-www-form-urlencoded", b"a[b]=1&a[c]=2", 500),
        ("application/x-www-form-urlencoded", b"a[]=1&a[]=2", 500),
        ("application/x-www-form-urlencoded", b"a=1&a=2", 200),
        ("text/plain; charset=iso-8859-1", b"caf\xe9", 200),
        ("multipart/form-data; boundary=x", b"--x--", 200),  # no parser here reads it
    ],
)
def test_what_the_parsers_of_express_leave(server: Server, kind: str, body: bytes, status: int) -> None:
    with connected(server.port) as connection:
        answer = connection.ask(
            f"POST /parsed/x HTTP/1.1\nHost: app\nContent-Type: {kind}\nContent-Length: {len(body)}", body
        )
    assert answer.status == status
    if status == 200:
        expected = "café".encode() if "8859" in kind else body
        assert bytes.fromhex(answer.json["body"]) == expected
        assert answer.echoed("content-type") == [kind.replace("iso-8859-1", "utf-8")]


@fastify
def test_what_hooks_of_fastify_have_set_goes_along(server: Server) -> None:
    with connected(server.port) as connection:
        answer = connection.ask("GET /parsed/rich HTTP/1.1\nHost: app")
    assert (answer.status, answer.all("x-hook"), len(answer.all("set-cookie"))) == (418, ["set before"], 2)


@fastify
def test_fastify_s_own_trust_counts(server: Server) -> None:
    # It trusts 10.1.2.3 alone, and this caller is another.
    with connected(server.port) as connection:
        answer = connection.ask("GET /parsed/x HTTP/1.1\nHost: app\nX-Forwarded-Host: evil.example")
    assert answer.json["url"] == "http://app/parsed/x"


@fastify
def test_a_body_that_fastify_hands_on_as_a_stream_is_read_from_it(server: Server) -> None:
    with connected(server.port) as connection:
        answer = connection.ask(
            "POST /parts/x HTTP/1.1\nHost: app\nContent-Type: application/x-stream\nContent-Length: 2", b"\0\xff"
        )
    assert bytes.fromhex(answer.json["body"]) == b"\0\xff"
