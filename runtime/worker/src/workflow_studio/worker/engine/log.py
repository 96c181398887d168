"""Appends to a run's log: the one place where events, entities and slots change, in one transaction.

The run's row is locked first, so that appends to one run happen one after the other: slots are dense, and whoever
reads the log reads a prefix of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Table, bindparam, delete, or_, select

from workflow_studio.compute import wire
from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT
from workflow_studio.worker.engine import object_rows, present, references
from workflow_studio.worker.engine.deferred import change_run, change_step, insert_step, store_changes, store_step
from workflow_studio.worker.engine.journal import Addition
from workflow_studio.worker.engine.known import NEW_RUN, NEW_STEP, forget, knowing, known_run
from workflow_studio.worker.engine.transitions import (
    TERMINAL,
    Decision,
    Delete,
    Entity,
    EventInput,
    HookState,
    Insert,
    RunState,
    Snapshot,
    StepState,
    Update,
    WaitState,
    decide,
)
from workflow_studio.worker.store import tables
from workflow_studio.worker.store.statements import Row, Statement, change_rows, insert_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sqlalchemy import Connection, Select

    from workflow_studio.worker.ports import Caller
    from workflow_studio.worker.store import Transaction

STIMULI: Final = frozenset(
    {"run_created", "step_completed", "step_failed", "hook_received", "hook_conflict", "wait_completed"}
)
"""Events that the workflow's code has to react to, so that the run must be replayed once they are in the log."""

ENDS: Final = frozenset({"run_completed", "run_failed", "run_cancelled"})
"""Events that end their run."""

_TABLES: Final[dict[Entity, tuple[Table, str]]] = {
    "run": (tables.runs, "run_id"),
    "step": (tables.steps, "step_id"),
    "hook": (tables.hooks, "hook_id"),
    "wait": (tables.waits, "wait_id"),
}

_DELETE_ALL: Final = {
    entity: Statement(delete(table).where(table.c.run_id == bindparam("run"))) for entity, (table, _) in _TABLES.items()
}
_DELETE: Final = {
    entity: Statement(delete(table).where(table.c.run_id == bindparam("run"), table.c[key] == bindparam("entity")))
    for entity, (table, key) in _TABLES.items()
}


def _without_payloads(table: Table) -> list[Any]:
    return [column for column in table.c if column.name not in present.HEAVY_COLUMNS]


def _by_id(table: Table, id_column: str, *columns: Any) -> Select[Any]:
    return select(*columns).where(table.c.run_id == bindparam("run"), table.c[id_column] == bindparam("entity"))


_RUN: Final = Statement(
    select(*_without_payloads(tables.runs)).where(tables.runs.c.run_id == bindparam("run")).with_for_update()
)
_STEP: Final = Statement(_by_id(tables.steps, "step_id", *_without_payloads(tables.steps)))
_STEP_WITH_PAYLOADS: Final = Statement(_by_id(tables.steps, "step_id", *tables.steps.c))
_HOOK: Final = Statement(_by_id(tables.hooks, "hook_id", *_without_payloads(tables.hooks)).with_for_update())
_WAIT: Final = Statement(_by_id(tables.waits, "wait_id", *tables.waits.c))
_TOKEN_HOLDER: Final = Statement(
    select(tables.hooks.c.run_id, tables.hooks.c.hook_id).where(tables.hooks.c.token == bindparam("token"))
)
_HOOK_KNOWN: Final = Statement(
    select(tables.events.c.slot)
    .where(
        tables.events.c.run_id == bindparam("run"),
        tables.events.c.correlation_id == bindparam("entity"),
        or_(tables.events.c.event_type == "hook_created", tables.events.c.event_type == "hook_conflict"),
    )
    .limit(1)
)


