"""The trace in whose course something is asked for, so that a run that is started then belongs to it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from workflow_studio.compute import wire
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.worker.store import Database

_R: Final = tables.runs

CARRIER: Final[ContextVar[Mapping[str, str] | None]] = ContextVar("workflow_studio_trace", default=None)
"""``traceparent`` and ``tracestate``, where requests are traced."""


def current() -> dict[str, str]:
    """Return what carries the trace along; nothing where nothing is traced."""
    return dict(CARRIER.get() or {})


async def of_run(database: Database, run_id: str) -> Any:
    """Return what the run was started with, as whoever started it wrote it; None if there is nothing.

    Raises:
        StoreError: If the database fails.
    """
    query = select(_R.c.execution_context).where(_R.c.run_id == run_id)
    found = await database.read(lambda connection: connection.execute(query).scalar())
    context = None if found is None else wire.decode(found)
    return context.get("traceCarrier") if isinstance(context, dict) else None
