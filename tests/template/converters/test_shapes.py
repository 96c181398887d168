"""One contract for requests of every shape: what a handler that knows only the Web sees, and what its caller gets."""

from __future__ import annotations

import http.client
import json
import select
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest

from tests.template.converters.conftest import NODE, PARSING, STREAMING
from tests.template.converters.wire import chunk, connected, request

if TYPE_CHECKING:
    from tests.template.converters.servers import Server, Shape


def of(shapes: list[Shape]) -> list[object]:
    return [pytest.param(shape, id=str(shape), marks=pytest.mark.e2e) for shape in shapes]


FAST = pytest.param(NODE, id=str(NODE), marks=pytest.mark.node)
every = pytest.mark.parametrize("shape", [FAST, *of(STREAMING), *of(PARSING)])
streaming = pytest.mark.parametrize("shape", [FAST, *of(STREAMING)])
parsing = pytest.mark.parametrize("shape", of(PARSING))
EVERY_BYTE = bytes(range(256))


@every
def test_method_and_whole_url(server: Server, shape: Shape) -> None:
    with connected(server.port) as connection:
        answer = connection.ask(f"DELETE {shape.path}/a%20b/c?q=%C3%A9&q=2&e= HTTP/1.1\nHost: app.example:8443")
    assert (answer.status, answer.json["method"]) == (200, "DELETE")
    assert answer.json["url"] == f"http://app.example:8443{shape.path}/a%20b/c?q=%C3%A9&q=2&e="


@every
def test_repeated_headers_are_all_there(server: Server, shape: Shape) -> None:
    with connected(server.port) as connection:
        answer = connection.ask(
            f"GET {shape.path}/x HTTP/1.1\nHost: app\nX-Many: 1\nx-many: 2\nCookie: a=1\nCookie: b=2; c=3"
            "\nSet-Cookie: d=4\nSet-Cookie: e=5\nAuthorization: Bearer x\nUser-Agent: one\nX-Latin: \xe9"
        )
    assert answer.echoed("x-many") == ["1, 2"]
    assert answer.echoed("cookie") == ["a=1; b=2; c=3"]
    assert answer.echoed("set-cookie") == ["d=4", "e=5"]
    assert answer.echoed("authorization") == ["Bearer x"]
    assert answer.echoed("x-latin") == ["\xe9"]


@every
def test_binary_bodies_arrive_as_they_were_sent(server: Server, shape: Shape) -> None:
    with connected(server.port) as connection:
        answer = connection.ask(
            f"POST {shape.path}/x HTTP/1.1\nHost: app\nContent-Type: application/octet-stream\nContent-Length: 256",
            EVERY_BYTE,
        )
    if shape.damages:
        assert (answer.status, answer.json["code"]) == (500, "body_already_read")
    else:
        assert bytes.fromhex(answer.json["body"]) == EVERY_BYTE
        assert answer.echoed("content-length") == ["256"]


@every
def test_chunked_bodies_arrive_whole(server: Server, shape: Shape) -> None:
    with connected(server.port) as connection:
        connection.send(
            request(
                f"POST {shape.path}/x HTTP/1.1\nHost: app\nContent-Type: application/octet-stream"
                "\nTransfer-Encoding: chunked"
            )
        )
        pieces = (b"\0\r\n", "\N{SNOWMAN}".encode() * 20_000, b"end")
        for piece in pieces:
            connection.send(chunk(piece))
        connection.send(chunk(b""))
        answer = connection.answer()
    assert bytes.fromhex(answer.json["body"]) == b"".join(pieces)


@streaming
def test_bodies_stream_both_ways_at_once(server: Server, shape: Shape) -> None:
    with connected(server.port) as connection:
        connection.send(
            request(
                f"POST {shape.path}/pipe HTTP/1.1\nHost: app\nContent-Type: application/octet-stream"
                "\nTransfer-Encoding: chunked"
            )
        )
        connection.send(chunk(b"first"))
        response = connection.begin()
        assert response.read(5) == b"first"
        connection.send(chunk(b"second") + chunk(b""))
        assert response.read() == b"second"


