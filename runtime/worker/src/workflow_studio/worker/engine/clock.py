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
_LAST_MS: Final = 2**48 - 1
_TIME_DIGITS: Final = slice(5, 15)
_DIGITS: Final = str.maketrans("0123456789ABCDEFGHJKMNPQRSTVWXYZ", "0123456789abcdefghijklmnopqrstuv")
"""From ULIDs' alphabet to that of Python (source: the ULID specification, Crockford's Base32)."""


def system_clock() -> int:
    """Return the time of this machine, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def new_id(prefix: str, now: int) -> str:
    """Return ``prefix``, an underscore and a new ULID of the time ``now`` (epoch milliseconds)."""
    return f"{prefix}_{ULID.from_timestamp(now / 1000)}"


def run_ids_around(after: int | None, before: int | None) -> tuple[str | None, str | None]:
    """Return the least and the greatest id that runs created in a span of time can have.

    A run's id says nearly when it was created: :func:`check_run_age` sees to that. So a search by time need not look at
    all runs, only at those whose ids lie in between.

    Args:
        after: Epoch milliseconds; None for no bound.
        before: Epoch milliseconds; None for no bound.
    """
    least = None if after is None else max(0, after - _MAX_AGE_MS)
    greatest = None if before is None else min(max(0, before + _MAX_SKEW_MS), _LAST_MS)
    return (
        None if least is None else f"wrun_{ULID.from_bytes(min(least, _LAST_MS).to_bytes(6, 'big') + bytes(10))}",
        None if greatest is None else f"wrun_{ULID.from_bytes(greatest.to_bytes(6, 'big') + bytes([255] * 10))}",
    )


def check_run_age(run_id: str, now: int) -> None:
    """Refuse a run id that was not drawn around now: a client with a wrong clock would mix up the order of runs.

    Args:
        run_id: An id of the form of :data:`workflow_studio.compute.ids.RUN_ID`.
        now: Epoch milliseconds.

    Raises:
        WorldError: If the id's time is more than 24 hours ago or 5 minutes ahead
            (source: ``@workflow/world-local`` 4.4.1).
    """
    drawn_at = int(run_id[_TIME_DIGITS].translate(_DIGITS), 32)
    if drawn_at > _LAST_MS:
        raise WorldError(f"{run_id!r} is not a run id", status=400)
    if not now - _MAX_AGE_MS <= drawn_at <= now + _MAX_SKEW_MS:
        raise WorldError(f"The run id {run_id} was not drawn around now; check the clock of its maker", status=400)
