"""FastAPI apps: following what a run writes."""

from __future__ import annotations

import asyncio

import httpx

from tests.template.fastapi_app import Connected, main, settings, studio_app
from tests.template.python_app import WireWorker, serving
from tests.template.python_support import RUN, RUN_ID, request, unending_stream


class TestStreams:
    async def test_that_nobody_follows_any_more_are_given_up(self) -> None:
        worker = WireWorker()
        async with worker.serve() as url, serving(main.create_app(settings(compute_base_url=url))) as port:
            worker.answer = unending_stream()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request(f"GET /api/orders/{RUN_ID}/events"))
            assert b"id: 0" in await reader.readuntil(b'data: "hello"\n\n')
            assert not worker.cut.is_set()
            writer.close()
            await worker.cut.wait()

    async def test_that_cannot_be_listed_say_so(self) -> None:
        def answer(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/streams"):
                return httpx.Response(500, json={"code": "internal_error", "message": "a secret of the worker"})
            return httpx.Response(200, json=RUN)

        async with Connected() as connected:
            connected.worker.answer = answer
            found = await connected.http.get(f"/api/orders/{RUN_ID}/events")
        assert found.text.startswith('event: error\ndata: {"code":"internal_error"')
        assert "secret" not in found.text

    def test_have_the_names_that_the_sdk_gives_them(self) -> None:
        assert studio_app.stream_name(RUN_ID) == "strm_01ARZ3NDEKTSV4RRFFQ69G5FAV_user"
        assert studio_app.stream_name(RUN_ID, "a/b?") == "strm_01ARZ3NDEKTSV4RRFFQ69G5FAV_user_YS9iPw"