@streaming
def test_a_body_that_nobody_reads_yet_stays_with_its_sender(server: Server, shape: Shape) -> None:
    whole, piece = 64 * 1024 * 1024, b"\0" * 65_536
    with connected(server.port) as connection, connected(server.port) as other:
        connection.send(
            request(
                f"POST {shape.path}/held HTTP/1.1\nHost: app\nContent-Type: application/octet-stream"
                f"\nContent-Length: {whole}"
            )
        )
        server.wait_for("holding")
        sent = 0
        connection.socket.setblocking(False)
        # It stops being writable when the buffers of the connection are full, and never if they are read.
        while sent < whole and select.select([], [connection.socket], [], 2)[1]:
            sent += connection.socket.send(piece)
        assert sent < whole / 2
        assert other.ask(f"GET {shape.path}/go HTTP/1.1\nHost: app").body == b"gone on"
        connection.socket.settimeout(60)
        while sent < whole:
            sent += connection.socket.send(piece[: whole - sent])
        assert connection.answer().json == {"bytes": whole}


@every
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_get_and_head_have_no_body(server: Server, shape: Shape, method: str) -> None:
    head = f"{method} {shape.path}/x HTTP/1.1\nHost: app\nContent-Type: text/plain\nContent-Length: 2"
    with connected(server.port) as connection:
        first = connection.ask(head, b"hi")
        again = connection.ask(f"GET {shape.path}/y HTTP/1.1\nHost: app")
    assert first.status == 200
    if method == "GET":
        assert (first.json["hasBody"], first.json["body"]) == (False, "")
        assert shape.converts or not first.echoed("content-length")
    else:
        assert first.body == b""
    assert again.json["url"].endswith("/y")


@every
def test_a_caller_that_goes_away_aborts_the_request(server: Server, shape: Shape) -> None:
    with connected(server.port) as connection:
        connection.send(
            request(f"POST {shape.path}/hang HTTP/1.1\nHost: app\nContent-Type: text/plain\nContent-Length: 2", b"hi")
        )
        server.wait_for("hanging")
    reason = server.wait_for("gone: (.*)")[1]
    assert shape.converts or reason == "AbortError"


@streaming
def test_a_caller_that_goes_away_within_its_body_aborts_the_request(server: Server, shape: Shape) -> None:
    with connected(server.port) as connection:
        connection.send(
            request(
                f"POST {shape.path}/lost HTTP/1.1\nHost: app\nContent-Type: application/octet-stream"
                "\nContent-Length: 100",
                b"ten bytes.",
            )
        )
        server.wait_for("reading")
    assert server.wait_for("body: (.*)")[1] == "lost"


@every
def test_a_request_that_was_answered_never_aborts(server: Server, shape: Shape) -> None:
    with connected(server.port) as connection:
        for _ in range(2):
            assert connection.ask(f"GET {shape.path}/late HTTP/1.1\nHost: app").body == b"answered"
        last = connection.ask(f"GET {shape.path}/late HTTP/1.1\nHost: app\nConnection: close")
        assert last.body == b"answered"
        assert connection.socket.recv(1) == b"", "the server closes the connection"
    with connected(server.port) as connection:
        connection.ask(f"GET {shape.path}/x HTTP/1.1\nHost: app")
    assert not server.wrote("late abort")


@streaming
def test_a_refusal_before_the_body_is_read_reaches_the_caller(server: Server, shape: Shape) -> None:
    head = f"POST {shape.path}/unread HTTP/1.1\nHost: app\nContent-Type: text/plain\nContent-Length: 300000"
    with connected(server.port) as connection:
        answer = connection.ask(head, b"x" * 300_000)
        assert (answer.status, answer.body) == (413, b"too large")
        assert connection.ask(f"GET {shape.path}/x HTTP/1.1\nHost: app").status == 200


@streaming
def test_a_connection_outlives_a_body_that_was_read_in_part(server: Server, shape: Shape) -> None:
    head = f"POST {shape.path}/half HTTP/1.1\nHost: app\nContent-Type: text/plain\nContent-Length: 300000"
    with connected(server.port) as connection:
        assert connection.ask(head, b"x" * 300_000).body == b"enough"
        # Hono's server rather closes the connection.
        assert shape.converts or connection.ask(f"GET {shape.path}/x HTTP/1.1\nHost: app").status == 200


