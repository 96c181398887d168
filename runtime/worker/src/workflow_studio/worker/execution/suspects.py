"""Suspects: messages whose deliveries ended with their executors, and which may be the reason.

An executor that dies takes every delivery with it that it had, and nobody can tell which of them killed it. Delivered
again together, they would die together again, until the Workflow SDK gives all of them up: it allows a step four
starts, and does not know that somebody else ended three of them. So after the second loss in a row a message is
delivered alone, to an executor of its own: what is innocent comes through, and what is not harms itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workflow_studio.worker.ports import Failed

if TYPE_CHECKING:
    from workflow_studio.worker.ports import Outcome

LOSSES: Final = 2
"""Losses in a row that make a message a suspect. One may happen to all: a start alone costs half a second."""

_MOST: Final = 10_000


class Suspects:
    """Counts, per message, the executors that were lost with it in a row.

    This is not kept over a restart of the worker: then a message is believed once more.
    """

    def __init__(self) -> None:
        self._losses: dict[str, int] = {}

    def __contains__(self, message_id: str) -> bool:
        """Tell whether the message is to be delivered alone."""
        return self._losses.get(message_id, 0) >= LOSSES

    def note(self, message_id: str, outcome: Outcome) -> None:
        """Note how a delivery of the message ended; one that an executor answered clears it."""
        losses = self._losses.pop(message_id, 0)
        if isinstance(outcome, Failed) and outcome.executor_lost:
            self._losses[message_id] = losses + 1
            if len(self._losses) > _MOST:  # the oldest is of a message that was never delivered again
                del self._losses[next(iter(self._losses))]
