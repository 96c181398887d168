"""Django projects: webhook calls on their way to the worker, through servers of WSGI and of ASGI."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.template.django_app import aclose, asgi_app, configured, wsgi_app
from tests.template.python_app import serving, serving_wsgi
from tests.template.python_support import HOOK, request
from tests.template.python_webhooks import CallsByWsgi, CallsWhoseCallersAreMissed, WebhookCalls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class DjangoCalls(WebhookCalls):
    joined = True
    kind = "waitress"

    @asynccontextmanager
    async def serving(self, **given: Any) -> AsyncIterator[int]:
        with configured(**given):
            async with serving_wsgi(wsgi_app(), self.kind) as port:
                yield port


class TestAWebhookCallByWaitress(DjangoCalls):
    pass


class TestAWebhookCallByWsgi(DjangoCalls, CallsByWsgi):
    kind = "threads"


class TestAWebhookCallByAsgi(CallsWhoseCallersAreMissed):
    @asynccontextmanager
    async def serving(self, **given: Any) -> AsyncIterator[int]:
        with configured(**given):
            async with serving(asgi_app(), proxy_headers=False, lifespan="off") as port:
                yield port
                await aclose()

    async def test_whose_caller_leaves_while_it_is_answered_is_given_up(self, worker: Any, port: int) -> None:
        worker.answer = lambda _: b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n"
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(f"GET {HOOK}"))
        await reader.readuntil(b"one")
        assert not worker.cut.is_set()
        writer.close()
        await worker.cut.wait()


class TestAWebhookCallBehindAMiddlewareThatBlocks(TestAWebhookCallByAsgi):
    """A middleware of somebody else's that knows nothing of coroutines makes those in front of it block, too."""

    @asynccontextmanager
    async def serving(self, **given: Any) -> AsyncIterator[int]:
        ours = "workflow_studio_app.middleware.WorkflowStudioMiddleware"
        blocks = "tests.template.django_app.blocks"
        with configured(**given):
            async with serving(asgi_app(MIDDLEWARE=[ours, blocks]), proxy_headers=False, lifespan="off") as port:
                yield port
                await aclose()