@every
def test_a_response_keeps_status_headers_cookies_and_bytes(server: Server, shape: Shape) -> None:
    with connected(server.port) as connection:
        answer = connection.ask(f"GET {shape.path}/rich HTTP/1.1\nHost: app")
    assert (answer.status, answer.body) == (418, EVERY_BYTE)
    assert answer.all("set-cookie") == ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2"]
    assert (answer.all("content-type"), answer.all("x-one")) == (["image/x-all"], ["\xe9"])


@every
def test_a_response_without_a_body_ends(server: Server, shape: Shape) -> None:
    with connected(server.port) as connection:
        assert connection.ask(f"DELETE {shape.path}/empty HTTP/1.1\nHost: app").status == 204
        head = connection.ask(f"HEAD {shape.path}/rich HTTP/1.1\nHost: app")
        assert (head.status, head.body, len(head.all("set-cookie"))) == (418, b"", 2)
        assert connection.ask(f"GET {shape.path}/x HTTP/1.1\nHost: app").status == 200


@every
def test_the_first_part_of_a_response_does_not_wait_for_the_second(server: Server, shape: Shape) -> None:
    with connected(server.port) as connection, connected(server.port) as other:
        connection.send(request(f"GET {shape.path}/drip HTTP/1.1\nHost: app"))
        response = connection.begin()
        assert response.read(5) == b"first"
        other.ask(f"GET {shape.path}/go HTTP/1.1\nHost: app")
        assert response.read() == b"second"


@every
@pytest.mark.parametrize(("route", "told"), [("endless", "cancelled"), ("quiet", "cancelled in silence")])
def test_the_body_of_a_response_is_cancelled_when_its_caller_has_gone(
    server: Server, shape: Shape, route: str, told: str
) -> None:
    with connected(server.port) as connection:
        connection.send(request(f"GET {shape.path}/{route} HTTP/1.1\nHost: app"))
        assert connection.begin().read(3)
    server.wait_for(told)


@every
def test_a_response_whose_source_breaks_is_not_taken_for_whole(server: Server, shape: Shape) -> None:
    with connected(server.port) as connection:
        connection.send(request(f"GET {shape.path}/broken HTTP/1.1\nHost: app"))
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            connection.begin().read()


@every
def test_a_host_changes_nothing_but_the_host(server: Server, shape: Shape) -> None:
    for host in ("evil/../x?", "a@b", "x y", "[::1", "host:99999", "a,b", "app#"):
        with connected(server.port) as connection:
            answer = connection.ask(f"GET {shape.path}/x?y=1 HTTP/1.1\nHost: {host}")
        if answer.status == 200:  # some servers refuse such a host themselves
            assert answer.json["url"].endswith(f"{shape.path}/x?y=1"), host
            assert shape.converts or answer.json["url"].startswith(("http://127.0.0.1:", "http://localhost")), host


@parsing
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"a": [1, "\xc3\xa9", null], "b": {"c": 1.5}}'),
        ("application/json; charset=utf-8", b'[{"x": ""}]'),
        ("application/x-www-form-urlencoded", b"a=1&b=%C3%A9+x&c="),
    ],
)
def test_what_a_parser_has_read_is_handed_on_in_its_meaning(
    server: Server, shape: Shape, kind: str, body: bytes
) -> None:
    with connected(server.port) as connection:
        answer = connection.ask(
            f"POST {shape.path}/x HTTP/1.1\nHost: app\nContent-Type: {kind}\nContent-Length: {len(body)}", body
        )
    assert answer.status == 200
    got = bytes.fromhex(answer.json["body"])
    assert answer.echoed("content-length") == [str(len(got))]
    assert answer.echoed("content-type") == [kind]
    read = json.loads if "json" in kind else lambda text: parse_qsl(text.decode(), keep_blank_values=True)
    assert read(got) == read(body)
    if shape.name == "Nest with rawBody":
        assert got == body
