"""Flask apps: webhook calls on their way to the worker, through servers that hand over what comes, and that wait."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.template.flask_app import main, settings
from tests.template.python_app import serving_wsgi
from tests.template.python_support import HOOK, request
from tests.template.python_webhooks import WebhookCalls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class FlaskCalls(WebhookCalls):
    joined = True
    kind = ""

    @asynccontextmanager
    async def serving(self, **given: Any) -> AsyncIterator[int]:
        app = main.create_app(settings(**given))
        async with serving_wsgi(app, self.kind) as port:
            yield port
        app.extensions["workflow_studio"].close()


class TestAWebhookCallOfWaitress(FlaskCalls):
    kind = "waitress"


class TestAWebhookCall(FlaskCalls):
    kind = "threads"

    async def test_of_chunks_arrives_while_it_is_written(self, worker: Any, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"POST {HOOK}", "content-length: 7", body=b"one"))
        await worker.body_begun.wait()
        writer.write(b"\x00two")
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 202 ")
        assert worker.calls[0].body == b"one\x00two"

    async def test_whose_caller_leaves_while_it_writes_is_given_up(self, worker: Any, port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"POST {HOOK}", "content-length: 7", body=b"one"))
        await worker.body_begun.wait()
        writer.close()
        await worker.cut.wait()
        assert worker.calls == []

    async def test_whose_caller_leaves_while_it_is_answered_is_given_up(self, worker: Any, port: int) -> None:
        """A server of WSGI sees that when it writes."""
        piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        worker.answer = lambda _: b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + piece * 400
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"GET {HOOK}"))
        await reader.readuntil(b"x" * 100)
        writer.transport.abort()
        await worker.cut.wait()
