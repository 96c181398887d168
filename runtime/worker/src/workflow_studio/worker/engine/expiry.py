"""Which runs are older than they are kept: the rules of retention, as queries.

All of them look at runs by id, from the oldest on. A run's id says when it was created, and no run ended before that,
so what is young is never looked at. What is old and still there is what began long before it ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from sqlalchemy import func, select

from workflow_studio.worker.engine.clock import run_ids_around
from workflow_studio.worker.engine.transitions import TERMINAL
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import ColumnElement, Select

Outcome: TypeAlias = Literal["completed", "failed", "cancelled"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("completed", "failed", "cancelled")

_R: Final = tables.runs
_RERUN: Final = tables.runs.alias("rerun")
_M: Final = tables.messages
_OUT: Final = tables.run_output_sizes
_S: Final = tables.streams
_SR: Final = tables.stream_runs
_OTHER: Final = tables.stream_runs.alias("other")
_LIVE: Final = tables.runs.alias("live")
_ENDED_AT: Final = func.coalesce(_R.c.completed_at, _R.c.updated_at)
_IS_ENDED: Final = _R.c.status.in_(sorted(TERMINAL))
_IS_RERUN_NOW: Final = (
    select(_RERUN.c.run_id)
    .where(_RERUN.c.rerun_of == _R.c.run_id, _RERUN.c.status.in_(("pending", "running")))
    .exists()
)
_IS_DELIVERED_NOW: Final = select(_M.c.message_id).where(_M.c.run_id == _R.c.run_id, _M.c.status == "leased").exists()
CAN_GO: Final = (_IS_ENDED, ~_IS_RERUN_NOW, ~_IS_DELIVERED_NOW)
"""Nothing of the run is under way, and no live run was started from it."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept after the end of their run, in milliseconds; None keeps them for ever.

    Attributes:
        outcomes: Runs, by how they ended.
        workflows: Runs of these workflows, by id, however they ended.
        output: What runs print.
        streams: The chunks of streams.
    """

    outcomes: Mapping[Outcome, int | None] = field(default_factory=dict)
    workflows: Mapping[str, int | None] = field(default_factory=dict)
    output: int | None = None
    streams: int | None = None


def expired_runs(retention: Retention, now: int) -> Iterator[Select[Any]]:
    """Return queries for the ids of runs that are not to be kept any longer, and of those whose deletion has begun."""
    yield select(_R.c.run_id).where(_R.c.expired_at.is_not(None)).order_by(_R.c.run_id)
    for outcome in OUTCOMES:
        kept = retention.outcomes.get(outcome)
        if kept is not None:
            others = _R.c.workflow_name.not_in(sorted(retention.workflows))
            yield _ended_by(now - kept).where(_R.c.status == outcome, others)
    for name, kept in sorted(retention.workflows.items()):
        if kept is not None:
            yield _ended_by(now - kept).where(_R.c.workflow_name == name, _IS_ENDED)


def _ended_by(time: int) -> Select[Any]:
    return (
        select(_R.c.run_id)
        .where(_was_created(_R.c.run_id, time), time >= _ENDED_AT, _R.c.expired_at.is_(None))
        .where(~_IS_RERUN_NOW, ~_IS_DELIVERED_NOW)
        .order_by(_R.c.run_id)
    )


def expired_output(retention: Retention, now: int) -> Select[Any] | None:
    """Return a query for the ids of runs whose output is not to be kept any longer."""
    if retention.output is None:
        return None
    time = now - retention.output
    query = select(_OUT.c.run_id).join(_R, _R.c.run_id == _OUT.c.run_id)
    return query.where(_was_created(_OUT.c.run_id, time), *_ended(time), _OUT.c.lines > 0).order_by(_OUT.c.run_id)


def expired_streams(retention: Retention, now: int) -> Select[Any] | None:
    """Return a query for the names of streams whose chunks are not to be kept any longer."""
    if retention.streams is None:
        return None
    time = now - retention.streams
    of_live_run = (
        select(_OTHER.c.name)
        .join(_LIVE, _LIVE.c.run_id == _OTHER.c.run_id)
        .where(_OTHER.c.name == _SR.c.name, _LIVE.c.status.in_(("pending", "running")))
        .exists()
    )
    query = select(_SR.c.name).join(_R, _R.c.run_id == _SR.c.run_id).join(_S, _S.c.name == _SR.c.name)
    wanted = (_was_created(_SR.c.run_id, time), *_ended(time), _S.c.chunk_count > 0, ~of_live_run)
    return query.where(*wanted).order_by(_SR.c.run_id)


def _ended(time: int) -> tuple[ColumnElement[bool], ...]:
    return (_IS_ENDED, time >= _ENDED_AT)


def _was_created(run_id: Any, time: int) -> Any:
    _, greatest = run_ids_around(None, time)
    return run_id <= greatest
