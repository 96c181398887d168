"""A worker's deployment routes, as far as the commands can tell, on a real socket."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "key-of-the-deploy-tests-0123456789"


def key_with(*scopes: str) -> dict[str, Any]:
    """Return a key as the worker shows it."""
    names = {"keyId": "ci", "projectId": "default", "environment": "default", "state": "live"}
    return {**names, "scopes": scopes, "fromSettings": True, "createdAt": "2026-11-22T08:00:00Z"}


@dataclass
class FakeWorker:
    """What it has, what it was sent, and what it shall refuse.

    Attributes:
        deployments: Newest first, as the list route answers.
        refusals: What it answers in place of its own, status and body, by "VERB /path".
        requests: "VERB /path" of each call.
        environments: The environment that each call named.
        uploaded: Bodies of uploads.
    """

    url: str = ""
    deployments: list[dict[str, Any]] = field(default_factory=list)
    refusals: dict[str, tuple[int, dict[str, Any]]] = field(
        default_factory=lambda: {"GET /v1/keys/current": (200, key_with("deploy:read", "deploy:write"))}
    )
    requests: list[str] = field(default_factory=list)
    environments: list[str | None] = field(default_factory=list)
    uploaded: list[bytes] = field(default_factory=list)
    uploads_become: str = "dep_" + "a" * 32

    def answer(self, verb: str, path: str, body: bytes, key: str | None) -> tuple[int, dict[str, Any]]:
        self.requests.append(f"{verb} {path}")
        if key != f"Bearer {KEY}":
            return 401, {"code": "unauthorized", "message": "The API key is not known."}
        if f"{verb} {path.partition('?')[0]}" in self.refusals:
            return self.refusals[f"{verb} {path.partition('?')[0]}"]
        if verb == "POST" and path == "/v1/deployments":
            self.uploaded.append(body)
            return 201, {"deploymentId": self.uploads_become, "status": "created"}
        if verb == "POST" and path.endswith("/activate"):
            return 200, {"deploymentId": path.split("/")[3], "status": "active"}
        if path.startswith("/v1/deployments?"):
            # Two to a page, so that following pages is tested too.
            query = dict(part.split("=") for part in path.partition("?")[2].split("&"))
            start = int(query.get("cursor", "0"))
            more = start + 2 < len(self.deployments)
            cursor = str(start + 2) if more else None
            return 200, {"data": self.deployments[start : start + 2], "hasMore": more, "cursor": cursor}
        return 404, {"code": "not_found", "message": f"No route {verb} {path}."}


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWorker]:
    fake = FakeWorker()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.serve()

        def do_POST(self) -> None:
            self.serve()

        def do_DELETE(self) -> None:
            self.serve()

        def serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            fake.environments.append(self.headers.get("x-workflow-studio-environment"))
            status, answer = fake.answer(self.command, self.path, body, self.headers.get("authorization"))
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        fake.url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("WORKFLOW_COMPUTE_BASE_URL", fake.url)
        monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", KEY)
        yield fake
        server.shutdown()
        thread.join()
