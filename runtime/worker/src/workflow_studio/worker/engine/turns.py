"""Turns: which of the messages that are due come first, and which have to wait for others of their kind.

As long as there are places for all that is due, the order is no question. When there are not, tenants take turns: a
tenant is a project in an environment, and the next place goes to the one that has the fewest deliveries. Among a
tenant's messages a point of priority counts as a minute of waiting, so what has waited long enough comes before all
that is younger, and nothing starves.

Limits hold back steps alone. Replays take milliseconds, and a timer of a run must be able to end its wait for a step.
A step that only waits for other runs is not counted, or these could wait for it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import ARRAY, ColumnElement, Select, String, and_, any_, bindparam, exists, func, or_, select

from workflow_studio.worker.engine.limits import Usage
from workflow_studio.worker.engine.queue import KINDS, LEASED, READY
from workflow_studio.worker.store import tables
from workflow_studio.worker.store.statements import Statement, equals

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.deliveries import Deliveries
    from workflow_studio.worker.engine.limits import Limits, Scope
    from workflow_studio.worker.engine.queue import Kind
    from workflow_studio.worker.store import Transaction
    from workflow_studio.worker.store.statements import Row

POINT_MS: Final = 60_000
"""The time of waiting that a point of priority stands for."""

PLAN_MS: Final = 1_000
"""How long an order is kept that was made for more messages than there were places for."""

_PLANNED: Final = 256
_AGAIN_MS: Final = 1_000
"""When to look again for what a limit holds back: another worker's step may end without a sound."""

_T: Final = tables.messages
_R: Final = tables.runs
_OTHER: Final = tables.messages.alias("other")
_WITH_RUN: Final = _T.outerjoin(_R, _R.c.run_id == _T.c.run_id)
_TENANT: Final = (
    func.coalesce(_R.c.project_id, "") + "/" + func.coalesce(_R.c.environment, _T.c.environment, "")
).label("tenant")
_SCOPES: Final = (
    _R.c.workflow_name.label("workflow"),
    _R.c.deployment_id.label("deployment"),
    _R.c.concurrency_key.label("key"),
)


def _may_begin(kind: Kind) -> ColumnElement[bool]:
    """Return the condition that a message may be delivered once it is due: a run is replayed once at a time."""
    of_kind = and_(READY, equals(_T.c.kind, kind))
    if kind == "step":
        return of_kind
    same_run = and_(_OTHER.c.run_id == _T.c.run_id, equals(_OTHER.c.kind, "workflow"), _OTHER.c.step_id.is_(None))
    is_replayed_now = exists().where(same_run, equals(_OTHER.c.status, "leased"))
    return and_(of_kind, ~and_(_T.c.step_id.is_(None), _T.c.run_id.is_not(None), is_replayed_now))


def _messages(kind: Kind) -> Select[Any]:
    """Return the query for messages with what their deliveries need to know, which nobody else claims meanwhile."""
    environments, deployments = tables.environments.c, tables.deployments.c
    wanted = func.coalesce(_R.c.deployment_id, _T.c.deployment_id, environments.deployment_id)
    return (
        select(
            _T.c.message_id,
            _T.c.kind,
            _T.c.queue_name,
            _T.c.body,
            _T.c.headers,
            _T.c.run_id,
            _T.c.step_id,
            _T.c.deployment_id,
            _T.c.environment,
            _T.c.run_at,
            _T.c.attempt,
            _T.c.unresolved,
            _T.c.created_at,
            _R.c.deployment_id.label("run_deployment_id"),
            _R.c.environment.label("run_environment"),
            _R.c.last_slot,
            _R.c.status.label("run_status"),
            _R.c.spec_version.label("run_spec_version"),
            environments.deployment_id.label("active_deployment"),
            deployments.id.label("known_deployment"),
        )
        .select_from(
            _WITH_RUN.outerjoin(tables.environments, environments.name == _T.c.environment).outerjoin(
                tables.deployments, deployments.id == wanted
            )
        )
        .where(_may_begin(kind))
        .with_for_update(of=_T, skip_locked=True)
    )


