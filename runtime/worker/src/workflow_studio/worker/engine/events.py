"""``events.create``: the World's only way to change a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select

from workflow_studio.compute.ids import event_id
from workflow_studio.worker.engine import log, present
from workflow_studio.worker.engine.clock import check_run_age, new_id
from workflow_studio.worker.engine.params import EventsCreate, event_input
from workflow_studio.worker.engine.queries import take
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.admission import Admission
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.deliveries import Deliveries
    from workflow_studio.worker.engine.endings import Endings
    from workflow_studio.worker.engine.idempotency import IdempotencyKeys
    from workflow_studio.worker.engine.transitions import Entity, EventInput
    from workflow_studio.worker.ports import CallContext
    from workflow_studio.worker.store import Database, Transaction

_LOG_OF: Final = select(tables.events).where(tables.events.c.run_id == bindparam("run")).order_by(tables.events.c.slot)
_RUN: Final = select(tables.runs).where(tables.runs.c.run_id == bindparam("run"))
_READ_BACK: Final = frozenset({"step_started"})
"""Events whose answer carries payloads. The SDK ignores the entities of the others, save for run_started, whose answer
is the whole run and its log (source: ``@workflow/core`` 4.8.9, ``runtime.js``)."""


class Events:
    """Appends events."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        deliveries: Deliveries,
        idempotency: IdempotencyKeys,
        admission: Admission,
        endings: Endings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._deliveries = deliveries
        self._idempotency = idempotency
        self._admission = admission
        self._endings = endings

    async def create(self, params: EventsCreate, context: CallContext, environment: str) -> dict[str, Any]:
        """Append an event, change what follows from it, and return both.

        Args:
            params: The event.
            context: Who creates it.
            environment: Where a run belongs that it creates.

        Raises:
            WorldError: If the rules refuse it.
            EngineError: ``idempotency_conflict``.
        """
        now = self._clock()
        run_id = params.run_id or ""
        if not run_id and params.event.event_type == "run_created":
            run_id = new_id("wrun", now)
        event = event_input(params, run_id)
        if event.event_type == "run_started":
            return await self._start(event, context, environment)
        if event.event_type == "run_created" and params.run_id:
            check_run_age(run_id, now)
        append = self._appending(event, context, environment)
        with_payloads = params.with_payloads and event.event_type in _READ_BACK
        return await self._database.write(
            lambda transaction: self._idempotency.once(
                transaction, context.idempotency, lambda: _result(append(transaction), with_payloads=with_payloads)
            )
        )

    def _appending(
        self, event: EventInput, context: CallContext, environment: str
    ) -> Callable[[Transaction], log.Appended]:
        in_replay = self._deliveries.is_replay_of(context.delivery_id, event.run_id)
        by = log.Author(context.executor_id, in_replay, context.caller, environment)

        def append(transaction: Transaction) -> log.Appended:
            connection = transaction.connection
            addressed = self._admission.addressed(connection, event, environment)
            admit = self._admission.admit_for_world
            appended = log.append(transaction, addressed, now=self._clock(), by=by, admit=admit)
            if appended.ends_run:
                self._endings.run_ended(transaction, appended.entities["run"], appended.decision.at)
            return appended

        return append

    async def _start(self, event: EventInput, context: CallContext, environment: str) -> dict[str, Any]:
        # A repeat finds the run started and is answered like the first: it needs no record.
        created: dict[str, Any] = {}
        while True:
            # Every replay begins with run_started; only the first one has anything to write.
            result = await self._running(event, context)
            if result is not None:
                return {**result, **created}
            # If the run ends before it is read again, the next turn refuses.
            appended = await self._database.write(self._appending(event, context, environment))
            if appended.events:
                created = {"event": present.event(appended.events[-1], with_payloads=False)}

    async def _running(self, event: EventInput, context: CallContext) -> dict[str, Any] | None:
        def work(connection: Connection) -> tuple[dict[str, Any], int] | None:
            row = connection.execute(_RUN, {"run": event.run_id}).mappings().first()
            if row is None or row["status"] != "running":
                return None
            answer: dict[str, Any] = {"run": present.run(row, with_payloads=True)}
            log_rows, more = take(connection.execute(_LOG_OF, {"run": event.run_id}).mappings(), row["last_slot"])
            if not more:
                # Without its log, the SDK loads it page by page: a large one would not fit into one answer.
                answer["events"] = [present.event(entry, with_payloads=True) for entry in log_rows]
                answer |= {"cursor": event_id(row["last_slot"]), "hasMore": False}
            return answer, row["last_slot"]

        found = await self._database.read(work)
        if found is None:
            return None
        result, last_slot = found
        self._deliveries.saw(context.delivery_id, event.run_id, last_slot)
        return result


def _result(appended: log.Appended, *, with_payloads: bool) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if appended.events:
        result["event"] = present.event(appended.events[-1], with_payloads=with_payloads)
    kind = appended.decision.answers_with
    if kind is not None:
        result[kind] = _entity(kind, appended.entities[kind], with_payloads=with_payloads)
    return result


def _entity(kind: Entity, row: dict[str, Any], *, with_payloads: bool) -> dict[str, Any]:
    if kind == "run":
        return present.run(row, with_payloads=with_payloads)
    if kind == "step":
        return present.step(row, with_payloads=with_payloads)
    if kind == "hook":
        return present.hook(row, with_payloads=with_payloads)
    return present.wait(row)
