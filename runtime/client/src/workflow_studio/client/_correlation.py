"""Which correlation id calls have."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from workflow_studio.compute.ids import CorrelationId, parse_correlation_id

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHOSEN: ContextVar[CorrelationId | None] = ContextVar("workflow_studio_correlation_id", default=None)


@contextmanager
def correlated(correlation_id: str) -> Iterator[CorrelationId]:
    """Have all calls in here, of any client, carry this correlation id, such as that of the request being served.

    It holds for the current task or thread. The worker puts it into its log, into the events that the calls make and
    into the audit log.

    Args:
        correlation_id: 1 to 128 of ``A-Z a-z 0-9 . _ : / -``.

    Raises:
        ValueError: If it has another form.
    """
    chosen = parse_correlation_id(correlation_id)
    token = _CHOSEN.set(chosen)
    try:
        yield chosen
    finally:
        _CHOSEN.reset(token)


def next_correlation_id() -> CorrelationId:
    """Return the id of the next call: the one that was chosen, or a new one."""
    return _CHOSEN.get() or CorrelationId(str(uuid.uuid4()))
