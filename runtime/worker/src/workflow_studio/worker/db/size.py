"""How large the database is, table by table, and what retention would delete."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from workflow_studio.worker.engine.objects import GRACE_MS
from workflow_studio.worker.engine.retention import count
from workflow_studio.worker.store import StoreError, maintenance, tables
from workflow_studio.worker.store.database import is_postgres
from workflow_studio.worker.store.inspection import look_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from workflow_studio.worker.engine.expiry import Retention

_POSTGRES_SIZES: Final = text(
    "SELECT relname AS name, pg_total_relation_size(oid) AS bytes, reltuples::bigint AS rows FROM pg_class "
    "WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace"
)
_SQLITE_SIZES: Final = text(
    "SELECT s.tbl_name AS name, sum(d.pgsize) AS bytes FROM dbstat('main', 1) d "
    "JOIN sqlite_schema s ON s.name = d.name GROUP BY s.tbl_name"
)


def size(location: str | Path, retention: Retention) -> dict[str, Any]:
    """Return how large a database is; a worker may use it meanwhile.

    Args:
        location: The database.
        retention: The rules whose effect is told.

    Raises:
        StoreError: If it cannot be read, or its schema is not this version's.
    """
    schema = look_at(location).schema
    schema.check()
    if schema.revision is None:
        raise StoreError("There is no database yet.", "Start a worker, or name another database.")
    if schema.is_outdated:
        raise StoreError(
            f"The database has the schema {schema.revision}, which is older than this version's.",
            "Run `studio db upgrade` first.",
        )
    with maintenance.reading(location) as connection:
        return _size(connection, retention, postgres=is_postgres(location))


def _size(connection: Connection, retention: Retention, *, postgres: bool) -> dict[str, Any]:
    now = time.time_ns() // 1_000_000
    found = _postgres(connection) if postgres else _sqlite(connection)
    by_size = sorted(found, key=lambda entry: (-(entry["bytes"] or 0), -entry["rows"], entry["name"]))
    return {
        "database": "postgresql" if postgres else "sqlite",
        "bytes": _total(connection, postgres=postgres),
        "freeBytes": None if postgres else _pragma(connection, "freelist_count") * _pragma(connection, "page_size"),
        "rowsAreEstimates": postgres,
        "tables": by_size,
        "objects": _objects(connection, now),
        "expired": asdict(count(connection, retention, now)),
    }


def _postgres(connection: Connection) -> list[dict[str, Any]]:
    rows = {row.name: row for row in connection.execute(_POSTGRES_SIZES)}
    return [
        # A table that was never analysed says -1, and is small.
        {"name": name, "rows": _rows(connection, name) if row.rows < 0 else row.rows, "bytes": row.bytes}
        for name, row in rows.items()
        if name in tables.metadata.tables
    ]


def _sqlite(connection: Connection) -> list[dict[str, Any]]:
    sizes: Mapping[str, int] = {}
    with suppress(OperationalError):  # not every SQLite is built with dbstat
        sizes = {row.name: row.bytes for row in connection.execute(_SQLITE_SIZES)}
    return [
        {"name": name, "rows": _rows(connection, name), "bytes": sizes.get(name)} for name in tables.metadata.tables
    ]


def _rows(connection: Connection, name: str) -> int:
    number: int = connection.execute(select(func.count()).select_from(tables.metadata.tables[name])).scalar_one()
    return number


def _total(connection: Connection, *, postgres: bool) -> int:
    if postgres:
        total: int = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
        return total
    return _pragma(connection, "page_count") * _pragma(connection, "page_size")


def _pragma(connection: Connection, name: str) -> int:
    value: int = connection.execute(text(f"PRAGMA {name}")).scalar_one()
    return value


def _objects(connection: Connection, now: int) -> dict[str, int]:
    o, refs = tables.objects, tables.object_refs
    nobodys = ~select(refs.c.digest).where(refs.c.digest == o.c.digest).exists()
    summed = select(func.count().label("number"), func.coalesce(func.sum(o.c.size), 0).label("bytes"))
    everything = connection.execute(summed).one()
    unused = connection.execute(summed.where(nobodys, o.c.touched_at < now - GRACE_MS)).one()
    return {
        "count": everything.number,
        "bytes": int(everything.bytes),
        "unusedCount": unused.number,
        "unusedBytes": int(unused.bytes),
    }