_NAMED: Final[dict[str, tuple[Entity, Statement]]] = {
    "hook_received": ("hook", _HOOK),
    "hook_disposed": ("hook", _HOOK),
    "wait_created": ("wait", _WAIT),
    "wait_completed": ("wait", _WAIT),
}
"""What an event names that is no step, and the query for it."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes an event.

    Attributes:
        executor_id: The executor that it comes from, if any.
        in_replay: Whether the run's own replay writes it, and so knows of it already.
        caller: Whose request it is, if it came as one.
        environment: Where a run belongs that it creates.
    """

    executor_id: str | None = None
    in_replay: bool = False
    caller: Caller | None = None
    environment: str = DEFAULT_ENVIRONMENT


NOBODY: Final = Author()
"""The worker itself."""


@dataclass(slots=True)
class Appended:
    """What an append did.

    Attributes:
        decision: What the rules said.
        events: The rows of the new events, in order.
        entities: The rows of the entities that the event names, as they are now.
    """

    decision: Decision
    events: list[Row]
    entities: dict[Entity, Row] = field(default_factory=dict)

    @property
    def ends_run(self) -> bool:
        """Whether the run has ended by it."""
        return any(row["event_type"] in ENDS for row in self.events)


def append(
    transaction: Transaction,
    event: EventInput,
    *,
    now: int,
    by: Author = NOBODY,
    origin: Row | None = None,
    admit: Callable[[Connection, str, str], object] | None = None,
) -> Appended:
    """Append an event to its run's log and change what follows from it.

    Args:
        transaction: To do it in; it tells the journal.
        event: The event.
        now: Epoch milliseconds.
        by: Who writes it.
        origin: For run_created: what else is known of the run, by column.
        admit: Asked before a run is created, with its deployment's id and its workflow's; refuses by raising.

    Raises:
        WorldError: If the event is refused; then nothing has changed.
    """
    connection = transaction.connection
    rows = _load(transaction, event)
    snapshot = _snapshot(connection, event, rows)
    decision = decide(event, snapshot, now)
    transaction.runs.add(event.run_id)
    run_row = rows.get("run")
    first_slot = 1 + (0 if run_row is None else run_row["last_slot"])
    log: Row = {}
    if decision.events:
        log = {"last_slot": first_slot + len(decision.events) - 1, "last_event_at": decision.at}
        for slot, new in enumerate(decision.events, first_slot):
            if new.event_type in STIMULI and not by.in_replay:
                log["stimulus_slot"] = slot
    origin = {"environment": by.environment, **(origin or {})}
    caller = by.caller
    if caller is not None:
        origin |= {"created_by": caller.key_id, "project_id": caller.project_id}
    for change in decision.changes:
        if admit is not None and change.entity == "run" and isinstance(change, Insert):
            admit(connection, change.values["deployment_id"], change.values["workflow_name"])
    _apply(transaction, event, decision, rows, log=log, executor_id=by.executor_id, origin=origin)
    appended: list[Row] = []
    for slot, new in enumerate(decision.events, first_slot):
        row = {
            "run_id": event.run_id,
            "slot": slot,
            "event_type": new.event_type,
            "correlation_id": new.correlation_id or None,
            "data": None if new.data is None else wire.encode(new.data),
            "spec_version": event.spec_version,
            "created_at": decision.at,
            "executor_id": by.executor_id,
            "request_id": None if caller is None else caller.request_id,
            "created_by": None if caller is None else caller.key_id,
        }
        insert_row(connection, tables.events, row)
        stored = references.of_event(new.event_type, new.data)
        if stored is not None:
            object_rows.refer(transaction, event.run_id, [stored])
        appended.append(row)
    if appended:
        transaction.news.append(Addition("log", event.run_id, first_slot, log["last_slot"]))
    _remember(transaction, event, decision, rows, appended)
    return Appended(decision, appended, rows)


def take_new_step(transaction: Transaction, run_id: str | None, step_id: str | None) -> bool:
    """Tell, once, whether the transaction has created the step, so that nobody else can know of it."""
    return run_id is not None and step_id is not None and _take_new(transaction, "step", run_id, step_id)


def take_new_run(transaction: Transaction, run_id: str) -> bool:
    """Tell, once, whether the transaction has created the run, so that nobody else can know of it."""
    return _take_new(transaction, "run", run_id)


def _take_new(transaction: Transaction, *name: str) -> bool:
    is_new = name in transaction.new
    transaction.new.discard(name)
    return is_new


def _remember(
    transaction: Transaction, event: EventInput, decision: Decision, rows: dict[Entity, Row], events: list[Row]
) -> None:
    """Keep what others will need, in the same transaction or after it."""
    if "run" not in rows:
        return
    known = knowing(transaction, event.run_id)
    for change in decision.changes:
        if isinstance(change, Insert) and change.entity == "run":
            rows["run"] = {**NEW_RUN, **rows["run"]}
            transaction.new.add(("run", event.run_id))
            known.note_new()
        elif isinstance(change, Insert) and change.entity == "step":
            rows["step"] = {**NEW_STEP, **rows["step"]}
            transaction.new.add(("step", event.run_id, event.correlation_id))
            known.note_new_step(event.correlation_id)
    known.note(rows["run"])
    for row in events:
        known.note_event(row)
    step = rows.get("step")
    if step is not None and transaction.asks_ahead:
        for query in (_STEP, _STEP_WITH_PAYLOADS):
            transaction.forget_ahead(query, {"run": event.run_id, "entity": event.correlation_id})
    if step is not None and step["status"] not in TERMINAL:
        known.note_step(event.correlation_id, step)
    elif step is not None:
        known.steps.pop(event.correlation_id, None)
    if rows["run"]["status"] in TERMINAL:
        # Retention changes it some day.
        forget(transaction, [event.run_id])


def _load(transaction: Transaction, event: EventInput) -> dict[Entity, Row]:
    connection = transaction.connection
    rows: dict[Entity, Row] = {}
    key = {"run": event.run_id, "entity": event.correlation_id}
    known = known_run(transaction, event.run_id)
    if known is not None and known.row is not None:
        rows["run"] = known.row
    else:
        store_changes(transaction)
        _fetch(connection, rows, "run", _RUN, {"run": event.run_id})
    if event.event_type.startswith("step_"):
        step = None if known is None else known.steps.get(event.correlation_id)
        with_payloads = event.event_type == "step_started"
        if step is not None and ("input" in step or not with_payloads):
            rows["step"] = step
        elif known is None or not known.lacks_step(event.correlation_id):
            store_step(transaction, event.run_id, event.correlation_id)
            _fetch(connection, rows, "step", _STEP_WITH_PAYLOADS if with_payloads else _STEP, key)
    elif event.event_type in _NAMED:
        entity, query = _NAMED[event.event_type]
        _fetch(connection, rows, entity, query, key)
    return rows


def ask_ahead_of_run(transaction: Transaction, run_id: str) -> None:
    """Ask ahead for a run, which is locked; the transaction has written nothing yet."""
    transaction.ask_ahead(_RUN, {"run": run_id})


def ask_ahead_of_entities(
    transaction: Transaction, run_id: str, steps: Mapping[str, bool], others: Mapping[str, str] | None = None
) -> None:
    """Ask ahead for what events name beside their run, which is locked.

    Args:
        transaction: Has written nothing yet.
        run_id: The run.
        steps: Ids of steps, and whether their payloads will be wanted.
        others: Ids of hooks and waits, and a type of event that names each, one for which :func:`can_ask_ahead` holds.
    """
    for step_id, with_payloads in steps.items():
        query = _STEP_WITH_PAYLOADS if with_payloads else _STEP
        transaction.ask_ahead(query, {"run": run_id, "entity": step_id})
    for entity_id, event_type in (others or {}).items():
        _, query = _NAMED[event_type]
        transaction.ask_ahead(query, {"run": run_id, "entity": entity_id})


def can_ask_ahead(event_type: str) -> bool:
    """Tell whether what an event of this type names is looked for in one way, whatever came before it."""
    return event_type in _NAMED


