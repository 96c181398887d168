"""A stand-in for the worker that hands every request on to it and remembers what was asked."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx

from workflow_studio.compute import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

_OF_THE_CONNECTION = {"connection", "content-length", "date", "host", "keep-alive", "server", "transfer-encoding"}


@dataclass
class Asked:
    """A request of the world lane, and the status of its answer once there is one."""

    path: str
    params: Any
    status: int | None = None


class Recorder:
    """Where an app thinks its worker is.

    Attributes:
        asked: The requests, in order.
        answer: Called with each request; an HTTP status to answer with in the worker's place, or None.
    """

    def __init__(self, worker_url: str) -> None:
        self.asked: list[Asked] = []
        self.answer: Any = lambda _: None
        self._changed = threading.Condition()
        recorder = self
        http = httpx.Client(base_url=worker_url, timeout=60)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                """Keep the test's output clean."""

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                given = {name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_CONNECTION}
                is_cbor = self.headers.get("content-type") == wire.CBOR_MEDIA_TYPE
                asked = Asked(self.path, wire.decode(body) if is_cbor else None)
                recorder._note(asked)
                status = recorder.answer(asked)
                if status is None:
                    answer = http.request(self.command, self.path, headers=given, content=body)
                else:
                    answer = httpx.Response(status, text="not the worker")
                asked.status = answer.status_code
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name not in _OF_THE_CONNECTION:
                        self.send_header(name, value)
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            do_GET = do_POST = _handle  # noqa: N815 - the names that http.server calls

        self._http = http
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://localhost:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[Recorder]:
        """Serve."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()
            self._http.close()

    def _note(self, asked: Asked) -> None:
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()

    def reads_of(self, run_id: str) -> list[Asked]:
        """Return the reads of a run so far."""
        return [one for one in self.asked if one.path == "/v1/world/runs/get" and one.params["runId"] == run_id]

    def wait_for_reads(self, run_id: str, number: int, *, seconds: float = 60) -> list[Asked]:
        """Wait until a run was asked for so many times."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.reads_of(run_id)) >= number, seconds), self.asked
            return self.reads_of(run_id)
