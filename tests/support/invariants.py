"""What must hold for all runs at any time, checked on the tables themselves: one readable sentence per breach.

The *durable* invariants hold in every state that was ever committed, also in what ``kill -9`` leaves behind. Those of
the *queue* hold whenever nobody is between storing an event and publishing the wake-up for it: after each whole
operation of a client, and again once recovery is done.

Nothing here asks the engine: the log is read anew and everything else is compared with it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, select

from workflow_studio.compute import wire
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, RowMapping, Table

RUN_ENDS = {"run_completed": "completed", "run_failed": "failed", "run_cancelled": "cancelled"}
STEP_ENDS = {"step_completed": "completed", "step_failed": "failed"}
AFTER_RUN_END = frozenset({"step_completed", "step_failed", "step_retrying", "run_cancelled"})
"""What may still be recorded of a run that has ended."""

TO_REACT_TO = frozenset({"run_created", "hook_received", "step_completed", "step_failed"})
"""Events that come from outside of the run's own replay, which has to see them."""

_WITH_DATA = ("hook_created", "hook_conflict", "wait_created")


@dataclass(slots=True)
class _Event:
    slot: int
    kind: str
    of: str
    at: int
    data: dict[str, Any]


@dataclass(slots=True)
class _Run:
    """A run and all that belongs to it."""

    row: RowMapping
    log: list[_Event] = field(default_factory=list)
    steps: dict[str, RowMapping] = field(default_factory=dict)
    hooks: dict[str, RowMapping] = field(default_factory=dict)
    waits: dict[str, RowMapping] = field(default_factory=dict)
    messages: list[RowMapping] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.row["status"] in RUN_ENDS.values()

    def of_kind(self, *kinds: str) -> list[_Event]:
        return [event for event in self.log if event.kind in kinds]

    def by_entity(self, prefix: str) -> dict[str, list[_Event]]:
        found: dict[str, list[_Event]] = defaultdict(list)
        for event in self.log:
            if event.kind.startswith(prefix):
                found[event.of].append(event)
        return found


def violations(connection: Connection, *, now: int | None = None) -> list[str]:
    """Return a sentence for each breach of any invariant; see :func:`queue_violations` for ``now``."""
    return [*durable_violations(connection), *queue_violations(connection, now=now)]


def durable_violations(connection: Connection) -> list[str]:
    """Return a sentence for each breach of what every committed state fulfils, right after a crash too."""
    runs, breaches = _load(connection)
    for run_id, run in runs.items():
        for check in (_slots, _times, _run_events, _steps, _hooks, _waits):
            breaches += [f"Run {run_id}: {breach}" for breach in check(run)]
    breaches += _tokens(runs)
    return breaches


def queue_violations(connection: Connection, *, now: int | None = None) -> list[str]:
    """Return a sentence for each run that nothing will wake though it should be, or that something will in vain.

    Args:
        connection: A connection to a worker's database.
        now: Epoch milliseconds, if work is under way: then a message that is due or in flight may be in vain (what it
            was sent for may have been seen meanwhile), and what is needed at once has to be due. None if the worker is
            at rest: then whatever is there is there for good.
    """
    runs, _ = _load(connection)
    return [
        f"Run {run_id}: {breach}"
        for run_id, run in runs.items()
        for check in (_in_flight, _wakes, _step_messages)
        for breach in check(run, now)
    ]


def _rows(connection: Connection, table: Table, *columns: Any, order: Sequence[Any] = ()) -> Iterator[RowMapping]:
    yield from connection.execute(select(*(columns or table.c)).order_by(*order)).mappings()


