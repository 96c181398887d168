"""The archive as a stream: gzip and tar, read once, forwards, within limits.

Only plain files are accepted. Python's ``tarfile`` holds a whole extended header in memory, so an archive of a few
bytes could cost as much as the limit on the unpacked size; here every header is one block, read by ``tarfile``'s own
parser, and any kind of member but a plain file is refused before its content is looked at.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workflow_studio.worker.artifacts.errors import invalid, too_large

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from workflow_studio.worker.artifacts.limits import ArtifactLimits

_BLOCK: Final = tarfile.BLOCKSIZE
_CHUNK: Final = 256 * 1024
_END: Final = bytes(_BLOCK)


class _Unpacked:
    """The archive without its compression, counted."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._gzip = gzip.GzipFile(fileobj=file, mode="rb")
        self._limit = limit
        self._left = limit

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; fewer only at the end.

        Raises:
            ArtifactError: If the compression is broken or the limit is passed.
        """
        parts: list[bytes] = []
        while size > 0:
            try:
                part = self._gzip.read(min(size, _CHUNK))
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise invalid(f"The archive is not a complete gzip file: {error}.") from error
            if not part:
                break
            self._left -= len(part)
            if self._left < 0:
                raise too_large("The unpacked archive", self._limit, "bytes")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


@dataclass(slots=True)
class Member:
    """One file of the archive; read its content before going on to the next."""

    name: str
    size: int
    _source: _Unpacked
    _left: int

    def chunks(self) -> Iterator[bytes]:
        """Read the content in pieces.

        Raises:
            ArtifactError: If the archive ends first.
        """
        while self._left:
            chunk = self._source.read(min(self._left, _CHUNK))
            if not chunk:
                raise invalid(f"The archive ends in the middle of {self.name!r}.")
            self._left -= len(chunk)
            yield chunk

    def skip_padding(self) -> None:
        """Go to the end of the last block of the content, reading what nobody read."""
        for _ in self.chunks():
            pass
        self._source.read(-self.size % _BLOCK)


def members(file: BinaryIO, limits: ArtifactLimits) -> Iterator[Member]:
    """Read the archive's files in order.

    Raises:
        ArtifactError: If the archive is malformed, holds anything but plain files, or passes a limit.
    """
    source = _Unpacked(file, limits.unpacked)
    while (header := _next_header(source)) is not None:
        member = Member(header.name, header.size, source, header.size)
        yield member
        member.skip_padding()
    while rest := source.read(_CHUNK):
        if rest.strip(b"\0"):
            raise invalid("The archive goes on after its end.")


def _next_header(source: _Unpacked) -> tarfile.TarInfo | None:
    block = source.read(_BLOCK)
    if block == _END:
        return None
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise invalid(f"The archive is not a tar file, or is cut short: {error}.") from error
    if header.type not in {tarfile.REGTYPE, tarfile.AREGTYPE}:
        raise invalid(f"{header.name!r} is not a plain file; an artifact holds nothing else.")
    if header.size < 0:
        raise invalid(f"{header.name!r} has a size below zero.")
    return header
