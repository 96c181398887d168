"""The base of an upload: an artifact that is here already, whose files the archive leaves out where they are the same.

The code of a deployment can write into its folder, so what lies there is no more trusted than what arrives: it counts
only if its digest says so, and nothing but a plain file is opened.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from workflow_studio.compute.manifest import MANIFEST_NAME, Manifest
from workflow_studio.worker.artifacts.errors import base_not_found

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workflow_studio.compute.manifest import ArtifactFile

_CHUNK: Final = 256 * 1024


class Base:
    """An artifact to take files from.

    Args:
        folder: Its folder, named after its deployment; it must not go away meanwhile.

    Attributes:
        deployment_id: Its deployment.

    Raises:
        ArtifactError: ``base_not_found``, if it is not there or cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.deployment_id = folder.name
        self._folder = folder
        try:
            manifest = Manifest.model_validate_json((folder / MANIFEST_NAME).read_bytes())
        except (OSError, ValueError) as error:
            raise base_not_found(self.deployment_id) from error
        self._paths = {(file.sha256, file.size): file.path for file in manifest.files}

    def holds(self, file: ArtifactFile) -> bool:
        """Tell whether the base's manifest names a file of the same content, whatever its path."""
        return (file.sha256, file.size) in self._paths

    def path_of(self, file: ArtifactFile) -> str:
        """Return the path within the base of a file that it holds."""
        return self._paths[file.sha256, file.size]

    def chunks(self, file: ArtifactFile) -> Iterator[bytes]:
        """Read a file that the base holds; the caller checks the digest.

        Raises:
            ArtifactError: ``base_not_found``, if it is not there as it should be.
        """
        path = self.path_of(file)
        try:
            with open(self._folder / path, "rb", buffering=0, opener=_open_plain) as source:
                found = os.fstat(source.fileno())
                if not stat.S_ISREG(found.st_mode) or found.st_size != file.size:
                    raise base_not_found(self.deployment_id, path)
                left = file.size
                while left and (chunk := source.read(min(left, _CHUNK))):
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            raise base_not_found(self.deployment_id, path) from error


def _open_plain(path: str, flags: int) -> int:
    # Neither a link, which leads elsewhere, nor a pipe, on which an open would wait.
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
