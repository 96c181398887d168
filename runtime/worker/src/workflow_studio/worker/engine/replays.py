"""What a replay begins with: the run and its log, as far as the executor does not hold it already."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sqlalchemy import bindparam, func, select

from workflow_studio.compute.ids import event_id
from workflow_studio.worker.engine import present, references
from workflow_studio.worker.engine.deferred import store_changes
from workflow_studio.worker.engine.known import known_run
from workflow_studio.worker.engine.queries import take
from workflow_studio.worker.store import tables
from workflow_studio.worker.store.statements import Row, Statement

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from sqlalchemy import Connection

    from workflow_studio.worker.store import Transaction

_MOST_READ_AHEAD: Final = 64
"""Events that are read to be sent with a delivery. Meanwhile nothing else is written."""

_LARGEST_SENT_AHEAD: Final = 64 * 1024
"""Bytes of a run's input, or of its new events together, that are sent with a delivery."""

_REMEMBERED: Final = 20_000
"""Logs of which it is remembered how much an executor holds. Executors themselves keep fewer."""

_R: Final = tables.runs
_E: Final = tables.events
_RUN: Final = Statement(select(_R).where(_R.c.run_id == bindparam("run")))
_SMALL_RUN: Final = Statement(
    select(_R).where(
        _R.c.run_id == bindparam("run"),
        func.coalesce(func.length(_R.c.input), 0) + func.coalesce(func.length(_R.c.execution_context), 0)
        <= bindparam("most"),
    )
)
_NEW_EVENTS: Final = Statement(
    select(_E).where(_E.c.run_id == bindparam("run"), _E.c.slot > bindparam("known")).order_by(_E.c.slot)
)


class KnownLogs:
    """How much of which log each executor was sent.

    An executor may have let go of it since, and says so: then it is not answered from here.
    """

    def __init__(self) -> None:
        self._slots: OrderedDict[tuple[str, str], int] = OrderedDict()

    def slot(self, executor_id: str, run_id: str) -> int:
        """Return up to which slot an executor has a log; 0 if it has none of it. Any thread may ask."""
        return self._slots.get((executor_id, run_id), 0)

    def note(self, executor_id: str | None, run_id: str, slot: int) -> None:
        """Note that an executor was sent a log up to a slot."""
        if executor_id is None:
            return
        key = (executor_id, run_id)
        self._slots[key] = slot
        self._slots.move_to_end(key)
        if len(self._slots) > _REMEMBERED:
            self._slots.popitem(last=False)


Loaded: TypeAlias = tuple[dict[str, Any], int]
"""The answer to ``run_started``, and the newest slot of the log that it was made of."""


def load(connection: Connection, run_id: str, known_slot: int) -> Loaded | None:
    """Return the answer to ``run_started`` of a run that is running, and the newest slot of its log; None if it is not.

    Args:
        connection: Reads one state.
        run_id: The run.
        known_slot: How much of the log is known, and left out.
    """
    run = _RUN.first(connection, {"run": run_id})
    if run is None or run["status"] != "running":
        return None
    log, more = take(_new_events(connection, run_id, known_slot), run["last_slot"])
    # Without its log, the SDK loads it page by page: a large one would not fit into one answer.
    return _answer(run, None if more else log), run["last_slot"]


def load_ahead(transaction: Transaction, run_id: str, known_slot: int) -> Loaded | None:
    """Do what :func:`load` does, but return None where that would take long."""
    known = known_run(transaction, run_id)
    run = None if known is None else known.row
    if run is None or "input" not in run:
        store_changes(transaction)
        small = {"run": run_id, "most": _LARGEST_SENT_AHEAD}
        if run is not None and run["last_slot"] - known_slot <= _MOST_READ_AHEAD:
            # The run first: of what is written in between, its log may have too much, but nothing too little.
            transaction.ask_ahead(_SMALL_RUN, small)
            transaction.ask_ahead(_NEW_EVENTS, {"run": run_id, "known": known_slot})
        run = _SMALL_RUN.first(transaction.connection, small)
        if known is not None and run is not None:
            known.note(run)
    if run is None or run["status"] != "running":
        return None
    if len(run["execution_context"] or b"") > _LARGEST_SENT_AHEAD:
        return None
    if run["input"] is not None and references.size_beside(run["input"]):
        return None
    events = None if known is None else known.events_after(known_slot)
    if known is not None and events is not None:
        log = _within_bounds(events, run["last_slot"])
        known.forget_events()
    elif run["last_slot"] - known_slot > _MOST_READ_AHEAD:
        return None
    else:
        with closing(_new_events(transaction.connection, run_id, known_slot)) as rows:
            log = _within_bounds(rows, run["last_slot"])
    return None if log is None else (_answer(run, log), run["last_slot"])


def ends_at(transaction: Transaction, run_id: str, slot: int, at: int) -> bool:
    """Tell whether a run goes on and its log is known to end with an event of this slot and time."""
    known = known_run(transaction, run_id)
    if known is None or known.row is None or known.row["status"] != "running":
        return False
    return known.row["last_slot"] == slot and known.end == (slot, at)


def _within_bounds(events: Iterable[Row], last_slot: int) -> list[Row] | None:
    """Return entries of a log up to a slot, or None if they are too much to be sent ahead."""
    log = []
    size = 0
    for row in events:
        if row["slot"] > last_slot:
            break  # written since the run was looked at, where others write meanwhile
        data = row["data"] or b""
        size += len(data) + references.size_beside(data)
        if size > _LARGEST_SENT_AHEAD:
            return None
        log.append(row)
    return log


def _new_events(connection: Connection, run_id: str, known_slot: int) -> Generator[Row, None, None]:
    return _NEW_EVENTS.rows(connection, {"run": run_id, "known": known_slot})


def _answer(run: Row, log: Sequence[present.Row] | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"run": present.run(run, with_payloads=True)}
    if log is not None:
        answer["events"] = [present.event(entry, with_payloads=True) for entry in log]
        answer |= {"cursor": event_id(run["last_slot"]), "hasMore": False}
    return answer
