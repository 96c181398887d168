"""Write the artifact: the same content always gives the same bytes.

Nothing of the machine goes in: no times, no owners, no host paths. (Two builds of zlib may compress differently; the
deployment id follows from the content, so it is the same even then.)
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_studio.compute.manifest import MANIFEST_NAME, ArtifactFile, Manifest

if TYPE_CHECKING:
    from collections.abc import Container, Mapping


def describe_file(path: str, content: bytes) -> ArtifactFile:
    """Return the manifest's entry of a file."""
    return ArtifactFile(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def pack(manifest: Manifest, files: Mapping[str, bytes], *, leave_out: Container[str] = (), level: int = 6) -> bytes:
    """Return the artifact as a gzip-compressed tar archive, the manifest first.

    Args:
        manifest: Names every one of ``files``.
        files: Content by path.
        leave_out: Paths whose content the worker has already.
        level: How hard to compress, from 0 (not at all) to 9.
    """
    buffer = io.BytesIO()
    # An empty file name and time 0 leave both out of the gzip header.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=buffer, compresslevel=level, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        _add(archive, MANIFEST_NAME, manifest.to_bytes())
        for entry in manifest.files:
            if entry.path not in leave_out:
                _add(archive, entry.path, files[entry.path])
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # its defaults are time 0, owner 0 and no owner names
    member.size = len(content)
    member.mode = 0o644
    archive.addfile(member, io.BytesIO(content))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
