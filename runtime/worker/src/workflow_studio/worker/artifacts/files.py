"""Files that survive a power cut once they are written."""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

from workflow_studio.worker.folders import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO


def write_file(chunks: Iterator[bytes], target: Path) -> str:
    """Write a new file and return the SHA-256 of what is in it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("xb") as output:
        for chunk in chunks:
            digest.update(chunk)
            output.write(chunk)
        output.flush()
        os.fsync(output.fileno())
    return digest.hexdigest()


def write(path: Path, content: bytes) -> None:
    """Write a new file."""
    with path.open("xb") as output:
        output.write(content)
        output.flush()
        os.fsync(output.fileno())


def remove(folder: Path) -> None:
    """Remove a folder, or what can be removed of it."""
    shutil.rmtree(folder, ignore_errors=True)


def write_all(upload: BinaryIO, content: bytes) -> None:
    """Write to a file without a buffer, which may take less than it is given."""
    view = memoryview(content)
    while view:
        view = view[upload.write(view) :]


def sync_tree(folder: Path) -> None:
    """Make all names in a folder and below it survive a power cut."""
    for entry in [folder, *(entry for entry in folder.rglob("*") if entry.is_dir())]:
        sync_folder(entry)


def size_of(folder: Path) -> int:
    """Return how many bytes the files in a folder have."""
    return sum(entry.stat().st_size for entry in folder.rglob("*") if entry.is_file())


def digest_of(file: Path) -> str:
    """Return the SHA-256 of what is in a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
