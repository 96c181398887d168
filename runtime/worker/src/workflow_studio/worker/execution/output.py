"""What executors print goes to the log, line by line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    import logging

_MAX_LINE: Final = 16 * 1024
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


async def forward(stream: asyncio.StreamReader, logger: logging.Logger, level: int) -> None:
    """Log every line of ``stream`` until it ends; what is longer than 16 KiB is logged in pieces."""
    rest = b""
    while data := await stream.read(65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            _log(line, logger, level)
        if len(rest) > _MAX_LINE:
            _log(rest, logger, level)
            rest = b""
    if rest:
        _log(rest, logger, level)


def _log(line: bytes, logger: logging.Logger, level: int) -> None:
    for start in range(0, max(len(line), 1), _MAX_LINE):
        piece = line[start : start + _MAX_LINE].decode(errors="replace").rstrip("\r")
        logger.log(level, "%s", printable(piece))


def printable(text: str) -> str:
    """Return what an app says without escape sequences: they must not reach the operator's terminal."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
