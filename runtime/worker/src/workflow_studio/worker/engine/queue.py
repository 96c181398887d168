"""The queue: messages that are delivered until they are acknowledged.

A message is ``ready`` from ``run_at`` on, ``leased`` while a delivery is in flight, and gone once it is acknowledged.
Its attempt is raised in the transaction that leases it, so attempt 1 is seen once in a message's life, whatever
crashes. Two rules spare replays: a run has at most one wake-up pending, and at most one replay in flight.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from sqlalchemy import ColumnElement, and_, bindparam, func, or_, select, update

from workflow_studio.compute import wire
from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine.admission import LATEST
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.engine.deferred import store_step
from workflow_studio.worker.engine.environments import active_id_for_world
from workflow_studio.worker.engine.known import known_run
from workflow_studio.worker.engine.log import take_new_run, take_new_step
from workflow_studio.worker.engine.transitions import TERMINAL
from workflow_studio.worker.store import tables
from workflow_studio.worker.store.statements import Row, Statement, equals, insert_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.admission import Admission
    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.idempotency import IdempotencyKeys
    from workflow_studio.worker.engine.params import Publish
    from workflow_studio.worker.parts import Doorbell
    from workflow_studio.worker.ports import IdempotencyKey
    from workflow_studio.worker.store import Database, Transaction

_T: Final = tables.messages
_QUEUE_NAME: Final = re.compile(r"__(?:[a-z][a-z0-9]*_)?wkf_(workflow|step)_(.+)", re.DOTALL)

READY: Final[ColumnElement[bool]] = equals(_T.c.status, "ready")
LEASED: Final[ColumnElement[bool]] = equals(_T.c.status, "leased")
LIVE: Final[ColumnElement[bool]] = or_(READY, LEASED)
IS_REPLAY: Final[ColumnElement[bool]] = and_(equals(_T.c.kind, "workflow"), _T.c.step_id.is_(None))
"""Messages whose delivery replays their run."""

RELEASED: Final[dict[str, Any]] = {"status": "ready", "lease_id": None, "lease_owner": None, "leased_at": None}
"""What a message is like whose lease is over."""

Kind = Literal["workflow", "step"]
KINDS: Final[tuple[Kind, ...]] = ("workflow", "step")

AFTER_FAILURE_MS: Final = 5_000
"""How soon after a wake-up a replay that failed is tried again, at the earliest."""

_WITH_KEY: Final = (
    select(_T.c.message_id).where(_T.c.run_id == bindparam("run"), _T.c.idempotency_key == bindparam("key")).limit(1)
)
_PENDING_KEY: Final = {
    "workflow": Statement(_WITH_KEY.where(equals(_T.c.kind, "workflow"), READY)),
    "step": Statement(_WITH_KEY.where(equals(_T.c.kind, "step"), LIVE)),
}
"""A live message with the key. While a replay is in flight, another may be due after it, so only steps count then."""

_STEP_STATUS: Final = Statement(
    select(tables.steps.c.status).where(
        tables.steps.c.run_id == bindparam("run"), tables.steps.c.step_id == bindparam("step")
    )
)
_RUN_STATUS: Final = Statement(select(tables.runs.c.status).where(tables.runs.c.run_id == bindparam("run")))
_PENDING_REPLAY: Final = Statement(
    select(_T.c.message_id, _T.c.run_at, _T.c.failures)
    .where(_T.c.run_id == bindparam("run"), READY, IS_REPLAY)
    # A message that was delivered before says no more than "replay" either: whatever else it said is in the log now.
    .where(or_(_T.c.is_wake, _T.c.attempt > 0))
    .where(_T.c.message_id != bindparam("besides"))
    .order_by(_T.c.run_at)
    .limit(1)
    # Nobody may claim it before this transaction is committed: the delivery would not see what it is to see.
    .with_for_update()
)
_NEXT_REPLAY: Final = Statement(
    select(_T.c.message_id, _T.c.run_at)
    .where(_T.c.run_id == bindparam("run"), READY, IS_REPLAY)
    .order_by(_T.c.run_at)
    .limit(1)
)


class Queue:
    """The messages of this worker: publishing and looking. :mod:`.leases` delivers them."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        idempotency: IdempotencyKeys,
        admission: Admission,
        doorbell: Doorbell,
    ) -> None:
        self._database = database
        self._clock = clock
        self._idempotency = idempotency
        self._admission = admission
        self._doorbell = doorbell
        self._on_replay_wanted: Callable[[str], None] | None = None

    def on_replay_wanted(self, callback: Callable[[str], None]) -> None:
        """Have ``callback`` called with the id of a run whenever a commit has asked for a replay of it."""
        self._on_replay_wanted = callback

    def on_ready(self, callback: Callable[[], None]) -> None:
        """Have ``callback`` called whenever a commit has made messages ready, or ready earlier."""
        self._doorbell.on_ring(callback)

    def announce(self, transaction: Transaction, run_at: int | None = None, *, kinds: Iterable[Kind] = KINDS) -> None:
        """Tell the dispatcher once the transaction is committed.

        Args:
            transaction: Makes messages ready, or ready earlier.
            run_at: When the first of them is due; now if None.
            kinds: What they are.
        """
        now = self._clock()
        if run_at is None or run_at <= now:
            transaction.follow_up.update(kinds)
            if self._database.follows_up:
                return  # it claims what is due in the same commit
        self._doorbell.ring(transaction, now if run_at is None else run_at)

    def _announce_replay(self, transaction: Transaction, message_id: str, run_at: int) -> None:
        """Have a run replayed by a message that is stored. The transaction holds the lock of the run's queue."""
        if self._database.finishes and run_at <= self._clock():
            transaction.due[message_id] = "workflow"
        else:
            self.announce(transaction, run_at, kinds=("workflow",))

    def announce_next_replay(self, transaction: Transaction, run_id: str) -> None:
        """Have the run replayed, if a message asks for it that had to wait for a replay to end."""
        store_held(transaction, ("workflow",))
        found = _NEXT_REPLAY.first(transaction.connection, {"run": run_id})
        if found is None:
            return
        if self._database.in_order:
            # Due or not: the claim at the end of the commit passed it over until now, and is to know of it.
            self.announce(transaction, kinds=("workflow",))
        else:
            self._announce_replay(transaction, found["message_id"], found["run_at"])

    async def publish(
        self, params: Publish, repeat: IdempotencyKey | None = None, *, environment: str = DEFAULT_ENVIRONMENT
    ) -> dict[str, Any]:
        """Store a message, unless one that says the same is pending.

        Args:
            params: The message.
            environment: Where it is published: its active deployment is meant where none is named.
            repeat: What names the request, if it may arrive twice.

        Returns:
            ``messageId``: of the message, or of the one that stands for it.

        Raises:
            WorldError: With status 400, if the envelope makes no sense; 409, if it is a health check and there is no
                deployment to check; as :meth:`.Admission.admit_for_world` says, if it is to start a run that cannot be.
            EngineError: ``idempotency_conflict``.
        """
        return await self._database.write(self.writing(params, environment, repeat))

    def writing(
        self, params: Publish, environment: str, repeat: IdempotencyKey | None = None
    ) -> Callable[[Transaction], dict[str, Any]]:
        """Return what :meth:`publish` does in its transaction.

        Raises:
            WorldError: With status 400, if the envelope makes no sense.
        """
        kind = _kind(params)
        return lambda transaction: self._idempotency.once(
            transaction, repeat, lambda: {"messageId": self._publish(transaction, params, kind, environment)}
        )

    def _publish(self, transaction: Transaction, params: Publish, kind: Kind, environment: str) -> str:
        now = self._clock()
        connection = transaction.connection
        run_at = now + int((params.delay_seconds or 0) * 1000)
        if params.deployment_id == LATEST:
            params = params.model_copy(update={"deployment_id": active_id_for_world(connection, environment)})
        if params.is_health_check and params.deployment_id is None:
            active_id_for_world(connection, environment)  # whoever asks has gone long before there will be a deployment
        if params.is_wake and params.run_id:
            return self.wake(transaction, params.run_id, run_at=run_at, queue_name=params.queue_name, envelope=params)
        if kind == "workflow" and params.run_id is not None and params.step_id is None:
            self._refuse_futile(connection, params, params.run_id)
        is_new = kind == "step" and take_new_step(transaction, params.run_id, params.step_id)
        if not is_new:
            lock_queue(transaction, params.run_id)
        if params.idempotency_key is not None and params.run_id is not None and not is_new:
            store_held(transaction, (kind,))
            key = {"run": params.run_id, "key": params.idempotency_key}
            pending = _PENDING_KEY[kind].scalar(connection, key)
            if pending is not None:
                return str(pending)
            if kind == "step" and _is_finished_step(transaction, params.run_id, params.step_id):
                # The step's result is in the log. The SDK asks for an id and does nothing with it.
                return new_id("msg", now)
        return self._insert(transaction, kind, params, now=now, run_at=run_at, environment=environment)

    def _refuse_futile(self, connection: Connection, params: Publish, run_id: str) -> None:
        """Refuse to start a run that could only fail.

        ``start()`` sends this message and run_created side by side, and either may come first; it rejects if one of
        them is refused (source: ``@workflow/core`` 4.8.9 ``start.js``).
        """
        if params.deployment_id is None or _RUN_STATUS.first(connection, {"run": run_id}) is not None:
            return
        self._admission.admit_for_world(connection, params.deployment_id, _workflow_of(params.queue_name))

    def wake(
        self,
        transaction: Transaction,
        run_id: str,
        *,
        run_at: int,
        queue_name: str,
        envelope: Publish | None = None,
    ) -> str:
        """Have a run replayed at ``run_at``, or earlier if a replay is pending already.

        Returns:
            The id of the message that will do it.
        """
        now = self._clock()
        for message_id, held in transaction.held.items():
            if held["run_id"] == run_id and held["is_wake"] and held["run_at"] <= run_at:
                return message_id  # this transaction has asked for it before
        asked, asked_at = transaction.replays.get(run_id, ("", 0))
        if asked and asked_at <= run_at:
            return asked
        lock_queue(transaction, run_id)
        is_new = take_new_run(transaction, run_id)
        if not is_new and _has_ended(transaction, run_id):
            return new_id("msg", now)
        pending = None
        if not is_new:
            store_held(transaction, ("workflow",))
            pending = _PENDING_REPLAY.first(transaction.connection, {"run": run_id, "besides": ""})
        if pending is not None:
            if pending["failures"]:
                # Each replay that fails uses up an attempt, and a run has only so many: let some time pass in between.
                run_at = max(run_at, now + AFTER_FAILURE_MS)
            if run_at < pending["run_at"]:
                hasten(transaction, pending["message_id"], run_at)
            run_at = min(run_at, pending["run_at"])
            transaction.replays[run_id] = (pending["message_id"], run_at)
            # A claim may have passed over it while it was locked.
            self._announce_replay(transaction, pending["message_id"], run_at)
            self._tell_of_replay(transaction, run_id)
            return str(pending["message_id"])
        if envelope is not None:
            return self._insert(transaction, "workflow", envelope, now=now, run_at=run_at)
        body = wire.encode({"runId": run_id})
        return self._store(
            transaction,
            {"kind": "workflow", "queue_name": queue_name, "body": body, "run_id": run_id, "is_wake": True},
            now=now,
            run_at=run_at,
        )

    def withdraw_wake(self, transaction: Transaction, run_id: str) -> Row | None:
        """Take back the wake-up of a run that the transaction publishes.

        Returns:
            The message; None if the transaction publishes none of its own, or a replay of the run is in flight.
        """
        for message_id, row in transaction.held.items():
            if row["run_id"] == run_id and row["is_wake"]:
                if _REPLAY_IN_FLIGHT.first(transaction.connection, {"run": run_id}) is not None:
                    return None
                del transaction.due[message_id]
                return transaction.held.pop(message_id)
        return None

    def restore_wake(self, transaction: Transaction, wake: Row) -> None:
        """Publish what was taken back after all."""
        transaction.held[wake["message_id"]] = wake
        transaction.due[wake["message_id"]] = wake["kind"]

    def _insert(
        self,
        transaction: Transaction,
        kind: Kind,
        params: Publish,
        *,
        now: int,
        run_at: int,
        environment: str | None = None,
    ) -> str:
        values = {
            "kind": kind,
            "queue_name": params.queue_name,
            "body": params.body,
            "headers": wire.encode(params.headers) if params.headers else None,
            "run_id": params.run_id,
            "step_id": params.step_id,
            "deployment_id": params.deployment_id,
            "idempotency_key": params.idempotency_key,
            "is_wake": bool(params.is_wake),
            "is_health_check": bool(params.is_health_check),
            "environment": environment,
        }
        return self._store(transaction, values, now=now, run_at=run_at)

    def _store(self, transaction: Transaction, values: dict[str, Any], *, now: int, run_at: int) -> str:
        message_id = new_id("msg", now)
        row = {"message_id": message_id, "status": "ready", "run_at": run_at, "created_at": now, **_NEW, **values}
        if self._database.finishes and run_at <= now:
            transaction.held[message_id] = row
            transaction.due[message_id] = values["kind"]
        else:
            insert_row(transaction.connection, _T, row)
            self.announce(transaction, run_at, kinds=(values["kind"],))
        if values["kind"] == "workflow":
            self._tell_of_replay(transaction, values["run_id"])
        return message_id

    def _tell_of_replay(self, transaction: Transaction, run_id: str | None) -> None:
        tell = self._on_replay_wanted
        if tell is not None and run_id is not None:
            transaction.after_commit(lambda: tell(run_id))

    def retry_unresolved(self, transaction: Transaction) -> None:
        """Look again, now, at the messages that had no executor to go to."""
        waiting = update(_T).where(READY, _T.c.unresolved > 0).values(run_at=self._clock())
        if transaction.execute(waiting).rowcount:
            self.announce(transaction)

    async def depth(self) -> dict[str, int]:
        """Return how many messages there are per status."""
        query = select(_T.c.status, func.count().label("messages")).group_by(_T.c.status)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {"ready": 0, "leased": 0, "dead": 0, **{row.status: row.messages for row in rows}}


