"""Claims: which messages are due, and what their deliveries need to know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from workflow_studio.compute import wire
from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT
from workflow_studio.worker.engine import turns
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.engine.deferred import store_changes
from workflow_studio.worker.engine.deliveries import InFlight
from workflow_studio.worker.engine.known import known_run
from workflow_studio.worker.engine.queue import KINDS, store_held
from workflow_studio.worker.engine.turns import Turn
from workflow_studio.worker.ports import Delivery
from workflow_studio.worker.store import tables
from workflow_studio.worker.store.statements import Row, change_rows, insert_row, insert_unless_there

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from workflow_studio.worker.engine.clock import Clock
    from workflow_studio.worker.engine.deliveries import Deliveries
    from workflow_studio.worker.engine.queue import Kind
    from workflow_studio.worker.engine.turns import Turns
    from workflow_studio.worker.ports import FirstCall
    from workflow_studio.worker.store import Transaction

UNRESOLVED_MS: Final = 24 * 60 * 60 * 1000
"""How long a message waits for its deployment before it is dead."""

_T: Final = tables.messages


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim found.

    Attributes:
        deliveries: To be made now; each must be completed, deferred or failed.
        next_at: Per kind that was looked for: when the next message becomes ready (epoch milliseconds), or None.
        limited: The kinds of which there may be more that is due.
    """

    deliveries: tuple[Delivery, ...]
    next_at: Mapping[Kind, int | None]
    limited: frozenset[Kind] = frozenset()


Begin: TypeAlias = "Callable[[Transaction, Delivery, Row, str, str], FirstCall | None]"
"""Makes the first World call of a delivery to an executor; None if there is none to be made."""


@dataclass(frozen=True, slots=True)
class Executors:
    """What a claim may know of the executors.

    Attributes:
        ready: Names the executor that could run a delivery at once, if there is one.
        begin: Makes the first World call of a delivery to that executor.
    """

    ready: Callable[[Delivery], str | None]
    begin: Begin


