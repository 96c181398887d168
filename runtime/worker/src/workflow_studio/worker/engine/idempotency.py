"""Idempotency keys: a repeated request gets the first answer, not a second effect.

The record is written in the transaction that has the effect, so there is never one without the other, whatever crashes.
It is named by project, key and endpoint, and counts for 24 hours; then :mod:`.housekeeping` deletes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import and_, bindparam, delete, select

from workflow_studio.compute import wire
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker.engine import references
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.store import tables
from workflow_studio.worker.store.statements import Statement, insert_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.ports import IdempotencyKey
    from workflow_studio.worker.store import Transaction

    T = TypeVar("T")

RETENTION_MS: Final = 24 * 60 * 60 * 1000
"""How long an answer counts."""

_T: Final = tables.idempotency
_NAMED: Final = and_(
    _T.c.project_id == bindparam("project"), _T.c.endpoint == bindparam("at"), _T.c.key == bindparam("named")
)
_RECORD: Final = Statement(select(_T.c.request_hash, _T.c.answer, _T.c.created_at).where(_NAMED))
_FORGET: Final = Statement(delete(_T).where(_NAMED))


class IdempotencyKeys:
    """The records of this worker."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def once(self, transaction: Transaction, key: IdempotencyKey | None, work: Callable[[], T]) -> T:
        """Do ``work`` and keep its answer, or return the answer that it gave before.

        A refusal undoes the transaction and so leaves no record: sent again, the request is judged anew.

        Args:
            transaction: That of ``work``.
            key: What names the request; None does the work each time.
            work: Returns what CBOR can hold.

        Raises:
            EngineError: ``idempotency_conflict``, if the key names another request.
        """
        if key is None:
            return work()
        known: T | None = self.find(transaction, key)
        if known is not None:
            return known
        answer = work()
        row = {
            "project_id": key.project,
            "endpoint": key.endpoint,
            "key": key.key,
            "request_hash": key.digest,
            "answer": wire.encode(answer),
            "created_at": self._clock(),
        }
        insert_row(transaction.connection, _T, row)
        return answer

    def find(self, transaction: Transaction, key: IdempotencyKey) -> Any:
        """Return the answer that a request got before; None if there is none that still counts.

        Until the transaction ends, repeats of the request wait.

        Raises:
            EngineError: ``idempotency_conflict``, if the key names another request.
        """
        # A repeat that arrives while the first is under way waits here for its commit.
        _lock(transaction, key)
        row = _RECORD.first(transaction.connection, _name(key))
        if row is None:
            return None
        if row["created_at"] <= self._clock() - RETENTION_MS:
            self.forget(transaction, key)
            return None
        if row["request_hash"] != key.digest:
            raise conflict()
        return references.decode(row["answer"])

    def forget(self, transaction: Transaction, key: IdempotencyKey) -> None:
        """Delete the record of a request."""
        _FORGET.send(transaction.connection, _name(key))


def ask_ahead(transaction: Transaction, key: IdempotencyKey) -> None:
    """Ask ahead what a request was answered before; see :meth:`IdempotencyKeys.find`."""
    _lock(transaction, key)
    transaction.ask_ahead(_RECORD, _name(key))


def _lock(transaction: Transaction, key: IdempotencyKey) -> None:
    transaction.lock("idempotency", key.project, key.endpoint, key.key)


def _name(key: IdempotencyKey) -> dict[str, str]:
    return {"project": key.project, "at": key.endpoint, "named": key.key}


def conflict() -> EngineError:
    """Return the refusal of a key that names another request."""
    return EngineError(
        ErrorCode.IDEMPOTENCY_CONFLICT,
        "The idempotency key was used for another request within the last 24 hours.",
        status=409,
        recovery="Use a new key for a new request, and send a repeat unchanged.",
    )
