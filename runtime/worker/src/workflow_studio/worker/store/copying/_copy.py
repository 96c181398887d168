"""The copy: what is done in which order, and what the target remembers of it.

The target's revision is ``copying`` until everything is verified, so no worker starts on a half of a service. Each
commit brings some runs as a whole together with their digests. A copy that was interrupted is begun again: whatever is
in the target with the digest that it has in the source is left alone, and the rest is copied anew. So it does no harm
if the source has changed in between. At the end every digest is made anew of what the target gives back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, MetaData, String, Table, delete, func, insert, inspect, select

from workflow_studio.worker.store import _migrate, tables
from workflow_studio.worker.store.copying import rows
from workflow_studio.worker.store.copying.errors import CopyDamagedError, CopyRefusedError
from workflow_studio.worker.store.copying.rows import Range
from workflow_studio.worker.store.maintenance import alone_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection, Engine

    Progress = Callable[[str, int, int], None]

_RUNS: Final = 100
"""Runs that are committed together."""

_MAX_UNITS: Final = 500
"""Values in a list of a statement."""

_STATE: Final = Table(
    "copy_state",
    MetaData(),
    # What it says: of the copy as a whole, of a run or of a section; its name; and its digest.
    Column("kind", String(16), primary_key=True),
    Column("name", tables.runs.c.run_id.type, primary_key=True),
    Column("digest", String(64), nullable=False),
)
_UNKNOWN: Final = "damaged"
"""Stands in place of a digest where the target's rows are not to be relied on."""


@dataclass(slots=True)
class Copied:
    """What a copy has done.

    Attributes:
        runs: How many runs are in the target.
        copied: How many of them this call has copied.
        rows: How many rows are in each table of the target.
    """

    runs: int = 0
    copied: int = 0
    rows: dict[str, int] = field(default_factory=dict)


def copy(source: str | Path, target: str | Path, progress: Progress = lambda *_: None) -> Copied:
    """Copy a whole service into a database that is empty, or that has a part of it from an earlier call.

    Args:
        source: The database that is copied, as :meth:`workflow_studio.worker.store.Database.open` takes it.
        target: The database that it is copied to.
        progress: Hears what is done, how far it is, and how far it goes.

    Raises:
        StoreLockedError: If a worker uses one of them.
        CopyRefusedError: If the source has another schema, or the target has something else in it.
        CopyDamagedError: If the target does not give back what was written.
        StoreError: If a database fails.
    """
    with alone_with(source) as from_engine, alone_with(target, create=True) as to_engine:
        with from_engine.connect() as reading:
            _require_current(reading)
            whence = _identity(reading)
        with _migrate.transaction(to_engine) as writing:
            _begin(writing, whence)
        work = _Copy(from_engine, to_engine, progress)
        work.copy_runs()
        work.copy_sections()
        work.verify()
        with _migrate.transaction(to_engine) as writing:
            _STATE.drop(writing)
            _migrate.stamp(writing, _migrate.HEAD, _migrate.SERVES)
        return work.done


