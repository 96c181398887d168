"""Time and random ids, the two things the engine draws from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from ulid import ULID

from workflow_studio.compute.world_errors import WorldError

Clock = Callable[[], int]
"""Returns the time in milliseconds since 1970-01-01 UTC."""

_MAX_AGE_MS: Final = 24 * 60 * 60 * 1000
_MAX_SKEW_MS: Final = 5 * 60 * 1000


def system_clock() -> int:
    """Return the time of this machine, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def new_id(prefix: str, now: int) -> str:
    """Return ``prefix``, an underscore and a new ULID of the time ``now`` (epoch milliseconds)."""
    return f"{prefix}_{ULID.from_timestamp(now / 1000)}"


def check_run_age(run_id: str, now: int) -> None:
    """Refuse a run id that was not drawn around now: a client with a wrong clock would mix up the order of runs.

    Args:
        run_id: An id of the form of :data:`workflow_studio.compute.ids.RUN_ID`.
        now: Epoch milliseconds.

    Raises:
        WorldError: If the id's time is more than 24 hours ago or 5 minutes ahead
            (source: ``@workflow/world-local`` 4.4.1).
    """
    try:
        drawn_at = ULID.from_str(run_id.partition("_")[2]).milliseconds
    except ValueError as error:
        raise WorldError(f"{run_id!r} is not a run id", status=400) from error
    if not now - _MAX_AGE_MS <= drawn_at <= now + _MAX_SKEW_MS:
        raise WorldError(f"The run id {run_id} was not drawn around now; check the clock of its maker", status=400)
