"""Requests on their way through this app: their address as the caller wrote it, their headers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from workflow_studio.client import ComputeClientError, WebRequest

from ..settings import Networks

Headers = list[tuple[str, str]]

LARGEST_BODY: Final = 10 * 1024 * 1024

# They say something about one connection, and nothing to whoever is behind it (source: RFC 9110, 7.6.1).
_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# A caller that names them in Connection is up to something: taking them away would change what the request says.
_NEVER_HOP_BY_HOP: Final = frozenset({"authorization", "content-length", "content-type", "host"})
_FORWARDED: Final = frozenset(
    {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto"}
)
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD"})


class BodyTooLargeError(ComputeClientError):
    """The caller sent more than is taken."""

    def __init__(self, largest: int) -> None:
        super().__init__(f"The body is larger than {largest} bytes.", status=413, code="request_too_large")


class BodyCutError(ComputeClientError):
    """The caller went away before all of the body was there."""

    def __init__(self) -> None:
        super().__init__("The body of the request broke off.", status=400, code="body_cut")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request that came to this app, but for its body.

    Attributes:
        method: In capital letters.
        scheme: Of the connection to this app.
        path: As the caller wrote it, with its escapes.
        query: As the caller wrote it, without the question mark.
        headers: Names in small letters, and values, in order; a name may come more than once.
        peer: The address at the other end of the connection.
        server: Host and port of this app, for callers that name none.
    """

    method: str
    scheme: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    peer: str | None
    server: str

    def header(self, name: str) -> str | None:
        """Return the first value of a header."""
        return next((value for found, value in self.headers if found == name), None)

    def has(self, name: str) -> bool:
        """Tell whether a header is there."""
        return any(found == name for found, _ in self.headers)

    def listed(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for found, value in self.headers if found == name]

    @property
    def has_body(self) -> bool:
        """Whether there is a body; what is sent with GET and HEAD counts for nothing."""
        if self.method in _WITHOUT_BODY:
            return False
        return self.has("transfer-encoding") or (self.header("content-length") or "0") != "0"


def public_url_of(incoming: Incoming, trusted: Networks = ()) -> str:
    """Return the whole address of a request as its caller wrote it.

    Args:
        incoming: The request.
        trusted: The proxies that are believed when they say which scheme and host the caller used.
    """
    query = f"?{incoming.query}" if incoming.query else ""
    return f"{_scheme(incoming, trusted)}://{_host(incoming, trusted)}{incoming.path}{query}"


def end_to_end_headers(headers: Iterable[tuple[str, str]]) -> Headers:
    """Return the headers that are meant for the other end: in order, repeated ones too, names in small letters."""
    lowered = [(name.lower(), value) for name, value in headers]
    said = ",".join(value for name, value in lowered if name == "connection")
    dropped = _HOP_BY_HOP | ({part.strip().lower() for part in said.split(",")} - _NEVER_HOP_BY_HOP)
    return [(name, value) for name, value in lowered if name not in dropped]


def forwarded_headers(incoming: Incoming, trusted: Networks) -> Headers:
    """Return the headers that tell the next server who called, and how; what strangers say about that is left out."""
    chain = [incoming.peer] if incoming.peer else []
    if _is_trusted(incoming, trusted):
        chain = [part for part in incoming.listed("x-forwarded-for") if part.strip()] + chain
    headers = [("x-forwarded-proto", _scheme(incoming, trusted)), ("x-forwarded-host", _host(incoming, trusted))]
    return [("x-forwarded-for", ", ".join(chain)), *headers] if chain else headers


def without_forwarded(headers: Headers) -> Headers:
    """Return headers without those that :func:`forwarded_headers` makes anew."""
    return [(name, value) for name, value in headers if name not in _FORWARDED]


def web_request_of(incoming: Incoming, body: bytes, trusted: Networks) -> WebRequest:
    """Return a request as data, all of it."""
    headers = [entry for entry in end_to_end_headers(incoming.headers) if entry[0] != "content-length"]
    if incoming.method not in _WITHOUT_BODY:
        headers.append(("content-length", str(len(body))))
    return WebRequest(incoming.method, public_url_of(incoming, trusted), tuple(headers), body)


def _is_trusted(incoming: Incoming, trusted: Networks) -> bool:
    try:
        peer = ip_address(incoming.peer or "")
    except ValueError:
        return False  # a UNIX socket has no address, a test client has a name
    mapped = getattr(peer, "ipv4_mapped", None) or peer
    return any(mapped in network for network in trusted)


def _forwarded(incoming: Incoming, name: str, trusted: Networks) -> str | None:
    """Return the last value of a header: that of the proxy in front of this app. Others come from who knows where."""
    if not _is_trusted(incoming, trusted):
        return None
    values = ",".join(incoming.listed(name)).split(",")
    return values[-1].strip() or None


def _scheme(incoming: Incoming, trusted: Networks) -> str:
    said = (_forwarded(incoming, "x-forwarded-proto", trusted) or "").lower()
    return said if said in {"http", "https"} else incoming.scheme


def _host(incoming: Incoming, trusted: Networks) -> str:
    for candidate in (_forwarded(incoming, "x-forwarded-host", trusted), incoming.header("host")):
        if candidate and _HOST.fullmatch(candidate):
            return candidate
    return incoming.server
