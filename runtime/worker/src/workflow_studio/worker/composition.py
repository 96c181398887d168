"""Puts a worker together: which part each setting chooses, and the parts' start and end."""

from __future__ import annotations

import inspect
import logging
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio

from workflow_studio.compute import interface
from workflow_studio.compute.interface import Compute
from workflow_studio.worker import parts
from workflow_studio.worker.loading import BUILT_IN, Kind, PartError, check, load, methods
from workflow_studio.worker.objects import open_objects
from workflow_studio.worker.parts import FactoryContext
from workflow_studio.worker.store import Database
from workflow_studio.worker.store.database import Backend, open_backend
from workflow_studio.worker.store.inspection import DatabaseState, look_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from workflow_studio.worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

T = TypeVar("T")

STORAGE: Final = Kind("storage", parts.Storage, (parts.CanLook,))  # type: ignore[type-abstract]
QUEUE: Final = Kind("queue", parts.Doorbell)  # type: ignore[type-abstract]
STREAMS: Final = Kind("streams", parts.Streams)  # type: ignore[type-abstract]
OBJECTS: Final = Kind("objects", parts.ObjectStore)  # type: ignore[type-abstract]
COMPUTE: Final = Kind(
    "compute",
    Compute,  # type: ignore[type-abstract]
    (
        interface.CanTrigger,
        interface.CanResume,
        interface.CanTakeWebhooks,
        interface.CanWaitUntil,
        interface.HasBaseUrl,
        interface.CanStart,
        interface.CanClose,
    ),
)
KINDS: Final[tuple[Kind[Any], ...]] = (STORAGE, QUEUE, STREAMS, OBJECTS, COMPUTE)
_LEAST_SECONDS: Final = 1.0
"""What a part gets for its end, however late it is."""

_BACKEND: Final = Kind("storage", Backend)  # type: ignore[type-abstract]


class DatabaseStorage:
    """The built-in storage: SQLite or PostgreSQL, as the location says.

    Args:
        location: The path of an SQLite file, or a URL.
    """

    def __init__(self, location: str | Path) -> None:
        self._location = location

    def open(self, /) -> Backend:
        """Open the database, create what is missing, and bring its schema up to date."""
        return open_backend(self._location)

    def look(self, /) -> DatabaseState:
        """Return what is in the database."""
        return look_at(self._location)


def choose(kind: Kind[T], settings: WorkerSettings, make_default: Callable[[], T]) -> T:
    """Return the part that the settings choose.

    Args:
        kind: Which one.
        settings: The settings.
        make_default: Makes the built-in part.

    Raises:
        PartError: If there is no such part, or it is not what it must be.
    """
    path = path_of(kind, settings)
    if path == BUILT_IN:
        return make_default()
    return load(kind, path, FactoryContext(dict(os.environ), Path.cwd(), settings.data_dir.absolute(), make_default))


def stand_in(kind: Kind[Any]) -> Any:
    """Return what a factory is given for the built-in part where no worker runs, only its settings are checked.

    It has the methods of one. Those that would do something refuse.
    """
    return _StandIn({name for name, method in methods(kind.interface) if not inspect.iscoroutinefunction(method)})


class _StandIn:
    def __init__(self, harmless: set[str]) -> None:
        self._harmless = harmless

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)

        def call(*_arguments: object, **_named: object) -> None:
            if name not in self._harmless:
                raise PartError(f"The factory calls {name} of the built-in part", "Do that in the part's start().")

        return call


def path_of(kind: Kind[Any], settings: WorkerSettings) -> str:
    """Return what a setting says: ``built-in``, or the import path of a factory."""
    return str(getattr(settings, kind.setting))


def storage_of(settings: WorkerSettings) -> parts.Storage:
    """Return the storage that the settings choose; nothing is opened yet.

    Raises:
        PartError: If there is no such part, or it is not what it must be.
    """
    return choose(STORAGE, settings, lambda: DatabaseStorage(settings.database))


def objects_of(settings: WorkerSettings) -> parts.ObjectStore:
    """Return the object store that the settings choose.

    Raises:
        PartError: If there is no such part, or it is not what it must be.
        ObjectStoreError: If the store cannot be used.
    """
    return choose(OBJECTS, settings, lambda: open_objects(settings.objects_url, settings.object_dir))


def open_database(storage: parts.Storage, settings: WorkerSettings) -> Database:
    """Open the database of a storage.

    Raises:
        StoreError: If it cannot be opened.
        PartError: If what is opened is no backend.
    """
    backend = storage.open()
    if path_of(STORAGE, settings) != BUILT_IN:
        check(_BACKEND, backend, f"What the storage of {path_of(STORAGE, settings)} opens")
    return Database(backend)


@asynccontextmanager
async def alive(
    kind: Kind[Any], part: object, settings: WorkerSettings, left: Callable[[], float]
) -> AsyncIterator[None]:
    """Start a part, if it wants to be started, and close it in the end.

    Args:
        kind: Which one.
        part: The part.
        settings: Say which part was chosen.
        left: Returns the seconds that are left for the end of the worker.

    Raises:
        PartError: If it does not start.
    """
    if path_of(kind, settings) == BUILT_IN:
        yield
        return
    start, close = getattr(part, "start", None), getattr(part, "close", None)
    if callable(start):
        try:
            await start()
        except Exception as error:
            message = f"The {kind.name} of {kind.setting.upper()} did not start: {type(error).__name__}: {error}"
            raise PartError(message.rstrip(".") + ".", "Its start() failed.", "part_failed") from error
    try:
        yield
    finally:
        if callable(close):
            try:
                with anyio.move_on_after(max(_LEAST_SECONDS, left()), shield=True) as scope:
                    await close()
                if scope.cancelled_caught:
                    logger.error("The %s of %s did not close in time.", kind.name, kind.setting.upper())
            except Exception:
                logger.exception("The %s of %s did not close.", kind.name, kind.setting.upper())
