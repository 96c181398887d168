"""What FastAPI apps write to their log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from pydantic import SecretStr

from tests.template.fastapi_app import main, studio_app

if TYPE_CHECKING:
    import pytest


class Nobody(httpx.AsyncBaseTransport):
    """A network with nobody on it."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)


async def test_a_webhook_call_that_fails_is_logged_without_its_token(caplog: pytest.LogCaptureFixture) -> None:
    settings = studio_app.WorkflowStudioSettings(
        _env_file=None,
        compute_base_url="http://worker.example",
        compute_api_key=SecretStr("key-of-this-test"),
        compute_retries=0,
    )
    app = main.create_app(settings, Nobody())
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app.example") as http:
            answer = await http.post("/.well-known/workflow/v1/webhook/swordfish")
    assert (answer.status_code, answer.json()["code"]) == (503, "unreachable")
    (message,) = [record.getMessage() for record in caplog.records if record.name.startswith("workflow_studio_app")]
    assert message.startswith("POST /.well-known/workflow/v1/webhook/{token:path}: ")
    assert "swordfish" not in message
