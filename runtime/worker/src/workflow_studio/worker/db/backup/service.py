"""What a backup is taken of: where a service keeps what, and which objects it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy import inspect, select

from workflow_studio.worker.engine.master_key import NAME, NO_KEY
from workflow_studio.worker.engine.object_rows import Stored
from workflow_studio.worker.engine.objects import name_of
from workflow_studio.worker.loading import BUILT_IN
from workflow_studio.worker.objects import LocalObjects, open_objects
from workflow_studio.worker.store import StoreError, maintenance, tables
from workflow_studio.worker.store.inspection import look_at

if TYPE_CHECKING:
    from pathlib import Path

    from workflow_studio.worker.settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class Service:
    """What a database says of its service.

    Attributes:
        database_id: Tells it from others; empty if it has no id yet.
        revision: The schema's.
        encrypted: Whether it has a master key.
        objects: The names of its objects, and whether something refers to each.
    """

    database_id: str
    revision: str
    encrypted: bool
    objects: dict[str, bool]


def read_service(location: str | Path) -> Service:
    """Return what a database says; workers may use it, and its schema may be older or newer than this version's.

    Raises:
        StoreError: If there is none, or it cannot be read.
    """
    revision = look_at(location).revision
    if revision is None:
        raise StoreError("There is no database yet.", "Start a worker, or name another database.")
    s, o, refs = tables.settings, tables.objects, tables.object_refs
    with maintenance.reading(location) as connection:
        known = {row.key: row.value for row in connection.execute(select(s.c.key, s.c.value))}
        database_id = known.get("database_id", "")
        objects: dict[str, bool] = {}
        if inspect(connection).has_table(o.name):
            used = select(refs.c.digest).where(refs.c.digest == o.c.digest).exists()
            query = select(o.c.digest, o.c.made_at, o.c.size, used.label("used")).where(o.c.deleting.is_(False))
            objects = {name_of(database_id, Stored(*row[:3])): bool(row.used) for row in connection.execute(query)}
    return Service(database_id, revision, known.get(NAME, NO_KEY) != NO_KEY, objects)


def object_folder(settings: WorkerSettings) -> Path | None:
    """Return the folder of the objects; None if they are in a store that is none."""
    url = settings.objects_url
    if settings.objects != BUILT_IN or (url is not None and urlsplit(url).scheme != "file"):
        return None
    store = open_objects(url, settings.object_dir)
    return store.directory if isinstance(store, LocalObjects) else None
