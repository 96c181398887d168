"""Requests that arrive in one piece, for addresses that are asked for all the time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from tests.worker.test_connections import Transport, answering
from workflow_studio.worker.connections import protocol
from workflow_studio.worker.whole import CONTENT

LANE = {("POST", "/lane"), ("GET", "/lane")}
BODY = b"content"
WHOLE = b"POST /lane HTTP/1.1\r\nhost: x\r\ncontent-length: 7\r\n\r\n" + BODY


class Asked:
    """An app that notes what it was asked, and answers with its name."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.scopes: list[Any] = []
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        self.bodies.append(body)
        await answering(self.name, content_length=str(len(self.name)))(scope, receive, send)


def answering_after(event: asyncio.Event) -> Any:
    """Return an app that waits before it answers."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await event.wait()
        await answering(b"lane", content_length="4")(scope, receive, send)

    return app


class Server:
    """A connection to a server with an app and a lane."""

    def __init__(self, lane: Any = None, *, head_timeout: float = 5) -> None:
        self.app = Asked(b"app")
        self.lane = lane or Asked(b"lane")
        config = uvicorn.Config(
            self.app, lifespan="off", log_config=None, ws="none", date_header=False, server_header=False
        )
        config.load()
        self.state = ServerState()
        self.transport = Transport()
        made = protocol(head_timeout, self.lane, LANE)
        self.connection = made(config=config, server_state=self.state, app_state={})
        self.connection.connection_made(self.transport)

    async def receive(self, *chunks: bytes) -> bytes:
        """Return what was answered to what came in these chunks."""
        for chunk in chunks:
            self.connection.data_received(chunk)
        for _ in range(10):
            await asyncio.gather(*self.state.tasks)
            await asyncio.sleep(0)
        answer = b"".join(self.transport.writes)
        self.transport.writes.clear()
        return answer


@pytest.fixture
async def server() -> Any:
    server = Server()
    yield server
    server.connection.connection_lost(None)


async def test_a_whole_request_is_answered_by_the_lane_in_one_piece(server: Server) -> None:
    server.connection.data_received(WHOLE)
    await asyncio.gather(*server.state.tasks)
    assert server.transport.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlane"], "in the turn that made it"
    (scope,) = server.lane.scopes
    assert (scope["method"], scope["path"], scope["query_string"], scope[CONTENT]) == ("POST", "/lane", b"", BODY)
    assert server.lane.bodies == [BODY]
    assert not server.app.scopes


async def test_a_connection_takes_one_request_after_the_other(server: Server) -> None:
    for request in (WHOLE, WHOLE.replace(b"/lane", b"/else"), b"GET /lane HTTP/1.1\r\nhost: x\r\n\r\n", WHOLE):
        assert (await server.receive(request)).startswith(b"HTTP/1.1 200 OK")
    assert [scope["path"] for scope in server.app.scopes] == ["/else"]
    assert [scope["method"] for scope in server.lane.scopes] == ["POST", "GET", "POST"]


@pytest.mark.parametrize(
    "chunks",
    [
        [WHOLE[:-3], WHOLE[-3:]],
        [WHOLE[:20], WHOLE[20:]],
        [WHOLE.replace(b"host: x", b"host: x\r\nx-forwarded-for: 10.0.0.1")],
        [WHOLE.replace(b"host: x", b"host: x\r\nexpect: 100-continue")],
        [WHOLE.replace(b"host: x", b"connection: close")],
        [WHOLE.replace(b"/lane", b"/lane?a=b")],
        [WHOLE.replace(b"/lane", b"/%6cane")],
        [WHOLE.replace(b"/lane", b"http://x/lane")],
        [WHOLE.replace(b"POST", b"PUT")],
        [WHOLE.replace(b"1.1", b"1.0")],
        [b"POST /lane HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n7\r\ncontent\r\n0\r\n\r\n"],
    ],
    ids=["body", "head", "proxy", "expect", "close", "query", "escaped", "absolute", "verb", "old", "chunked"],
)
async def test_all_else_goes_to_the_app(server: Server, chunks: list[bytes]) -> None:
    assert (await server.receive(*chunks)).endswith(b"app")
    assert server.app.bodies == [BODY]
    assert not server.lane.scopes


async def test_requests_that_come_together_are_answered_in_their_order(server: Server) -> None:
    answer = await server.receive(WHOLE + WHOLE.replace(b"/lane", b"/else") + WHOLE)
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert server.app.bodies == [BODY] * 3


async def test_a_request_that_comes_before_the_answer_waits_for_it() -> None:
    may_answer = asyncio.Event()
    server = Server(answering_after(may_answer))
    server.connection.data_received(WHOLE)
    server.connection.data_received(WHOLE)
    await asyncio.sleep(0)
    assert not server.transport.writes
    may_answer.set()
    answer = await server.receive()
    assert answer.index(b"lane") < answer.index(b"app")
    server.connection.connection_lost(None)


async def test_what_only_looks_whole_is_not_waited_for() -> None:
    """The blank line before the request is taken for the end of its head: more is announced than comes."""
    server = Server(head_timeout=0.05)
    head = b"\r\n\r\nPOST /lane HTTP/1.1\r\ncontent-length: %d\r\n\r\n"
    server.connection.data_received(head % (len(head) - 4))
    async with asyncio.timeout(5):
        await server.transport.ended.wait()
    assert not server.lane.scopes
    server.connection.connection_lost(None)


async def test_an_answer_in_parts_is_sent_as_it_comes() -> None:
    server = Server(answering(b"a", b"b"))
    answer = await server.receive(WHOLE)
    assert answer == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"
    server.connection.connection_lost(None)


async def test_an_answer_may_close_the_connection() -> None:
    server = Server(answering(b"bye", content_length="3", connection="close"))
    assert (await server.receive(WHOLE)).endswith(b"bye")
    assert server.transport.closed
    server.connection.connection_lost(None)


async def test_a_header_that_would_be_two_is_not_sent() -> None:
    server = Server(answering(b"x", content_length="1", x="a\r\ninjected: 1"))
    answer = await server.receive(WHOLE)
    assert answer.startswith(b"HTTP/1.1 500")
    assert b"injected" not in answer
    server.connection.connection_lost(None)


async def test_who_waits_for_the_end_of_the_connection_hears_of_it() -> None:
    heard = []

    async def waiting(_scope: Any, receive: Any, _send: Any) -> None:
        await receive()
        heard.append((await receive())["type"])

    server = Server(waiting)
    server.connection.data_received(WHOLE)
    await asyncio.sleep(0.01)
    assert not heard
    server.connection.connection_lost(None)
    await asyncio.gather(*server.state.tasks)
    assert heard == ["http.disconnect"]


async def test_a_server_that_ends_answers_what_it_has() -> None:
    may_answer = asyncio.Event()
    server = Server(answering_after(may_answer))
    server.connection.data_received(WHOLE)
    server.connection.shutdown()
    may_answer.set()
    assert (await server.receive()).endswith(b"lane")
    assert server.transport.closed
    server.connection.connection_lost(None)
