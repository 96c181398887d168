"""Bodies of requests, read by code that blocks."""

from __future__ import annotations

from collections.abc import Iterable

from workflow_studio.client import ComputeClientError

from .ownership import LARGEST_MESSAGE, is_unexpected_queue_hit
from .requests import BodyTooLargeError, Incoming


def joined(pieces: Iterable[bytes], largest: int) -> bytes:
    """Return a body.

    Raises:
        BodyTooLargeError: If it is larger than ``largest`` bytes.
    """
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > largest:
            raise BodyTooLargeError(largest)
    return bytes(body)


def queue_message(incoming: Incoming, body: Iterable[bytes]) -> bytes:
    """Return what a queue delivers to this app, as far as it tells which run it is about."""
    if not is_unexpected_queue_hit(incoming):
        return b""
    try:
        return joined(body, LARGEST_MESSAGE)
    except ComputeClientError:
        return b""  # too large for a message, or cut off
