"""Requests that are all there when they are looked at, at addresses that are asked for all the time.

What a server does for any request, apps of the world lane need none of: their requests are small and arrive in one
piece, and each answer is one, too. After a pause, when nothing is in the processor's caches, that is a good part of the
time that a call takes.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CONTENT: Final = "workflow_studio.content"
"""Where the body of such a request is, in its scope."""

_END_OF_HEAD: Final = b"\r\n\r\n"
_NOT_PLAIN: Final = frozenset({b"expect", b"transfer-encoding", b"upgrade", b"forwarded"})
_OF_PROXIES: Final = b"x-forwarded-"
_NOT_IN_HEADERS: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def is_whole(data: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether bytes are one request and nothing else, and a plain one.

    Args:
        data: What was received, from the first byte of the request on.
        headers: The headers of the request; their names are in lower case.
    """
    length = 0
    for name, value in headers:
        if name == b"content-length":
            length = int(value)  # the parser has seen to that
        elif name in _NOT_PLAIN or name.startswith(_OF_PROXIES):
            return False
    end = data.find(_END_OF_HEAD)
    return end >= 0 and len(data) == end + len(_END_OF_HEAD) + length


class WholeRequest(RequestResponseCycle):
    """A request that has been received, and its answer, which is sent in one piece if it is one.

    Args:
        connection: Where it came from.
        content: Its body.
    """

    def __init__(self, connection: HttpToolsProtocol, content: bytes) -> None:
        super().__init__(
            scope=connection.scope,
            transport=connection.transport,
            flow=connection.flow,
            logger=connection.logger,
            access_logger=connection.access_logger,
            access_log=False,
            default_headers=connection.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=True,
            on_response=connection.on_response_complete,
        )
        scope: Any = self.scope
        scope[CONTENT] = content
        self.more_body = False
        self._content = content
        self._is_read = False
        self._start: Any = None

    async def receive(self) -> Any:
        """Return the body, and after that wait for the end of the connection or of the answer."""
        if not self._is_read:
            self._is_read = True
            return {"type": "http.request", "body": self._content, "more_body": False}
        await self.message_event.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Send the answer; its head waits for what follows."""
        if message["type"] == "http.response.start" and self._start is None and not self.response_started:
            self._start = message
            return
        start, self._start = self._start, None
        if start is None or message.get("more_body", False) or self.flow.write_paused:
            if start is not None:
                await super().send(start)
            await super().send(message)
        elif not self.disconnected:
            self._send_whole(start["status"], start["headers"], message.get("body", b""))

    def _send_whole(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
        if _NOT_IN_HEADERS.search(b"".join([part for header in headers for part in header])):
            raise RuntimeError("A header of the answer cannot be sent.")
        self.response_started = self.response_complete = True
        self.keep_alive = self.keep_alive and (b"connection", b"close") not in headers
        fields = [b"%b: %b\r\n" % header for header in (*self.default_headers, *headers)]
        transport: Any = self.transport
        transport.write_whole(b"".join([STATUS_LINE[status], *fields, b"\r\n", body]))
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()
