"""The example app on FastAPI, and requests for it."""

from __future__ import annotations

from typing import Any, Self

import httpx
from starlette.requests import Request

from tests.template.python_app import Example
from tests.template.python_support import Fake

EXAMPLE = Example("fastapi-app")
load = EXAMPLE.load
settings = EXAMPLE.settings
studio_app = load("workflow_studio_app")
main = load("app.main")


def scope(method: str = "POST", *, headers: list[tuple[bytes, bytes]] = [], **more: Any) -> Any:  # noqa: B006 - read
    """Return a request of FastAPI; ``pieces`` are its body."""
    bodies = [{"type": "http.request", "body": piece, "more_body": True} for piece in more.pop("pieces", [])]
    messages = iter([*bodies, {"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        return next(messages, {"type": "http.disconnect"})

    return Request(
        {
            "type": "http", "method": method, "scheme": "http", "path": "/a b", "raw_path": b"/a%20b",
            "query_string": b"q=%2F", "headers": headers, "client": ("10.1.2.3", 5), "server": ("::1", 8000), **more,
        },
        receive,
    )  # fmt: skip


class Connected:
    """The app with a worker that is a function."""

    def __init__(self, **values: Any) -> None:
        self.worker = Fake()
        self.app = main.create_app(settings(**values), self.worker)

    async def __aenter__(self) -> Self:
        self._lifespan = self.app.router.lifespan_context(self.app)
        await self._lifespan.__aenter__()
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://app.example")
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.http.aclose()
        await self._lifespan.__aexit__(None, None, None)
