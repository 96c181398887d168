"""What follows from the end of a run, beside what the rules of its log say."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.worker.engine.retirement import Retirement
    from workflow_studio.worker.engine.signals import Signals
    from workflow_studio.worker.store import Transaction


class Endings:
    """Tells those who wait for a run that it has ended, and has its deployment retire if it was the last.

    Args:
        ended: Hears of runs that end, by their ids.
        retirement: Notes when deployments retire.

    Attributes:
        counts: Runs that ended, by status.
    """

    def __init__(self, ended: Signals, retirement: Retirement) -> None:
        self._ended = ended
        self._retirement = retirement
        self.counts: Counter[str] = Counter()

    def run_ended(self, transaction: Transaction, run: Mapping[str, Any], at: int) -> None:
        """Note that a run ends, in the transaction that ends it.

        Args:
            transaction: That transaction.
            run: Its row.
            at: When it ends, in epoch milliseconds.
        """
        run_id, status = run["run_id"], run["status"]
        self._retirement.run_ended(transaction, run["deployment_id"], at)

        def tell() -> None:
            self.counts[status] += 1
            self._ended.give(run_id)

        transaction.after_commit(tell)
