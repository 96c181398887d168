"""HTTP as data: a request and its answer, without a connection."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebRequest:
    """An HTTP request.

    Attributes:
        method: In capital letters.
        url: The whole address.
        headers: Names and values, in order; a name may come more than once.
        body: All of it.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever the case of its name."""
        return _first(self.headers, name)


@dataclass(frozen=True, slots=True)
class WebResponse:
    """The answer to an HTTP request.

    Attributes:
        status: The HTTP status.
        headers: Names and values, in order; a name may come more than once.
        body: All of it.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """Return the first value of a header, whatever the case of its name."""
        return _first(self.headers, name)


def _first(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    wanted = name.lower()
    return next((value for given, value in headers if given.lower() == wanted), None)
