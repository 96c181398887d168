"""What writes will want to know, asked in one round trip to a server.

A write looks at its run, at its step, at what is pending for the run, at its lease, each when it needs it. Of nearly
all writes it is known before what they will look at. So all of it is asked at their beginning, in the order in which it
is locked, and is there when it is wanted. What was not foreseen is asked then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.worker.engine import fencing, idempotency, log, queue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workflow_studio.worker.ports import BatchedCall, CallContext
    from workflow_studio.worker.store import Ahead, Transaction

_OF_RUNS: Final = frozenset({"run_created", "run_completed", "run_failed"})
_READ_BACK: Final = "step_started"
"""The event of steps whose answer carries payloads."""


def of_calls(
    calls: Sequence[BatchedCall],
    delivery_id: str | None,
    *,
    begins: Ahead,
    goes_on: bool = False,
    ends_replay: bool = False,
) -> Ahead | None:
    """Return what asks ahead what calls about one run will want to know; None if that cannot be told.

    Args:
        calls: The calls.
        delivery_id: In whose name they are made.
        begins: Asks ahead what a new run will want to know.
        goes_on: Whether they bring along what a replay leaves, which is stored if no other is in flight.
        ends_replay: Whether the delivery replays their run, and ends with them.
    """
    run_id = _only_run(calls)
    if run_id is None:
        return None
    found = _Foreseen()
    keys = [call.idempotency for call in calls if call.idempotency is not None]
    for call in calls:
        if call.method == "queue.publish":
            found.note_message(call.params)
        elif not found.note_event(call.params.get("event")):
            return None
    # Nothing is pending for a run that is new.
    wakes = found.wakes and not found.is_new
    of_queue = wakes or ends_replay or bool(found.step_keys)

    def ask(transaction: Transaction) -> None:
        log.ask_ahead_of_run(transaction, run_id)
        for key in keys:
            idempotency.ask_ahead(transaction, key)
        log.ask_ahead_of_entities(transaction, run_id, found.steps, found.others)
        if found.is_new:
            begins(transaction)
        if of_queue:
            queue.ask_ahead(
                transaction, run_id, wakes=wakes, goes_on=goes_on, ends_replay=ends_replay, step_keys=found.step_keys
            )
        fencing.ask_ahead(transaction, delivery_id)

    return ask


def of_event(run_id: str, event_type: str, correlation_id: str | None, context: CallContext) -> Ahead:
    """Return what asks ahead what an event that comes alone will want to know."""
    steps = {correlation_id: event_type == _READ_BACK} if correlation_id and event_type.startswith("step_") else {}
    others = {correlation_id: event_type} if correlation_id and log.can_ask_ahead(event_type) else {}
    key, delivery_id = context.idempotency, context.delivery_id

    def ask(transaction: Transaction) -> None:
        if key is not None:
            idempotency.ask_ahead(transaction, key)
        log.ask_ahead_of_run(transaction, run_id)
        log.ask_ahead_of_entities(transaction, run_id, steps, others)
        if transaction.has_company:
            queue.lock_queue(transaction, run_id)  # others may need it, and would lock it after the lease
        fencing.ask_ahead(transaction, delivery_id)

    return ask


def of_replays_end(run_id: str, delivery_id: str) -> Ahead:
    """Return what asks ahead what the end of a replay will want to know."""

    def ask(transaction: Transaction) -> None:
        log.ask_ahead_of_run(transaction, run_id)
        queue.ask_ahead(transaction, run_id, ends_replay=True)
        fencing.ask_ahead(transaction, delivery_id)

    return ask


@dataclass(slots=True)
class _Foreseen:
    """What calls about one run will look at.

    Attributes:
        steps: Steps, and whether with their payloads.
        others: Hooks and waits, and a type of event that names each.
        new_steps: Those that the calls create.
        step_keys: The keys of messages to steps that there are already.
        wakes: Whether they ask for a replay.
        is_new: Whether they create the run.
    """

    steps: dict[str, bool] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    new_steps: set[str] = field(default_factory=set)
    step_keys: list[str] = field(default_factory=list)
    wakes: bool = False
    is_new: bool = False

    def note_event(self, event: Any) -> bool:
        """Note what an event will look at; tell whether it is of a kind that looks at nothing else."""
        kind, entity_id = (
            (event.get("eventType"), event.get("correlationId")) if isinstance(event, dict) else (None, None)
        )
        if kind in _OF_RUNS:
            self.is_new = self.is_new or kind == "run_created"
            return True
        if not isinstance(kind, str) or not isinstance(entity_id, str):
            return False
        if log.can_ask_ahead(kind):
            self.others.setdefault(entity_id, kind)
            return True
        if not kind.startswith("step_"):
            return False
        self.steps.setdefault(entity_id, kind == _READ_BACK)
        if kind == "step_created":
            self.new_steps.add(entity_id)
        return True

    def note_message(self, message: Mapping[str, Any]) -> None:
        """Note what a message will look at."""
        key, step_id = message.get("idempotencyKey"), message.get("stepId")
        if message.get("isWake"):
            self.wakes = True
        elif isinstance(key, str) and isinstance(step_id, str) and step_id not in self.new_steps:
            self.step_keys.append(key)


def _only_run(calls: Sequence[BatchedCall]) -> str | None:
    """Return the only run that calls are about."""
    named = {call.params.get("runId") for call in calls}
    run_id = named.pop() if len(named) == 1 else None
    return run_id if isinstance(run_id, str) else None