_NEW: Final = {
    "headers": None,
    "step_id": None,
    "deployment_id": None,
    "idempotency_key": None,
    "is_wake": False,
    "is_health_check": False,
    "environment": None,
    "attempt": 0,
    "failures": 0,
    "unresolved": 0,
}
_HASTEN: Final = Statement(update(_T).where(_T.c.message_id == bindparam("message")).values(run_at=bindparam("at")))


_REPLAY_IN_FLIGHT: Final = Statement(
    select(_T.c.message_id).where(_T.c.run_id == bindparam("run"), LEASED, IS_REPLAY).limit(1)
)


def store_held(transaction: Transaction, kinds: Iterable[Kind] = KINDS) -> None:
    """Insert the messages that the transaction has made and not inserted yet."""
    for message_id in [message_id for message_id, row in transaction.held.items() if row["kind"] in kinds]:
        transaction.forget_ahead()
        insert_row(transaction.connection, _T, transaction.held.pop(message_id))


def lock_queue(transaction: Transaction, run_id: str | None) -> None:
    """Keep others from publishing or giving back messages of a run until the transaction ends.

    Whoever also changes the run's row does so first.
    """
    if run_id is not None:
        transaction.lock("queue", run_id)


def ask_ahead(
    transaction: Transaction,
    run_id: str,
    *,
    wakes: bool = False,
    goes_on: bool = False,
    ends_replay: bool = False,
    step_keys: Iterable[str] = (),
) -> None:
    """Ask ahead what writes will want to know of the messages of a run, whose queue is locked.

    Args:
        transaction: Has asked for the run's row, and written nothing yet.
        run_id: The run.
        wakes: Whether a replay will be asked for.
        goes_on: Whether what a replay leaves will take its place.
        ends_replay: Whether a replay will end.
        step_keys: The keys of messages to steps.
    """
    lock_queue(transaction, run_id)
    if wakes:
        transaction.ask_ahead(_PENDING_REPLAY, {"run": run_id, "besides": ""})
    if wakes and goes_on:
        transaction.ask_ahead(_REPLAY_IN_FLIGHT, {"run": run_id})
    if ends_replay:
        transaction.ask_ahead(_NEXT_REPLAY, {"run": run_id})
    for key in step_keys:
        transaction.ask_ahead(_PENDING_KEY["step"], {"run": run_id, "key": key})


