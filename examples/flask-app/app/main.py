"""The app; a server starts it as ``app.main:app``."""

from __future__ import annotations

import httpx
from flask import Flask

from workflow_studio_app import WorkflowStudioSettings, add_workflow_studio

from . import orders


def create_app(settings: WorkflowStudioSettings | None = None, transport: httpx.BaseTransport | None = None) -> Flask:
    """Make the app.

    Args:
        settings: Where the worker is; from the environment if absent.
        transport: Replaces the network on the way to the worker, for tests.
    """
    app = Flask(__name__)
    add_workflow_studio(app, settings, transport=transport)
    app.register_blueprint(orders.routes)
    return app


app = create_app()
