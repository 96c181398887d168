"""The example apps in Python, loaded from their folders, and servers on real sockets on both of their sides."""

from __future__ import annotations

import asyncio
import importlib
import sys
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvicorn
import waitress
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.support.template import ROOT
from tests.template.python_support import values

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import ModuleType

OWN_PACKAGES = frozenset({"workflow_studio_app", "app", "orders", "config"})
"""What the examples call their packages: the same in each, so one process can see only one of them at a time."""


class Example:
    """An example in Python, imported beside others that use the same names."""

    def __init__(self, name: str) -> None:
        self.folder = ROOT / "examples" / name
        self._modules: dict[str, ModuleType] = {}

    @contextmanager
    def on_the_path(self) -> Iterator[None]:
        """Have imports find this example, and nobody else's packages, for as long as the context lasts."""
        before = _take_out()
        sys.modules.update(self._modules)
        sys.path.insert(0, str(self.folder))
        writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            yield
        finally:
            sys.dont_write_bytecode = writes
            sys.path.remove(str(self.folder))
            self._modules = _take_out()
            sys.modules.update(before)

    def load(self, name: str) -> ModuleType:
        """Import a module of the example."""
        with self.on_the_path():
            return importlib.import_module(name)

    def settings(self, **given: Any) -> Any:
        """Return settings of the app."""
        return self.load("workflow_studio_app").WorkflowStudioSettings(_env_file=None, **values(**given))


def _take_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.split(".", 1)[0] in OWN_PACKAGES]
    return {name: sys.modules.pop(name) for name in names}


@asynccontextmanager
async def serving(app: Any, **options: Any) -> AsyncIterator[int]:
    """Serve an ASGI app in this event loop; give the port."""
    config = uvicorn.Config(app, port=0, log_level="warning", **options)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            await task
        await asyncio.sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def serving_wsgi(app: Any, kind: str = "threads") -> AsyncIterator[int]:
    """Serve a WSGI app in threads; give the port.

    Args:
        app: The app.
        kind: ``waitress``, which has read a request whole before the app gets it, or ``threads``: Werkzeug's server,
            a thread for each connection, which hands the app what comes.
    """
    server: Any
    if kind == "waitress":
        server = waitress.create_server(app, host="127.0.0.1", port=0, threads=4, clear_untrusted_proxy_headers=False)
        run, port = server.run, server.effective_port
    else:
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
        run, port = (lambda: server.serve_forever(0.02)), server.server_port
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield port
    finally:
        if kind == "waitress":
            server.trigger.pull_trigger(server.close)
        else:
            server.shutdown()
        await asyncio.to_thread(thread.join, 20)
        if kind == "threads":
            server.server_close()


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        """Say nothing."""


@dataclass
class Call:
    """What arrived at the worker, as it came over the wire."""

    start: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found.lower() == name]


class WireWorker:
    """A server that reads requests off its socket itself, so that nothing between tidies them up."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answer: Callable[[Call], bytes] = lambda _: b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n"
        self.called = asyncio.Event()
        self.body_begun = asyncio.Event()
        self.cut = asyncio.Event()
        self.silent = False
        self.url = ""
        self._writers: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**20)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def hang_up(self) -> None:
        """Cut the connections that are open."""
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while True:
                call = await self._read(reader)
                self.calls.append(call)
                self.called.set()
                if self.silent:
                    await reader.read()  # until the app hangs up
                    self.cut.set()
                    return
                writer.write(self.answer(call))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            self.cut.set()  # what was begun does not end; a size that is missing is no number
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Call:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = head.rstrip("\r\n").split("\r\n")
        call = Call(start, [(line.partition(": ")[0], line.partition(": ")[2]) for line in lines])
        if call.header("transfer-encoding"):
            while size := int(await reader.readline(), 16):
                call.body += await reader.readexactly(size)
                self.body_begun.set()
                await reader.readline()
            await reader.readline()
        elif length := call.header("content-length"):
            while missing := int(length[0]) - len(call.body):
                call.body += await reader.readexactly(1) if not call.body else await reader.readexactly(missing)
                self.body_begun.set()
        return call


async def exchange(port: int, request: bytes) -> bytes:
    """Send bytes to a port, and return what comes until the other side hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer
