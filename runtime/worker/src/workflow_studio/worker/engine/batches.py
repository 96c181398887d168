"""Several writes in one transaction.

An executor sends an event together with the message that follows it: that there is a step with the step's own message,
how a step ended with the wake-up of its run. An app does the same when it starts or resumes a run. Neither is stored
without the other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.compute.world_errors import EntityConflictError, WorldError
from workflow_studio.worker.engine import ahead, replays
from workflow_studio.worker.engine.gathering import Gathering
from workflow_studio.worker.engine.leases import note_replay
from workflow_studio.worker.engine.log import lock_runs
from workflow_studio.worker.engine.params import EventsCreate, Publish, parse
from workflow_studio.worker.engine.queue import lock_queue
from workflow_studio.worker.ports import BatchedCall

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workflow_studio.worker.engine.events import Events
    from workflow_studio.worker.engine.leases import Leases
    from workflow_studio.worker.engine.params import Onward
    from workflow_studio.worker.engine.queue import Queue
    from workflow_studio.worker.ports import CallContext
    from workflow_studio.worker.store import Database, Transaction

_STEP_ENDS: Final = frozenset({"step_completed", "step_failed"})
_RUN_ENDS: Final = frozenset({"run_completed", "run_failed"})


class Batches:
    """Writes batches."""

    def __init__(self, database: Database, events: Events, queue: Queue, leases: Leases) -> None:
        self._database = database
        self._events = events
        self._queue = queue
        self._leases = leases
        self._gathering: Gathering[dict[str, Any]] = Gathering(database)

    async def write(
        self,
        calls: Sequence[BatchedCall],
        context: CallContext,
        environment: str,
        *,
        ends_delivery: bool = False,
        onward: Onward | None = None,
    ) -> dict[str, Any]:
        """Make calls one after the other, in one transaction.

        Args:
            calls: The calls. One that is refused has no effect; those after it are made all the same, but for
                messages to a run that was not created. If none is refused, and the batch ends its delivery, the
                message is gone with it.
            context: Who makes them.
            environment: Where they are made.
            ends_delivery: Whether the caller says that nothing of its delivery is left to be done.
            onward: What the replay leaves to be stored that one of the calls asks for. It is stored in the place of
                the message, if the replay was made of the log as it is now.

        Returns:
            ``results``: ``{"value": ...}`` or ``{"error": ...}`` for each call, in order.

        Raises:
            EngineError: ``idempotency_conflict``; then none of the calls is made.
        """
        ends_delivery = ends_delivery or self._ends_delivery(calls, context)
        left = [] if onward is None else [BatchedCall(call.method, call.params) for call in onward.calls]
        about = None if self._database.in_order else _the_run([*calls, *left])

        def work(transaction: Transaction) -> dict[str, Any]:
            if not self._database.in_order:
                # A message locks its run's queue, and whoever changes the run as well locks that first.
                lock_runs(transaction, _runs_to_lock(calls))
                if transaction.has_company:
                    # A write before this one may hold messages, and one after it may need the queue.
                    lock_queue(transaction, about)
            results: list[dict[str, Any]] = []
            refused: dict[str, dict[str, Any]] = {}
            for call in calls:
                run_id = str(call.params.get("runId"))
                known = refused.get(run_id) if call.method == "queue.publish" else None
                result = known or self._attempt(call, context, environment, transaction)
                results.append(result)
                if _is_run_refused(call, result):
                    refused[run_id] = result
            is_refused = any("error" in result for result in results)
            if ends_delivery and not is_refused:
                self._leases.acknowledge(transaction, context.delivery_id or "")
            if onward is not None and not is_refused:
                self._go_on(transaction, onward, context, environment)
            return {"results": results}

        with self._leases.deliveries.ending(context.delivery_id if ends_delivery else None):
            if not self._database.in_order:
                replayed = self._leases.deliveries.run_of_replay(context.delivery_id or "")
                asks = ahead.of_calls(
                    [*calls, *left],
                    context.delivery_id,
                    begins=lambda transaction: self._events.ask_ahead_of_start(transaction, environment),
                    goes_on=onward is not None,
                    ends_replay=ends_delivery and replayed is not None,
                )
                return await self._database.write(work, about=about, ahead=asks)
            # Elsewhere writes about one run share a transaction as it is.
            run_id = _the_run(calls) if ends_delivery and self._leases.deliveries.are_many else None
            if run_id is not None:
                return await self._gathering.write(run_id, work)
            return await self._database.write(work)

    def _go_on(self, transaction: Transaction, onward: Onward, context: CallContext, environment: str) -> None:
        """Store what a replay leaves, in the place of the message that asks for it."""
        if not replays.ends_at(transaction, onward.run_id, onward.slot, onward.at):
            return
        wake = self._queue.withdraw_wake(transaction, onward.run_id)
        if wake is None:
            return
        for call in onward.calls:
            result = self._attempt(BatchedCall(call.method, call.params), context, environment, transaction)
            if "error" in result:
                # A replay will do what is left, as it would after a crash.
                self._queue.restore_wake(transaction, wake)
                return
        note_replay(transaction, onward.run_id, onward.slot)
        transaction.after_commit(lambda: self._events.replayed(context, onward.run_id, onward.slot))

    def _attempt(
        self, call: BatchedCall, context: CallContext, environment: str, transaction: Transaction
    ) -> dict[str, Any]:
        # A refusal comes before anything has been changed.
        try:
            return {"value": self._writing(call, context, environment)(transaction)}
        except WorldError as error:
            return {"error": error.to_wire()}

    def _writing(
        self, call: BatchedCall, context: CallContext, environment: str
    ) -> Callable[[Transaction], dict[str, Any]]:
        if call.method == "queue.publish":
            return self._queue.writing(parse(Publish, call.params), environment, call.idempotency)
        params = parse(EventsCreate, call.params)
        if params.event.event_type == "run_started":
            raise WorldError("run_started is not sent with others: its answer is the whole log", status=400)
        repeatable = context
        if call.idempotency is not context.idempotency:
            repeatable = replace(context, idempotency=call.idempotency)
        # An executor has answered the SDK already, and looks for refusals only.
        return self._events.writing(params, repeatable, environment, is_read=context.executor_id is None)

    def _ends_delivery(self, calls: Sequence[BatchedCall], context: CallContext) -> bool:
        """Whether nothing of a step's delivery is left to be done: its step has ended, and the run will hear of it."""
        if context.delivery_id is None:
            return False
        events = [call.params for call in calls if call.method == "events.create"]
        wakes = {call.params.get("runId") for call in calls if call.params.get("isWake")}
        for params in events:
            event = params.get("event")
            if not isinstance(event, dict) or event.get("eventType") not in _STEP_ENDS:
                continue
            run_id, step_id = params.get("runId"), event.get("correlationId")
            if run_id in wakes and self._leases.deliveries.executes(context.delivery_id, run_id, step_id):
                return True
        return False


def _runs_to_lock(calls: Sequence[BatchedCall]) -> list[str]:
    """Return the runs that calls are about, but for one that the first of them creates: that locks it itself."""
    named = {call.params.get("runId") for call in calls}
    if calls and _creates_run(calls[0]):
        named.discard(calls[0].params.get("runId"))
    return sorted(run_id for run_id in named if isinstance(run_id, str))


def _creates_run(call: BatchedCall) -> bool:
    event = call.params.get("event")
    return isinstance(event, dict) and event.get("eventType") == "run_created"


def _the_run(calls: Sequence[BatchedCall]) -> str | None:
    """Return the only run that calls lock, if they lock nothing before it and nothing that others may hold."""
    for call in calls:
        event = call.params.get("event")
        kind = str(event.get("eventType")) if isinstance(event, dict) else ""
        locks_its_run = kind.startswith("step_") or kind in _RUN_ENDS or call.method == "queue.publish"
        if call.idempotency is not None or not locks_its_run:
            return None
    named = {call.params.get("runId") for call in calls}
    run_id = named.pop() if len(named) == 1 else None
    return run_id if isinstance(run_id, str) else None


def _is_run_refused(call: BatchedCall, result: Mapping[str, Any]) -> bool:
    """Whether a call was to create a run and there is none by its id."""
    return _creates_run(call) and "error" in result and result["error"]["name"] != EntityConflictError.__name__