def _planned(kind: Kind, *conditions: ColumnElement[bool]) -> Select[Any]:
    """Return the query for the order in which messages that are due are to be delivered."""
    priority = func.coalesce(_R.c.priority, 0)
    rank = (_T.c.run_at - priority * POINT_MS).label("rank")
    turn = func.row_number().over(partition_by=_TENANT, order_by=(rank, _T.c.message_id)).label("turn")
    is_due = _T.c.run_at <= bindparam("now")
    due = (
        select(_T.c.message_id, _TENANT, priority.label("priority"), rank, turn, *_SCOPES)
        .select_from(_WITH_RUN)
        .where(_may_begin(kind), is_due, *conditions)
        .subquery("due")
    )
    busy = (
        select(_TENANT, func.count().label("deliveries"))
        .select_from(_WITH_RUN)
        .where(_in_flight(kind))
        .group_by(_TENANT)
        .subquery("busy")
    )
    whole: tuple[ColumnElement[Any], ...] = (
        func.min(due.c.tenant).over().label("first_tenant"),
        func.max(due.c.tenant).over().label("last_tenant"),
        func.min(due.c.priority).over().label("lowest"),
        func.max(due.c.priority).over().label("highest"),
    )
    return (
        select(due.c.message_id, due.c.workflow, due.c.deployment, due.c.key, *whole)
        .select_from(due.outerjoin(busy, busy.c.tenant == due.c.tenant))
        .order_by(due.c.turn + func.coalesce(busy.c.deliveries, 0), due.c.rank, due.c.message_id)
        .limit(_PLANNED)
    )


def _in_flight(kind: Kind) -> ColumnElement[bool]:
    return and_(LEASED, equals(_T.c.kind, kind))


_IN_ORDER: Final = (_T.c.run_at, _T.c.message_id)
_NEXT: Final = {kind: Statement(_messages(kind).order_by(*_IN_ORDER).limit(bindparam("rows"))) for kind in KINDS}
_ONE: Final = {kind: Statement(_messages(kind).where(_T.c.message_id == bindparam("message"))) for kind in KINDS}
_THESE: Final = {
    kind: Statement(
        _messages(kind)
        .where(_T.c.message_id == any_(bindparam("messages", type_=ARRAY(String))))
        .order_by(*_IN_ORDER)
        .limit(bindparam("rows"))
    )
    for kind in KINDS
}
"""For databases that know lists."""

_PLAN: Final = {kind: Statement(_planned(kind)) for kind in KINDS}
_IN_USE: Final = Statement(select(_T.c.lease_id, *_SCOPES).select_from(_WITH_RUN).where(_in_flight("step")))
_DUE: Final = Statement(
    select(func.count().label("messages")).select_from(_T).where(_may_begin("step"), _T.c.run_at <= bindparam("now"))
)
_LATER: Final = Statement(select(func.min(_T.c.run_at)).where(_may_begin("step"), _T.c.run_at > bindparam("now")))


@dataclass(frozen=True, slots=True)
class _Plan:
    """An order of messages.

    Attributes:
        until: When it is out of date.
        messages: Their ids, those that come first; None if all may be delivered as they fell due.
    """

    until: int
    messages: deque[str] | None


@dataclass(frozen=True, slots=True)
class Turn:
    """What may be delivered next.

    Attributes:
        rows: The messages, locked.
        next_at: When more will be due; None if that is not known, or not soon.
        has_more: Whether there may be more that is due.
        is_held_back: Whether a limit holds something back.
    """

    rows: list[Row]
    next_at: int | None = None
    has_more: bool = False
    is_held_back: bool = False


