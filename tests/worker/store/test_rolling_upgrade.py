"""Workers of two versions at once: what the older one can go on with, and what it must refuse."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from tests.support.newer_schema import REVISION, newer_worker
from workflow_studio.worker.store import StoreLockedError, StoreVersionError, _migrate, _postgres_sessions, _sqlite
from workflow_studio.worker.store.inspection import look_at

NOW = _migrate.HEAD


@pytest.fixture
def engine(bare_place, tmp_path):
    if bare_place.kind == "sqlite":
        engine = _sqlite.engine(tmp_path / "worker.db")
    else:
        engine = _postgres_sessions.engine_of(lambda: psycopg.connect(bare_place.location), 4)
    yield engine
    engine.dispose()


def schema_of(engine):
    with engine.connect() as connection:
        return _migrate.read_schema(connection)


def shape(engine):
    """Return what statements of a worker lean on: columns, and what the database checks."""
    with engine.connect() as connection:
        inspector = inspect(connection)
        return {
            table: {
                "columns": {
                    column["name"]: (str(column["type"]), column["nullable"], column["default"] is not None)
                    for column in inspector.get_columns(table)
                },
                "key": inspector.get_pk_constraint(table)["constrained_columns"],
                "unique": {tuple(one["column_names"]) for one in inspector.get_unique_constraints(table)}
                | {tuple(one["column_names"]) for one in inspector.get_indexes(table) if one["unique"]},
                "foreign": {tuple(one["constrained_columns"]) for one in inspector.get_foreign_keys(table)},
                "checks": {one["sqltext"] for one in inspector.get_check_constraints(table)},
            }
            for table in inspector.get_table_names()
        }


def what_an_older_worker_misses(before, after):
    """Return the changes that a worker which knows only ``before`` would stumble over."""
    missed = []
    for table, old in before.items():
        new = after.get(table)
        if new is None:
            missed.append(f"{table} is gone")
            continue
        for name, column in old["columns"].items():
            if new["columns"].get(name) != column:
                missed.append(f"{table}.{name} is not what it was")
        missed += [
            f"{table}.{name} must be given"
            for name, (_, nullable, has_default) in new["columns"].items()
            if name not in old["columns"] and not nullable and not has_default
        ]
        missed += [
            f"{table}: {kind} differ" for kind in ("key", "unique", "foreign", "checks") if old[kind] != new[kind]
        ]
    return sorted(missed)


def test_every_revision_says_whether_older_workers_may_go_on_and_says_the_truth(engine):
    scripts = list(reversed(list(ScriptDirectory.from_config(_migrate.config()).walk_revisions())))
    before = {}
    for script in scripts:
        with _migrate.transaction(engine) as connection:
            _migrate._migrate(connection, "upgrade", script.revision)
        after = shape(engine)
        if script.module.additive:
            assert what_an_older_worker_misses(before, after) == [], script.revision
        before = after
    assert _migrate.served_by(_migrate.HEAD) == _migrate.SERVES


def test_the_check_of_that_finds_what_is_not_additive(engine):
    with _migrate.transaction(engine) as connection:
        _migrate._migrate(connection, "upgrade", "0004")
    before = shape(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE UNIQUE INDEX uq_hooks_owner ON hooks (owner_id)")
        connection.exec_driver_sql("ALTER TABLE streams DROP COLUMN closed_at")
        connection.exec_driver_sql("DROP TABLE audit")
    assert what_an_older_worker_misses(before, shape(engine)) == [
        "audit is gone",
        "hooks: unique differ",
        "streams.closed_at is not what it was",
    ]


def test_who_is_served_is_written_down_with_every_revision(engine):
    for revision, serves in (("0002", "0002"), ("0003", "0002"), ("0004", "0004"), ("0005", "0005")):
        with _migrate.transaction(engine) as connection:
            _migrate._migrate(connection, "upgrade", revision)
        assert schema_of(engine) == _migrate.Schema(revision, serves)
    _migrate.downgrade(engine, "0003")
    assert schema_of(engine) == _migrate.Schema("0003", "0002")


async def test_a_worker_goes_on_with_an_additive_schema_of_a_newer_one(place, tmp_path):
    await place.open().close()
    with newer_worker(tmp_path, additive=True):
        await place.open().close()
        assert look_at(place.location).revision == REVISION
    await place.open().close()
    state = look_at(place.location)
    assert state.revision == REVISION  # it did not take anything back
    assert not state.outdated
    with newer_worker(tmp_path, additive=True):
        await place.open().close()
        take_back(place)


async def test_a_worker_refuses_a_newer_schema_that_is_not_additive(place, tmp_path):
    await place.open().close()
    with newer_worker(tmp_path, additive=False):
        await place.open().close()
    with pytest.raises(StoreVersionError, match=f"the schema {REVISION}, which this worker does not know") as refused:
        place.open()
    assert "newer" in refused.value.recovery
    with newer_worker(tmp_path, additive=False):
        take_back(place)


def take_back(place):
    """Leave the database as others expect it: the PostgreSQL one is shared by the tests."""
    if place.kind == "postgresql":
        engine = _postgres_sessions.engine_of(lambda: psycopg.connect(place.location), 1)
        _migrate.downgrade(engine, NOW)
        engine.dispose()


def test_of_many_that_start_at_once_one_makes_the_tables_and_the_others_wait(engine):
    together = threading.Barrier(4)

    def start(_):
        together.wait(10)
        _migrate.upgrade(engine)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(start, range(4)))
    assert schema_of(engine) == _migrate.Schema(_migrate.HEAD, _migrate.SERVES)


def test_of_many_that_start_at_once_one_migrates_and_the_others_wait(engine, tmp_path, monkeypatch):
    _migrate.upgrade(engine)
    migrated = []
    migrate = _migrate._migrate
    monkeypatch.setattr(_migrate, "_migrate", lambda *arguments: (migrated.append(1), migrate(*arguments)))
    together = threading.Barrier(4)

    def start(_):
        together.wait(10)
        _migrate.upgrade(engine)

    with newer_worker(tmp_path, additive=True), ThreadPoolExecutor(4) as threads:
        list(threads.map(start, range(4)))
    assert len(migrated) == 1
    assert schema_of(engine).revision == REVISION


def test_only_a_migration_that_is_not_additive_asks_for_the_database_alone(engine, tmp_path):
    _migrate.upgrade(engine)
    with newer_worker(tmp_path, additive=True):
        _migrate.upgrade(engine, is_alone=lambda: False)
        _migrate.downgrade(engine, NOW)
    with newer_worker(tmp_path, additive=False):
        with pytest.raises(StoreLockedError, match=f"The migration {REVISION} needs the database for itself"):
            _migrate.upgrade(engine, is_alone=lambda: False)
        assert schema_of(engine).revision == NOW
        _migrate.upgrade(engine, is_alone=lambda: True)
        assert schema_of(engine) == _migrate.Schema(REVISION, REVISION)


def test_the_statements_of_an_upgrade_make_what_the_upgrade_makes(engine):
    with _migrate.transaction(engine) as connection:
        _migrate._migrate(connection, "upgrade", "0002")
    written = _migrate.statements(schema_of(engine), engine.dialect.name)
    with engine.begin() as connection:
        for statement in written.split(";"):
            if statement.strip() and statement.strip() not in {"BEGIN", "COMMIT"}:
                connection.exec_driver_sql(statement.replace("%", "%%"))
    made = shape(engine)
    _migrate.downgrade(engine, "0002")
    _migrate.upgrade(engine)
    assert shape(engine) == made
