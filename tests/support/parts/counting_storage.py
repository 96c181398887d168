"""A storage that counts the reads and writes of another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import asyncio
    import concurrent.futures
    from collections.abc import Callable

    from sqlalchemy import Connection
    from sqlalchemy.exc import DBAPIError

    from workflow_studio.worker.parts import FactoryContext, Storage
    from workflow_studio.worker.store import StoreLockedError, Transaction
    from workflow_studio.worker.store.database import Backend


class CountingBackend:
    """Implements :class:`workflow_studio.worker.store.database.Backend`."""

    in_order: ClassVar[bool] = False

    def __init__(self, inner: Backend) -> None:
        self._inner = inner
        self.lost: concurrent.futures.Future[StoreLockedError] = inner.lost
        self.reads = 0
        self.writes = 0

    def submit(
        self,
        work: Callable[[Transaction], Any],
        *,
        may_wait: bool = False,
        about: str | None = None,
        ahead: Callable[[Transaction], None] | None = None,
    ) -> asyncio.Future[Any]:
        self.writes += 1
        return self._inner.submit(work, may_wait=may_wait, about=about, ahead=ahead)

    def hurry(self) -> None:
        self._inner.hurry()

    def read(self, work: Callable[[Connection], Any]) -> Any:
        self.reads += 1
        return self._inner.read(work)

    def failure(self, error: DBAPIError) -> Exception:
        return self._inner.failure(error)

    def finish(self) -> None:
        self._inner.finish()

    def close(self) -> None:
        self._inner.close()


class CountingStorage:
    """Implements :class:`workflow_studio.worker.parts.Storage`."""

    opened: ClassVar[list[CountingBackend]] = []

    def __init__(self, context: FactoryContext[Storage]) -> None:
        self._inner = context.default

    def open(self) -> Backend:
        backend = CountingBackend(self._inner.open())
        self.opened.append(backend)
        return backend