def lock_runs(transaction: Transaction, run_ids: Iterable[str]) -> None:
    """Keep others from changing runs until the transaction ends.

    In one order, so that no two transactions wait for each other.
    """
    store_changes(transaction)
    for run_id in sorted(run_ids):
        known = known_run(transaction, run_id)
        if run_id in transaction.runs and known is not None and known.row is not None:
            continue
        row = _RUN.first(transaction.connection, {"run": run_id})
        if row is not None:
            transaction.runs.add(run_id)
            knowing(transaction, run_id).note(row)


def _fetch(
    connection: Connection, rows: dict[Entity, Row], entity: Entity, query: Statement, key: Mapping[str, str]
) -> None:
    row = query.first(connection, key)
    if row is not None:
        rows[entity] = row


def _snapshot(connection: Connection, event: EventInput, rows: dict[Entity, Row]) -> Snapshot:
    run, step, hook, wait = rows.get("run"), rows.get("step"), rows.get("hook"), rows.get("wait")
    holder = None
    hook_known = False
    if event.event_type == "hook_created":
        key = {"run": event.run_id, "entity": event.correlation_id}
        hook_known = _HOOK_KNOWN.first(connection, key) is not None
        found = _TOKEN_HOLDER.first(connection, {"token": event.data["token"]})
        holder = None if found is None else HookState(found["run_id"], found["hook_id"])
    return Snapshot(
        run=None
        if run is None
        else RunState(run["status"], run["spec_version"], run["started_at"], run["last_event_at"]),
        step=None
        if step is None
        else StepState(step["status"], step["attempt"], step["started_at"], step["retry_after"]),
        hook=None if hook is None else HookState(hook["run_id"], hook["hook_id"]),
        wait=None if wait is None else WaitState(wait["status"]),
        token_holder=holder,
        hook_known=hook_known,
    )


def _apply(
    transaction: Transaction,
    event: EventInput,
    decision: Decision,
    rows: dict[Entity, Row],
    *,
    log: Row,
    executor_id: str | None,
    origin: Row,
) -> None:
    connection = transaction.connection
    inserted_run: Row | None = None
    run_values: Row = dict(log)
    for change in decision.changes:
        if change.entity == "run" and isinstance(change, Insert):
            inserted_run = {"run_id": event.run_id, **origin, **present.stored(change.values)}
        elif change.entity == "run" and isinstance(change, Update):
            run_values.update(present.stored(change.values))
    # The run's row goes first: the others refer to it.
    if inserted_run is not None:
        rows["run"] = {**inserted_run, **run_values}
        insert_row(connection, tables.runs, rows["run"])
    elif run_values:
        rows["run"] = {**rows["run"], **run_values}
        change_run(transaction, event.run_id, run_values)
    for change in decision.changes:
        if change.entity != "run":
            _apply_one(transaction, event, change, rows, executor_id)


def _apply_one(
    transaction: Transaction,
    event: EventInput,
    change: Insert | Update | Delete,
    rows: dict[Entity, Row],
    executor_id: str | None,
) -> None:
    connection = transaction.connection
    table, id_column = _TABLES[change.entity]
    if isinstance(change, Insert):
        row = {"run_id": event.run_id, id_column: event.correlation_id, **present.stored(change.values)}
        rows[change.entity] = row
        if change.entity == "step":
            insert_step(transaction, row)
        else:
            insert_row(connection, table, row)
        return
    if isinstance(change, Delete):
        if change.whole_run:
            _DELETE_ALL[change.entity].send(connection, {"run": event.run_id})
        else:
            _DELETE[change.entity].send(connection, {"run": event.run_id, "entity": event.correlation_id})
        return
    values = present.stored(change.values)
    if event.event_type == "step_started":
        values["executor_id"] = executor_id
    rows[change.entity] = {**rows[change.entity], **values}
    if change.entity == "step":
        change_step(transaction, event.run_id, event.correlation_id, values)
    else:
        change_rows(connection, table, values, run_id=event.run_id, **{id_column: event.correlation_id})
