"""What happened in runs, read from their logs and their output."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import case, select

from workflow_studio.compute.api.activity import OUTPUT
from workflow_studio.compute.ids import event_id
from workflow_studio.worker.engine import references
from workflow_studio.worker.engine.journal import Addition
from workflow_studio.worker.engine.transitions.model import error_of
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Row

    from workflow_studio.worker.engine.output import Output
    from workflow_studio.worker.store import Database

_E: Final = tables.events
_O: Final = tables.run_output
_R: Final = tables.runs
_S: Final = tables.steps

_WITH_DATA: Final = ("step_retrying", "step_failed", "run_failed", "wait_created", "hook_created")
"""Events of which more is told than that they happened. The payloads of the others are not even read."""

_BEGINNINGS: Final = ("step_started", "wait_created")
_RUN_ENDS: Final = frozenset({"run_completed", "run_failed", "run_cancelled"})
_ATTEMPT_ENDS: Final = frozenset({"step_completed", "step_failed", "step_retrying"})

_LOOKED_THROUGH: Final = 1000
"""Runs that are looked at when something is to be found by its time. There is no index for that: it would cost every
event a write, and this is asked only after a restart, or by a reader that was much too slow."""

_FOUND: Final = 1000
"""Entries that are found by their time."""

_RUN: Final = (_R.c.run_id, _R.c.workflow_name, _R.c.deployment_id, _R.c.environment, _R.c.created_at)
_EVENT: Final = (
    _E.c.slot,
    _E.c.event_type,
    _E.c.correlation_id,
    _E.c.created_at,
    case((_E.c.event_type.in_(_WITH_DATA), _E.c.data), else_=None).label("data"),
)

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the feed is wanted; None is everything.

    Attributes:
        run_id: What happens in this run.
        workflow_name: What happens in runs of this workflow.
        environment: What happens in runs that were started in this environment.
    """

    run_id: str | None = None
    workflow_name: str | None = None
    environment: str | None = None


class ActivityRows:
    """Reads what happened."""

    def __init__(self, database: Database, output: Output) -> None:
        self._database = database
        self._output = output

    async def read(self, additions: Sequence[Addition], wanted: Wanted) -> list[tuple[int, Fields]]:
        """Return what was added, each entry with its number.

        Fields have the names of :class:`workflow_studio.compute.api.ActivityEntry` on the wire; times are epoch
        milliseconds, and errors as they are stored.
        """
        asked = [addition for addition in additions if wanted.run_id in {None, addition.run_id}]
        if not asked:
            return []
        return await self._database.read(lambda connection: list(self._read(connection, asked, wanted)))

    async def since(self, moment: int, run_id: str | None = None) -> tuple[list[Addition], bool]:
        """Return what happened at a moment or later: additions of one entry each, by time.

        Args:
            moment: Epoch milliseconds.
            run_id: In this run only, if it is given.

        Returns:
            The newest of them, and whether there may have been more.
        """
        return await self._database.read(lambda connection: _since(connection, moment, run_id))

    def _read(
        self, connection: Connection, additions: Iterable[Addition], wanted: Wanted
    ) -> Iterator[tuple[int, Fields]]:
        runs = _runs(connection, {addition.run_id for addition in additions}, wanted)
        for addition in additions:
            run = runs.get(addition.run_id)
            if run is None:
                continue
            entries = (
                _events(connection, run, addition) if addition.kind == "log" else self._lines(connection, addition)
            )
            about = {"runId": run.run_id, "workflowName": run.workflow_name}
            about |= {"deploymentId": run.deployment_id, "environment": run.environment}
            for place, fields in entries:
                yield addition.number + place - addition.first, about | fields

    def _lines(self, connection: Connection, addition: Addition) -> Iterator[tuple[int, Fields]]:
        for line in self._output.between(connection, addition.run_id, addition.first, addition.last):
            fields = {"type": OUTPUT, "at": line.at, "position": line.position, "level": line.level, "text": line.text}
            if line.step_id is not None:
                fields |= {"stepId": line.step_id, "stepName": line.step_name, "attempt": line.attempt}
            yield line.position, fields


def _runs(connection: Connection, run_ids: set[str], wanted: Wanted) -> dict[str, Any]:
    query = select(*_RUN).where(_R.c.run_id.in_(run_ids))
    if wanted.workflow_name is not None:
        query = query.where(_R.c.workflow_name == wanted.workflow_name)
    if wanted.environment is not None:
        query = query.where(_R.c.environment == wanted.environment)
    return {row.run_id: row for row in connection.execute(query)}


