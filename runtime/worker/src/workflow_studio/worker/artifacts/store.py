"""Where artifacts are kept: one folder per deployment, there completely or not at all.

A folder belongs to a deployment that is recorded, or to an upload whose deployment is about to be. Any other is left
over from a crash or a deletion, and is removed: if the directory is of the database that the deployments are recorded
in. A file in it says so, since in the eyes of another database everything here would be left over.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import time
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import DEPLOYMENT_ID
from workflow_studio.compute.manifest import MANIFEST_NAME, ArtifactFile, Manifest
from workflow_studio.worker.artifacts.archive import Member, members
from workflow_studio.worker.artifacts.base import Base
from workflow_studio.worker.artifacts.errors import ArtifactError, base_not_found, invalid, too_large
from workflow_studio.worker.artifacts.files import remove, size_of, sync_tree, write, write_all, write_file
from workflow_studio.worker.artifacts.limits import ArtifactLimits
from workflow_studio.worker.artifacts.manifests import PACKAGE_FILE, read_manifest
from workflow_studio.worker.folders import sync_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from typing import BinaryIO

    from workflow_studio.worker.artifacts.manifests import NodeVersion

logger = logging.getLogger(__name__)

_INCOMING: Final = ".incoming-"
_REMOVED: Final = ".removed-"
_OWNER: Final = ".database"
"""The file that has the id of the database whose deployments are here."""

_ORPHAN_AFTER_SECONDS: Final = 3600.0
"""How old a folder without a deployment is before it is swept away: whoever put it there may have a use for it yet."""

_SPOOL_SIZE: Final = 1024 * 1024
_RECEIVED_AT_ONCE: Final = 2
"""Archives unpacked at the same time; more wait, so that many large ones take neither all threads nor all disk."""


class ArtifactStore:
    """Receives artifacts and says where they are.

    Args:
        directory: Where they are kept; made if it is missing.
        limits: How large they may be.
        nodes: The versions of Node.js that can run them; what needs another is refused. Without any, none is.
    """

    def __init__(
        self, directory: Path, limits: ArtifactLimits | None = None, *, nodes: Sequence[NodeVersion] = ()
    ) -> None:
        self.directory = directory
        self.limits = limits or ArtifactLimits()
        self._nodes = nodes
        self._turn = anyio.Semaphore(_RECEIVED_AT_ONCE)
        self._changing = anyio.Lock()
        self._held: Counter[str] = Counter()
        self._owner: str | None = None

    async def open(self, owner: str | None = None, is_wanted: Callable[[str], Awaitable[bool]] | None = None) -> None:
        """Make the directory, and remove what uploads that were cut off by a crash left there.

        A directory that is another database's is used, but nothing is removed from it.

        Args:
            owner: The id of the database that the deployments are recorded in; None removes whatever it is told to.
            is_wanted: Tells whether there is a deployment of an id, as :meth:`sweep` takes it.

        Raises:
            OSError: If the directory cannot be made, read or written.
        """
        await anyio.to_thread.run_sync(lambda: self.directory.mkdir(parents=True, exist_ok=True))
        self._owner = owner
        if owner is not None and await anyio.to_thread.run_sync(self._stamp) is None:
            # What an empty directory, or one with an artifact that is known here, was marked with is lost.
            names = await anyio.to_thread.run_sync(self._artifacts)
            if not names or await _any_wanted(names, is_wanted):
                await anyio.to_thread.run_sync(self._claim, owner)
        if await anyio.to_thread.run_sync(self._is_ours):
            await anyio.to_thread.run_sync(self._tidy)
        else:
            logger.warning(
                "The artifacts in %s belong to another database (%s), so none is ever removed. Give this worker a data "
                "folder of its own; or, if the other database is gone, write %s into %s.",
                self.directory,
                self._stamp() or "unknown",
                owner,
                self.directory / _OWNER,
            )

    def _tidy(self) -> None:
        for leftover in [*self.directory.glob(f"{_INCOMING}*"), *self.directory.glob(f"{_REMOVED}*")]:
            shutil.rmtree(leftover)

    def _stamp(self) -> str | None:
        try:
            return (self.directory / _OWNER).read_text(errors="replace").strip() or None
        except FileNotFoundError:
            return None

    def _claim(self, owner: str) -> None:
        draft = self.directory / f"{_INCOMING}{os.urandom(4).hex()}"
        draft.mkdir()
        write(draft / _OWNER, f"{owner}\n".encode())
        (draft / _OWNER).replace(self.directory / _OWNER)
        draft.rmdir()
        sync_folder(self.directory)

    def _is_ours(self) -> bool:
        # Looked up each time: another worker may have claimed the directory since, or somebody handed it over.
        return self._owner is None or self._stamp() == self._owner

    def path(self, deployment_id: str) -> Path:
        """Return the folder of a deployment, whether or not it is there.

        Raises:
            ValueError: If ``deployment_id`` does not look like one.
        """
        if not DEPLOYMENT_ID.fullmatch(deployment_id):
            raise ValueError(f"{deployment_id!r} is not a deployment id.")
        return self.directory / deployment_id

    async def receive(self, archive: AsyncIterable[bytes], base: str | None = None) -> Manifest:
        """Take in an artifact: nothing of it is kept unless all of it is right.

        Args:
            archive: The compressed archive, in pieces.
            base: The deployment that has the files which the archive leaves out; None if it leaves none out.

        Raises:
            ArtifactError: If it is refused.
        """
        async with self.receiving(archive, base) as manifest:
            return manifest

    @asynccontextmanager
    async def receiving(self, archive: AsyncIterable[bytes], base: str | None = None) -> AsyncIterator[Manifest]:
        """Do what :meth:`receive` does, and keep others from removing the artifact as long as this lasts.

        Raises:
            ArtifactError: If it is refused.
        """
        workplace = await anyio.to_thread.run_sync(self._make_workplace)
        upload = await anyio.to_thread.run_sync(lambda: (workplace / "upload").open("w+b", buffering=0))
        held: list[str] = []
        try:
            source = None if base is None else await self._hold_base(base, held)
            await self._spool(archive, upload)
            async with self._turn:
                manifest = await anyio.to_thread.run_sync(self._admit, upload, workplace / "content", source)
            async with self._changing:
                self._hold(manifest.deployment_id, held)
                target = self.path(manifest.deployment_id)
                await anyio.to_thread.run_sync(self._publish, workplace / "content", target)
            yield manifest
        finally:
            for name in held:
                self._let_go(name)
            with anyio.CancelScope(shield=True):
                upload.close()
                await anyio.to_thread.run_sync(remove, workplace)

    async def restore(self, manifest: Manifest, fetch: Callable[[ArtifactFile, Path], Awaitable[None]]) -> Path:
        """Unpack an artifact that is recorded, of which this worker has nothing, and return its folder.

        Args:
            manifest: What is in it.
            fetch: Writes one of its files durably to a path, and verifies it.
        """
        workplace = await anyio.to_thread.run_sync(self._make_workplace)
        content = workplace / "content"
        try:
            for file in manifest.files:
                target = content / file.path
                await anyio.to_thread.run_sync(lambda folder: folder.mkdir(parents=True, exist_ok=True), target.parent)
                await fetch(file, target)
            await anyio.to_thread.run_sync(_complete, content, manifest)
            async with self._changing:
                target = self.path(manifest.deployment_id)
                await anyio.to_thread.run_sync(self._publish, content, target)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(remove, workplace)
        return target

    async def is_here(self, deployment_id: str) -> bool:
        """Tell whether the artifact of a deployment is unpacked here; what is here is complete."""
        return await anyio.to_thread.run_sync((self.path(deployment_id) / MANIFEST_NAME).is_file)

    async def sizes(self) -> dict[str, int]:
        """Return which artifacts are unpacked here, and how many bytes they take."""
        return await anyio.to_thread.run_sync(
            lambda: {name: size_of(self.directory / name) for name in self._artifacts()}
        )

    async def _hold_base(self, base: str, held: list[str]) -> Base:
        async with self._changing:
            self._hold(base, held)
        return await anyio.to_thread.run_sync(Base, self.path(base))

    def _hold(self, deployment_id: str, held: list[str]) -> None:
        self._held[deployment_id] += 1
        held.append(deployment_id)

    def _let_go(self, deployment_id: str) -> None:
        self._held[deployment_id] -= 1
        if not self._held[deployment_id]:
            del self._held[deployment_id]

    async def discard(self, deployment_id: str, is_wanted: Callable[[str], Awaitable[bool]]) -> bool:
        """Remove the artifact of a deployment that there is none of any more.

        Args:
            deployment_id: The deployment.
            is_wanted: Tells whether there is one after all: it may have been uploaded anew.

        Returns:
            Whether it was removed. If not, it is in use again, was not there, or may be another database's.
        """
        if not await anyio.to_thread.run_sync(self._is_ours):
            return False
        return await self.evict(deployment_id, is_wanted)

    async def evict(self, deployment_id: str, is_wanted: Callable[[str], Awaitable[bool]]) -> bool:
        """Remove an artifact from this machine, whosever the directory is, and tell whether it was removed.

        Args:
            deployment_id: Its deployment.
            is_wanted: Tells whether it is needed here after all.
        """
        async with self._changing:
            folder = self.path(deployment_id)
            if deployment_id in self._held or await is_wanted(deployment_id):
                return False
            # In one step: what has a deployment's name is always whole.
            removed = self.directory / f"{_REMOVED}{deployment_id}-{os.urandom(4).hex()}"
            try:
                await anyio.to_thread.run_sync(os.rename, folder, removed)
            except FileNotFoundError:
                return False
        await anyio.to_thread.run_sync(remove, removed)
        return True

    async def sweep(self, is_wanted: Callable[[str], Awaitable[bool]]) -> int:
        """Remove the artifacts that belong to no deployment, and return how many they were.

        Args:
            is_wanted: Tells whether there is a deployment of an id.
        """
        if not await anyio.to_thread.run_sync(self._is_ours):
            return 0
        found = await anyio.to_thread.run_sync(self._old_enough)
        return sum([await self.discard(name, is_wanted) for name in found if not await is_wanted(name)])

    def _old_enough(self) -> list[str]:
        newest = time.time() - _ORPHAN_AFTER_SECONDS
        return [name for name in self._artifacts() if (self.directory / name).stat().st_mtime <= newest]

    def _artifacts(self) -> list[str]:
        return sorted(entry.name for entry in self.directory.iterdir() if DEPLOYMENT_ID.fullmatch(entry.name))

    def _make_workplace(self) -> Path:
        return Path(tempfile.mkdtemp(prefix=_INCOMING, dir=self.directory))

    async def _spool(self, archive: AsyncIterable[bytes], upload: BinaryIO) -> None:
        received = 0
        waiting = bytearray()
        async for chunk in archive:
            received += len(chunk)
            if received > self.limits.compressed:
                raise too_large("The archive", self.limits.compressed, "bytes")
            waiting += chunk
            if len(waiting) >= _SPOOL_SIZE:
                await anyio.to_thread.run_sync(write_all, upload, bytes(waiting))
                waiting.clear()
        await anyio.to_thread.run_sync(write_all, upload, bytes(waiting))
        if not received:
            raise invalid("The archive is empty.")

    def _admit(self, upload: BinaryIO, content: Path, base: Base | None) -> Manifest:
        upload.seek(0)
        content.mkdir()
        manifest = self._unpack(members(upload, self.limits), content, base)
        _complete(content, manifest)
        return manifest

    def _unpack(self, archive: Iterator[Member], content: Path, base: Base | None) -> Manifest:
        first = next(archive, None)
        if first is None or first.name != MANIFEST_NAME:
            raise invalid(f"The archive does not begin with {MANIFEST_NAME}.")
        if first.size > self.limits.manifest:
            raise too_large("The manifest", self.limits.manifest, "bytes")
        manifest = read_manifest(b"".join(first.chunks()), self.limits, self._nodes)
        awaited = {file.path: file for file in manifest.files}
        for member in archive:
            file = awaited.pop(member.name, None)
            if file is None:
                raise invalid(f"{member.name!r} is in the archive twice, or is not in the manifest.")
            _unpack_file(member, file, content / file.path)
        if missing := [path for path, file in awaited.items() if base is None or not base.holds(file)]:
            where = "in the archive" if base is None else "in the archive or its base"
            raise invalid(f"{min(missing)!r} is in the manifest, but not {where}.")
        if base is not None:
            for file in awaited.values():
                _copy_file(base, file, content / file.path)
        return manifest

    def _publish(self, content: Path, target: Path) -> None:
        try:
            content.rename(target)
        except OSError:
            # The id says what the content is, so a folder of that name holds it already.
            if not (target / MANIFEST_NAME).is_file():
                raise
            return
        sync_folder(self.directory)


async def _any_wanted(names: list[str], is_wanted: Callable[[str], Awaitable[bool]] | None) -> bool:
    if is_wanted is None:
        return False
    for name in names:
        if await is_wanted(name):
            return True
    return False


def _unpack_file(member: Member, file: ArtifactFile, target: Path) -> None:
    if member.size != file.size:
        raise _mismatch(f"{file.path} has {member.size} bytes; its manifest says {file.size}.")
    digest = write_file(member.chunks(), target)
    if digest != file.sha256:
        raise _mismatch(f"{file.path} has the SHA-256 {digest}; its manifest says {file.sha256}.")


def _copy_file(base: Base, file: ArtifactFile, target: Path) -> None:
    if write_file(base.chunks(file), target) != file.sha256:
        raise base_not_found(base.deployment_id, base.path_of(file))


def _complete(content: Path, manifest: Manifest) -> None:
    """Add what belongs to an artifact besides its files, and make all of it durable."""
    write(content / MANIFEST_NAME, manifest.to_bytes())
    write(content / PACKAGE_FILE, json.dumps({"type": "commonjs"}).encode() + b"\n")
    sync_tree(content)


def _mismatch(message: str) -> ArtifactError:
    return ArtifactError(ErrorCode.DIGEST_MISMATCH, message)
