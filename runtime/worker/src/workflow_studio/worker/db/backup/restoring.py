"""Puts a backup back where no service is.

The database comes last, under its name only as a whole: no worker can start on a half of a service, and what was
interrupted is begun again.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_studio.worker.db.backup import postgres
from workflow_studio.worker.db.backup.errors import BackupDamagedError, BackupRefusedError
from workflow_studio.worker.db.backup.folder import (
    KEYS,
    MASTER_KEY,
    OBJECTS,
    RECORD,
    alone_in,
    copy_file,
    digest_in,
    digest_of_file,
    make_folder,
    read_record,
)
from workflow_studio.worker.db.backup.service import object_folder
from workflow_studio.worker.store import snapshot
from workflow_studio.worker.store.database import is_postgres, path_of
from workflow_studio.worker.store.inspection import look_at

if TYPE_CHECKING:
    from workflow_studio.worker.db.backup.folder import Record
    from workflow_studio.worker.db.lines import Progress
    from workflow_studio.worker.settings import WorkerSettings


def restore(settings: WorkerSettings, folder: Path, progress: Progress) -> dict[str, Any]:
    """Put a backup back; return what was done.

    Args:
        settings: Say where the service is to keep what.
        folder: The backup.
        progress: Hears what is done, how far it is, and how far it goes.

    Raises:
        BackupRefusedError: If there is no backup, or something is where it would go.
        BackupDamagedError: If the backup is not what was written into it.
        StoreError: If the database cannot be written.
        OSError: If a file cannot be written.
    """
    record = read_record(folder)
    if record is None:
        raise BackupRefusedError(
            f"There is no backup in {folder}: it has no {RECORD}.", "Name a folder of `studio db backup`."
        )
    objects = _require_place(settings, folder, record)
    location = settings.database
    with alone_in(folder) if os.access(folder, os.W_OK) else nullcontext():
        _verify(folder, record, progress)
        make_folder(settings.data_dir.absolute())
        with nullcontext() if is_postgres(location) else snapshot.reserve(path_of(location)):
            _require_empty(location)
            if objects is not None:
                _copy_objects(folder, record, objects, progress)
            for name in record.keys:
                if name != MASTER_KEY:
                    copy_file(folder / KEYS / name, settings.data_dir / name)
            _copy_database(folder / record.file, location, progress)
    return {
        "dataDir": str(settings.data_dir.absolute()),
        "database": record.database,
        "takenAt": record.taken_at,
        "objects": None if record.objects is None else len(record.objects),
        "missingObjects": list(record.missing),
        "encrypted": record.encrypted,
        "keys": [name for name in record.keys if name != MASTER_KEY],
        "masterKey": str((folder / KEYS / MASTER_KEY).absolute()) if MASTER_KEY in record.keys else None,
    }


def _require_place(settings: WorkerSettings, folder: Path, record: Record) -> Path | None:
    """Return where the objects go, if there are any, and refuse what does not fit."""
    wanted = "postgresql" if is_postgres(settings.database) else "sqlite"
    if record.database != wanted:
        raise BackupRefusedError(
            f"The backup is of a service on {record.database}, and the settings say {wanted}.",
            "Restore it where it belongs, then move it with `studio db copy`.",
        )
    _require_empty(settings.database)
    for name in record.keys:
        there = digest_of_file(settings.data_dir / name)
        if name != MASTER_KEY and there and there != digest_of_file(folder / KEYS / name):
            raise BackupRefusedError(
                f"{settings.data_dir / name} is there, and is another key than that of the backup.",
                "Restore into an empty data folder.",
            )
    if not record.objects:
        return None
    objects = object_folder(settings)
    if objects is None:
        raise BackupRefusedError(
            "The backup holds objects, and the settings keep objects in a store that is no folder.",
            f"Copy {folder / OBJECTS} into a folder that WORKFLOW_STUDIO_WORKER_OBJECTS_URL=file:///… names.",
        )
    return objects


def _require_empty(location: str | Path) -> None:
    if is_postgres(location):
        if look_at(location).revision is not None:
            raise BackupRefusedError("A service is in the PostgreSQL database.", "Make an empty one for the restore.")
        return
    path = path_of(location)
    for taken in (path, Path(f"{path}-wal")):
        if taken.exists():
            raise BackupRefusedError(f"{taken} is there already.", "Restore into an empty data folder.")


def _verify(folder: Path, record: Record, progress: Progress) -> None:
    names = record.objects or ()
    damaged = [] if digest_of_file(folder / record.file) == record.sha256 else [record.file]
    for number, name in enumerate(names, 1):
        if digest_of_file(folder / OBJECTS / name) != digest_in(name):
            damaged.append(f"{OBJECTS}/{name}")
        progress("Verifying", number, len(names))
    damaged += [f"{KEYS}/{name}" for name in record.keys if not (folder / KEYS / name).exists()]
    if damaged:
        more = f" and {len(damaged) - 3} more" if len(damaged) > 3 else ""
        raise BackupDamagedError(
            f"The backup is damaged or not complete: {', '.join(damaged[:3])}{more}.", "Use another one."
        )


def _copy_objects(folder: Path, record: Record, target: Path, progress: Progress) -> None:
    names = record.objects or ()
    for number, name in enumerate(names, 1):
        if digest_of_file(target / name) != digest_in(name):
            copy_file(folder / OBJECTS / name, target / name)
        progress("Copying objects", number, len(names))


def _copy_database(source: Path, location: str | Path, progress: Progress) -> None:
    progress("Copying the database", 0, 1)
    if is_postgres(location):
        postgres.load(source, str(location))
    else:
        snapshot.check(source)
        copy_file(source, path_of(location))
    progress("Copying the database", 1, 1)
