"""Reads of runs, steps, hooks and events."""

from __future__ import annotations

import asyncio
import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Table, and_, bindparam, or_, select

from workflow_studio.compute.ids import RUN_ID, event_id, event_slot
from workflow_studio.compute.world_errors import HookNotFoundError, RunNotFoundError, WorldError
from workflow_studio.worker.engine import present, references
from workflow_studio.worker.engine.clock import run_ids_around
from workflow_studio.worker.engine.params import MAX_PAGE, MAX_WAIT_MS, Paged, RunsSearch
from workflow_studio.worker.engine.transitions import TERMINAL
from workflow_studio.worker.store import LAZILY, tables
from workflow_studio.worker.store.statements import Row, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sqlalchemy import MappingResult, RowMapping, Select

    from workflow_studio.worker.engine import params as p
    from workflow_studio.worker.engine.signals import Signals
    from workflow_studio.worker.store import Database

MAX_PAGE_BYTES: Final = 16 * 1024 * 1024
"""Payloads after which a page ends. An answer to an executor has to fit into a frame of 64 MiB."""

_ENTITY_ID: Final = re.compile(r"[\x21-\x7e]{1,300}")
_EXECUTOR: Final = "executorId"
_OF_RUN: Final = "run__"
"""What the columns of a run begin with where they stand beside those of something else."""

Page = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Order:
    """How a list is ordered and what its cursors look like."""

    columns: tuple[ColumnElement[Any], ...]
    cursor_of: Callable[[Any], str]
    values_of: Callable[[str], tuple[Any, ...]]
    descending: bool
    limit: int