def _load(connection: Connection) -> tuple[dict[str, _Run], list[str]]:
    r, e, m = tables.runs.c, tables.events.c, tables.messages.c
    light = [column for column in r if column.name not in ("input", "output", "error", "execution_context")]
    runs = {row["run_id"]: _Run(row) for row in _rows(connection, tables.runs, *light, order=[r.run_id])}
    orphans = []
    data = case((e.event_type.in_(_WITH_DATA), e.data), else_=None).label("data")
    columns = (e.run_id, e.slot, e.event_type, e.correlation_id, e.created_at, data)
    for row in _rows(connection, tables.events, *columns, order=[e.run_id, e.slot]):
        if row["run_id"] not in runs:
            orphans.append(f"Run {row['run_id']}: has events and does not exist.")
            continue
        content = wire.decode(row["data"]) if row["data"] else {}
        event = _Event(row["slot"], row["event_type"], row["correlation_id"] or "", row["created_at"], content)
        runs[row["run_id"]].log.append(event)
    of_run = (
        ("steps", tables.steps, "step_id", ("input", "output", "error")),
        ("hooks", tables.hooks, "hook_id", ("hook_metadata",)),
        ("waits", tables.waits, "wait_id", ()),
    )
    for name, table, id_column, heavy in of_run:
        for row in _rows(connection, table, *(column for column in table.c if column.name not in heavy)):
            if row["run_id"] in runs:
                getattr(runs[row["run_id"]], name)[row[id_column]] = row
            else:
                orphans.append(f"Run {row['run_id']}: has {name} and does not exist.")
    for row in _rows(connection, tables.messages, *(c for c in m if c.name not in ("body", "headers"))):
        if row["run_id"] in runs:
            runs[row["run_id"]].messages.append(row)
    return runs, list(dict.fromkeys(orphans))


def _slots(run: _Run) -> Iterator[str]:
    slots = [event.slot for event in run.log]
    if slots != list(range(1, len(slots) + 1)):
        yield f"its slots are not dense from 1: {slots}."
    newest = slots[-1] if slots else 0
    if run.row["last_slot"] != newest:
        yield f"last_slot is {run.row['last_slot']}, its newest event has slot {newest}."


def _times(run: _Run) -> Iterator[str]:
    for before, after in pairwise(run.log):
        if after.at < before.at:
            yield f"event {after.slot} is {before.at - after.at} ms older than event {before.slot}."
    if run.log and run.row["last_event_at"] != run.log[-1].at:
        yield f"last_event_at is {run.row['last_event_at']}, its newest event is of {run.log[-1].at}."


def _run_events(run: _Run) -> Iterator[str]:
    kinds = Counter(event.kind for event in run.log)
    if kinds["run_created"] != 1 or run.log[0].kind != "run_created":
        yield "its log does not begin with its one run_created."
    started = run.of_kind("run_started")
    if [event.at for event in started] != [at for at in [run.row["started_at"]] if at is not None]:
        yield f"startedAt is {run.row['started_at']}, its run_started events are of {[e.at for e in started]}."
    ends = run.of_kind(*RUN_ENDS)
    # A cancelled run may be cancelled again, which is recorded.
    if len(ends) > 1 and {event.kind for event in ends} != {"run_cancelled"}:
        yield f"it has more than one terminal event: {', '.join(event.kind for event in ends)}."
    status = RUN_ENDS[ends[0].kind] if ends else "running" if started else "pending"
    if run.row["status"] != status:
        yield f"it is {run.row['status']}, its log says {status}."
    if (run.row["completed_at"] is not None) != bool(ends):
        yield f"its log says {status} and its completedAt is {run.row['completed_at']}."
    for event in run.log:
        if ends and event.slot > ends[0].slot and event.kind not in AFTER_RUN_END:
            yield f"event {event.slot}, {event.kind}, was recorded after its end."


def _steps(run: _Run) -> Iterator[str]:
    logged = run.by_entity("step_")
    for step_id in run.steps.keys() - logged.keys():
        yield f"step {step_id} has no event."
    for step_id, events in logged.items():
        row, kinds = run.steps.get(step_id), [event.kind for event in events]
        if kinds[0] != "step_created" or kinds.count("step_created") > 1:
            yield f"the events of step {step_id} do not begin with its one step_created: {', '.join(kinds)}."
        ends = [kind for kind in kinds if kind in STEP_ENDS]
        if len(ends) > 1:
            yield f"step {step_id} has more than one terminal event: {', '.join(ends)}."
        elif ends and kinds[-1] != ends[0]:
            yield f"step {step_id} has events after its end: {', '.join(kinds)}."
        if row is None:
            yield f"step {step_id} has events and no row."
            continue
        last = kinds[-1]
        status = STEP_ENDS[ends[0]] if ends else "running" if last == "step_started" else "pending"
        if row["status"] != status:
            yield f"step {step_id} is {row['status']}, its log says {status}."
        if row["attempt"] != kinds.count("step_started"):
            yield f"step {step_id} is at attempt {row['attempt']}, its log has {kinds.count('step_started')}."
        first_start = next((event.at for event in events if event.kind == "step_started"), None)
        if row["started_at"] != first_start:
            yield f"step {step_id} has startedAt {row['started_at']}, its first start was {first_start}."


