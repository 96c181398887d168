"""What the tests of the packages for Python have in common: settings, a worker that is a function, requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.template.python_app import Call

KEY = "key-of-these-tests"
TOKEN = "token-of-these-tests"
HOOK = "/.well-known/workflow/v1/webhook/a-token"
RUN_ID = "wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV"
DEPLOYMENT_ID = "dep_0123456789abcdef0123456789abcdef"
DIAGNOSTICS = "/api/workflow-studio/diagnostics/remote-ownership"
FULFIL_ORDER = "workflow//./workflows/order//fulfilOrder"
STARTED = {"runId": RUN_ID, "status": "pending", "deploymentId": DEPLOYMENT_ID}
RUN = {"runId": RUN_ID, "status": "completed", "workflowName": FULFIL_ORDER, "deploymentId": DEPLOYMENT_ID}
NO_ENTRIES = {"data": [], "hasMore": False, "cursor": None}


def values(**given: Any) -> dict[str, Any]:
    """Return values for the settings of an app."""
    usual = {"compute_base_url": "http://worker.example", "compute_api_key": SecretStr(KEY), "compute_retries": 0}
    return {**usual, **given}


class Fake(httpx.MockTransport):
    """A worker that is a function; it remembers what it was asked."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Any = lambda _: httpx.Response(200, json={})
        super().__init__(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer: httpx.Response = self.answer(request)
        return answer


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    lines = [f"{line} HTTP/1.1", "host: app.example", "connection: close", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def unending_stream() -> Callable[[Call], bytes]:
    """Return what answers for a worker whose run wrote one chunk, and then nothing more."""
    page = {**NO_ENTRIES, "data": [{"name": f"strm_{RUN_ID[5:]}_user"}]}

    def answer(call: Call) -> bytes:
        if "/streams/" in call.start:
            line = b'{"index":0,"value":"hello"}\n'
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
            return head + b"%x\r\n%b\r\n" % (len(line), line)
        body = json.dumps(page if "/streams" in call.start else {**RUN, "status": "running"}).encode()
        return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    return answer
