"""An app's folder with the generated package in it, and a worker that answers as a test tells it to."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from workflow_studio.compute import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_PATHS = {endpoint.method: endpoint.path for endpoint in wire.ENDPOINTS}

DRIVER = """
const describe = (error) => ({
  name: error.name, message: error.message, ...error, cause: error.cause && String(error.cause.code ?? error.cause),
});
(async () => {
%s
})().then(
  (value) => process.stdout.write(JSON.stringify({ value: value ?? null })),
  (error) => process.stdout.write(JSON.stringify({ error: describe(error) })),
);
"""


@dataclass
class App:
    """A folder in which Node.js runs a few lines of code."""

    folder: Path

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def node(self, code: str, **env: str) -> dict[str, Any]:
        """Run the body of an async function; return ``{"value": …}`` or ``{"error": …}``."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WORKFLOW_", "NODE_"))}
        done = subprocess.run(
            ["node", "--eval", DRIVER % code],
            cwd=self.folder,
            env={**kept, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def value(self, code: str, **env: str) -> Any:
        answer = self.node(code, **env)
        assert "error" not in answer, answer
        return answer["value"]

    def error(self, code: str, **env: str) -> dict[str, Any]:
        answer = self.node(code, **env)
        assert "error" in answer, answer
        error: dict[str, Any] = answer["error"]
        return error


@dataclass
class Request:
    """What arrived at the worker."""

    method: str
    path: str
    headers: dict[str, str]
    params: Any


@dataclass
class Answer:
    """What the worker sends back, but for the last ``lost`` bytes of it: then the connection is cut."""

    status: int = 200
    body: bytes = b""
    type: str = wire.CBOR_MEDIA_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)
    lost: int = 0


def cbor(value: Any, **headers: str) -> Answer:
    return Answer(200, wire.encode(value), headers=headers)


def refusal(status: int, code: str, *, headers: Mapping[str, str] | None = None, **fields: Any) -> Answer:
    body = json.dumps({"code": code, "message": f"refused with {code}", **fields}).encode()
    return Answer(status, body, "application/json", headers or {})


def calls_of(request: Request) -> list[Request]:
    """Return the calls of a batch as requests of their own; any other request as it is."""
    if request.path != _PATHS["batch"]:
        return [request]
    return [
        Request("POST", _PATHS[call["method"]], _key_of(call), wire.decode(call["params"]))
        for call in request.params["calls"]
    ]


def _key_of(call: dict[str, Any]) -> dict[str, str]:
    key = call.get("idempotencyKey")
    return {} if key is None else {"idempotency-key": key}


def each(answer: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
    """Return what answers a batch as ``answer`` answers each of its calls, and any other request likewise."""

    def result(answered: Answer) -> dict[str, Any]:
        if answered.status == 200:
            return {"value": wire.decode(answered.body)}
        return {"error": json.loads(answered.body)["error"]}

    def whole(request: Request) -> Answer:
        if request.path != _PATHS["batch"]:
            return answer(request)
        answers = [answer(call) for call in calls_of(request)]
        return cbor({"results": [result(answered) for answered in answers]}, **answers[-1].headers)

    return whole


class FakeWorker:
    """A real HTTP server; ``answer`` decides what it says, ``requests`` is what it heard."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Answer] = lambda _: cbor({})
        worker = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                """Keep the test's output clean."""

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                is_cbor = headers.get("content-type") == wire.CBOR_MEDIA_TYPE
                request = Request(self.command, self.path, headers, wire.decode(body) if is_cbor else body)
                worker.requests.append(request)
                answer = worker.answer(request)
                self.send_response(answer.status)
                for name, value in {"content-type": answer.type, **answer.headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body[: len(answer.body) - answer.lost])
                self.close_connection = self.close_connection or answer.lost > 0

            do_GET = do_POST = _handle  # noqa: N815 - the names that http.server calls

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Give the port back."""
        self._server.server_close()

    def answers(self, *answers: Answer) -> None:
        """Give these answers one after the other, the last one for ever."""
        rest = list(answers)
        self.answer = lambda _: rest.pop(0) if len(rest) > 1 else rest[0]

    def serve(self) -> Iterator[FakeWorker]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self.close()
            thread.join()
