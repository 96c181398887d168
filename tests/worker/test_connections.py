"""Answers on their way to clients: what belongs together is one packet, and nothing waits for what may never come."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from workflow_studio.worker.connections import protocol

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class Transport:
    """A transport that remembers what was written."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False
        self.ended = asyncio.Event()

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True
        self.ended.set()

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, _name: str) -> None:
        return None

    def pause_reading(self) -> None:
        """Nothing is read from it."""

    def resume_reading(self) -> None:
        """Nothing is read from it."""


async def answered(app: Any, request: bytes = REQUEST) -> Transport:
    """Return the transport of a connection on which an app has answered a request."""
    config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none", date_header=False, server_header=False)
    config.load()
    state = ServerState()
    transport = Transport()
    connection = protocol(head_timeout=5)(config=config, server_state=state, app_state={})
    connection.connection_made(transport)
    connection.data_received(request)
    await asyncio.gather(*state.tasks)
    connection.connection_lost(None)
    return transport


def answering(*parts: bytes, pause: bool = False, **headers: str) -> Any:
    """Return an app that sends a body in parts."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        if pause:
            await asyncio.sleep(0.01)
        for number, part in enumerate(parts, 1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    return app


async def test_head_and_body_are_one_packet() -> None:
    transport = await answered(answering(b"body", content_length="4"))
    assert transport.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"]


async def test_a_head_does_not_wait_for_a_body_that_comes_later() -> None:
    transport = await answered(answering(b"a", b"b", pause=True, content_length="2"))
    assert transport.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", b"a", b"b"]


async def test_the_parts_of_a_body_are_sent_as_they_come() -> None:
    transport = await answered(answering(b"a", b"b"))
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    assert transport.writes == [head + b"1\r\na\r\n", b"1\r\nb\r\n0\r\n\r\n"]


async def test_a_long_body_is_not_copied_for_its_head() -> None:
    body = bytes(100_000)
    transport = await answered(answering(body, content_length="100000"))
    assert transport.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", body]


@pytest.mark.parametrize("pause", [False, True])
async def test_a_body_like_a_head_is_sent(pause: bool) -> None:
    app = answering(b"HTTP/1.1 ", b"", pause=pause, content_length="9")
    transport = await answered(app, REQUEST.replace(b"host", b"connection: close\r\nhost"))
    assert b"".join(transport.writes).endswith(b"\r\n\r\nHTTP/1.1 ")
    assert transport.closed


async def test_an_answer_without_a_body_is_sent_before_the_connection_is_closed() -> None:
    request = REQUEST.replace(b"GET", b"HEAD").replace(b"host", b"connection: close\r\nhost")
    transport = await answered(answering(b"", content_length="0"), request)
    assert transport.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"]
    assert transport.closed
