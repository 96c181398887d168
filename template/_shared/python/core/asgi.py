"""Requests as ASGI servers give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from .requests import Incoming


def incoming_from_scope(scope: Mapping[str, Any]) -> Incoming:
    """Return the request of an ASGI scope."""
    raw: bytes | None = scope.get("raw_path")
    query: bytes | str = scope["query_string"]  # text in the requests that Django makes for tests
    client = scope.get("client")
    return Incoming(
        method=scope["method"],
        scheme=scope["scheme"],
        path=raw.decode("latin-1") if raw else quote(scope["path"]),
        query=query if isinstance(query, str) else query.decode("latin-1"),
        headers=tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]),
        peer=client[0] if client else None,
        server=_server(scope.get("server")),
    )


def _server(server: tuple[str, int | None] | None) -> str:
    if not server:
        return "localhost"
    host, port = server
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"
