"""The example app in Python, loaded from its folder, and servers on real sockets on both of its sides."""

from __future__ import annotations

import asyncio
import importlib
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvicorn

from tests.support.template import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import ModuleType

EXAMPLE = ROOT / "examples/fastapi-app"


def load(name: str) -> ModuleType:
    """Import a module of the example; the folder stays on the path, as when a server runs there."""
    if str(EXAMPLE) not in sys.path:
        sys.path.insert(0, str(EXAMPLE))
        sys.dont_write_bytecode = True
    return importlib.import_module(name)


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

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=2**20)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
            call.body = await reader.readexactly(int(length[0]))
        return call


async def exchange(port: int, request: bytes) -> bytes:
    """Send bytes to a port, and return what comes until the other side hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer
