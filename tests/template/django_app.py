"""The example project on Django. Its settings are those of the process: only one project of Django is in it."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import django
import httpx
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.test import override_settings
from django.urls import get_resolver

from tests.template.python_app import Example
from tests.template.python_support import Fake, values

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLE = Example("django-app")
load = EXAMPLE.load

with EXAMPLE.on_the_path():
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()
    get_resolver().url_patterns  # noqa: B018 - imports the views, which is otherwise left to the first request

studio_app = load("workflow_studio_app")


@contextmanager
def configured(transport: Any = None, **given: Any) -> Iterator[None]:
    """Have the project use settings."""
    with override_settings(
        ALLOWED_HOSTS=["*"], WORKFLOW_STUDIO={**values(**given), "_env_file": None}, WORKFLOW_STUDIO_TRANSPORT=transport
    ):
        yield


def wsgi_app(**changed: Any) -> Any:
    """Return the project for a server of WSGI, perhaps with other settings of Django."""
    with EXAMPLE.on_the_path(), override_settings(**changed):
        return get_wsgi_application()


def asgi_app(**changed: Any) -> Any:
    """Return the project for a server of ASGI, perhaps with other settings of Django."""
    with EXAMPLE.on_the_path(), override_settings(**changed):
        return get_asgi_application()


async def aclose() -> None:
    """Close what coroutines on this event loop opened."""
    await load("workflow_studio_app.connection").aclose()


class Connected:
    """The project with a worker that is a function."""

    def __init__(self) -> None:
        self.worker = Fake()
        transport = httpx.WSGITransport(app=wsgi_app())
        self.http = httpx.Client(transport=transport, base_url="http://app.example")


@contextmanager
def connected(**given: Any) -> Iterator[Connected]:
    """Give the project with a worker that is a function."""
    found = Connected()
    with configured(found.worker, **given):
        yield found


def blocks(get_response: Any) -> Any:
    """Return a middleware that knows nothing of coroutines."""
    return lambda request: get_response(request)  # noqa: PLW0108 - a middleware is a function of its own


def refuses(_get_response: Any) -> Any:
    """Return a middleware that lets nobody in."""
    return lambda _request: HttpResponse("Log in.", status=403)


def changes_headers(get_response: Any) -> Any:
    """Return a middleware that changes what is answered."""

    def middleware(request: Any) -> Any:
        response = get_response(request)
        response["X-B"] = "changed"
        response["X-D"] = "new"
        del response["X-C"]
        return response

    return middleware
