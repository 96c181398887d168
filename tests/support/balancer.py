"""A load balancer before several servers on this machine, as far as the tests need one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Balancer:
    """Passes each connection on to the next of its servers that takes it.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, ports: Iterable[int], *, port: int = 0) -> None:
        self._ports = list(ports)
        self._out: set[int] = set()
        self._connections: dict[int, set[asyncio.StreamWriter]] = {port: set() for port in self._ports}
        self._turn = 0
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="balancer", daemon=True)
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._accept, "127.0.0.1", port), self._loop)
        self._server = server.result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]

    def leave_out(self, port: int) -> None:
        """Pass nothing on to a server that does not answer, and end its connections, as health checks would."""

        def work() -> None:
            self._out.add(port)
            for writer in self._connections[port]:
                writer.close()

        self._loop.call_soon_threadsafe(work)

    def take_back(self, port: int) -> None:
        """Pass connections on to the server again."""
        self._loop.call_soon_threadsafe(self._out.discard, port)

    def close(self) -> None:
        """End all connections and stop to listen."""

        async def end() -> None:
            self._server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._pass_on(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            found = await self._connect()
            if found is None:
                return
            port, from_server, to_server = found
            ends = {writer, to_server}
            self._connections[port] |= ends
            try:
                await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))
            finally:
                self._connections[port] -= ends
                to_server.close()
        finally:
            writer.close()

    async def _connect(self) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter] | None:
        self._turn += 1
        for number in range(len(self._ports)):
            port = self._ports[(self._turn + number) % len(self._ports)]
            if port not in self._out:
                with contextlib.suppress(OSError):
                    return (port, *await asyncio.open_connection("127.0.0.1", port))
        return None


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
