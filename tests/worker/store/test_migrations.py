"""The migrations make the schema that the tables describe, and can be taken back."""

from __future__ import annotations

import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from workflow_studio.worker.store import Database, StoreVersionError, _migrate, _sqlite, tables


@pytest.fixture
def engine(tmp_path):
    engine = _sqlite.engine(tmp_path / "worker.db")
    yield engine
    engine.dispose()


def names(engine):
    with engine.connect() as connection:
        return set(inspect(connection).get_table_names())


def test_upgrading_makes_exactly_the_described_tables(engine):
    _migrate.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, tables.metadata) == []
    assert names(engine) == {*tables.metadata.tables, "alembic_version"}


def test_upgrading_twice_changes_nothing(engine):
    _migrate.upgrade(engine)
    _migrate.upgrade(engine)
    assert set(tables.metadata.tables) < names(engine)


def test_downgrading_takes_everything_back_and_up_again(engine):
    _migrate.upgrade(engine)
    _migrate.downgrade(engine, "base")
    assert names(engine) == {"alembic_version"}
    _migrate.upgrade(engine)
    assert set(tables.metadata.tables) < names(engine)


def test_a_failing_migration_leaves_nothing_behind(engine, monkeypatch):
    def break_down(*_):
        engine.dispose()
        raise RuntimeError("power cut")

    monkeypatch.setattr(_migrate.command, "upgrade", _after(_migrate.command.upgrade, break_down))
    with pytest.raises(RuntimeError, match="power cut"):
        _migrate.upgrade(engine)
    assert names(engine) == set()


def _after(action, then):
    def both(*arguments):
        action(*arguments)
        then(*arguments)

    return both


def test_a_database_of_a_newer_worker_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "worker.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.commit()
    connection.close()
    with pytest.raises(StoreVersionError, match="does not know"):
        Database.open(path)
    # The lock was let go, so a newer worker can open it.
    _sqlite.lock(path).release()
