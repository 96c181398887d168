"""The built-in doorbell: it rings in the process that commits, which is the one that delivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from workflow_studio.worker.store import Transaction


class InProcessDoorbell:
    """Implements :class:`workflow_studio.worker.parts.Doorbell`."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []

    def ring(self, transaction: Transaction, _run_at: int, /) -> None:
        """Ring once the transaction is committed."""
        transaction.after_commit(self._ring)

    def on_ring(self, callback: Callable[[], None], /) -> None:
        """Have ``callback`` called whenever it rings."""
        self._callbacks.append(callback)

    def _ring(self) -> None:
        for callback in self._callbacks:
            callback()
