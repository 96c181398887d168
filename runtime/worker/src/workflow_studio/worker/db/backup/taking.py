"""Takes a backup, beside workers that go on.

Objects are copied before the database and again after it. Before, because retention may delete a run in between, and
its objects with it; after, for those that were made meanwhile: an object is kept for an hour after it was made, whoever
refers to it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.worker.db.backup import postgres
from workflow_studio.worker.db.backup.errors import BackupRefusedError
from workflow_studio.worker.db.backup.folder import (
    KEYS,
    MASTER_KEY,
    OBJECTS,
    Record,
    alone_in,
    copy_file,
    digest_in,
    digest_of_file,
    is_ours,
    make_folder,
    read_record,
    remove,
    write_record,
)
from workflow_studio.worker.db.backup.service import object_folder, read_service
from workflow_studio.worker.store import snapshot
from workflow_studio.worker.store.database import is_postgres, path_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from workflow_studio.worker.db.backup.service import Service
    from workflow_studio.worker.db.lines import Progress
    from workflow_studio.worker.settings import WorkerSettings

_UNFINISHED: Final = "database.part"


def take(settings: WorkerSettings, folder: Path, progress: Progress, *, keys: bool = False) -> dict[str, Any]:
    """Take a backup; return what was done.

    Args:
        settings: Say where the service keeps what.
        folder: Where the backup goes: a new or empty folder, or one with an earlier backup of the same service, which
            is replaced when the new one is complete.
        progress: Hears what is done, how far it is, and how far it goes.
        keys: Whether the backup gets the keys, too.

    Raises:
        BackupRefusedError: If something else is in the folder.
        ToolMissingError: If the service is on PostgreSQL, and ``pg_dump`` is not installed.
        StoreError: If the database cannot be copied.
        OSError: If the folder cannot be written.
    """
    before = read_service(settings.database)
    make_folder(folder)
    earlier = _require_ours(folder, before)
    with alone_in(folder):
        work = _Taking(settings, folder, progress)
        work.copy_objects("Copying objects", before.objects)
        record = work.copy_database(keys=keys)
        write_record(folder, record)
        _tidy(folder, record)
    return {
        "folder": str(folder.absolute()),
        "database": record.database,
        "takenAt": record.taken_at,
        "bytes": record.size,
        "replaced": earlier is not None,
        "objects": None if record.objects is None else len(record.objects),
        "copiedObjects": work.copied,
        "missingObjects": list(record.missing),
        "encrypted": record.encrypted,
        "keys": list(record.keys),
    }


def _require_ours(folder: Path, service: Service) -> Record | None:
    earlier = read_record(folder)
    if earlier is None and not is_ours(folder):
        raise BackupRefusedError(f"{folder} is not empty, and no backup.", "Name a folder that does not exist.")
    if earlier is not None and earlier.database_id != service.database_id:
        raise BackupRefusedError(f"{folder} has a backup of another service.", "Name a folder of its own.")
    return earlier


class _Taking:
    """A backup under way."""

    def __init__(self, settings: WorkerSettings, folder: Path, progress: Progress) -> None:
        self._settings = settings
        self._folder = folder
        self._progress = progress
        self._objects = object_folder(settings)
        self.copied = 0

    def copy_objects(self, phase: str, names: Collection[str]) -> None:
        """Copy the objects that the backup does not have."""
        for number, name in enumerate(names, 1):
            if not (self._folder / OBJECTS / name).exists():
                self._copy_object(name)
            self._progress(phase, number, len(names))

    def copy_database(self, *, keys: bool) -> Record:
        """Copy the database and what was made meanwhile, verify all of it, and return what it is."""
        location = self._settings.database
        draft = self._folder / _UNFINISHED
        draft.unlink(missing_ok=True)
        taken_at = time.time_ns() // 1_000_000
        if is_postgres(location):
            self._progress("Copying the database", 0, 1)
            postgres.dump(str(location), draft)
            self._progress("Copying the database", 1, 1)
            name, service = f"database-{taken_at}.dump", read_service(location)
        else:
            snapshot.take(path_of(location), draft, lambda *step: self._progress("Copying the database", *step))
            name, service = f"database-{taken_at}.db", read_service(draft)
        self.copy_objects("Copying new objects", service.objects)
        missing = self._verified(service.objects)
        sha256 = digest_of_file(draft)
        draft.replace(self._folder / name)
        return Record(
            database="postgresql" if is_postgres(location) else "sqlite",
            database_id=service.database_id,
            revision=service.revision,
            taken_at=taken_at,
            file=name,
            size=(self._folder / name).stat().st_size,
            sha256=sha256,
            objects=None if self._objects is None else tuple(sorted(service.objects.keys() - missing)),
            missing=tuple(sorted(name for name in missing if service.objects[name])),
            encrypted=service.encrypted,
            keys=self._copy_keys() if keys else (),
        )

    def _copy_object(self, name: str) -> bool:
        if self._objects is None:
            return False
        try:
            done = copy_file(self._objects / name, self._folder / OBJECTS / name, digest_in(name))
        except FileNotFoundError:
            return False
        self.copied += done
        return done

    def _verified(self, names: Collection[str]) -> set[str]:
        """Read all objects of the backup again, copy anew what is damaged, and return what it cannot have."""
        if self._objects is None:
            return set()
        missing = set()
        for number, name in enumerate(names, 1):
            if digest_of_file(self._folder / OBJECTS / name) != digest_in(name) and not self._copy_object(name):
                missing.add(name)
            self._progress("Verifying", number, len(names))
        return missing

    def _copy_keys(self) -> tuple[str, ...]:
        settings, folder = self._settings, self._folder / KEYS
        make_folder(folder)
        found = [path for path in (settings.variable_key_path, settings.api_key_path) if path.exists()]
        for path in found:
            copy_file(path, folder / path.name)
        names = [path.name for path in found]
        if settings.master_key is not None:
            draft = folder / f"{MASTER_KEY}.part"
            draft.touch(mode=0o600)
            draft.write_text(settings.master_key.get_secret_value() + "\n", encoding="ascii")
            draft.replace(folder / MASTER_KEY)
            names.append(MASTER_KEY)
        return tuple(names)


def _tidy(folder: Path, record: Record) -> None:
    """Remove what is no part of the backup any more."""
    for path in folder.glob("database-*"):
        if path.name != record.file:
            remove(path)
    if not record.keys:
        remove(folder / KEYS)
    wanted = set(record.objects or ())
    for path in (folder / OBJECTS).rglob("*"):
        if path.is_file() and path.relative_to(folder / OBJECTS).as_posix() not in wanted:
            remove(path)
