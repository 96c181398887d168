"""Rows that a transaction changes more than once, and writes once: when it ends, or before somebody reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workflow_studio.worker.store import tables
from workflow_studio.worker.store.statements import Row, change_rows, insert_row

if TYPE_CHECKING:
    from workflow_studio.worker.store import Transaction

_BOOKKEEPING: Final = frozenset({"last_slot", "last_event_at", "stimulus_slot", "replayed_slot"})


def change_run(transaction: Transaction, run_id: str, values: Row) -> None:
    """Change the row of a run that is known.

    What follows from the run's log alone is changed once, when the transaction ends or something else of the row
    changes: a write may append several times.
    """
    changes = transaction.changes.setdefault(run_id, {})
    changes |= values
    if changes.keys() <= _BOOKKEEPING:
        transaction.at_end(store_changes)
    else:
        store_changes(transaction)


def insert_step(transaction: Transaction, row: Row) -> None:
    """Insert the row of a step when the transaction ends: mostly the step is started in it, too."""
    transaction.new_steps[row["run_id"], row["step_id"]] = dict(row)
    transaction.at_end(store_changes)


def change_step(transaction: Transaction, run_id: str, step_id: str, values: Row) -> None:
    """Change the row of a step."""
    new = transaction.new_steps.get((run_id, step_id))
    if new is not None:
        new |= values
    else:
        change_rows(transaction.connection, tables.steps, values, run_id=run_id, step_id=step_id)


def store_changes(transaction: Transaction) -> None:
    """Store what was put off, for those who read rows of runs in the same transaction."""
    while transaction.changes:
        run_id, values = transaction.changes.popitem()
        change_rows(transaction.connection, tables.runs, values, run_id=run_id)
    _store_steps(transaction)


def store_step(transaction: Transaction, run_id: str, step_id: str) -> None:
    """Store a step, if that was put off, for those who read its row in the same transaction."""
    if (run_id, step_id) in transaction.new_steps:
        _store_steps(transaction)


def _store_steps(transaction: Transaction) -> None:
    for row in transaction.new_steps.values():
        insert_row(transaction.connection, tables.steps, row)
    transaction.new_steps.clear()