def _hooks(run: _Run) -> Iterator[str]:
    if run.ended and run.hooks:
        yield f"it has ended and keeps the hooks {', '.join(sorted(run.hooks))}."
    logged = run.by_entity("hook_")
    for hook_id in run.hooks.keys() - logged.keys():
        yield f"hook {hook_id} has no event."
    for hook_id, events in logged.items():
        kinds = [event.kind for event in events]
        first = kinds[0]
        if first not in ("hook_created", "hook_conflict") or not {"hook_created", "hook_conflict"}.isdisjoint(
            kinds[1:]
        ):
            yield f"the events of hook {hook_id} do not begin with its one creation: {', '.join(kinds)}."
        if "hook_disposed" in kinds[:-1]:
            yield f"hook {hook_id} has events after its disposal: {', '.join(kinds)}."
        if first == "hook_conflict" and len(kinds) > 1:
            yield f"hook {hook_id} did not get its token and has events: {', '.join(kinds)}."
        alive = first == "hook_created" and kinds[-1] != "hook_disposed" and not run.ended
        row = run.hooks.get(hook_id)
        if alive and row is None:
            yield f"hook {hook_id} is alive in the log and has no row."
        if not alive and row is not None and not run.ended:
            yield f"hook {hook_id} has a row and is not alive in the log: {', '.join(kinds)}."
        if row is not None and row["token"] != events[0].data.get("token"):
            yield f"hook {hook_id} has the token {row['token']}, its log says {events[0].data.get('token')}."


def _waits(run: _Run) -> Iterator[str]:
    if run.ended and run.waits:
        yield f"it has ended and keeps the waits {', '.join(sorted(run.waits))}."
    logged = run.by_entity("wait_")
    for wait_id in run.waits.keys() - logged.keys():
        yield f"wait {wait_id} has no event."
    for wait_id, events in logged.items():
        kinds = [event.kind for event in events]
        if kinds[0] != "wait_created" or kinds.count("wait_created") > 1:
            yield f"the events of wait {wait_id} do not begin with its one wait_created: {', '.join(kinds)}."
        if kinds.count("wait_completed") > 1:
            yield f"wait {wait_id} has more than one terminal event."
        row = run.waits.get(wait_id)
        if row is None:
            if not run.ended:
                yield f"wait {wait_id} has events and no row."
            continue
        status = "completed" if "wait_completed" in kinds else "waiting"
        if row["status"] != status:
            yield f"wait {wait_id} is {row['status']}, its log says {status}."
        if row["resume_at"] != events[0].data.get("resumeAt"):
            yield f"wait {wait_id} resumes at {row['resume_at']}, its log says {events[0].data.get('resumeAt')}."


def _tokens(runs: dict[str, _Run]) -> Iterator[str]:
    owners: dict[str, list[str]] = defaultdict(list)
    ever: dict[str, set[str]] = defaultdict(set)
    for run_id, run in runs.items():
        disposed = {event.of for event in run.of_kind("hook_disposed")}
        for event in run.of_kind("hook_created"):
            ever[event.data["token"]].add(run_id)
            if not run.ended and event.of not in disposed:
                owners[event.data["token"]].append(f"{run_id}/{event.of}")
    for token, hooks in owners.items():
        if len(hooks) > 1:
            yield f"Token {token}: more than one live hook has it: {', '.join(hooks)}."
    for run_id, run in runs.items():
        for event in run.of_kind("hook_conflict"):
            holder = event.data["conflictingRunId"]
            if holder not in ever[event.data["token"]]:
                yield f"Run {run_id}: hook {event.of} lost its token to the run {holder}, which never had it."


