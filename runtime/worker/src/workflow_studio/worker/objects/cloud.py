"""Objects in a cloud's store: S3 and what speaks like it, Google Cloud Storage, Azure. All of it is done by obstore."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import from_url

from workflow_studio.worker.objects.errors import ObjectMissingError, ObjectStoreError
from workflow_studio.worker.parts import StoredObject

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path
    from typing import Self

    from obstore import ObjectMeta
    from obstore.store import ObjectStore as Bucket


class CloudObjects:
    """Implements :class:`workflow_studio.worker.parts.ObjectStore` over a store of obstore.

    Args:
        bucket: The store.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    @classmethod
    def of_url(cls, url: str, options: Mapping[str, str] | None = None) -> Self:
        """Return the store at a URL, such as ``s3://bucket/prefix``.

        Args:
            url: Where it is.
            options: What the cloud's own variables (``AWS_…``, ``GOOGLE_…``, ``AZURE_…``) do not say.

        Raises:
            ObjectStoreError: If the URL or an option cannot be understood.
        """
        try:
            return cls(from_url(url, **(options or {})))  # type: ignore[call-overload]  # which options there are, the URL decides
        except (BaseError, ValueError) as error:
            raise ObjectStoreError(f"The object store cannot be used: {_reason(error)}.") from error

    async def put(self, name: str, content: bytes | Path, /) -> bool:
        """Store an object, on the condition that there is none; one that is there stays as it is."""
        # An object that is there already, as most of an artifact is, is not sent again.
        if await self.look(name) is not None:
            return False
        with _failures(name):
            try:
                await obstore.put_async(self._bucket, name, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    async def read(self, name: str, /) -> AsyncIterator[bytes]:
        """Return an object's content, in pieces."""
        with _failures(name):
            found = await obstore.get_async(self._bucket, name)
            async for piece in found.stream():
                yield bytes(piece)

    async def look(self, name: str, /) -> StoredObject | None:
        """Return what an object is like; None if it is not there."""
        try:
            with _failures(name):
                return _stored(await obstore.head_async(self._bucket, name))
        except ObjectMissingError:
            return None

    async def delete(self, name: str, /) -> None:
        """Remove an object, if it is there."""
        try:
            with _failures(name):
                await obstore.delete_async(self._bucket, name)
        except ObjectMissingError:
            return

    async def list(self, prefix: str, /) -> AsyncIterator[StoredObject]:
        """Return the objects whose names begin with a prefix."""
        # Stores list by folders: what follows the last slash is left to be compared here.
        folder = prefix.rpartition("/")[0] or None
        with _failures(prefix):
            async for page in obstore.list(self._bucket, prefix=folder):
                for entry in page:
                    if entry["path"].startswith(prefix):
                        yield _stored(entry)


def _stored(found: ObjectMeta) -> StoredObject:
    return StoredObject(found["path"], found["size"], int(found["last_modified"].timestamp() * 1000))


@contextmanager
def _failures(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:  # what obstore's NotFoundError is
        raise ObjectMissingError(name) from error
    except (BaseError, OSError) as error:
        raise ObjectStoreError(f"The object store failed at {name}: {_reason(error)}.") from error


def _reason(error: BaseException) -> str:
    """Return the first line of what obstore says; the rest is for its developers."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
