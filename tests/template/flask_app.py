"""The example app on Flask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from tests.template.python_app import Example
from tests.template.python_support import Fake, values

if TYPE_CHECKING:
    from types import ModuleType

EXAMPLE = Example("flask-app")


def load(name: str) -> ModuleType:
    """Import a module of the example."""
    return EXAMPLE.load(name)


studio_app = load("workflow_studio_app")
main = load("app.main")


def settings(**given: Any) -> Any:
    """Return settings of the app."""
    return studio_app.WorkflowStudioSettings(_env_file=None, **values(**given))


class Connected:
    """The app with a worker that is a function."""

    def __init__(self, **given: Any) -> None:
        self.worker = Fake()
        self.app = main.create_app(settings(**given), self.worker)
        transport = httpx.WSGITransport(app=self.app.wsgi_app)
        self.http = httpx.Client(transport=transport, base_url="http://app.example")
