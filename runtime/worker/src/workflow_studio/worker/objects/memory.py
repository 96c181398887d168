"""Objects in memory: for an engine by itself, and as the model that the other forms are tested against."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio

from workflow_studio.worker.objects.errors import ObjectMissingError
from workflow_studio.worker.parts import StoredObject

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class MemoryObjects:
    """Implements :class:`workflow_studio.worker.parts.ObjectStore` without keeping anything."""

    def __init__(self) -> None:
        self._content: dict[str, tuple[bytes, int]] = {}

    async def put(self, name: str, content: bytes | Path, /) -> bool:
        """Store an object; one that is there stays as it is."""
        if name in self._content:
            return False
        data = content if isinstance(content, bytes) else await anyio.Path(content).read_bytes()
        self._content[name] = (data, time.time_ns() // 1_000_000)
        return True

    async def read(self, name: str, /) -> AsyncIterator[bytes]:
        """Return an object's content, in pieces."""
        if name not in self._content:
            raise ObjectMissingError(name)
        yield self._content[name][0]

    async def look(self, name: str, /) -> StoredObject | None:
        """Return what an object is like; None if it is not there."""
        found = self._content.get(name)
        return None if found is None else StoredObject(name, len(found[0]), found[1])

    async def delete(self, name: str, /) -> None:
        """Remove an object, if it is there."""
        self._content.pop(name, None)

    async def list(self, prefix: str, /) -> AsyncIterator[StoredObject]:
        """Return the objects whose names begin with a prefix."""
        for name, (data, at) in sorted(self._content.items()):
            if name.startswith(prefix):
                yield StoredObject(name, len(data), at)
