"""Fencing: what comes from a delivery is written only as long as the delivery has its lease.

Where a database is shared, another worker may have taken a delivery's message over, because this one was not heard of:
it was stopped, or cut off. When it goes on, it does not know. So every transaction that writes in the name of a
delivery locks the delivery's lease before it is committed, and is undone if there is none. The lock comes last of all
that a transaction locks (see :mod:`.log`), and lasts until the commit, so the lease cannot be lost in between.

A delivery also loses its lease when this worker records its outcome. What it had under way in the background, such as
the last chunk of a stream, is still to be written then.

What an app writes has no lease and needs none.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import bindparam, select

from workflow_studio.compute.world_errors import EntityConflictError
from workflow_studio.worker.engine.queue import LEASED
from workflow_studio.worker.store import tables
from workflow_studio.worker.store.statements import Statement

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from workflow_studio.worker.engine.deliveries import Deliveries
    from workflow_studio.worker.store import Ahead, Database, Transaction

T = TypeVar("T")

_M: Final = tables.messages
HELD: Final = Statement(
    select(_M.c.message_id).where(_M.c.lease_id == bindparam("delivery"), LEASED).with_for_update(read=True)
)
"""The message that a delivery holds. It keeps it until the transaction ends."""

_WRITES_FOR: Final[ContextVar[str | None]] = ContextVar("writes_for", default=None)
"""The delivery in whose name the current task writes."""


class LeaseLostError(EntityConflictError):
    """The delivery's message is another worker's now. The SDK takes that for work that others have done."""


class Fence:
    """Lets deliveries write as long as they have their lease.

    Args:
        database: What is written to.
        deliveries: Those of this worker.
    """

    def __init__(self, database: Database, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._is_needed = database.is_shared
        if self._is_needed:
            database.before_commit(self._check)

    def name(self, delivery_id: str) -> str | None:
        """Return what to name a delivery in :meth:`write` that may not be one of this worker."""
        return delivery_id if self._deliveries.is_in_flight(delivery_id) else None

    async def write(self, delivery_id: str | None, work: Callable[[], Awaitable[T]]) -> T:
        """Do work that may write in the name of a delivery.

        Args:
            delivery_id: The delivery; None writes in nobody's.
            work: Writes in a transaction; it is done once more if its delivery ended by itself just before that.

        Raises:
            LeaseLostError: If another worker has the delivery's message; then nothing is written.
        """
        if delivery_id is None or not self._is_needed or self._deliveries.has_ended(delivery_id):
            return await work()
        try:
            with _writing_for(delivery_id):
                return await work()
        except LeaseLostError:
            if not await self._deliveries.ended_by_itself(delivery_id):
                raise
        return await work()

    @staticmethod
    def _check(transaction: Transaction) -> None:
        delivery_id = _WRITES_FOR.get()
        if delivery_id is None or transaction.ends == delivery_id:
            return
        if HELD.first(transaction.connection, {"delivery": delivery_id}) is None:
            raise LeaseLostError("Another worker has taken this delivery over")


def ask_ahead(transaction: Transaction, delivery_id: str | None) -> None:
    """Ask ahead for the lease of a delivery, last of all that a transaction locks; None has none."""
    if delivery_id is not None:
        transaction.ask_ahead(HELD, {"delivery": delivery_id})


def asking_ahead() -> Ahead:
    """Return what asks ahead for the lease of the delivery in whose name the caller writes."""
    return partial(ask_ahead, delivery_id=_WRITES_FOR.get())


@contextmanager
def _writing_for(delivery_id: str) -> Iterator[None]:
    token: Any = _WRITES_FOR.set(delivery_id)
    try:
        yield
    finally:
        _WRITES_FOR.reset(token)