def pending_replay(transaction: Transaction, run_id: str, *, besides: str) -> str | None:
    """Return the id of a pending message that will replay the run, other than ``besides``."""
    row = _PENDING_REPLAY.first(transaction.connection, {"run": run_id, "besides": besides})
    return None if row is None else str(row["message_id"])


def hasten(transaction: Transaction, message_id: str, run_at: int) -> None:
    """Have a message delivered at ``run_at``."""
    _HASTEN.send(transaction.connection, {"message": message_id, "at": run_at})


def flow_queue(workflow_name: str) -> str:
    """Return the name of the queue of a workflow (source: ``@workflow/core`` 4.8.9)."""
    return f"__wkf_workflow_{workflow_name}"


def step_of(queue_name: str) -> str:
    """Return the step that a queue is for."""
    return _workflow_of(queue_name)


def _kind(params: Publish) -> Kind:
    match = _QUEUE_NAME.fullmatch(params.queue_name)
    if match is None:
        raise WorldError(f"{params.queue_name!r} is not the name of a queue", status=400)
    if params.is_wake and (match[1] != "workflow" or params.run_id is None or params.step_id is not None):
        raise WorldError("A wake-up goes to a workflow queue and names its run, and no step", status=400)
    return cast("Kind", match[1])


def _workflow_of(queue_name: str) -> str:
    match = _QUEUE_NAME.fullmatch(queue_name)
    return "" if match is None else match[2]


def _has_ended(transaction: Transaction, run_id: str) -> bool:
    known = known_run(transaction, run_id)
    row = None if known is None else known.row
    status = row["status"] if row is not None else _RUN_STATUS.scalar(transaction.connection, {"run": run_id})
    return status in TERMINAL


def _is_finished_step(transaction: Transaction, run_id: str, step_id: str | None) -> bool:
    if step_id is None:
        return False
    store_step(transaction, run_id, step_id)
    return _STEP_STATUS.scalar(transaction.connection, {"run": run_id, "step": step_id}) in TERMINAL
