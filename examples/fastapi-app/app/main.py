"""The app; a server starts it as ``app.main:app``."""

from __future__ import annotations

import httpx
from fastapi import FastAPI

from workflow_studio_app import WorkflowStudioSettings, add_workflow_studio

from . import orders


def create_app(
    settings: WorkflowStudioSettings | None = None, transport: httpx.AsyncBaseTransport | None = None
) -> FastAPI:
    """Make the app.

    Args:
        settings: Where the worker is; from the environment if absent.
        transport: Replaces the network on the way to the worker, for tests.
    """
    app = FastAPI(title="fastapi-app")
    add_workflow_studio(app, settings, transport=transport)
    app.include_router(orders.router)
    return app


app = create_app()