def _is_replay(message: RowMapping) -> bool:
    return message["kind"] == "workflow" and message["step_id"] is None


def _live(messages: Sequence[RowMapping]) -> list[RowMapping]:
    return [message for message in messages if message["status"] in ("ready", "leased")]


def _in_flight(run: _Run, _now: int | None) -> Iterator[str]:
    leased = [message for message in run.messages if message["status"] == "leased"]
    if len([message for message in leased if _is_replay(message)]) > 1:
        yield "more than one of its replays is in flight."
    for message in run.messages:
        if (message["status"] == "leased") != (message["lease_id"] is not None):
            yield f"message {message['message_id']} is {message['status']} with the lease {message['lease_id']}."
    steps = Counter(message["idempotency_key"] for message in _live(run.messages) if message["kind"] == "step")
    for key, count in steps.items():
        if key is not None and count > 1:
            yield f"{count} messages of the step {key} are to be delivered."


def _wakes(run: _Run, now: int | None) -> Iterator[str]:
    if run.ended:
        return
    replays = [message for message in run.messages if _is_replay(message)]
    dead = any(message["status"] == "dead" for message in replays)
    # What is dead waits for an operator.
    live = _live(replays)
    unseen = _unseen(run)
    if unseen:
        on_its_way = [message for message in live if now is None or _comes_at_once(message, now)]
        if not on_its_way and not dead:
            yield f"nothing will replay it though it has not seen {', '.join(unseen)}."
        return
    resume_at = min((row["resume_at"] for row in run.waits.values() if row["status"] == "waiting"), default=None)
    to_come = [message for message in live if not _comes_at_once(message, now)]
    if resume_at is None:
        if to_come:
            yield f"it is parked, nothing is due, and it has the messages {_described(to_come)}."
        unfinished = [row for row in run.steps.values() if row["status"] in ("pending", "running")]
        if not (run.hooks or unfinished or run.messages):
            yield "it waits for nothing: no hook, no sleep, no step and no message will make it go on."
        return
    if not live and not dead:
        yield f"it sleeps until {resume_at} and nothing will wake it."
    elif len(to_come) > 1:
        yield f"it sleeps until {resume_at} and has several messages: {_described(to_come)}."
    elif len(to_come) == len(live) == 1 and to_come[0]["run_at"] != resume_at:
        yield f"it sleeps until {resume_at} and its message is due at {to_come[0]['run_at']}."


def _unseen(run: _Run) -> list[str]:
    """Return the events that no acknowledged replay has seen, save those whose own delivery will yet tell of them."""
    carried = {message["step_id"] for message in _live(run.messages) if message["kind"] == "step"}
    seen, newest_stimulus = run.row["replayed_slot"], run.row["stimulus_slot"]
    unseen = [
        f"event {event.slot}, {event.kind}"
        for event in run.log
        # Whether a wait was ended from outside or by a replay, the log does not tell: there the engine is believed.
        if event.slot > seen and (event.kind in TO_REACT_TO or event.slot == newest_stimulus)
        if not (event.kind in STEP_ENDS and event.of in carried)
    ]
    if run.row["status"] == "pending" and not unseen:
        unseen.append("its start")
    return unseen


def _comes_at_once(message: RowMapping, now: int | None) -> bool:
    """Tell whether it is delivered as soon as can be: it needs no reason to be there."""
    if message["failures"] or message["unresolved"]:
        return True  # it was delivered in vain, or could not be, and is given some time
    return now is not None and (message["status"] == "leased" or message["run_at"] <= now)


def _step_messages(run: _Run, _now: int | None) -> Iterator[str]:
    if run.ended or any(_is_replay(message) for message in run.messages):
        return  # a replay publishes the messages of all unfinished steps
    has_message = {message["step_id"] for message in run.messages}
    for step_id, row in run.steps.items():
        if row["status"] in ("pending", "running") and step_id not in has_message:
            yield f"step {step_id} is {row['status']} and nothing will run it."


def _described(messages: Sequence[RowMapping]) -> str:
    return ", ".join(
        f"{message['message_id']} ({message['status']}, due at {message['run_at']})" for message in messages
    )
