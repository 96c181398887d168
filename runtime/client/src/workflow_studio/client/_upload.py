"""Archives on their way out, in chunks and with progress."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

Progress = Callable[[int, int], None]
"""Called with the bytes sent so far and the bytes in all."""

CHUNK_SIZE: Final = 256 * 1024


def chunks_of(archive: Path | bytes, size: int, on_progress: Progress | None) -> Iterator[bytes]:
    """Read an archive in chunks, telling ``on_progress`` about each one that has gone out."""
    with io.BytesIO(archive) if isinstance(archive, bytes) else archive.open("rb") as file:
        yield from _counted(iter(lambda: file.read(CHUNK_SIZE), b""), size, on_progress)


def _counted(chunks: Iterator[bytes], size: int, on_progress: Progress | None) -> Iterator[bytes]:
    sent = 0
    for chunk in chunks:
        yield chunk
        sent += len(chunk)
        if on_progress is not None:
            on_progress(sent, size)


async def async_chunks_of(archive: Path | bytes, size: int, on_progress: Progress | None) -> AsyncIterator[bytes]:
    """Read an archive in chunks off the event loop, telling ``on_progress`` about each one that has gone out."""
    if isinstance(archive, bytes):
        for chunk in chunks_of(archive, size, on_progress):
            yield chunk
        return
    sent = 0
    async with await anyio.open_file(archive, "rb") as file:
        while chunk := await file.read(CHUNK_SIZE):
            yield chunk
            sent += len(chunk)
            if on_progress is not None:
                on_progress(sent, size)


def size_of(archive: Path | bytes) -> int:
    """Return the size of an archive, in bytes."""
    return len(archive) if isinstance(archive, bytes) else archive.stat().st_size


async def async_size_of(archive: Path | bytes) -> int:
    """Return the size of an archive, in bytes, off the event loop."""
    return len(archive) if isinstance(archive, bytes) else (await anyio.Path(archive).stat()).st_size
