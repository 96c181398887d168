"""Idempotency keys: a repeated request gets the first answer, not a second effect.

A record is named by project, key and endpoint, and kept for 24 hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, delete, insert, select, update

from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.store import Database, Transaction

RETENTION_MS = 24 * 60 * 60 * 1000
"""How long an answer is kept."""

STALE_MS = 5 * 60 * 1000
"""After so long without an answer, whoever began is taken for dead."""

_PRUNE_EVERY_MS = 10 * 60 * 1000
_T = tables.idempotency


@dataclass(frozen=True, slots=True)
class Begun:
    """The request is the caller's to handle; :meth:`IdempotencyKeys.finish` or ``abandon`` must follow.

    Attributes:
        run_id: A run id reserved for this request. It is the same when the request is begun again after a crash, so a
            run that was started already is found, not started twice.
    """

    run_id: str


@dataclass(frozen=True, slots=True)
class Replay:
    """The request was answered before; this is the answer."""

    status: int
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class InProgress:
    """The first request with this key is still being handled."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key was used with another request."""


class IdempotencyKeys:
    """The records of this worker."""

    def __init__(self, database: Database, clock: Clock, owner: str) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner
        self._pruned_at = 0

    async def begin(
        self, project: str, key: str, endpoint: str, request_hash: str
    ) -> Begun | Replay | InProgress | Conflict:
        """Claim a request, or learn what became of it.

        Args:
            project: The project of the API key.
            key: The idempotency key, as the client sent it.
            endpoint: Where it was sent to, such as ``POST /v1/runs``.
            request_hash: A digest of what was sent.
        """
        return await self._database.write(
            lambda transaction: self._begin(transaction, (project, key, endpoint), request_hash)
        )

    def _begin(
        self, transaction: Transaction, name: tuple[str, str, str], request_hash: str
    ) -> Begun | Replay | InProgress | Conflict:
        now = self._clock()
        self._prune(transaction, now)
        row = transaction.execute(select(_T).where(_named(name))).first()
        if row is None or row.created_at <= now - RETENTION_MS:
            transaction.execute(delete(_T).where(_named(name)))
            run_id = new_id("wrun", now)
            project, key, endpoint = name
            transaction.execute(
                insert(_T).values(
                    project_id=project,
                    key=key,
                    endpoint=endpoint,
                    request_hash=request_hash,
                    state="in_progress",
                    owner=self._owner,
                    run_id=run_id,
                    created_at=now,
                )
            )
            return Begun(run_id)
        if row.request_hash != request_hash:
            return Conflict()
        if row.state == "completed":
            return Replay(row.status_code, row.body, row.content_type)
        if row.owner == self._owner and row.created_at > now - STALE_MS:
            return InProgress()
        transaction.execute(update(_T).where(_named(name)).values(owner=self._owner, created_at=now))
        return Begun(row.run_id)

    async def finish(
        self, project: str, key: str, endpoint: str, *, status: int, body: bytes, content_type: str
    ) -> None:
        """Record the answer to a request that was begun."""
        values: dict[str, Any] = {
            "state": "completed",
            "status_code": status,
            "body": body,
            "content_type": content_type,
        }
        statement = update(_T).where(_named((project, key, endpoint))).values(**values)
        await self._database.write(lambda transaction: transaction.execute(statement))

    async def abandon(self, project: str, key: str, endpoint: str) -> None:
        """Forget a request that was begun but had no effect, so that it may be sent again."""
        statement = delete(_T).where(_named((project, key, endpoint)), _T.c.state == "in_progress")
        await self._database.write(lambda transaction: transaction.execute(statement))

    def _prune(self, transaction: Transaction, now: int) -> None:
        if now - self._pruned_at >= _PRUNE_EVERY_MS:
            self._pruned_at = now
            transaction.execute(delete(_T).where(_T.c.created_at <= now - RETENTION_MS))


def _named(name: tuple[str, str, str]) -> ColumnElement[bool]:
    project, key, endpoint = name
    return and_(_T.c.project_id == project, _T.c.endpoint == endpoint, _T.c.key == key)