def _events(connection: Connection, run: Row[Any], addition: Addition) -> Iterator[tuple[int, Fields]]:
    span = _E.c.slot.between(addition.first, addition.last)
    rows = connection.execute(select(*_EVENT).where(_E.c.run_id == run.run_id, span).order_by(_E.c.slot)).all()
    about = {row.correlation_id for row in rows if row.correlation_id}
    begun = _beginnings(connection, run.run_id, about)
    names = _step_names(connection, run.run_id, about)
    for row in rows:
        fields: Fields = {"type": row.event_type, "at": row.created_at, "eventId": event_id(row.slot)}
        if row.correlation_id:
            fields["correlationId"] = row.correlation_id
        before = [at for slot, at in begun.get(row.correlation_id, ()) if slot < row.slot]
        if row.event_type.startswith("step_"):
            fields |= {"stepId": row.correlation_id, "stepName": names.get(row.correlation_id)}
            fields["attempt"] = (len(before) + (row.event_type == "step_started")) or None
        if row.event_type in _RUN_ENDS:
            fields["durationMs"] = row.created_at - run.created_at
        elif before and (row.event_type in _ATTEMPT_ENDS or row.event_type == "wait_completed"):
            fields["durationMs"] = row.created_at - before[-1]
        if row.data is not None:
            fields |= _told(row.event_type, references.decode(row.data))
        yield row.slot, fields


def _told(event_type: str, data: Mapping[str, Any]) -> Fields:
    """Return what is told of an event's data."""
    if event_type == "wait_created":
        return {"resumeAt": data.get("resumeAt")}
    if event_type == "hook_created":
        return {"token": data.get("token")}
    error = error_of(data.get("error"), data.get("stack"))
    if isinstance(error, dict) and isinstance(data.get("errorCode"), str):
        error["code"] = data["errorCode"]
    return {"error": error, "retryAfter": data.get("retryAfter")}


def _beginnings(connection: Connection, run_id: str, about: set[str]) -> Mapping[str, list[tuple[int, int]]]:
    """Return when steps and sleeps were begun: slots and times, in order."""
    begun: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    if about:
        query = select(_E.c.correlation_id, _E.c.slot, _E.c.created_at).where(
            _E.c.run_id == run_id, _E.c.correlation_id.in_(about), _E.c.event_type.in_(_BEGINNINGS)
        )
        for row in connection.execute(query.order_by(_E.c.slot)):
            begun[row.correlation_id].append((row.slot, row.created_at))
    return begun


def _step_names(connection: Connection, run_id: str, about: set[str]) -> dict[str, str]:
    if not about:
        return {}
    query = select(_S.c.step_id, _S.c.step_name).where(_S.c.run_id == run_id, _S.c.step_id.in_(about))
    return {row.step_id: row.step_name for row in connection.execute(query)}


def _since(connection: Connection, moment: int, run_id: str | None) -> tuple[list[Addition], bool]:
    found: list[tuple[int, str, int, Addition]] = []
    run_ids, may_lack = _lately_active(connection, moment) if run_id is None else ([run_id], False)
    for candidate in run_ids:
        for kind, place, at in (("log", _E.c.slot, _E.c.created_at), ("output", _O.c.position, _O.c.at)):
            query = select(place, at).where(place.table.c.run_id == candidate, at >= moment).order_by(place.desc())
            newest = connection.execute(query.limit(_FOUND + 1)).all()
            found += [(when, candidate, n, Addition(kind, candidate, n, n)) for n, when in newest]  # type: ignore[arg-type]
        if len(found) > 2 * _FOUND:
            may_lack = True
            found = _newest(found)
    may_lack = may_lack or len(found) > _FOUND
    return [addition for *_, addition in _newest(found)], may_lack


def _newest(found: list[tuple[int, str, int, Addition]]) -> list[tuple[int, str, int, Addition]]:
    # Lines and events of one moment: first what was printed.
    return sorted(found, key=lambda one: (one[0], one[1], one[3].kind == "log", one[2]))[-_FOUND:]


def _lately_active(connection: Connection, moment: int) -> tuple[list[str], bool]:
    """Return runs in which something may have happened since a moment, and whether there may be others.

    Those are the newest of the live ones, and the newest of all. An older one that has ended since is not found.
    """
    columns = (_R.c.run_id, _R.c.created_at, _R.c.last_event_at)
    newest = select(*columns).order_by(_R.c.run_id.desc()).limit(_LOOKED_THROUGH)
    run_ids = set()
    may_lack = False
    for status in ("running", "pending"):
        live = connection.execute(newest.where(_R.c.status == status)).all()
        run_ids |= {row.run_id for row in live}
        may_lack = may_lack or len(live) == _LOOKED_THROUGH
    rows = connection.execute(newest).all()
    run_ids |= {row.run_id for row in rows if row.last_event_at >= moment}
    return sorted(run_ids), may_lack or (len(rows) == _LOOKED_THROUGH and rows[-1].created_at >= moment)
