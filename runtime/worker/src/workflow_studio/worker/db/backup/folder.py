"""The folder of a backup: what is in it, and how files get there.

``backup.json`` is the backup: it names the file of the database and all objects, with their digests, and it is replaced
at once when everything that it names is there. So the folder holds a whole backup whenever a command is killed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal

import filelock
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from workflow_studio.worker.db.backup.errors import BackupDamagedError, BackupRefusedError
from workflow_studio.worker.folders import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RECORD: Final = "backup.json"
OBJECTS: Final = "objects"
KEYS: Final = "keys"
MASTER_KEY: Final = "master-key"
"""The file in ``keys/`` with the master key, which is a setting of the worker and no file."""

_LOCK: Final = ".backup.lock"
"""The first file in a folder; where it is, all that is in the folder is the backup's."""

_PIECE: Final = 1024 * 1024


class Record(BaseModel):
    """What a backup is.

    Attributes:
        format: The form of this record.
        database: Which kind of database it is of.
        database_id: Tells the service from others; empty if it has no id yet.
        revision: The schema's.
        taken_at: When, in epoch milliseconds.
        file: The file with the database.
        size: Its size.
        sha256: Its digest.
        objects: The names of the objects; None if they are kept in a store that is no folder.
        missing: Objects that something refers to, and that the service did not have.
        encrypted: Whether the service has a master key.
        keys: The files in ``keys/``.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)

    format: Literal[1] = 1
    database: Literal["sqlite", "postgresql"]
    database_id: str
    revision: str
    taken_at: int
    file: str
    size: int
    sha256: str
    objects: tuple[str, ...] | None
    missing: tuple[str, ...] = ()
    encrypted: bool
    keys: tuple[str, ...] = ()


def read_record(folder: Path) -> Record | None:
    """Return what the backup in a folder is; None if there is none.

    Raises:
        BackupDamagedError: If that cannot be read.
    """
    try:
        text = (folder / RECORD).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        raise BackupDamagedError(
            f"{folder / RECORD} is not the record of a backup that this version knows.",
            "Use the version that it was taken with, or another backup.",
        ) from error


def write_record(folder: Path, record: Record) -> None:
    """Make a backup the one in the folder."""
    draft = folder / f"{RECORD}.part"
    with draft.open("w", encoding="utf-8") as file:
        file.write(record.model_dump_json(by_alias=True, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / RECORD)
    sync_folder(folder)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other commands from changing a backup.

    Raises:
        BackupRefusedError: If one is doing that.
    """
    lock = filelock.FileLock(folder / _LOCK, blocking=False, mode=0o600)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise BackupRefusedError(
            f"Another command is at work on the backup in {folder}.", "Wait until it is done."
        ) from error
    try:
        yield
    finally:
        lock.release()


def copy_file(source: Path, target: Path, sha256: str | None = None) -> bool:
    """Copy a file, durably and under its name only as a whole; what was there is replaced.

    Returns:
        Whether it has the digest that it must have; if not, it is not copied.
    """
    make_folder(target.parent)
    draft = target.with_name(f"{target.name}.part")
    draft.unlink(missing_ok=True)
    found = hashlib.sha256()
    with source.open("rb") as reading, open(draft, "xb", opener=_private) as writing:
        while piece := reading.read(_PIECE):
            found.update(piece)
            writing.write(piece)
        writing.flush()
        os.fsync(writing.fileno())
    if sha256 not in {None, found.hexdigest()}:
        draft.unlink()
        return False
    draft.replace(target)
    sync_folder(target.parent)
    return True


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file; an empty text if it is not there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def digest_in(name: str) -> str:
    """Return the digest that an object is named after."""
    return name.rpartition("/")[2].partition("_")[0]


def is_ours(folder: Path) -> bool:
    """Tell whether a folder holds nothing but a backup, perhaps one that was interrupted."""
    return (folder / _LOCK).exists() or not any(folder.iterdir())


def make_folder(folder: Path) -> None:
    """Make a folder whose name survives a power cut, and which is nobody else's."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    sync_folder(folder.parent)


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
