"""Time skipping: a run at rest need not wait for its next timer.

Tests want the outcome of code that sleeps for a week, and the outcome that it has in earnest. So what ends is only what
would end first, and only while the run has nothing else to do: a step that is under way is never overtaken by a sleep
that it races.

Nobody's clock moves. How much time a run has skipped follows from its log, and the run's timers are compared as if it
had passed: after one hour was skipped, a sleep of 20 minutes that begins then is over 80 minutes after the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import and_, bindparam, select, update

from workflow_studio.compute import wire
from workflow_studio.worker.engine import log
from workflow_studio.worker.engine.known import forget
from workflow_studio.worker.engine.queue import LIVE, READY, flow_queue, hasten, lock_queue
from workflow_studio.worker.engine.run_views import run_not_found
from workflow_studio.worker.engine.starts import run_row
from workflow_studio.worker.engine.transitions import TERMINAL, EventInput
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import RowMapping

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.queue import Queue
    from workflow_studio.worker.ports import Caller
    from workflow_studio.worker.store import Database, Transaction

_E: Final = tables.events
_M: Final = tables.messages
_S: Final = tables.steps
_W: Final = tables.waits

Timer = Literal["sleep", "retry"]

_TIMED: Final = ("wait_created", "wait_completed", "step_retrying", "step_started")
_TIMED_EVENTS: Final = (
    select(_E.c.event_type, _E.c.correlation_id, _E.c.data, _E.c.created_at)
    .where(_E.c.run_id == bindparam("run"), _E.c.event_type.in_(_TIMED))
    .order_by(_E.c.slot)
)
_LIVE_MESSAGES: Final = select(
    _M.c.message_id, _M.c.step_id, _M.c.run_at, _M.c.failures, _M.c.unresolved, READY.label("ready")
).where(_M.c.run_id == bindparam("run"), LIVE)
_WAITING: Final = select(_W.c.wait_id, _W.c.resume_at).where(
    _W.c.run_id == bindparam("run"), _W.c.status == "waiting", _W.c.resume_at.is_not(None)
)
_START_AT_ONCE: Final = update(_S).where(and_(_S.c.run_id == bindparam("run"), _S.c.step_id == bindparam("step")))


@dataclass(frozen=True, slots=True)
class Skipped:
    """A timer that was ended before its time.

    Attributes:
        timer: ``sleep``, or ``retry`` for the pause before a step's next attempt.
        correlation_id: The sleep or the step.
        milliseconds: How much time was skipped.
    """

    timer: Timer
    correlation_id: str
    milliseconds: int


@dataclass(frozen=True, slots=True)
class _Pending:
    """A timer that goes on.

    Attributes:
        due: When it is over, counting the time that was skipped.
        resume_at: When it is over by the clock.
        message_id: For a step: the message of its next attempt.
    """

    due: int
    timer: Timer
    correlation_id: str
    resume_at: int
    message_id: str | None = None


class TimeSkipping:
    """Ends timers of runs before their time."""

    def __init__(self, database: Database, queue: Queue, clock: Clock) -> None:
        self._database = database
        self._queue = queue
        self._clock = clock

    async def skip(self, run_id: str, *, caller: Caller | None = None) -> Skipped | None:
        """End the timer of a run that would be over first, if the run waits for nothing sooner.

        Args:
            run_id: The run.
            caller: Whose request it is.

        Returns:
            What was skipped; None if the run has something to do, waits for something else, or has ended.

        Raises:
            EngineError: ``run_not_found``.
        """
        return await self._database.write(lambda transaction: self._skip(transaction, run_id, caller))

    def _skip(self, transaction: Transaction, run_id: str, caller: Caller | None) -> Skipped | None:
        row = run_row(transaction, run_id)
        if row is None:
            raise run_not_found(run_id)
        if row["status"] in TERMINAL or row["stimulus_slot"] > row["replayed_slot"]:
            return None
        lock_queue(transaction, run_id)
        now = self._clock()
        messages = transaction.execute(_LIVE_MESSAGES, {"run": run_id}).mappings().all()
        if not all(_waits_for_its_time(message, now) for message in messages):
            return None
        events = transaction.execute(_TIMED_EVENTS, {"run": run_id}).mappings().all()
        skipped, dues = time_skipped(events)
        waits = transaction.execute(_WAITING, {"run": run_id}).all()
        timers = [
            *(_Pending(dues.get(wait, at + skipped), "sleep", wait, at) for wait, at in waits),
            *(_attempt(message, dues, skipped) for message in messages if message["step_id"] is not None),
        ]
        if not timers:
            return None
        first = min(timers, key=lambda timer: (timer.due, timer.correlation_id))
        if first.message_id is not None:
            # Until then the step could not be started.
            transaction.execute(_START_AT_ONCE.values(retry_after=None), {"run": run_id, "step": first.correlation_id})
            forget(transaction, [run_id])
            hasten(transaction, first.message_id, now)
            self._queue.announce(transaction)
        else:
            # The replay compares this resumeAt with the one of wait_created.
            data = {"resumeAt": first.resume_at}
            event = EventInput(run_id, "wait_completed", first.correlation_id, data, row["spec_version"])
            log.append(transaction, event, now=now, by=log.Author(caller=caller))
            self._queue.wake(transaction, run_id, run_at=now, queue_name=flow_queue(row["workflow_name"]))
        return Skipped(first.timer, first.correlation_id, max(0, first.due - now - skipped))


def time_skipped(events: Iterable[RowMapping]) -> tuple[int, dict[str, int]]:
    """Return how much time a run has skipped, and when its timers are over, counting that time.

    Args:
        events: Rows of the run's log that begin and end timers, in order.

    Returns:
        Milliseconds; and by the id of a sleep or step, the moment in epoch milliseconds.
    """
    skipped = 0
    dues: dict[str, int] = {}
    for event in events:
        name, at = event["correlation_id"], event["created_at"]
        match event["event_type"]:
            case "wait_created":
                dues[name] = _data(event)["resumeAt"] + skipped
            case "step_retrying":
                retry_after = _data(event).get("retryAfter")
                if retry_after is not None:
                    dues[name] = retry_after + skipped
            case _:
                skipped = max(skipped, dues.pop(name, 0) - at)
    return skipped, dues


def _data(event: RowMapping) -> dict[str, Any]:
    data: dict[str, Any] = wire.decode(event["data"]) if event["data"] is not None else {}
    return data


def _waits_for_its_time(message: RowMapping, now: int) -> bool:
    """Tell whether a message is not due because somebody asked for it to come later, and for no other reason."""
    return bool(message["ready"] and message["run_at"] > now and not message["failures"] and not message["unresolved"])


def _attempt(message: RowMapping, dues: Mapping[str, int], skipped: int) -> _Pending:
    step, run_at = message["step_id"], message["run_at"]
    return _Pending(dues.get(step, run_at + skipped), "retry", step, run_at, message["message_id"])
