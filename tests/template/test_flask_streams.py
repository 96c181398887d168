"""Flask apps: following what a run writes, by a server that sees a reader leave only when it writes."""

from __future__ import annotations

import asyncio

from tests.template.flask_app import main, settings
from tests.template.python_app import Call, WireWorker, serving_wsgi
from tests.template.python_support import RUN_ID, request, unending_stream


async def test_a_stream_that_nobody_follows_any_more_is_given_up() -> None:
    """The worker sends an empty line now and then; the reader gets a comment for it, or is found to be gone."""
    worker = WireWorker()
    usual = unending_stream()

    def answer(call: Call) -> bytes:
        # Many silences at once: more comments than the buffers between here and the reader hold.
        silences = b"10000\r\n" + b"\n" * 0x10000 + b"\r\n"
        return usual(call) + (silences * 16 if "/streams/" in call.start else b"")

    worker.answer = answer
    async with worker.serve() as url:
        app = main.create_app(settings(compute_base_url=url))
        async with serving_wsgi(app) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request(f"GET /api/orders/{RUN_ID}/events"))
            assert b"id: 0" in await reader.readuntil(b'data: "hello"\n\n')
            assert b": still here\n\n" in await reader.readuntil(b"here\n\n")
            assert not worker.cut.is_set()
            writer.transport.abort()
            await worker.cut.wait()
        app.extensions["workflow_studio"].close()


async def test_events_arrive_while_they_are_written() -> None:
    worker = WireWorker()
    worker.answer = unending_stream()
    async with worker.serve() as url:
        app = main.create_app(settings(compute_base_url=url))
        async with serving_wsgi(app, "waitress") as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request(f"GET /api/orders/{RUN_ID}/events"))
            assert b"id: 0" in await reader.readuntil(b'data: "hello"\n\n')
            writer.close()
            worker.hang_up()
            await worker.cut.wait()
        app.extensions["workflow_studio"].close()
