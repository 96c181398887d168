"""What guards against the field failures, and how to take it away.

Each regression test is run twice: as the product is, and with its guard replaced by what a worker without it would do.
The second run must fail, with an assertion of the test itself. So no test can rot into one that cannot fail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text, update

from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import Authenticator
from workflow_studio.worker.engine import ApiKey, claims, housekeeping, leases, log
from workflow_studio.worker.engine.claims import Claims
from workflow_studio.worker.engine.deliveries import Deliveries
from workflow_studio.worker.engine.environments import active_id
from workflow_studio.worker.engine.leases import Leases
from workflow_studio.worker.engine.recovery import Recovered, Recovery
from workflow_studio.worker.engine.transitions import EventInput
from workflow_studio.worker.engine.workers import Workers
from workflow_studio.worker.execution.executor import Executor
from workflow_studio.worker.store import _sqlite, tables
from workflow_studio.worker.store._postgres import PostgresBackend, _PostgresTransaction

if TYPE_CHECKING:
    from collections.abc import Callable

    Removal = Callable[[pytest.MonkeyPatch], None]

DAY_MS = 24 * 3600 * 1000


def guarded_by(*removals: Removal) -> pytest.MarkDecorator:
    """Run the test as it is, and once more per removal of a guard, when it must fail."""
    must_fail = pytest.mark.xfail(strict=True, raises=AssertionError, reason="its guard is removed")
    without = [pytest.param(removal, id=removal.__name__, marks=must_fail) for removal in removals]
    return pytest.mark.parametrize("guard", [pytest.param(None, id="guarded"), *without], indirect=True)


def messages_are_acknowledged_on_receipt(monkeypatch):
    claim = Leases.claim

    async def eager(self, limits):
        claimed = await claim(self, limits)
        for delivery in claimed.deliveries:
            await self.complete(delivery.id)
        return claimed

    monkeypatch.setattr(Leases, "claim", eager)


def every_statement_is_committed_by_itself(monkeypatch):
    """What was done before an error stays."""

    def attempt(self, jobs):
        with self._engine.connect() as connection:
            connection.begin()
            try:
                for job in jobs:
                    job.transaction = _PostgresTransaction(connection)
                    job.result = job.work(job.transaction)
            finally:
                connection.commit()

    monkeypatch.setattr(_sqlite, "rollback", _sqlite.commit)
    monkeypatch.setattr(_sqlite, "rollback_to_savepoint", _sqlite.release_savepoint)
    monkeypatch.setattr(PostgresBackend, "_attempt", attempt)


def every_unfinished_run_is_woken_at_boot(monkeypatch):
    monkeypatch.setattr(tables, "IS_UNREPLAYED", text("status IN ('pending', 'running')"))


def leases_outlive_their_worker(monkeypatch):
    monkeypatch.setattr(Workers, "_take_over", lambda self, transaction: 0)


def a_lost_executor_is_found_out_by_a_timeout(monkeypatch):
    monkeypatch.setattr(leases, "backoff_ms", lambda *_, **__: 860_000)


def slots_are_taken_from_an_earlier_read(monkeypatch):
    load, seen = log._load, {}

    def stale(connection, event):
        rows = load(connection, event)
        if event.event_type in {"hook_received", "wait_completed"}:
            rows["run"] = seen.setdefault(event.run_id, dict(rows["run"]))
        return rows

    monkeypatch.setattr(log, "_load", stale)


def recovery_is_tried_once(monkeypatch):
    at_boot = Recovery.at_boot

    async def once(self):
        try:
            return await at_boot(self)
        except Exception:  # noqa: BLE001  # as others do: the error is logged, and the worker starts all the same
            return Recovered(0, 0)

    monkeypatch.setattr(Recovery, "at_boot", once)


def quiet_runs_are_taken_for_orphans(monkeypatch):
    async def sweep(self):
        def work(transaction):
            runs = tables.runs
            quiet = select(runs.c.run_id).where(
                runs.c.status == "running", runs.c.last_event_at < self._clock() - DAY_MS
            )
            for run_id in transaction.execute(quiet).scalars().all():
                event = EventInput(run_id, "run_failed", data={"error": "It is quiet"}, spec_version=3)
                log.append(transaction, event, now=self._clock())
            return 0

        return await self._database.write(work)

    monkeypatch.setattr(Recovery, "sweep", sweep)


def messages_go_to_the_active_deployment(monkeypatch):
    active = _noting_the_active_deployment(monkeypatch)
    monkeypatch.setattr(claims, "_deployment", lambda row: active[-1])


def messages_go_where_their_sender_says(monkeypatch):
    active = _noting_the_active_deployment(monkeypatch)
    monkeypatch.setattr(claims, "_deployment", lambda row: row["deployment_id"] or active[-1])


def _noting_the_active_deployment(monkeypatch):
    """Return what has the active deployment as its last item whenever messages are claimed."""
    claim, active = Leases.claim_within, []

    def claim_within(self, transaction, *arguments):
        active.append(active_id(transaction.connection, DEFAULT_ENVIRONMENT))
        return claim(self, transaction, *arguments)

    monkeypatch.setattr(Leases, "claim_within", claim_within)
    return active


def leases_lapse_by_the_clock(monkeypatch):
    async def sweep(self):
        def work(transaction):
            messages = tables.messages
            late = update(messages).where(messages.c.leased_at < self._clock() - 860_000)
            transaction.execute(late.values(status="ready", lease_id=None, lease_owner=None, leased_at=None))
            return 0

        return await self._database.write(work)

    monkeypatch.setattr(Recovery, "sweep", sweep)


def answers_and_messages_are_kept_for_ever(monkeypatch):
    async def nothing(self):
        return housekeeping.Swept(0, 0)

    monkeypatch.setattr(housekeeping.Housekeeping, "sweep", nothing)


def all_is_deleted_in_one_transaction(monkeypatch):
    monkeypatch.setattr(housekeeping, "PORTION", 1_000_000_000)


def whoever_waits_takes_a_place(monkeypatch):
    monkeypatch.setattr(Deliveries, "waiting", frozenset())


def leased_messages_of_anybody_take_places(monkeypatch):
    """Count what the table says is in flight, and trust that."""
    claim = Claims._claim_kind

    def counted(self, transaction, kind, limit, **options):
        messages = tables.messages
        count = select(func.count()).where(messages.c.status == "leased", messages.c.kind == kind)
        return claim(self, transaction, kind, max(0, limit - transaction.execute(count).scalar()), **options)

    monkeypatch.setattr(Claims, "_claim_kind", counted)
    leases_outlive_their_worker(monkeypatch)


def heartbeats_are_ignored(monkeypatch):
    """Have an executor's silence only grow."""

    def grow(self, ticks):
        self.__dict__["silent"] = max(ticks, self.__dict__.get("silent", 0))

    monkeypatch.setattr(Executor, "_silent_ticks", property(lambda self: self.__dict__["silent"], grow), raising=False)


def everybody_is_let_in(monkeypatch):
    async def authenticate(self, authorization):
        return ApiKey("nobody", "default", "default", (ComputeScope.ADMIN,), None)

    monkeypatch.setattr(Authenticator, "authenticate", authenticate)