class _Copy:
    """A copy under way."""

    def __init__(self, source: Engine, target: Engine, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self.done = Copied()

    def copy_runs(self) -> None:
        """Copy the runs that the target does not have as they are."""
        total = self._total()
        for within, runs in self._ranges():
            with self._source.connect() as reading, _migrate.transaction(self._target) as writing:
                copied = _bring(reading, writing, within)
            self.done.copied += len(copied.intersection(runs))
            self.done.runs += len(runs)
            self._progress("Copying runs", self.done.runs, total)

    def copy_sections(self) -> None:
        """Copy what belongs to no run."""
        for number, name in enumerate(rows.sections(), 1):
            with self._source.connect() as reading, _migrate.transaction(self._target) as writing:
                known = _known(writing, "section").get(name)
                if known is None or known != rows.digest_of_section(reading, name):
                    _remember(writing, "section", {name: rows.copy_section(reading, writing, name)})
            self._progress("Copying the rest", number, len(rows.sections()))

    def verify(self) -> None:
        """Compare what the target gives back with what was written into it.

        Raises:
            CopyDamagedError: They are not the same.
        """
        damaged = [*self._damaged_runs(), *self._damaged_sections()]
        with self._source.connect() as reading, self._target.connect() as written:
            wanted, self.done.rows = _counts(reading), _counts(written)
        damaged += [f"table {name}" for name, count in wanted.items() if self.done.rows[name] != count and not damaged]
        if damaged:
            raise CopyDamagedError(damaged)

    def _damaged_runs(self) -> Iterator[str]:
        total, seen = self._total(), 0
        for within, runs in self._ranges():
            with _migrate.transaction(self._target) as writing:
                known = _known(writing, "run", within)
                found = rows.digests_of_runs(writing, within)
                wrong = sorted(name for name in {*known, *found} if known.get(name) != found.get(name))
                _remember(writing, "run", dict.fromkeys(wrong, _UNKNOWN))
            yield from wrong
            seen += len(runs)
            self._progress("Verifying runs", seen, total)

    def _damaged_sections(self) -> Iterator[str]:
        with _migrate.transaction(self._target) as writing:
            known = _known(writing, "section")
            wrong = [name for name in rows.sections() if rows.digest_of_section(writing, name) != known[name]]
            _remember(writing, "section", dict.fromkeys(wrong, _UNKNOWN))
        yield from wrong

    def _total(self) -> int:
        with self._source.connect() as reading:
            return reading.execute(select(func.count()).select_from(tables.runs)).scalar_one()

    def _ranges(self) -> Iterator[tuple[Range, Sequence[str]]]:
        """Give ranges that together hold everything that names a run, and the source's runs in each."""
        run_id = tables.runs.c.run_id
        after: str | None = None
        while True:
            query = select(run_id).order_by(run_id).limit(_RUNS)
            with self._source.connect() as reading:
                found = reading.execute(query if after is None else query.where(run_id > after)).scalars().all()
            is_last = len(found) < _RUNS
            upto = None if is_last else found[-1]
            yield Range(after, upto), found
            if is_last:
                return
            after = upto


def _bring(reading: Connection, writing: Connection, within: Range) -> set[str]:
    """Have the target hold the runs of a range as the source does; return those that were copied."""
    known = _known(writing, "run", within)
    wanted: list[str] | None = None
    if known:
        found = rows.digests_of_runs(reading, within)
        old = sorted(name for name in known if found.get(name) != known[name])
        for some in _in_lists(old):
            rows.remove_runs(writing, some)
            writing.execute(delete(_STATE).where(_STATE.c.kind == "run", _STATE.c.name.in_(some)))
        wanted = sorted(name for name in found if found[name] != known.get(name))
    copied: dict[str, str] = {}
    for chosen in [None] if wanted is None else _in_lists(wanted):
        copied |= rows.copy_runs(reading, writing, within, chosen)
    _remember(writing, "run", copied)
    return set(copied)


def _in_lists(names: list[str]) -> Iterator[list[str]]:
    """Give names, as many at a time as a statement can take."""
    for start, end in pairwise([*range(0, len(names), _MAX_UNITS), len(names)]):
        yield names[start:end]


def _require_current(reading: Connection) -> None:
    schema = _migrate.read_schema(reading)
    schema.check()
    if schema.revision != _migrate.HEAD:
        raise CopyRefusedError(
            f"The source has the schema {schema.revision or 'of nothing yet'}; this version copies {_migrate.HEAD}.",
            "Run `studio db upgrade` on it first, with the version that will serve the target.",
        )


def _identity(reading: Connection) -> str:
    """Return what tells the source from other databases."""
    value = tables.settings.c.value
    return reading.execute(select(value).where(tables.settings.c.key == "database_id")).scalar() or "-"


def _begin(writing: Connection, whence: str) -> None:
    """Prepare the target, or make sure that it is a part of the same copy."""
    about = {"source": whence, "schema": _migrate.HEAD}
    names = inspect(writing).get_table_names()
    if not names:
        _migrate.create_tables(writing)
        _migrate.stamp(writing, _migrate.COPYING, None)
        _STATE.create(writing)
        _remember(writing, "copy", about)
        return
    if _STATE.name not in names:
        raise CopyRefusedError(
            "The target is not empty.", "Name a database without tables, or an SQLite file that does not exist."
        )
    if _known(writing, "copy") != about:
        raise CopyRefusedError(
            "The target has a part of the copy of another database, or of another version.",
            "Empty it, and run the command again.",
        )


def _known(connection: Connection, kind: str, within: Range | None = None) -> dict[str, str]:
    query = select(_STATE.c.name, _STATE.c.digest).where(_STATE.c.kind == kind)
    found = connection.execute(query if within is None else query.where(within.holds(_STATE.c.name)))
    return dict(found.all())


def _remember(writing: Connection, kind: str, digests: Mapping[str, str]) -> None:
    for some in _in_lists(list(digests)):
        writing.execute(delete(_STATE).where(_STATE.c.kind == kind, _STATE.c.name.in_(some)))
        values: list[dict[str, Any]] = [{"kind": kind, "name": name, "digest": digests[name]} for name in some]
        writing.execute(insert(_STATE), values)


def _counts(connection: Connection) -> dict[str, int]:
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in tables.metadata.sorted_tables
        if table.name not in rows.LEFT_BEHIND
    }
