"""The audit log: who changed what, or was refused to.

The gate says what a request is about (:class:`Act`). The first write that it makes carries the entry in its own
transaction, so that no committed change lacks one; what makes no write, or is refused, gets its entry before the answer
is sent. A request has one entry either way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Row, delete, insert, select, update
from ulid import ULID

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker import origin
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.keys import ApiKey
    from workflow_studio.worker.store import Database, Transaction

DEFAULT_RETENTION_DAYS: Final = 365
_DAY_MS: Final = 24 * 60 * 60 * 1000
_PRUNE_EVERY_MS: Final = 10 * 60 * 1000
_PRUNED_AT_ONCE: Final = 1000
_MAX_DETAILS: Final = 4000
_MAX_TARGET: Final = 200
_T: Final = tables.audit
_ADD: Final = insert(_T)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request asks for.

    Attributes:
        action: The operation's id.
        target: What its address names.
        status: The HTTP status of its answer when nothing is amiss.
    """

    action: str
    target: str | None
    status: int


@dataclass(slots=True)
class Act:
    """A request that may change something.

    Attributes:
        key: The key that makes it.
        request_id: The request's correlation id.
        address: The client's address.
        operation: Returns what it asks for, or None for what the log leaves out; known once the request is routed.
        target: What it was done to, where the address does not say.
        made: The id of what was made.
        details: What else is worth knowing.
        entry_id: Its entry, once that is committed.
        written: What that says.
        settled: Whether all is said that there is to say.
    """

    key: ApiKey
    request_id: str
    address: str | None
    operation: Callable[[], Operation | None]
    target: str | None = None
    made: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    entry_id: str | None = None
    written: dict[str, Any] | None = None
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is stored. ``at`` is in epoch milliseconds."""

    entry_id: str
    at: int
    actor: str
    project_id: str
    environment: str
    action: str
    target: str | None
    status: int
    code: str | None
    request_id: str
    address: str | None
    details: dict[str, Any] | None


def describe(*, target: str | None = None, made: str | None = None, **details: Any) -> None:
    """Tell the audit log more of the change that is being made, if it is one that the log records.

    Args:
        target: What is changed, where the address does not name it.
        made: The id of what is made. It is the target of an address that names nothing, and a detail otherwise.
        details: What else is worth knowing, as JSON has it; never a secret or a payload.
    """
    act = _act()
    if act is not None:
        act.target = target or act.target
        act.made = made or act.made
        act.details.update({name: value for name, value in details.items() if value is not None})


def _act() -> Act | None:
    request = origin.current()
    return None if request is None else request.act


class AuditLog:
    """The entries of this worker.

    Args:
        database: Where they are; its writes bring their entries from now on.
        clock: Tells the time.
        retention_days: How long they are kept.
    """

    def __init__(self, database: Database, clock: Clock, retention_days: int = DEFAULT_RETENTION_DAYS) -> None:
        self._database = database
        self._clock = clock
        self._retention_ms = retention_days * _DAY_MS
        self._pruned_at = 0
        self._last_ms = 0
        database.before_commit(self._accompany)

    def _accompany(self, transaction: Transaction) -> None:
        """Write the entry of the request that makes a change, with the change."""
        act = _act()
        if act is None or act.settled or act.written is not None:
            return
        operation = act.operation()
        if operation is not None:
            self._add(transaction, act, _columns(act, operation, operation.status, None))

    async def settle(self, act: Act, status: int, code: str | None) -> None:
        """Make sure that the log says how a request was answered.

        Raises:
            StoreError: If the database fails.
        """
        operation = act.operation()
        if operation is None:
            return
        act.settled = True
        columns = _columns(act, operation, status, code)
        if act.written == columns:
            return

        def work(transaction: Transaction) -> None:
            if act.entry_id is None:
                self._add(transaction, act, columns)
            else:
                transaction.execute(update(_T).where(_T.c.entry_id == act.entry_id).values(**columns))

        await self._database.write(work)

    def _add(self, transaction: Transaction, act: Act, columns: dict[str, Any]) -> None:
        now = self._clock()
        # Ids tell the order of entries, also of those within a millisecond.
        self._last_ms = max(now, self._last_ms + 1)
        entry_id = new_id("audit", self._last_ms)
        transaction.execute(_ADD, {**columns, "entry_id": entry_id, "at": now})

        def written() -> None:
            act.entry_id, act.written = entry_id, columns

        transaction.after_commit(written)
        self._prune(transaction, now)

    def _prune(self, transaction: Transaction, now: int) -> None:
        if now - self._pruned_at < _PRUNE_EVERY_MS:
            return
        old = select(_T.c.entry_id).where(_T.c.entry_id < _first_id_of(now - self._retention_ms)).limit(_PRUNED_AT_ONCE)
        if transaction.execute(delete(_T).where(_T.c.entry_id.in_(old))).rowcount < _PRUNED_AT_ONCE:
            self._pruned_at = now

    async def list(
        self,
        limit: int,
        cursor: str | None = None,
        *,
        after: int | None = None,
        before: int | None = None,
        **equal: str | None,
    ) -> tuple[list[Entry], str | None]:
        """Return entries, newest first, and the cursor of the next page (None after the last).

        Args:
            limit: At least 1.
            cursor: Where the page before ended.
            after: Only entries of this time (epoch milliseconds) or later.
            before: Only entries of before this time.
            equal: Only entries with these values: ``actor``, ``target``, ``action``.

        Raises:
            EngineError: ``invalid_request`` if the cursor is not one of the list.
        """
        query = select(_T).order_by(_T.c.entry_id.desc()).limit(limit + 1)
        for name, value in equal.items():
            if value is not None:
                query = query.where(_T.c[name] == value)
        if cursor is not None:
            if not cursor.startswith("audit_"):
                raise EngineError(ErrorCode.INVALID_REQUEST, "The cursor is not one of this list.", status=400)
            query = query.where(_T.c.entry_id < cursor)
        if after is not None:
            query = query.where(_T.c.entry_id >= _first_id_of(after))
        if before is not None:
            query = query.where(_T.c.entry_id < _first_id_of(before))

        def work(connection: Connection) -> tuple[list[Entry], str | None]:
            found = [_entry(row) for row in connection.execute(query)]
            page = found[:limit]
            return page, page[-1].entry_id if len(found) > limit else None

        return await self._database.read(work)


def _columns(act: Act, operation: Operation, status: int, code: str | None) -> dict[str, Any]:
    named = act.target or operation.target
    target = named or act.made
    details = {**act.details, "made": act.made} if named and act.made else act.details
    return {
        "actor": act.key.key_id,
        "project_id": act.key.project_id,
        "environment": act.key.environment,
        "action": operation.action,
        "target": None if target is None else _storable(target[:_MAX_TARGET]),
        "status": status,
        "code": code,
        "request_id": act.request_id,
        "address": act.address,
        "details": _details(details),
    }


def _details(details: dict[str, Any]) -> str | None:
    if not details:
        return None
    text = json.dumps(details, default=str)
    return text if len(text) <= _MAX_DETAILS else json.dumps({"omitted": f"{len(text)} characters"})


def _storable(text: str) -> str:
    """Return a part of an address so that every database can hold it: no zero byte, no half of a character."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


def _first_id_of(at: int) -> str:
    milliseconds = min(max(at, 0), 2**48 - 1)
    return f"audit_{ULID.from_bytes(milliseconds.to_bytes(6, 'big') + bytes(10))}"


def _entry(row: Row[Any]) -> Entry:
    values = dict(row._mapping)  # noqa: SLF001  # SQLAlchemy's own name for the public view of a row
    details = values.pop("details")
    return Entry(**values, details=None if details is None else json.loads(details))
