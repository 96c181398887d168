"""What belongs to a run, and to what else a service is made of; the rows, and their digest.

A *unit* is what is copied and verified as a whole: a run with all that it has, or a section of what belongs to no run.
Its digest is made of its rows as Python has them, so it is the same whichever database they are in.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, and_, delete, exists, insert, literal, not_, select, true

from workflow_studio.compute import wire
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from sqlalchemy import Connection, Row, Select, Table

LEFT_BEHIND: Final = frozenset({"turns", "workers"})
"""Tables that say what workers are doing at the moment. None is while a service is copied."""

_ROWS: Final = 200
"""Rows that are read and written at a time."""

_C: Final = tables.stream_chunks
_S: Final = tables.streams
_R: Final = tables.stream_runs
_HAS_RUN: Final = exists().where(_R.c.run_id == _S.c.run_id, _R.c.name == _S.c.name)


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one table that belong to runs, or to a section.

    Attributes:
        table: The table.
        unit: The run of a row, or the name of the section.
        query: Finds the rows: the unit that each belongs to, and its columns.
    """

    table: Table
    unit: ColumnElement[str]
    query: Select[Any]


@dataclass(frozen=True, slots=True)
class Range:
    """Runs whose ids lie after one and up to another; None is no limit."""

    after: str | None
    upto: str | None

    def holds(self, unit: ColumnElement[str]) -> ColumnElement[bool]:
        """Return the condition that a run is among them."""
        return and_(
            unit.is_not(None),
            true() if self.after is None else unit > self.after,
            true() if self.upto is None else unit <= self.upto,
        )


@cache
def parts_of_runs() -> tuple[Part, ...]:
    """Return what runs have, in the order in which it can be written."""
    found = []
    of_run = and_(_S.c.name == _R.c.name, _S.c.run_id == _R.c.run_id)
    for table in tables.metadata.sorted_tables:
        if table.name in LEFT_BEHIND:
            continue
        if table is _S:
            # Streams are found by run quickly only through the other table.
            found.append(Part(table, _R.c.run_id, select(_R.c.run_id, table).join(table, of_run)))
        elif table is _C:
            chunks = select(_R.c.run_id, table).join(_S, of_run).join(table, table.c.name == _S.c.name)
            found.append(Part(table, _R.c.run_id, chunks))
        elif "run_id" in table.c:
            found.append(Part(table, table.c.run_id, select(table.c.run_id.label("unit"), table)))
    return tuple(Part(part.table, part.unit, part.query.order_by(part.unit, *_key(part.table))) for part in found)


@cache
def sections() -> dict[str, tuple[Part, ...]]:
    """Return what belongs to no run, by name, in the order in which it can be written."""
    found: dict[str, tuple[Part, ...]] = {
        table.name: (_section(table.name, table),)
        for table in tables.metadata.sorted_tables
        if "run_id" not in table.c and table is not _C and table.name not in LEFT_BEHIND
    }
    name = "messages without a run"
    found[name] = (_section(name, tables.messages, tables.messages.c.run_id.is_(None)),)
    name = "streams without a run"
    is_of_run = exists().where(_S.c.name == _C.c.name, _HAS_RUN)
    found[name] = (_section(name, _S, not_(_HAS_RUN)), _section(name, _C, not_(is_of_run)))
    return found


def _section(name: str, table: Table, where: ColumnElement[bool] | None = None) -> Part:
    query = select(literal(name).label("unit"), table).order_by(*_key(table))
    return Part(table, literal(name), query if where is None else query.where(where))


def _key(table: Table) -> list[ColumnElement[Any]]:
    return list(table.primary_key.columns)


def digests_of_runs(connection: Connection, within: Range) -> dict[str, str]:
    """Return the digests of the runs of a range."""
    return _digests((part.table, _read(connection, query)) for part, query in _within(within))


def digest_of_section(connection: Connection, name: str) -> str:
    """Return the digest of a section; that of an empty one is empty."""
    return _digests((part.table, _read(connection, part.query)) for part in sections()[name]).get(name, "")


def copy_runs(source: Connection, target: Connection, within: Range, only: Collection[str] | None) -> dict[str, str]:
    """Copy the runs of a range that are not in the target, and return their digests.

    Args:
        source: Is read.
        target: Is written.
        within: The runs.
        only: Those of them that are meant; None means all.
    """
    chosen = (
        (part.table, query if only is None else query.where(part.unit.in_(sorted(only))))
        for part, query in _within(within)
    )
    return _digests((table, _copied(source, target, table, query)) for table, query in chosen)


def copy_section(source: Connection, target: Connection, name: str) -> str:
    """Copy a section in place of what the target has of it, and return its digest."""
    parts = sections()[name]
    for part in reversed(parts):
        where = part.query.whereclause
        target.execute(delete(part.table) if where is None else delete(part.table).where(where))
    return _digests((part.table, _copied(source, target, part.table, part.query)) for part in parts).get(name, "")


def remove_runs(target: Connection, units: Collection[str]) -> None:
    """Remove runs and all that they have."""
    wanted = sorted(units)
    is_theirs = and_(_S.c.name == _R.c.name, _S.c.run_id == _R.c.run_id, _R.c.run_id.in_(wanted))
    for table in (_C, _S):
        target.execute(delete(table).where(table.c.name.in_(select(_S.c.name).join(_R, is_theirs))))
    for part in reversed(parts_of_runs()):
        if part.table is not _C and part.table is not _S:
            target.execute(delete(part.table).where(part.table.c.run_id.in_(wanted)))


def _within(within: Range) -> Iterator[tuple[Part, Select[Any]]]:
    for part in parts_of_runs():
        yield part, part.query.where(within.holds(part.unit))


def _digests(found: Iterable[tuple[Table, Iterable[Sequence[Row[Any]]]]]) -> dict[str, str]:
    """Return the digests of the units of rows, which are read as they are asked for."""
    hashes: defaultdict[str, Any] = defaultdict(hashlib.sha256)
    for table, batches in found:
        for rows in batches:
            for row in rows:
                hashes[row[0]].update(wire.encode([table.name, *row[1:]]))
    return {unit: made.hexdigest() for unit, made in hashes.items()}


def _read(connection: Connection, query: Select[Any]) -> Iterator[Sequence[Row[Any]]]:
    """Give rows, some at a time: all of them may be more than there is memory for."""
    with connection.execute(query.execution_options(yield_per=_ROWS)) as result:
        yield from result.partitions()


def _copied(source: Connection, target: Connection, table: Table, query: Select[Any]) -> Iterator[Sequence[Row[Any]]]:
    """Write the rows that a query finds, and give them."""
    names = [column.name for column in table.columns]
    for rows in _read(source, query):
        target.execute(insert(table), [dict(zip(names, row[1:], strict=True)) for row in rows])
        yield rows
