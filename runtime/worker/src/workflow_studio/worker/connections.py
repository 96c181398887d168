"""Connections: what a client may cost before its request is one.

The server's own parser takes a head of any length, at any pace, from anyone: no key is asked for before it is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from workflow_studio.worker.whole import WholeRequest, is_whole

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Container

    from starlette.types import ASGIApp

MAX_HEAD: Final = 64 * 1024
"""Bytes of a request's first line and headers."""

_STATUS_LINE: Final = b"HTTP/1.1 "
_MOST_TO_COPY: Final = 64 * 1024
"""Bytes that are sent together with a head. For more, a packet more does not matter."""

_TOO_LARGE: Final = (
    b'{"code":"request_too_large","message":"The head of the request is longer than 65536 bytes.",'
    b'"recovery":"Send fewer and shorter headers, and a shorter address."}'
)


def protocol(
    head_timeout: float, lane: ASGIApp | None = None, addresses: Container[tuple[str, str]] = ()
) -> type[HttpToolsProtocol]:
    """Return the protocol of connections.

    Args:
        head_timeout: Seconds from the opening of a connection, or the first byte of a later request, until its head is
            complete.
        lane: Answers the requests for some addresses that arrive whole (:mod:`.whole`), in the app's stead.
        addresses: The addresses, by method and path.
    """

    class Connection(_Connection):
        _head_timeout = head_timeout
        _lane = staticmethod(lane) if lane is not None else None
        _addresses = addresses if lane is not None else ()

    return Connection


class _Connection(HttpToolsProtocol):
    _head_timeout: float
    _head_timer: asyncio.TimerHandle | None = None
    _head_size = 0
    _in_head = True
    _lane: Any = None
    _addresses: Container[tuple[str, str]] = ()
    _is_between = True
    """Whether the last request was received and the next one has not begun."""

    _chunk: bytes | None = None
    """What is being parsed, if it begins with the request that is parsed."""

    _content: list[bytes] | None = None
    """The body so far of a request that is whole."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # Answers are written to this one.
        self.transport = cast("asyncio.Transport", Together(transport, self.loop))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._in_head = True
        self._is_between = False
        self._head_size = 0
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_timer()
        if self._is_whole():
            self._content = []
        else:
            super().on_headers_complete()

    def _is_whole(self) -> bool:
        """Tell whether the request is for one of the addresses, and all of it is here."""
        chunk, self._chunk = self._chunk, None
        if chunk is None or (self.cycle is not None and not self.cycle.response_complete):
            return False
        path = self.url.decode("latin-1")
        method = self.parser.get_method().decode("ascii")
        is_plain = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()
        if not is_plain or (method, path) not in self._addresses or not is_whole(chunk, self.headers):
            return False
        self.scope |= {"method": method, "path": path, "raw_path": self.url, "query_string": b""}
        return True

    def on_body(self, body: bytes) -> None:
        if self._content is not None:
            self._content.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_between = True
        if self._content is None:
            super().on_message_complete()
            return
        self._stop_timer()
        content, self._content = b"".join(self._content), None
        self.cycle = WholeRequest(self, content)
        self._start_asgi_task(self.cycle, self._lane)

    def data_received(self, data: bytes) -> None:
        self._chunk = data if self._is_between else None
        super().data_received(data)
        self._chunk = None
        if self._content is not None:
            self._await_head()  # it only looked whole
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


class Together:
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

    def write_whole(self, data: bytes) -> None:
        """Send an answer with its head."""
        self._flush()
        self._transport.write(data)

    def close(self) -> None:
        """Close the connection after what was written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)
