"""Frames over a socket: a length and a CBOR map; see ``docs/reference/wire.md``."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.compute.wire import WireFormatError, decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_FRAME_SIZE: Final = 64 * 1024 * 1024
_BUFFER_SIZE: Final = 1024 * 1024
_SOCKET_BUFFER_SIZE: Final = 2 * 1024 * 1024
_HEADER: Final = struct.Struct(">I")


class FrameError(Exception):
    """The other side sent something that is no frame."""


class FrameTooLargeError(Exception):
    """A frame would be larger than :data:`MAX_FRAME_SIZE`."""


class Connection:
    """One end of a connection. Frames may be sent by many tasks at once and received by one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._unwritten: list[bytes] = []

    @classmethod
    async def pair(cls) -> tuple[Connection, socket.socket]:
        """Return a connection and the socket for the process at its other end."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            # Else a large frame goes in many small turns of both processes.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BUFFER_SIZE)
        try:
            reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_BUFFER_SIZE)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        return cls(reader, writer), theirs

    async def send(self, frame: Mapping[str, Any]) -> None:
        """Send a frame.

        Raises:
            FrameTooLargeError: If it is too large; nothing is sent.
            ConnectionError: If the connection is closed.
        """
        body = encode(frame)
        if len(body) > MAX_FRAME_SIZE:
            raise FrameTooLargeError(f"A frame of {len(body)} bytes is larger than {MAX_FRAME_SIZE}.")
        self._write(body)
        await self._writer.drain()

    def _write(self, body: bytes) -> None:
        # What is sent in one turn comes together: steps that begin together end together.
        if not self._unwritten:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unwritten.append(_HEADER.pack(len(body)) + body)

    def _flush(self) -> None:
        # Whoever sent into a connection that is closed hears of it otherwise.
        if self._unwritten and not self._writer.is_closing():
            self._writer.write(b"".join(self._unwritten))
        self._unwritten.clear()

    async def receive(self) -> dict[str, Any] | None:
        """Return the next frame, or None when the connection is closed.

        Raises:
            FrameError: If it is not a frame.
        """
        try:
            (size,) = _HEADER.unpack(await self._reader.readexactly(_HEADER.size))
            if size > MAX_FRAME_SIZE:
                raise FrameError(f"a frame of {size} bytes")
            frame = decode(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        except WireFormatError as error:
            raise FrameError(str(error)) from error
        if not isinstance(frame, dict) or not isinstance(frame.get("t"), str):
            raise FrameError("a frame without a type")
        return frame

    async def close(self) -> None:
        """Close it; harmless if it is closed already."""
        self._flush()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
