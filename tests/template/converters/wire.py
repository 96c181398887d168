"""HTTP as bytes: what no client sends, and what no client shows."""

from __future__ import annotations

import json
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 30


@dataclass
class Answer:
    """A whole response."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def echoed(self, name: str) -> list[str]:
        """Return what the handler saw of a header."""
        return [value for key, value in self.json["headers"] if key == name]


class Connection:
    """One connection, on which bytes are sent as they are."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def begin(self, method: str = "GET") -> HTTPResponse:
        """Read the head of a response."""
        response = HTTPResponse(self.socket, method=method)
        response.begin()
        return response

    def answer(self, method: str = "GET") -> Answer:
        response = self.begin(method)
        return Answer(response.status, response.reason, response.getheaders(), response.read())

    def ask(self, head: str, body: bytes = b"") -> Answer:
        """Send a request whose head is given line by line, without its end, and read the answer."""
        self.send(request(head, body))
        return self.answer(head.split(" ", 1)[0])

    def close(self) -> None:
        self.socket.close()


@contextmanager
def connected(port: int) -> Iterator[Connection]:
    connection = Connection(port)
    try:
        yield connection
    finally:
        connection.close()


def request(head: str, body: bytes = b"") -> bytes:
    return "\r\n".join([*head.strip().splitlines(), "", ""]).encode("latin-1") + body


def chunk(data: bytes) -> bytes:
    """Return one piece of a chunked body; without data, its end."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
