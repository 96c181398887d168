"""What a webhook call through an app in Python is like, whatever its framework and its server."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.template.python_app import WireWorker, exchange
from tests.template.python_support import HOOK, KEY, request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager


class WebhookCalls:
    """Tests for a subclass that serves an app."""

    joined = False
    """Whether the server joins a header that comes more than once, as WSGI wants it."""

    def serving(self, **settings: Any) -> AbstractAsyncContextManager[int]:
        """Serve the app on a port."""
        raise NotImplementedError

    @pytest.fixture
    async def worker(self) -> AsyncIterator[WireWorker]:
        worker = WireWorker()
        async with worker.serve() as worker.url:
            yield worker

    @pytest.fixture
    async def port(self, worker: WireWorker) -> AsyncIterator[int]:
        async with self.serving(compute_base_url=worker.url) as port:
            yield port

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
        found = worker.calls[0].header("x-a")
        if self.joined:
            (found,) = found
            found = [value.strip() for value in found.split(",")]
        assert found == ["1", "2", "3"]
        assert worker.calls[0].header("x-b") == ["caf\xe9"]

    async def test_keeps_a_huge_header(self, worker: Any, port: int) -> None:
        await exchange(port, request(f"GET {HOOK}", f"x-huge: {'h' * 40_000}"))
        assert worker.calls[0].header("x-huge") == ["h" * 40_000]

    async def test_loses_what_is_about_the_connection(self, worker: Any, port: int) -> None:
        headers = (
            "te: trailers", "upgrade: h2c", "keep-alive: 5",
            "proxy-authorization: Basic x", "authorization: Bearer kept", "accept-encoding: br",
        )  # fmt: skip
        await exchange(port, request(f"GET {HOOK}", *headers))
        (call,) = worker.calls
        gone = ("te", "upgrade", "keep-alive", "proxy-authorization", "connection")
        assert {name: call.header(name) for name in gone} == {name: [] for name in gone}
        assert call.header("authorization") == ["Bearer kept"]
        assert call.header("accept-encoding") == ["br"]

    async def test_loses_what_its_connection_header_names(self, worker: Any, port: int) -> None:
        call = request(f"GET {HOOK}", "x-hop: 1", "authorization: Bearer kept")
        call = call.replace(b"connection: close", b"connection: x-hop, authorization")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(call)
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        (call,) = worker.calls
        assert call.header("x-hop") == []
        assert call.header("authorization") == ["Bearer kept"]

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_has_no_body_with_a_method_that_has_none(self, worker: Any, port: int, method: str) -> None:
        await exchange(port, request(f"{method} {HOOK}", "content-length: 5", body=b"12345"))
        (call,) = worker.calls
        assert (call.body, call.header("content-length"), call.header("transfer-encoding")) == (b"", [], [])

    async def test_of_chunks_arrives_whole(self, worker: Any, port: int) -> None:
        chunks = b"3\r\none\r\n4\r\n\x00two\r\n0\r\n\r\n"
        answer = await exchange(port, request(f"POST {HOOK}", "transfer-encoding: chunked", body=chunks))
        assert answer.startswith(b"HTTP/1.1 202 ")
        assert worker.calls[0].body == b"one\x00two"

    async def test_whose_caller_leaves_while_it_writes_is_none(self, worker: Any, port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"POST {HOOK}", "content-length: 1000", body=b"one"))
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        # What comes after it is answered, and nothing of it was ever a whole call.
        await exchange(port, request(f"GET {HOOK}?after"))
        assert [call.start for call in worker.calls] == [f"GET {HOOK}?after HTTP/1.1"]

    async def test_gets_the_workflows_answer(self, worker: Any, port: int) -> None:
        worker.answer = lambda _: (
            b"HTTP/1.1 418 Teapot\r\nset-cookie: a=1\r\nset-cookie: b=2\r\ncontent-encoding: gzip\r\n"
            b"x-b: caf\xe9\r\nconnection: x-hop\r\nx-hop: 1\r\ntransfer-encoding: chunked\r\n\r\n"
            b"3\r\n\x1f\x8b\x00\r\n0\r\n\r\n"
        )
        answer = await exchange(port, request(f"GET {HOOK}"))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 418 ")
        lines = [line.lower() for line in head.split(b"\r\n")]
        assert [line for line in lines if line.startswith(b"set-cookie: ")] == [b"set-cookie: a=1", b"set-cookie: b=2"]
        assert b"content-encoding: gzip" in lines
        assert b"x-b: caf\xe9" in lines
        assert not [line for line in lines if line.startswith((b"x-hop", b"content-type"))]
        assert b"\x1f\x8b\x00" in body

    async def test_of_head_gets_the_length_of_what_it_does_not_get(self, worker: Any, port: int) -> None:
        worker.answer = lambda _: b"HTTP/1.1 200 OK\r\ncontent-length: 12345\r\n\r\n"
        answer = await exchange(port, request(f"HEAD {HOOK}"))
        assert b"content-length: 12345" in answer.lower()
        assert answer.endswith(b"\r\n\r\n")

    async def test_is_not_led_elsewhere_by_its_token(self, worker: Any, port: int) -> None:
        for token in ("..%2F..%2F..%2F..%2Fv1%2Fruns", "a%2Fb%3Fc%23d", "a%2F%2Fb"):
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

    async def test_says_who_called_and_nothing_that_a_stranger_made_up(self, worker: Any, port: int) -> None:
        headers = ("x-forwarded-for: 1.2.3.4", "x-forwarded-proto: https", "x-forwarded-host: evil", "forwarded: for=x")
        await exchange(port, request(f"GET {HOOK}", *headers))
        (call,) = worker.calls
        assert call.header("x-forwarded-for") == ["127.0.0.1"]
        assert call.header("x-forwarded-proto") == ["http"]
        assert call.header("x-forwarded-host") == ["app.example"]
        assert call.header("forwarded") == []

    async def test_passes_on_what_a_trusted_proxy_says(self, worker: Any) -> None:
        headers = ("x-forwarded-for: 1.2.3.4", "x-forwarded-proto: https", "x-forwarded-host: shop.example")
        trusted = "10.0.0.0/8, 127.0.0.1"
        async with self.serving(compute_base_url=worker.url, studio_trusted_proxies=trusted) as port:
            await exchange(port, request(f"GET {HOOK}", *headers))
        (call,) = worker.calls
        assert call.header("x-forwarded-for") == ["1.2.3.4, 127.0.0.1"]
        assert call.header("x-forwarded-proto") == ["https"]
        assert call.header("x-forwarded-host") == ["shop.example"]

    async def test_that_no_worker_takes_is_told_so(self) -> None:
        async with self.serving(compute_base_url="http://127.0.0.1:9") as port:
            answer = await exchange(port, request(f"POST {HOOK}", "content-length: 2", body=b"{}"))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "unreachable"
        assert b"127.0.0.1:9" not in answer

    async def test_that_takes_too_long_is_told_so(self, worker: Any) -> None:
        worker.silent = True
        async with self.serving(compute_base_url=worker.url, compute_webhook_timeout=0.05) as port:
            answer = await exchange(port, request(f"POST {HOOK}", "content-length: 2", body=b"{}"))
        assert answer.startswith(b"HTTP/1.1 504 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "timeout"


class CallsWhoseCallersAreMissed(WebhookCalls):
    """Further tests for a server that tells at once when the caller left."""

    async def test_whose_caller_leaves_while_it_waits_is_given_up(self, worker: Any, port: int) -> None:
        worker.silent = True
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"POST {HOOK}", "content-length: 4", body=b"body"))
        await worker.called.wait()
        writer.close()
        await worker.cut.wait()


class CallsThatAreSeenAtOnce(WebhookCalls):
    """Further tests for a server that hands over what comes when it comes.

    Attributes:
        framing: The header that says how long the body is, and its halves.
    """

    framing: ClassVar = ("content-length: 7", b"one", b"\x00two")

    async def test_arrives_while_it_is_written(self, worker: Any, port: int) -> None:
        header, half, rest = self.framing
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"POST {HOOK}", header, body=half))
        await worker.body_begun.wait()
        writer.write(rest)
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 202 ")
        assert worker.calls[0].body == b"one\x00two"

    async def test_whose_caller_leaves_while_it_writes_is_given_up(self, worker: Any, port: int) -> None:
        header, half, _ = self.framing
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"POST {HOOK}", header, body=half))
        await worker.body_begun.wait()
        writer.close()
        await worker.cut.wait()
        assert worker.calls == []


class CallsByWsgi(CallsThatAreSeenAtOnce):
    """Further tests for a server that tells that the caller left when something is written to it."""

    joined = True

    async def test_whose_caller_leaves_while_it_is_answered_is_given_up(self, worker: Any, port: int) -> None:
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        worker.answer = lambda _: b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + piece * 400
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"GET {HOOK}"))
        await reader.readuntil(b"x" * 100)
        writer.transport.abort()
        await worker.cut.wait()
