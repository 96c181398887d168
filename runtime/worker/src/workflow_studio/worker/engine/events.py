"""``events.create``: the World's only way to change a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import ahead, log, present, replays
from workflow_studio.worker.engine.claims import is_replay
from workflow_studio.worker.engine.clock import check_run_age, new_id
from workflow_studio.worker.engine.deferred import store_changes
from workflow_studio.worker.engine.params import EventsCreate, event_input
from workflow_studio.worker.engine.queue import step_of
from workflow_studio.worker.engine.transitions import EventInput
from workflow_studio.worker.ports import CallContext, FirstCall

if TYPE_CHECKING:
    from collections.abc import Callable

    from workflow_studio.worker.engine.admission import Admission
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.deliveries import Deliveries
    from workflow_studio.worker.engine.endings import Endings
    from workflow_studio.worker.engine.idempotency import IdempotencyKeys
    from workflow_studio.worker.engine.leases import Leases
    from workflow_studio.worker.engine.transitions import Entity
    from workflow_studio.worker.ports import Delivery
    from workflow_studio.worker.store import Database, Transaction
    from workflow_studio.worker.store.statements import Row

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
        leases: Leases,
    ) -> None:
        self._database = database
        self._clock = clock
        self._deliveries = deliveries
        self._idempotency = idempotency
        self._admission = admission
        self._endings = endings
        self._leases = leases
        self._known_logs = replays.KnownLogs()

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
        if params.event.event_type == "run_started":
            event = event_input(params, params.run_id or "")
            return await self._start(event, context, environment, params.known_slot or 0)
        ends_delivery = params.event.event_type in log.ENDS
        with self._deliveries.ending(context.delivery_id if ends_delivery else None):
            body, run_id = params.event, params.run_id
            asks = ahead.of_event(run_id, body.event_type, body.correlation_id, context) if run_id else None
            # It locks nothing but its run, unless it may come twice.
            is_of_step = body.event_type.startswith("step_") and context.idempotency is None
            about = run_id if is_of_step else None
            return await self._database.write(self.writing(params, context, environment), about=about, ahead=asks)

    def writing(
        self, params: EventsCreate, context: CallContext, environment: str, *, is_read: bool = True
    ) -> Callable[[Transaction], dict[str, Any]]:
        """Return what :meth:`create` does in its transaction; not for run_started, which reads more than it writes.

        Args:
            params: The event.
            context: Who creates it.
            environment: Where a run belongs that it creates.
            is_read: Whether anybody reads the answer; it is empty otherwise.

        Raises:
            WorldError: If the event makes no sense.
        """
        now = self._clock()
        run_id = params.run_id or ""
        if not run_id and params.event.event_type == "run_created":
            run_id = new_id("wrun", now)
        event = event_input(params, run_id)
        if event.event_type == "run_created" and params.run_id:
            check_run_age(run_id, now)
        # An executor has an early replay read the time that it gives the end of a step. Nobody else's is trusted.
        proposed = params.occurred_at if context.executor_id and event.event_type == "step_completed" else None
        append = self._appending(event, context, environment, proposed, _origin(params))
        with_payloads = params.with_payloads and event.event_type in _READ_BACK

        def work(transaction: Transaction) -> dict[str, Any]:
            appended = append(transaction)
            return _result(appended, with_payloads=with_payloads) if is_read else {}

        return lambda transaction: self._idempotency.once(transaction, context.idempotency, lambda: work(transaction))

    def ask_ahead_of_start(self, transaction: Transaction, environment: str) -> None:
        """Ask ahead what the creation of a run will want to know."""
        self._admission.ask_ahead(transaction, environment)

    def begin(
        self, transaction: Transaction, delivery: Delivery, row: Row, executor_id: str, environment: str
    ) -> FirstCall | None:
        """Make the World call that a delivery will begin with, in the transaction that leases its message.

        Args:
            transaction: Leases the message.
            delivery: The delivery.
            row: The message, with what is known of its run.
            executor_id: The executor that will run it.
            environment: That of the run.

        Returns:
            The call and its answer. None if the delivery will have to make it by itself.
        """
        context = CallContext(executor_id, delivery.id)
        if delivery.kind == "workflow":
            return self._begin_replay(transaction, delivery, row, context, environment)
        if row["run_status"] is None or delivery.run_id is None or delivery.step_id is None:
            return None
        data = {"stepName": step_of(delivery.queue_name)}
        event = EventInput(delivery.run_id, "step_started", delivery.step_id, data, row["run_spec_version"])
        try:
            appended = self._appending(event, context, environment)(transaction)
            answer = {"value": _result(appended, with_payloads=True)}
        except WorldError as error:
            answer = {"error": error.to_wire()}
        return FirstCall(event.event_type, event.correlation_id, answer)

    def _begin_replay(
        self, transaction: Transaction, delivery: Delivery, row: Row, context: CallContext, environment: str
    ) -> FirstCall | None:
        run_id, executor_id = delivery.run_id, context.executor_id
        if run_id is None or executor_id is None or not is_replay(row):
            return None
        if row["run_status"] == "pending":
            started = EventInput(run_id, "run_started", "", {}, row["run_spec_version"])
            self._appending(started, context, environment)(transaction)
        known_slot = self._known_logs.slot(executor_id, run_id)
        found = replays.load_ahead(transaction, run_id, known_slot)
        if found is None:
            return None
        answer, last_slot = found
        transaction.after_commit(lambda: self._sent(context, run_id, last_slot))
        return FirstCall("run_started", "", {"value": answer}, known_slot)

    def replayed(self, context: CallContext, run_id: str, slot: int) -> None:
        """Note that an executor has replayed a run, and has its log up to a slot."""
        self._known_logs.note(context.executor_id, run_id, slot)

    def _sent(self, context: CallContext, run_id: str, last_slot: int) -> None:
        """Note that the log of a run was sent to the replay that asks for it."""
        self._deliveries.saw(context.delivery_id, run_id, last_slot)
        self._known_logs.note(context.executor_id, run_id, last_slot)

    def _appending(
        self,
        event: EventInput,
        context: CallContext,
        environment: str,
        proposed: int | None = None,
        origin: Row | None = None,
    ) -> Callable[[Transaction], log.Appended]:
        in_replay = self._deliveries.is_replay_of(context.delivery_id, event.run_id)
        by = log.Author(context.executor_id, in_replay, context.caller, environment)

        def append(transaction: Transaction) -> log.Appended:
            connection = transaction.connection
            addressed = self._admission.addressed(connection, event, environment)
            admit = self._admission.admit_for_world
            now = self._clock()
            at = now if proposed is None else min(now, proposed)
            appended = log.append(transaction, addressed, now=at, by=by, admit=admit, origin=origin)
            if appended.ends_run:
                self._endings.run_ended(transaction, appended.entities["run"], appended.decision.at)
                if in_replay:
                    self._leases.acknowledge(transaction, context.delivery_id or "")
            return appended

        return append

    async def _start(
        self, event: EventInput, context: CallContext, environment: str, known_slot: int
    ) -> dict[str, Any]:
        # Every replay begins with run_started; only the first one has anything to write. A repeat finds the run started
        # and is answered like the first: it needs no record.
        has_begun = known_slot > 0
        while True:
            if has_begun:
                loaded = await self._database.read(
                    lambda connection: replays.load(connection, event.run_id, known_slot)
                )
                if loaded is not None:
                    return self._loaded(loaded, event, context)
            # If the run ends before it is read again, the next turn refuses.
            asks = ahead.of_event(event.run_id, event.event_type, None, context)
            started = await self._database.write(self._starting(event, context, environment), ahead=asks)
            if started is not None:
                created, loaded = started
                return {**self._loaded(loaded, event, context), "event": created}
            has_begun = True

    def _starting(
        self, event: EventInput, context: CallContext, environment: str
    ) -> Callable[[Transaction], tuple[dict[str, Any], replays.Loaded] | None]:
        """Return what starts a run and loads its log, which is short; and does nothing if it has been started."""
        append = self._appending(event, context, environment)

        def work(transaction: Transaction) -> tuple[dict[str, Any], replays.Loaded] | None:
            appended = append(transaction)
            if not appended.events:
                return None
            store_changes(transaction)
            loaded = replays.load(transaction.connection, event.run_id, 0)
            created = present.event(appended.events[-1], with_payloads=False)
            return None if loaded is None else (created, loaded)

        return work

    def _loaded(self, loaded: replays.Loaded, event: EventInput, context: CallContext) -> dict[str, Any]:
        """Note what an executor is sent of a log, and return it."""
        result, last_slot = loaded
        if "events" in result:
            self._known_logs.note(context.executor_id, event.run_id, last_slot)
        self._deliveries.saw(context.delivery_id, event.run_id, last_slot)
        return result


def _origin(params: EventsCreate) -> Row | None:
    """Return what is known of a run that is to be created beside its event."""
    if params.priority is None and params.concurrency_key is None:
        return None
    return {"priority": params.priority, "concurrency_key": params.concurrency_key}


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
