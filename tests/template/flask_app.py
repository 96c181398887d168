"""The example app on Flask."""

from __future__ import annotations

from typing import Any

import httpx

from tests.template.python_app import Example
from tests.template.python_support import Fake

EXAMPLE = Example("flask-app")
load = EXAMPLE.load
settings = EXAMPLE.settings
studio_app = load("workflow_studio_app")
main = load("app.main")


class Connected:
    """The app with a worker that is a function."""

    def __init__(self, **given: Any) -> None:
        self.worker = Fake()
        self.app = main.create_app(settings(**given), self.worker)
        transport = httpx.WSGITransport(app=self.app.wsgi_app)
        self.http = httpx.Client(transport=transport, base_url="http://app.example")
