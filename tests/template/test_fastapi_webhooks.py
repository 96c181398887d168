"""FastAPI apps: webhook calls on their way to the worker."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from tests.template.fastapi_app import Connected, main, scope, settings, studio_app
from tests.template.python_app import serving
from tests.template.python_support import KEY
from tests.template.python_webhooks import CallsThatAreSeenAtOnce, CallsWhoseCallersAreMissed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class TestAWebhookCall(CallsWhoseCallersAreMissed, CallsThatAreSeenAtOnce):
    framing = ("transfer-encoding: chunked", b"3\r\none\r\n", b"4\r\n\x00two\r\n0\r\n\r\n")

    @asynccontextmanager
    async def serving(self, **given: Any) -> AsyncIterator[int]:
        # uvicorn itself believes what comes from this machine, unless it is told not to.
        async with serving(main.create_app(settings(**given)), proxy_headers=False) as port:
            yield port


async def test_a_provider_is_vouched_for_by_the_apps_key() -> None:
    async with Connected() as connected:
        connected.worker.answer = lambda _: httpx.Response(200, json={"accepted": True})
        headers = [(b"content-length", b"2"), (b"stripe-signature", b"s")]
        found = await studio_app.proxy_webhook_from_fastapi(
            scope(app=connected.app, headers=headers, pieces=[b"{}"]), provider="stripe"
        )
    assert json.loads(found.body) == {"accepted": True}
    (sent,) = connected.worker.requests
    assert sent.url == "http://worker.example/v1/webhooks/stripe?q=%2F"
    assert (sent.headers["stripe-signature"], sent.headers["authorization"]) == ("s", f"Bearer {KEY}")
