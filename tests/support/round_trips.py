"""Counts what a worker asks of PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import psycopg
from psycopg.pq import TransactionStatus

from workflow_studio.worker.store._session import Session

if TYPE_CHECKING:
    import pytest


@dataclass
class RoundTrips:
    """What was asked since it was made.

    Attributes:
        made: Round trips to the server.
        commits: Transactions that were committed.
    """

    made: int = 0
    commits: int = 0

    @classmethod
    def counted(cls, monkeypatch: pytest.MonkeyPatch) -> Self:
        """Count from now on."""
        counts = cls()
        execute, flush, commit = psycopg.Cursor.execute, Session.flush, Session.commit

        def counted_execute(self: psycopg.Cursor[Any], *args: Any, **options: Any) -> Any:
            # It is begun, too, if nothing has done that yet.
            counts.made += 1 + (self.connection.pgconn.transaction_status == TransactionStatus.IDLE)
            return execute(self, *args, **options)

        def counted_flush(self: Session) -> Any:
            counts.made += 1
            return flush(self)

        def counted_commit(self: Session) -> None:
            counts.made += not self._kept
            counts.commits += 1
            commit(self)

        monkeypatch.setattr(psycopg.Cursor, "execute", counted_execute)
        monkeypatch.setattr(Session, "flush", counted_flush)
        monkeypatch.setattr(Session, "commit", counted_commit)
        return counts

    def __len__(self) -> int:
        """Return how many commits there were, as a list of them would."""
        return self.commits
