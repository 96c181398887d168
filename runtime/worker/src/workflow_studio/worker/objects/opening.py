"""Which object store a URL means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from workflow_studio.worker.objects.errors import ObjectStoreError
from workflow_studio.worker.objects.local import LocalObjects

if TYPE_CHECKING:
    from workflow_studio.worker.parts import ObjectStore

SCHEMES: Final = ("file", "s3", "gs", "az")
"""What the URL of an object store can begin with."""


def open_objects(url: str | None, directory: Path) -> ObjectStore:
    """Return the object store at a URL.

    Args:
        url: ``s3://bucket/prefix``, ``gs://…``, ``az://…`` or ``file:///directory``; None means ``directory``.
        directory: Where objects are kept without a URL.

    Raises:
        ObjectStoreError: If it cannot be used.
    """
    if url is None:
        return LocalObjects(directory)
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalObjects(Path(unquote(parts.path)))
    try:
        # Imported only where it is used: obstore is an extra.
        from workflow_studio.worker.objects.cloud import CloudObjects  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ObjectStoreError(
            f"An object store at {parts.scheme}:// needs obstore, which is not installed.",
            "Install it: pip install 'workflow-studio-worker[objects]'",
        ) from error
    return CloudObjects.of_url(url)