class Queries:
    """The World's read methods.

    Args:
        database: Where the rows are.
        ended: Tells of runs that end, by their ids.
        for_people: Whether entities say where they came from: the executor, the key. The World lane leaves it out: its
            entities have the fields of the Workflow SDK's types, and no others.
    """

    def __init__(self, database: Database, ended: Signals, *, for_people: bool = False) -> None:
        self._database = database
        self._ended = ended
        self._for_people = for_people

    async def get_run(self, params: p.RunsGet) -> dict[str, Any]:
        """Return a run, waiting for its end if told to.

        Raises:
            RunNotFoundError: If there is none; that is never waited for.
        """
        if params.wait_ms:
            await self._end_of(params.run_id, min(params.wait_ms, MAX_WAIT_MS) / 1000)
        query = _RUN[params.with_payloads]
        row = await self._database.first(query, {"run": params.run_id})
        # What retention is deleting just now is gone for whoever asks.
        if row is None or row["expired_at"] is not None:
            raise RunNotFoundError(params.run_id)
        return self._run(row, with_payloads=params.with_payloads)

    async def _end_of(self, run_id: str, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        # Only the status is looked at: a caller that waits holds no payloads.
        with self._ended.listening(run_id) as listener:
            while True:
                row = await self._database.first(_STATUS, {"run": run_id})
                if row is None or row["status"] in TERMINAL or not await listener.wait_until(deadline):
                    return

    async def list_runs(self, params: p.RunsList) -> Page:
        """Return runs, newest first unless told otherwise."""
        runs = tables.runs
        query = _select(runs, params.with_payloads).where(runs.c.expired_at.is_(None))
        if params.workflow_name is not None:
            query = query.where(runs.c.workflow_name == params.workflow_name)
        if isinstance(params.status, str):
            query = query.where(runs.c.status == params.status)
        elif params.status is not None:
            query = query.where(runs.c.status.in_(params.status))
        if isinstance(params, RunsSearch):
            query = query.where(*_found_by(params))
        order = _Order((runs.c.run_id,), lambda row: str(row["run_id"]), _run_cursor, descending=True, limit=20)
        return await self._page(query, params, order, self._run)

    async def get_step(self, params: p.StepsGet) -> dict[str, Any]:
        """Return a step.

        Raises:
            WorldError: With status 404, if there is none.
        """
        steps = tables.steps
        query = _select(steps, params.with_payloads).where(steps.c.step_id == params.step_id)
        if params.run_id:
            query = query.where(steps.c.run_id == params.run_id)
        row = await self._first(query.order_by(steps.c.created_at.desc()).limit(1))
        if row is None:
            raise WorldError(f'Step "{params.step_id}" not found', status=404)
        return self._step(row, with_payloads=params.with_payloads)

    async def list_steps(self, params: p.OfRun) -> Page:
        """Return the steps of a run, newest first unless told otherwise."""
        steps = tables.steps
        query = _select(steps, params.with_payloads).where(steps.c.run_id == params.run_id)
        order = _Order((steps.c.step_id,), lambda row: str(row["step_id"]), _entity_cursor, descending=True, limit=20)
        return await self._page(query, params, order, self._step)

    async def get_event(self, params: p.EventsGet) -> dict[str, Any]:
        """Return an event.

        Raises:
            WorldError: With status 404, if there is none.
        """
        events = tables.events
        try:
            slot = event_slot(params.event_id)
        except ValueError:
            slot = 0
        row = await self._first(select(events).where(events.c.run_id == params.run_id, events.c.slot == _bounded(slot)))
        if row is None:
            raise WorldError(f'Event "{params.event_id}" not found', status=404)
        return self._event(row, with_payloads=params.with_payloads)

    async def list_events(self, params: p.OfRun) -> Page:
        """Return the log of a run, oldest first unless told otherwise."""
        events = tables.events
        query = select(events).where(events.c.run_id == params.run_id)
        order = _Order((events.c.slot,), lambda row: event_id(row["slot"]), _slot_cursor, descending=False, limit=100)
        return await self._page(query, params, order, self._event)

    async def list_events_by_correlation_id(self, params: p.ByCorrelationId) -> Page:
        """Return the events of a step, hook or wait, oldest first unless told otherwise.

        Slots of different runs can be equal. Without a run the cursor therefore names the run, too.
        """
        events = tables.events
        query = select(events).where(events.c.correlation_id == params.correlation_id)
        if params.run_id:
            query = query.where(events.c.run_id == params.run_id)
            order = _Order(
                (events.c.slot,), lambda row: event_id(row["slot"]), _slot_cursor, descending=False, limit=100
            )
        else:
            order = _Order(
                (events.c.slot, events.c.run_id),
                lambda row: f"{event_id(row['slot'])}.{row['run_id']}",
                _slot_and_run_cursor,
                descending=False,
                limit=100,
            )
        return await self._page(query, params, order, self._event)

    async def get_hook(self, params: p.HooksGet) -> dict[str, Any]:
        """Return a live hook.

        Raises:
            HookNotFoundError: If there is none.
        """
        hooks = tables.hooks
        query = _select(hooks, params.with_payloads).where(hooks.c.hook_id == params.hook_id)
        row = await self._first(query.order_by(hooks.c.created_at.desc()).limit(1))
        if row is None:
            raise HookNotFoundError(params.hook_id)
        return present.hook(row, with_payloads=params.with_payloads)

    async def get_hook_by_token(self, params: p.HooksGetByToken) -> dict[str, Any]:
        """Return the live hook that holds a token, with its run as ``run`` if that is asked for.

        Raises:
            HookNotFoundError: If there is none.
        """
        queries = _HOOK_AND_RUN if params.with_run else _HOOK
        row = await self._database.first(queries[params.with_payloads], {"token": params.token})
        if row is None:
            raise HookNotFoundError(params.token)
        found = present.hook(row, with_payloads=params.with_payloads)
        if params.with_run:
            run = {key.removeprefix(_OF_RUN): value for key, value in row.items() if key.startswith(_OF_RUN)}
            found["run"] = self._run(run, with_payloads=params.with_payloads)
        return found

    async def list_hooks(self, params: p.HooksList) -> Page:
        """Return live hooks, by id."""
        hooks = tables.hooks
        query = _select(hooks, params.with_payloads)
        if params.run_id:
            query = query.where(hooks.c.run_id == params.run_id)
        order = _Order((hooks.c.hook_id,), lambda row: str(row["hook_id"]), _entity_cursor, descending=False, limit=100)
        return await self._page(query, params, order, present.hook)

    def _run(self, row: Any, *, with_payloads: bool) -> dict[str, Any]:
        entity = present.run(row, with_payloads=with_payloads)
        return {**entity, **present.origin(row)} if self._for_people else entity

    def _step(self, row: Any, *, with_payloads: bool) -> dict[str, Any]:
        return self._named_executor(present.step(row, with_payloads=with_payloads), row)

    def _event(self, row: Any, *, with_payloads: bool) -> dict[str, Any]:
        entity = self._named_executor(present.event(row, with_payloads=with_payloads), row)
        return {**entity, **present.request_of(row)} if self._for_people else entity

    def _named_executor(self, entity: dict[str, Any], row: Any) -> dict[str, Any]:
        if self._for_people and row["executor_id"] is not None:
            entity[_EXECUTOR] = row["executor_id"]
        return entity

    async def _first(self, query: Select[Any]) -> Any:
        return await self._database.read(lambda connection: connection.execute(query).mappings().first())

    async def _page(
        self, query: Select[Any], params: Paged, order: _Order, entity: Callable[..., dict[str, Any]]
    ) -> Page:
        descending = order.descending if params.sort_order is None else params.sort_order == "desc"
        limit = min(params.limit or order.limit, MAX_PAGE)
        if params.cursor:
            query = query.where(_after(order.columns, order.values_of(params.cursor), descending=descending))
        keys = [column.desc() if descending else column.asc() for column in order.columns]
        query = query.order_by(*keys).limit(limit + 1).execution_options(**LAZILY)
        page, more = await self._database.read(lambda connection: take(connection.execute(query).mappings(), limit))
        return {
            "data": [entity(row, with_payloads=params.with_payloads) for row in page],
            "cursor": order.cursor_of(page[-1]) if page else None,
            "hasMore": more,
        }


def take(rows: MappingResult | Generator[Row, None, None], limit: int) -> tuple[list[RowMapping | Row], bool]:
    """Return rows up to a number and to :data:`MAX_PAGE_BYTES` of payloads, at least one, and whether there are more.

    Args:
        rows: The result of a query for one row more than ``limit``; what is not taken is not read.
        limit: How many at most.
    """
    taken: list[RowMapping | Row] = []
    size = 0
    with closing(rows):
        for row in rows:
            if len(taken) == limit or size > MAX_PAGE_BYTES:
                return taken, True
            taken.append(row)
            size += sum(
                len(value) + references.size_beside(value) for value in row.values() if isinstance(value, bytes)
            )
    return taken, False


def _found_by(params: RunsSearch) -> list[ColumnElement[bool]]:
    """Return what the search asks of runs beyond what the World can."""
    r = tables.runs.c
    least, greatest = run_ids_around(params.created_after, params.created_before)
    asked: list[tuple[Any, Callable[[Any], ColumnElement[bool]]]] = [
        (params.deployment_id, lambda value: r.deployment_id == value),
        (params.environment, lambda value: r.environment == value),
        (params.created_after, lambda value: r.created_at >= value),
        (params.created_before, lambda value: r.created_at < value),
        (least, lambda value: r.run_id >= value),
        (greatest, lambda value: r.run_id <= value),
    ]
    return [condition(value) for value, condition in asked if value is not None]


def _select(table: Table, with_payloads: bool) -> Select[Any]:  # noqa: FBT001  # reads as the parameter it passes on
    if with_payloads:
        return select(table)
    return select(*(column for column in table.c if column.name not in present.HEAVY_COLUMNS))


# With and without payloads.
_RUN: Final = {
    full: Statement(_select(tables.runs, full).where(tables.runs.c.run_id == bindparam("run")))
    for full in (True, False)
}
_HOOK: Final = {
    full: Statement(_select(tables.hooks, full).where(tables.hooks.c.token == bindparam("token")))
    for full in (True, False)
}
_HOOK_AND_RUN: Final = {
    full: Statement(
        query.element.add_columns(
            *(column.label(f"{_OF_RUN}{column.key}") for column in _select(tables.runs, full).selected_columns)
        ).join(tables.runs, tables.runs.c.run_id == tables.hooks.c.run_id)
    )
    for full, query in _HOOK.items()
}
"""What a hook is resumed with, in one question."""

_STATUS: Final = Statement(select(tables.runs.c.status).where(tables.runs.c.run_id == bindparam("run")))


def _after(
    columns: tuple[ColumnElement[Any], ...], values: tuple[Any, ...], *, descending: bool
) -> ColumnElement[bool]:
    first: ColumnElement[bool] = columns[0] < values[0] if descending else columns[0] > values[0]
    if len(columns) == 1:
        return first
    rest = _after(columns[1:], values[1:], descending=descending)
    return or_(first, and_(columns[0] == values[0], rest))


def _run_cursor(cursor: str) -> tuple[Any, ...]:
    if not RUN_ID.fullmatch(cursor):
        raise _bad_cursor()
    return (cursor,)


def _entity_cursor(cursor: str) -> tuple[Any, ...]:
    if not _ENTITY_ID.fullmatch(cursor):
        raise _bad_cursor()
    return (cursor,)


def _slot_cursor(cursor: str) -> tuple[Any, ...]:
    try:
        return (_bounded(event_slot(cursor)),)
    except ValueError as error:
        raise _bad_cursor() from error


def _slot_and_run_cursor(cursor: str) -> tuple[Any, ...]:
    event, _, run = cursor.partition(".")
    if not run:
        # The event id alone, as a client of the reference Worlds would send it.
        return (*_slot_cursor(event), "~")
    return (*_slot_cursor(event), *_run_cursor(run))


def _bounded(slot: int) -> int:
    return min(slot, 2**63 - 1)


def _bad_cursor() -> WorldError:
    return WorldError("The cursor is not one of this list", status=400)
