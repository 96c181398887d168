"""Flask apps: webhook calls on their way to the worker, through servers that hand over what comes, and that wait."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from tests.template.flask_app import main, settings
from tests.template.python_app import serving_wsgi
from tests.template.python_webhooks import CallsByWsgi, WebhookCalls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class FlaskCalls(WebhookCalls):
    joined = True
    kind = "waitress"

    @asynccontextmanager
    async def serving(self, **given: Any) -> AsyncIterator[int]:
        app = main.create_app(settings(**given))
        async with serving_wsgi(app, self.kind) as port:
            yield port
        app.extensions["workflow_studio"].close()


class TestAWebhookCallOfWaitress(FlaskCalls):
    pass


class TestAWebhookCall(FlaskCalls, CallsByWsgi):
    kind = "threads"
