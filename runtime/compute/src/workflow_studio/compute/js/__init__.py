"""The JavaScript of the protocol: one World for the app and for the executors.

``cbor.cjs`` is the encoding, made of ``cbor-encode.cjs``, ``cbor-decode.cjs`` and what both agree on
(``cbor-rules.cjs``); ``errors.cjs`` makes the errors, ``queue.cjs`` has the message envelope and the queue handler,
``streams.cjs`` the streams (``stream-reads.cjs``, ``stream-writes.cjs``), ``callers.cjs`` tells what the SDK reads a
run for, ``polling.cjs`` waits for a run's end, ``run-options.cjs`` knows what ``start()`` has no place for, and
``world.cjs`` puts the Workflow SDK's World interface over a transport. They are CommonJS, need Node.js 20 and nothing
else, and stay together in one folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

FILES: Final = (
    "cbor-rules.cjs",
    "cbor-encode.cjs",
    "cbor-decode.cjs",
    "cbor.cjs",
    "errors.cjs",
    "queue.cjs",
    "stream-reads.cjs",
    "stream-writes.cjs",
    "streams.cjs",
    "callers.cjs",
    "polling.cjs",
    "run-options.cjs",
    "world.cjs",
)
"""The files, in an order in which each one needs only those before it."""


def path() -> Path:
    """Return the folder that holds :data:`FILES`."""
    return Path(__file__).parent
