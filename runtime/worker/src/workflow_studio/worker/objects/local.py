"""Objects as files in a directory, there completely or not at all.

Several workers can share the directory: a file gets its name by a hard link, which one of them makes.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio.to_thread

from workflow_studio.worker.folders import sync_folder
from workflow_studio.worker.objects.errors import ObjectMissingError, ObjectStoreError
from workflow_studio.worker.parts import StoredObject

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_NAME: Final = re.compile(r"[a-z0-9_]+(/[a-z0-9_]+)*")
_INCOMING: Final = ".incoming"
_PIECE: Final = 1024 * 1024
_LEFT_OVER_SECONDS: Final = 3600.0
"""How old an unfinished file is before it is removed: another worker may be writing it."""


class LocalObjects:
    """Implements :class:`workflow_studio.worker.parts.ObjectStore` in a directory.

    Args:
        directory: Where the objects are; made with the first one.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def put(self, name: str, content: bytes | Path, /) -> bool:
        """Store an object; one that is there stays as it is."""
        return await anyio.to_thread.run_sync(self._put, self._path(name), content)

    async def read(self, name: str, /) -> AsyncIterator[bytes]:
        """Return an object's content, in pieces."""
        path = self._path(name)
        try:
            file = await anyio.to_thread.run_sync(path.open, "rb")
        except FileNotFoundError as error:
            raise ObjectMissingError(name) from error
        except OSError as error:
            raise _failed(path, error) from error
        with file:
            while piece := await anyio.to_thread.run_sync(file.read, _PIECE):
                yield piece

    async def look(self, name: str, /) -> StoredObject | None:
        """Return what an object is like; None if it is not there."""
        path = self._path(name)
        try:
            found = await anyio.to_thread.run_sync(path.stat)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed(path, error) from error
        return StoredObject(name, found.st_size, int(found.st_mtime * 1000))

    async def delete(self, name: str, /) -> None:
        """Remove an object, if it is there."""
        path = self._path(name)
        try:
            await anyio.to_thread.run_sync(lambda: path.unlink(missing_ok=True))
        except OSError as error:
            raise _failed(path, error) from error

    async def list(self, prefix: str, /) -> AsyncIterator[StoredObject]:
        """Return the objects whose names begin with a prefix, and remove what a crash left unfinished."""
        await anyio.to_thread.run_sync(self._tidy)
        found = await anyio.to_thread.run_sync(lambda: sorted(self._found(prefix), key=lambda entry: entry.name))
        for entry in found:
            yield entry

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of an object.")
        return self.directory / name

    def _put(self, path: Path, content: bytes | Path) -> bool:
        if path.exists():
            return False
        try:
            _make_folder(path.parent)
            return self._write(path, content)
        except OSError as error:
            raise _failed(path, error) from error

    def _write(self, path: Path, content: bytes | Path) -> bool:
        incoming = self.directory / _INCOMING
        _make_folder(incoming)
        descriptor, draft = tempfile.mkstemp(dir=incoming)
        try:
            with os.fdopen(descriptor, "wb") as output:
                if isinstance(content, bytes):
                    output.write(content)
                else:
                    with content.open("rb") as source:
                        shutil.copyfileobj(source, output, _PIECE)
                output.flush()
                os.fsync(output.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                return False
            sync_folder(path.parent)
            return True
        finally:
            Path(draft).unlink(missing_ok=True)

    def _found(self, prefix: str) -> Iterator[StoredObject]:
        for folder, _, files in os.walk(self.directory):
            for file in files:
                path = Path(folder, file)
                name = path.relative_to(self.directory).as_posix()
                if not name.startswith(prefix) or not _NAME.fullmatch(name):
                    continue
                try:
                    state = path.stat()
                except FileNotFoundError:
                    continue  # deleted while this looks around
                yield StoredObject(name, state.st_size, int(state.st_mtime * 1000))

    def _tidy(self) -> None:
        newest = time.time() - _LEFT_OVER_SECONDS
        for draft in (self.directory / _INCOMING).glob("*"):
            try:
                if draft.stat().st_mtime < newest:
                    draft.unlink()
            except FileNotFoundError:
                continue  # another worker was faster


def _make_folder(folder: Path) -> None:
    """Make a folder whose name survives a power cut; payloads in it are nobody else's."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def _failed(path: Path, error: OSError) -> ObjectStoreError:
    return ObjectStoreError(f"The object {path} cannot be read or written: {error.strerror}.")
