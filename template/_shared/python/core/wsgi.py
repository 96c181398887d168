"""Requests as WSGI servers give them.

WSGI keeps less than was sent: a header that comes more than once is one, its values joined by commas, and nobody is
told that the caller left before something is written to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes, urlsplit

from workflow_studio.client import ComputeClientError

from .requests import BodyCutError, Incoming

_PIECE: Final = 64 * 1024
_ENTITY: Final = ("CONTENT_TYPE", "CONTENT_LENGTH")


class LengthRequiredError(ComputeClientError):
    """The body comes in chunks, and the server of this app does not put them together."""

    def __init__(self) -> None:
        super().__init__(
            "This server takes no bodies of unknown length.",
            status=411,
            code="length_required",
            recovery="Send a Content-Length.",
        )


def incoming_from_environ(environ: Mapping[str, Any]) -> Incoming:
    """Return the request of a WSGI environment."""
    name, port = environ["SERVER_NAME"], environ["SERVER_PORT"]
    host = f"[{name}]" if ":" in name else name
    return Incoming(
        method=environ["REQUEST_METHOD"],
        scheme=environ["wsgi.url_scheme"],
        path=_path(environ),
        query=environ.get("QUERY_STRING", ""),
        headers=tuple(_headers(environ)),
        peer=environ.get("REMOTE_ADDR") or None,
        server=f"{host}:{port}" if port else host,
    )


def path_info(environ: Mapping[str, Any]) -> str:
    """Return the path inside this app, without escapes."""
    return str(environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8", "replace")


def body_pieces(environ: Mapping[str, Any], incoming: Incoming) -> Iterator[bytes]:
    """Return the body as it comes.

    Raises:
        LengthRequiredError: If nobody can tell where it ends.
        BodyCutError: If the caller went away.
    """
    if not incoming.has_body:
        return
    stream = environ["wsgi.input"]
    # What there is now, where a server has that; read() waits for as much as it is asked for.
    read = getattr(stream, "read1", stream.read)
    length = incoming.header("content-length")
    if length is None or incoming.has("transfer-encoding"):
        if not environ.get("wsgi.input_terminated"):
            raise LengthRequiredError
        while piece := _read(read, _PIECE):
            yield piece
        return
    left = int(length) if length.isascii() and length.isdigit() else 0
    while left > 0:
        piece = _read(read, min(left, _PIECE))
        if not piece:
            raise BodyCutError
        left -= len(piece)
        yield piece


def _read(read: Any, size: int) -> bytes:
    try:
        piece: bytes = read(size)
    except Exception as error:  # each server has its own for a caller that left
        raise BodyCutError from error
    return piece


def _headers(environ: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in environ.items():
        if name.startswith("HTTP_") and name[5:] not in _ENTITY:
            yield name[5:].replace("_", "-").lower(), value
    for name in _ENTITY:
        if environ.get(name):
            yield name.replace("_", "-").lower(), environ[name]


def _path(environ: Mapping[str, Any]) -> str:
    decoded = (str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", ""))).encode("latin-1")
    for name in ("RAW_URI", "REQUEST_URI"):  # no standard, but most servers have one of them
        raw = str(environ.get(name, "")).partition("?")[0]
        raw = raw if raw.startswith("/") else urlsplit(raw).path
        # What stands between the server and this app may have changed the path.
        if raw and unquote_to_bytes(raw) == decoded:
            return raw
    return quote(decoded)