class Claims:
    """Leases messages that are due.

    Args:
        deliveries: Hears of deliveries that begin.
        clock: Tells the time.
        owner: The id of this worker.
        order: Says which come next.
        side_by_side: Whether other transactions go on meanwhile. Then no claim waits for the locks of two runs: two of
            them could wait for each other.
        is_alone: Tells whether this worker is the only one.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        clock: Clock,
        owner: str,
        order: Turns,
        *,
        side_by_side: bool,
        is_alone: Callable[[], bool],
    ) -> None:
        self._deliveries = deliveries
        self._is_alone = is_alone
        self._turns = order
        self._clock = clock
        self._owner = owner
        self._side_by_side = side_by_side

    def make(self, transaction: Transaction, limits: Mapping[Kind, int], executors: Executors | None = None) -> Claim:
        """Lease messages that are due.

        Args:
            transaction: Leases them.
            limits: How many of each kind at most.
            executors: The executors, where the first World call of a delivery can be made in the same transaction.
        """
        now = self._clock()
        claimed: list[Delivery] = []
        next_at: dict[Kind, int | None] = {}
        limited: set[Kind] = set()
        for kind, limit in limits.items():
            if claimed and kind == "step" and self._side_by_side:
                executors = None
            found, turn = self._claim_kind(transaction, kind, limit, now=now, executors=executors)
            claimed += found
            next_at[kind] = turn.next_at
            if len(found) >= limit or turn.is_held_back:
                limited.add(kind)
        return Claim(tuple(claimed), next_at, frozenset(limited))

    def make_at_once(self, transaction: Transaction, places: Mapping[Kind, int], executors: Executors) -> Claim:
        """Lease what the transaction makes due, with its own writes.

        A replay that has to wait for another one of its run is left to the transaction that ends that. Where writes
        follow one another, what is left is for the claim at the end of the commit, if there is one.

        Args:
            transaction: Leases messages; they are taken from what it has due.
            places: How many of each kind at most.
            executors: The executors.
        """
        now = self._clock()
        claimed = self._claim_held(transaction, places, executors, now)
        store_held(transaction)
        if not self._side_by_side:
            waiting = frozenset(transaction.due.values())
            transaction.follow_up.update(waiting)
            return Claim(tuple(claimed), {}, waiting)
        store_changes(transaction)
        limited: set[Kind] = set()
        for kind in KINDS:
            messages = [message_id for message_id, of_kind in transaction.due.items() if of_kind == kind]
            left = places[kind] - sum(delivery.kind == kind for delivery in claimed)
            if not messages:
                continue
            rows = turns.among(transaction.connection, kind, messages, left) if left else []
            found = self._claim_found(transaction, rows, executors, now)
            claimed += found
            if len(messages) > left or len(found) < len(rows):
                limited.add(kind)
        return Claim(tuple(claimed), {}, frozenset(limited))

    def _claim_held(
        self, transaction: Transaction, places: Mapping[Kind, int], executors: Executors, now: int
    ) -> list[Delivery]:
        """Lease messages that are not stored yet, as far as all is known that there is to know: they are stored so."""
        claimed: list[Delivery] = []
        left = dict(places)
        for message_id, message in tuple(transaction.held.items()):
            run = known_run(transaction, message["run_id"])
            row = {} if run is None or run.row is None else _of_run(message, run.row)
            if not row or not left[row["kind"]] or not self._is_next(transaction, row):
                continue
            delivery = self._delivery(row, row["run_deployment_id"], now)
            executor_id = executors.ready(delivery)
            if executor_id is None:
                continue  # its deployment may not be here
            if not self._store(transaction, row, {**message, **self._leased(delivery, now)}):
                continue
            del transaction.held[message_id], transaction.due[message_id]
            left[row["kind"]] -= 1
            claimed.append(self._begun(transaction, delivery, row, executor_id, executors))
        return claimed

    def _is_next(self, transaction: Transaction, row: Row) -> bool:
        """Tell whether a message can be leased without looking for a replay of its run that is in flight."""
        if not is_replay(row):
            return True
        if not self._side_by_side:
            # In company it waits for the other writes: they may ask for the same replay.
            return not transaction.has_company
        # If there is one all the same, the two leases collide, and this write is done again.
        return self._is_alone() and not transaction.is_repeated and not self._deliveries.is_replayed(row["run_id"])

    def _store(self, transaction: Transaction, row: Row, leased: Row) -> bool:
        """Store a message as leased; tell whether that can be: a run is replayed by one delivery at a time."""
        if self._side_by_side or not is_replay(row):
            insert_row(transaction.connection, _T, leased)
            return True
        return insert_unless_there(transaction.connection, _T, leased)

    def _claim_found(
        self, transaction: Transaction, rows: Iterable[Row], executors: Executors, now: int
    ) -> list[Delivery]:
        claimed: list[Delivery] = []
        replayed: set[str] = set()
        for row in rows:
            deployment = _deployment(row)
            if deployment is None or (is_replay(row) and row["run_id"] in replayed):
                continue
            if is_replay(row):
                replayed.add(row["run_id"])
            may_begin = row["run_id"] in transaction.runs or _begins_alone(row, is_first=False)
            claimed.append(self._lease(transaction, row, deployment, now, executors if may_begin else None))
        return claimed

    def _claim_kind(
        self, transaction: Transaction, kind: Kind, limit: int, *, now: int, executors: Executors | None
    ) -> tuple[list[Delivery], Turn]:
        """Lease messages of a kind, and return the turn that came last."""
        claimed: list[Delivery] = []
        replayed: set[str] = set()
        turn = Turn([])
        while len(claimed) < limit:
            turn = self._turns.next(transaction, kind, limit - len(claimed), now)
            for row in turn.rows:
                if is_replay(row) and row["run_id"] in replayed:
                    continue
                deployment = _deployment(row)
                if deployment is None:
                    self._put_off(transaction, row, now)
                    continue
                if is_replay(row):
                    replayed.add(row["run_id"])
                may_begin = not self._side_by_side or _begins_alone(row, is_first=not claimed)
                claimed.append(self._lease(transaction, row, deployment, now, executors if may_begin else None))
            if not turn.has_more:
                break
            # What was passed over is not due any more; others may be behind it.
        return claimed, turn

    def _lease(
        self, transaction: Transaction, row: Row, deployment: str, now: int, executors: Executors | None
    ) -> Delivery:
        delivery = self._delivery(row, deployment, now)
        change_rows(transaction.connection, _T, self._leased(delivery, now), message_id=delivery.message_id)
        executor_id = executors.ready(delivery) if executors is not None else None
        return self._begun(transaction, delivery, row, executor_id, executors)

    def _delivery(self, row: Row, deployment: str, now: int) -> Delivery:
        return Delivery(
            id=new_id("dlv", now),
            message_id=row["message_id"],
            kind=row["kind"],
            queue_name=row["queue_name"],
            deployment_id=deployment,
            attempt=row["attempt"] + 1,
            body=row["body"],
            run_id=row["run_id"],
            step_id=row["step_id"],
            headers=wire.decode(row["headers"]) if row["headers"] else {},
            waited=(now - row["run_at"]) / 1000,
        )

    def _leased(self, delivery: Delivery, now: int) -> Row:
        """Return what the message of a delivery is like."""
        return {
            "status": "leased",
            "attempt": delivery.attempt,
            "lease_id": delivery.id,
            "lease_owner": self._owner,
            "leased_at": now,
        }

    def _begun(
        self,
        transaction: Transaction,
        delivery: Delivery,
        row: Row,
        executor_id: str | None,
        executors: Executors | None,
    ) -> Delivery:
        """Have the delivery known, and make its first World call if an executor will run it at once."""
        environment = row["run_environment"] or row["environment"] or DEFAULT_ENVIRONMENT
        in_flight = InFlight(environment=environment)
        if is_replay(row):
            # Whatever the replay loads, it has no less of the log than there is now.
            in_flight = InFlight(row["run_id"], row["last_slot"], environment)
        elif row["kind"] == "step":
            in_flight = InFlight(environment=environment, step=(row["run_id"], row["step_id"]))
        transaction.after_commit(lambda: self._deliveries.begin(delivery.id, in_flight))
        if executors is None or executor_id is None:
            return delivery
        first = executors.begin(transaction, delivery, row, executor_id, environment)
        return replace(delivery, executor_id=executor_id, first=first)

    def _put_off(self, transaction: Transaction, row: Row, now: int) -> None:
        """Keep a message whose run or deployment is not here yet; this is no attempt, nothing was delivered."""
        times = row["unresolved"] + 1
        values: dict[str, Any] = {"unresolved": times, "run_at": now + min(250 * 2 ** min(times - 1, 20), 60_000)}
        if now - row["created_at"] > UNRESOLVED_MS:
            values = {"status": "dead", "last_error": "The deployment that should run it never arrived."}
        change_rows(transaction.connection, _T, values, message_id=row["message_id"])


def _of_run(message: Row, run: Row) -> Row:
    """Return a message with what is known of its run."""
    return {
        **message,
        "run_deployment_id": run["deployment_id"],
        "run_environment": run["environment"],
        "run_status": run["status"],
        "run_spec_version": run["spec_version"],
        "last_slot": run["last_slot"],
    }


def _deployment(row: Row) -> str | None:
    """Return where to run a message: a run stays on its deployment; what has no run goes where the sender said.

    None: it cannot be told yet, because neither the run nor the deployment is here.
    """
    wanted = row["run_deployment_id"] or row["deployment_id"]
    if wanted is None and row["run_id"] is None:
        wanted = row["active_deployment"]
    return wanted if wanted is not None and row["known_deployment"] == wanted else None


def _begins_alone(row: Row, *, is_first: bool) -> bool:
    """Tell whether a delivery can begin in a claim that must not wait for the locks of two runs.

    The replay of a run that was begun reads, and locks nothing. A step locks its run, if nothing else was claimed: who
    holds that lock may wait for a replay's message, but never for a step's.
    """
    return row["run_status"] == "running" if is_replay(row) else is_first


def is_replay(row: Row) -> bool:
    """Tell whether the delivery of a message replays its run."""
    return row["kind"] == "workflow" and row["step_id"] is None and row["run_id"] is not None
