"""Dead letters: messages that failed too often, kept for an operator to look at and to deliver again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, select, update

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.engine.queue import pending_replay
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.queue import Queue
    from workflow_studio.worker.store import Database, Transaction

_T: Final = tables.messages


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message that is not delivered any more. Times are epoch milliseconds.

    Attributes:
        attempt: Number of the last delivery; 0 if there was none.
        failures: Failed deliveries in a row.
    """

    message_id: str
    queue_name: str
    run_id: str | None
    step_id: str | None
    attempt: int
    failures: int
    last_error: str | None
    created_at: int


_COLUMNS: Final = [_T.c[name] for name in DeadMessage.__slots__]


class DeadLetters:
    """The dead messages of this worker."""

    def __init__(self, database: Database, queue: Queue, clock: Clock) -> None:
        self._database = database
        self._queue = queue
        self._clock = clock

    async def list(self, limit: int = 100, cursor: str | None = None) -> tuple[list[DeadMessage], str | None]:
        """Return dead messages, newest first, and the cursor of the next page (None after the last).

        Args:
            limit: At least 1.
            cursor: Where the page before ended.
        """

        def work(connection: Connection) -> tuple[list[DeadMessage], str | None]:
            query = select(*_COLUMNS).where(_T.c.status == "dead")
            if cursor:
                query = query.where(_T.c.message_id < cursor)
            rows = connection.execute(query.order_by(_T.c.message_id.desc()).limit(limit + 1)).all()
            page = [DeadMessage(*row) for row in rows[:limit]]
            return page, page[-1].message_id if len(rows) > limit else None

        return await self._database.read(work)

    async def retry(self, message_id: str) -> DeadMessage:
        """Have a dead message delivered again now, with all its chances anew.

        Its next attempt is 2 if it was ever delivered, because handlers take attempt 1 for the first sight of a
        message, and give up by themselves after 48.

        Returns:
            The message as it was.

        Raises:
            EngineError: ``not_found`` if no dead message has this id.
        """

        def work(transaction: Transaction) -> DeadMessage:
            dead = select(*_COLUMNS, _T.c.is_wake).where(_T.c.message_id == message_id, _T.c.status == "dead")
            row = transaction.execute(dead.with_for_update()).first()
            if row is None:
                raise _not_found(message_id)
            *known, is_wake = row
            if is_wake and pending_replay(transaction, row.run_id, besides=message_id) is not None:
                # A run has one wake-up pending at most; the other one does what this one would.
                transaction.execute(delete(_T).where(_T.c.message_id == message_id))
                return DeadMessage(*known)
            values = {
                "status": "ready",
                "run_at": self._clock(),
                "attempt": min(row.attempt, 1),
                "failures": 0,
                "unresolved": 0,
            }
            transaction.execute(update(_T).where(_T.c.message_id == message_id).values(**values))
            self._queue.announce(transaction)
            return DeadMessage(*known)

        return await self._database.write(work)


def _not_found(message_id: str) -> EngineError:
    return EngineError(
        ErrorCode.NOT_FOUND,
        f"There is no dead message {message_id}.",
        status=404,
        recovery="List the dead messages: GET /v1/queue/dead. One that is retried is not dead any more.",
    )
