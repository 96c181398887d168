"""Connections: what a client may cost before its request is one.

The server's own parser takes a head of any length, at any pace, from anyone: no key is asked for before it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

MAX_HEAD: Final = 64 * 1024
"""Bytes of a request's first line and headers."""

_STATUS_LINE: Final = b"HTTP/1.1 "
_MOST_TO_COPY: Final = 64 * 1024
"""Bytes that are sent together with a head. For more, a packet more does not matter."""

_TOO_LARGE: Final = (
    b'{"code":"request_too_large","message":"The head of the request is longer than 65536 bytes.",'
    b'"recovery":"Send fewer and shorter headers, and a shorter address."}'
)


def protocol(head_timeout: float) -> type[HttpToolsProtocol]:
    """Return the protocol of connections.

    Args:
        head_timeout: Seconds from the opening of a connection, or the first byte of a later request, until its head is
            complete.
    """

    class Connection(_Connection):
        _head_timeout = head_timeout

    return Connection


class _Connection(HttpToolsProtocol):
    _head_timeout: float
    _head_timer: asyncio.TimerHandle | None = None
    _head_size = 0
    _in_head = True

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Answers are written to this one.
        self.transport = cast("asyncio.Transport", _Whole(transport, self.loop))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._head_size = 0
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._head_size += len(data)
        if self._head_size > MAX_HEAD:
            self._refuse()

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self._head_timeout, self._give_up)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    def _refuse(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            head = f"HTTP/1.1 431 \r\ncontent-type: application/json\r\ncontent-length: {len(_TOO_LARGE)}\r\n"
            self.transport.write(head.encode() + b"connection: close\r\n\r\n" + _TOO_LARGE)
        self.transport.close()


class _Whole:
    """A transport that sends the head of an answer together with what follows in the same turn of the loop.

    The server writes head and body one by one, and each would be a packet, and a reason for the client to look.

    Args:
        transport: Sends.
        loop: The loop whose turns count.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send data, or keep it for a moment if it is the head of an answer."""
        if self._head and len(data) <= _MOST_TO_COPY:
            head, self._head = self._head, b""
            self._transport.write(head + data)
            return
        self._flush()
        if data.startswith(_STATUS_LINE):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Close the connection after what was written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)
