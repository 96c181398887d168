"""Writes on their way: what a write sees, and how its caller hears of the commit."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Connection

    from workflow_studio.worker.store.statements import Statement

_LOG = logging.getLogger(__name__)

Ahead: TypeAlias = "Callable[[Transaction], None]"
"""Asks ahead what a write will want to know."""


class FinishError(Exception):
    """What finishes writes failed; the write is to be done once more."""


class Transaction:
    """What a write sees: the connection, and a way to be told of the commit.

    Attributes:
        connection: Executes statements inside the transaction.
        news: What it adds that others follow, for those who are called before the commit.
        ends: The delivery whose message the transaction deletes, if it does that.
        has_company: Whether other writes are committed with it.
        is_followed: Whether one of these comes after it, to which its finish is left.
        follow_up: What the follow-up of the database (see :meth:`.Database.follow_up`) has to do; nothing if empty. In
            the follow-up itself: what it was asked to do by all the writes that it follows.
        due: What its finish (see :meth:`.Database.finish_writes`) has to do, by id.
        held: Rows that the finish is to insert with what it does, by id. Who looks for one has them inserted before.
        is_repeated: Whether it is done again after it has failed.
        changes: What is to be changed at its end, by a name of whoever calls :meth:`at_end`.
        known: What rows are like now, by a name of whoever needs them again. Where transactions follow one another and
            nobody else writes, those after it find it still, until one is undone.
        new: What it has made, so that nobody else can know of it, by names.
        new_steps: Rows of steps that are to be inserted at its end, by run and step. Who looks for one has it inserted.
        runs: The runs that nobody else can change until it ends.
        locks: The locks that it holds, by their names.
        replays: Messages that it has asked for replays by and that are stored, with when they are due, by run.
        asks_ahead: Whether :meth:`ask_ahead` asks.
    """

    asks_ahead: ClassVar[bool] = False

    __slots__ = (
        "_callbacks",
        "_last",
        "_undoing",
        "changes",
        "connection",
        "due",
        "ends",
        "execute",
        "follow_up",
        "has_company",
        "held",
        "is_followed",
        "is_repeated",
        "known",
        "locks",
        "new",
        "new_steps",
        "news",
        "replays",
        "runs",
    )

    def __init__(self, connection: Connection, known: dict[Any, Any] | None = None) -> None:
        self.connection = connection
        self.execute = connection.execute
        self.news: list[Any] = []
        self.ends: str | None = None
        self.follow_up: set[str] = set()
        self.has_company = False
        self.is_followed = False
        self.is_repeated = False
        self.due: dict[str, Any] = {}
        self.held: dict[str, dict[str, Any]] = {}
        self.known: dict[Any, Any] = {} if known is None else known
        self.new: set[tuple[str, ...]] = set()
        self.new_steps: dict[tuple[str, str], dict[str, Any]] = {}
        self.changes: dict[str, dict[str, Any]] = {}
        self._last: Callable[[Transaction], None] | None = None
        self.runs: set[str] = set()
        self.locks: set[tuple[str, ...]] = set()
        self.replays: dict[str, tuple[str, int]] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._undoing: list[Callable[[], None]] = []

    def join(self, before: Transaction) -> None:
        """Go on with what a write before it, in the same transaction, has locked, found and left to be done."""
        self.due = before.due
        self.held = before.held
        self.known = before.known
        self.new = before.new
        self.runs = before.runs
        self.locks = before.locks
        self.replays = before.replays

    def ask_ahead(self, query: Statement, parameters: Mapping[str, Any]) -> None:
        """Ask a query that will be executed in the transaction, where that spares a round trip to a server.

        Whoever executes it first gets the answer of now, unless that is forgotten.
        """

    def forget_ahead(self, query: Statement | None = None, parameters: Mapping[str, Any] | None = None) -> None:
        """Forget what was asked ahead, since the transaction changes it: one query, or all."""

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called on the caller's event loop once this write is durable; never if it is undone."""
        self._callbacks.append(callback)

    def when_undone(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called, on whichever thread, if this write is undone."""
        self._undoing.append(callback)

    def at_end(self, work: Callable[[Transaction], None]) -> None:
        """Have ``work`` done in the transaction after all else; only one can be."""
        self._last = work

    def end(self) -> None:
        """Do what was left for the end."""
        if self._last is not None:
            self._last(self)

    def lock(self, *name: str) -> None:
        """Wait until no other transaction holds the lock of this name, and hold it until this one ends.

        For what has no row to lock yet. Here writes follow one another, so every lock is free.
        """

    def committed(self) -> None:
        """Call what waits for the commit."""
        for callback in self._callbacks:
            callback()

    def undone(self) -> None:
        """Call what waits for its being undone."""
        for callback in self._undoing:
            callback()


class Waiting(Protocol):
    """Who waits for a write; a future is one."""

    def done(self) -> bool:
        """Tell whether it waits no more."""

    def set_result(self, result: Any, /) -> None:
        """Hear of the commit."""

    def set_exception(self, error: BaseException, /) -> None:
        """Hear that the write was undone."""


@dataclass(slots=True)
class Job:
    """A write, who waits for it, and what came of it."""

    work: Callable[[Transaction], Any]
    loop: asyncio.AbstractEventLoop
    future: Waiting
    transaction: Transaction | None = None
    result: Any = None
    error: BaseException | None = None
    ahead: Ahead | None = None

    @classmethod
    def of_caller(
        cls, work: Callable[[Transaction], Any], ahead: Ahead | None = None
    ) -> tuple[Job, asyncio.Future[Any]]:
        """Return a job of the running event loop, and the future that it resolves."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        return cls(work, loop, future, ahead=ahead), future

    def settle(self) -> None:
        """Tell the caller, on its event loop."""
        if self.error is None and self.transaction is not None:
            self.transaction.committed()
        if self.future.done():
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


def settle(batch: Iterable[Job]) -> None:
    """Tell the callers of jobs that are done, from any thread."""
    loops: defaultdict[asyncio.AbstractEventLoop, list[Job]] = defaultdict(list)
    for job in batch:
        loops[job.loop].append(job)
    for loop, jobs in loops.items():
        try:
            loop.call_soon_threadsafe(_settle_on_loop, jobs)
        except RuntimeError:
            # The loop is closed: its callers are gone, the writes are durable all the same.
            _LOG.debug("%d writes were committed after their event loop ended.", len(jobs))


def _settle_on_loop(jobs: list[Job]) -> None:
    for job in jobs:
        try:
            job.settle()
        except Exception:  # noqa: BLE001  # one caller's callback must not keep the others waiting
            _LOG.exception("An after-commit callback failed.")
            if not job.future.done():
                job.future.set_result(job.result)
