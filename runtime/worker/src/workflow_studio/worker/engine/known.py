"""What is known of live runs without reading it again: their rows, their steps', and the ends of their logs.

A transaction knows what it has read and locked, or written itself. Where transactions follow one another and nobody
else writes, what one knew holds for the next: see :attr:`.Transaction.known`. So whoever changes the rows of runs or
steps says so here: :mod:`.log` by what it writes, others by :func:`forget`.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Table

    from workflow_studio.worker.store import Transaction
    from workflow_studio.worker.store.statements import Row

_MOST_EVENTS: Final = 400
"""Events that are kept of the end of a log: a hundred steps that are parallel leave three each."""

_MOST_EVENT_BYTES: Final = 48 * 1024
_MOST_BYTES: Final = 16 * 1024
"""Bytes of the payloads of a run that are kept."""

_MOST_STEPS: Final = 200
_MOST_STEP_IDS: Final = 2000
_MOST_STEP_BYTES: Final = 1024
_PAYLOADS: Final = ("input", "output")


def _defaults(table: Table) -> Row:
    return {column.key: getattr(column.default, "arg", None) for column in table.c}


NEW_RUN: Final[Row] = _defaults(tables.runs)
NEW_STEP: Final[Row] = _defaults(tables.steps)
"""What rows are by default, as far as an insert does not say."""


def _light(row: Row, most: int) -> Row:
    """Return a row, without its payloads if these are large."""
    if len(row.get("input") or b"") + len(row.get("output") or b"") <= most:
        return row
    return {name: value for name, value in row.items() if name not in _PAYLOADS}


class KnownRun:
    """What is known of a run.

    Attributes:
        row: Its row, without its payloads if these were not read or are large; None if that is not known.
        steps: Rows of steps that have not ended, by id, without their payloads if these were not read or are large.
        end: The slot and the time of what was added to the log last; None if nothing was.
    """

    __slots__ = ("_events", "_size", "_step_ids", "end", "row", "steps")

    def __init__(self) -> None:
        self.row: Row | None = None
        self.steps: dict[str, Row] = {}
        self._step_ids: set[str] | None = None
        self.end: tuple[int, int] | None = None
        self._events: deque[Row] = deque()
        self._size = 0

    def note(self, row: Row) -> None:
        """Note what the run is like."""
        self.row = _light(row, _MOST_BYTES)

    def note_new(self) -> None:
        """Note that the run has just been created, so that it has no steps but those that are noted as new."""
        self._step_ids = set()

    def note_new_step(self, step_id: str) -> None:
        """Note that a step has been created."""
        if self._step_ids is not None:
            self._step_ids.add(step_id)
            if len(self._step_ids) > _MOST_STEP_IDS:
                self._step_ids = None

    def lacks_step(self, step_id: str) -> bool:
        """Tell whether it is known that the run never had a step."""
        return self._step_ids is not None and step_id not in self._step_ids

    def note_step(self, step_id: str, row: Row) -> None:
        """Note what a step is like."""
        if len(self.steps) >= _MOST_STEPS and step_id not in self.steps:
            return  # those that came first are executed first
        self.steps[step_id] = _light(row, _MOST_STEP_BYTES)

    def note_event(self, event: Row) -> None:
        """Note what was added to the log."""
        self.end = event["slot"], event["created_at"]
        self._events.append(event)
        self._size += len(event["data"] or b"")
        while len(self._events) > _MOST_EVENTS or self._size > _MOST_EVENT_BYTES:
            self._forget_first()

    def forget_events(self) -> None:
        """Forget what the log has, but for its end: it is not needed again."""
        while len(self._events) > 1:
            self._forget_first()

    def _forget_first(self) -> None:
        self._size -= len(self._events.popleft()["data"] or b"")

    def events_after(self, slot: int) -> list[Row] | None:
        """Return what the log has after a slot; None if not all of it is known."""
        first = self._events[0]["slot"] if self._events else None
        if first is None or first > slot + 1:
            return None
        return [event for event in self._events if event["slot"] > slot]


def known_run(transaction: Transaction, run_id: str | None) -> KnownRun | None:
    """Return what is known of a run, if anything is."""
    found: KnownRun | None = transaction.known.get(run_id)
    return found


def knowing(transaction: Transaction, run_id: str) -> KnownRun:
    """Return what is known of a run, for it to be added to."""
    found: KnownRun | None = transaction.known.get(run_id)
    if found is None:
        found = transaction.known[run_id] = KnownRun()
    return found


def forget(transaction: Transaction, run_ids: Iterable[str]) -> None:
    """Know nothing more of runs whose rows, or whose steps', are changed otherwise than by their logs."""
    for run_id in run_ids:
        transaction.known.pop(run_id, None)