class Turns:
    """Says which messages are delivered next.

    Args:
        deliveries: Knows which of this worker's deliveries only wait.
        limits: How many steps there may be at the same time.

    Attributes:
        limits: See above; they may be replaced by others.
    """

    def __init__(self, deliveries: Deliveries, limits: Limits) -> None:
        self._deliveries = deliveries
        self.limits = limits
        self._plans: dict[Kind, _Plan] = {}

    def next(self, transaction: Transaction, kind: Kind, places: int, now: int) -> Turn:
        """Return the messages that take the places that are free.

        Args:
            transaction: Locks them.
            kind: Of which kind.
            places: How many at most.
            now: Epoch milliseconds.
        """
        if kind == "step" and self.limits:
            return self._within_limits(transaction, places, now)
        connection = transaction.connection
        rows = list(_NEXT[kind].rows(connection, {"rows": places + 1}))
        due = [row for row in rows if row["run_at"] <= now]
        if len(due) <= places:
            return Turn(due, next_at=rows[len(due)]["run_at"] if len(rows) > len(due) else None)
        return Turn(self._in_order(connection, kind, places, now) or due[:places], has_more=True)

    def _in_order(self, connection: Connection, kind: Kind, places: int, now: int) -> list[Row]:
        """Return messages by turns; none if they may come as they fell due."""
        plan = self._plans.get(kind)
        # A clock that was put back makes no plan last longer.
        is_new = plan is None or not plan.until - PLAN_MS <= now < plan.until
        if plan is None or is_new:
            plan = self._plans[kind] = _plan(connection, kind, now)
        rows = _fetched(connection, kind, plan, places)
        if not rows and plan.messages is not None and not is_new:
            plan = self._plans[kind] = _plan(connection, kind, now)  # the one before is used up
            rows = _fetched(connection, kind, plan, places)
        return rows

    def _within_limits(self, transaction: Transaction, places: int, now: int) -> Turn:
        """Return steps that no limit holds back."""
        # Whoever counts is alone: of two workers that see one place, one takes it.
        transaction.lock("limits")
        connection = transaction.connection
        waiting = self._deliveries.waiting
        in_use = _IN_USE.rows(connection)
        usage = Usage(self.limits, (row for row in in_use if row["lease_id"] not in waiting))
        rows: list[Row] = []
        found = _planned("step", *_besides(usage.full()))
        candidates = connection.execute(found, {"now": now}).mappings().all()
        for candidate in map(dict, candidates):
            if len(rows) >= places or usage.holds_back(candidate):
                continue
            row = _ONE["step"].first(connection, {"message": candidate["message_id"]})
            if row is not None:
                usage.add(candidate)
                rows.append(row)
        later = _LATER.scalar(connection, {"now": now})
        if _DUE.scalar(connection, {"now": now}) == len(rows):
            return Turn(rows, next_at=later)
        again = now + _AGAIN_MS if later is None else min(later, now + _AGAIN_MS)
        return Turn(rows, next_at=again, has_more=bool(rows), is_held_back=True)


def among(connection: Connection, kind: Kind, messages: list[str], places: int) -> list[Row]:
    """Return those of these messages that may be delivered, as many as there are places, locked."""
    return list(_THESE[kind].rows(connection, {"messages": messages, "rows": places}))


def _plan(connection: Connection, kind: Kind, now: int) -> _Plan:
    rows = list(_PLAN[kind].rows(connection, {"now": now}))
    first = rows[0] if rows else None
    if first is None or (first["first_tenant"] == first["last_tenant"] and first["lowest"] == first["highest"]):
        return _Plan(now + PLAN_MS, None)
    return _Plan(now + PLAN_MS, deque(row["message_id"] for row in rows))


def _fetched(connection: Connection, kind: Kind, plan: _Plan, places: int) -> list[Row]:
    """Return the next messages of a plan that are still there."""
    rows: list[Row] = []
    while plan.messages and len(rows) < places:
        row = _ONE[kind].first(connection, {"message": plan.messages.popleft()})
        if row is not None:
            rows.append(row)
    return rows


def _besides(full: Mapping[Scope, list[str]]) -> Iterator[ColumnElement[bool]]:
    """Give the conditions that a step is of nothing that is full."""
    for column in _SCOPES:
        names = full[cast("Scope", column.name)]
        if names:
            yield or_(column.element.is_(None), column.element.not_in(names))
