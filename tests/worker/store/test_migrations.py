"""The migrations make the schema that the tables describe, and can be taken back."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

from workflow_studio.worker.store import StoreVersionError, _migrate, _postgres_sessions, _sqlite, tables


@pytest.fixture
def engine(bare_place, tmp_path):
    if bare_place.kind == "sqlite":
        engine = _sqlite.engine(tmp_path / "worker.db")
    else:
        engine = _postgres_sessions.engine_of(lambda: psycopg.connect(bare_place.location), 1)
    yield engine
    engine.dispose()


def migrate(engine, revision):
    with _migrate.transaction(engine) as connection:
        _migrate._migrate(connection, "upgrade", revision)


def differences(engine):
    """Return where the database is not what the tables describe."""

    def is_ours(name, kind, _):
        return kind != "table" or name != _migrate.SERVED.name

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False, "include_name": is_ours})
        return compare_metadata(context, tables.metadata)


def details(engine):
    """Return what the comparison of Alembic leaves out."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name"
        else:
            query = (
                "SELECT table_name, column_name, data_type, collation_name, is_nullable "
                "FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
            )
        return connection.exec_driver_sql(query).all()


def names(engine):
    with engine.connect() as connection:
        return set(inspect(connection).get_table_names())


def test_the_migrations_make_exactly_the_described_tables(engine):
    migrate(engine, _migrate.HEAD)
    assert differences(engine) == []
    assert names(engine) == {*tables.metadata.tables, "alembic_version", "schema_serves"}


def test_a_new_database_is_the_same_as_a_migrated_one(engine):
    _migrate.upgrade(engine)
    made = details(engine)
    _migrate.downgrade(engine, "base")
    _migrate.upgrade(engine)
    assert details(engine) == made


def test_the_newest_revision_is_the_one_that_is_stamped(engine):
    assert ScriptDirectory.from_config(_migrate.config()).get_current_head() == _migrate.HEAD
    _migrate.upgrade(engine)
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == _migrate.HEAD


def test_a_database_of_an_older_worker_is_brought_up_to_date(engine):
    migrate(engine, "0001")
    _migrate.upgrade(engine)
    assert differences(engine) == []


def run(engine, *statements):
    with engine.begin() as connection:
        return [connection.exec_driver_sql(statement) for statement in statements]


def rows(engine, query):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_what_was_active_is_active_in_the_default_environment_and_comes_back(engine):
    migrate(engine, "0004")
    message = (
        "INSERT INTO messages (message_id, kind, queue_name, body, status, run_at, attempt, failures, unresolved, "
    )
    message += "is_wake, is_health_check, created_at) VALUES ('msg_1', 'workflow', 'q', '', 'ready', 1, 0, 0, 0, "
    message += "'0', '0', 1)"
    run(
        engine,
        "INSERT INTO deployments (id, digest, manifest, created_at) VALUES ('dep_1', '', '', 1)",
        "INSERT INTO deployments (id, digest, manifest, created_at, activated_at, activated_by)"
        " VALUES ('dep_2', '', '', 1, 2, 'ops')",
        "INSERT INTO settings (key, value) VALUES ('active_deployment', 'dep_2'), ('database_id', 'd')",
        message,
    )
    _migrate.upgrade(engine)
    assert rows(engine, "SELECT name, deployment_id FROM environments") == [("production", "dep_2")]
    assert rows(engine, "SELECT * FROM activations") == [("production", "dep_2", 2, "ops")]
    assert rows(engine, "SELECT key FROM settings") == [("database_id",)]
    assert rows(engine, "SELECT environment FROM messages") == [("production",)]
    run(engine, "INSERT INTO environments (name, deployment_id) VALUES ('dev', 'dep_1')")
    _migrate.downgrade(engine, "0004")
    assert sorted(rows(engine, "SELECT key, value FROM settings")) == [
        ("active_deployment", "dep_2"),
        ("database_id", "d"),
    ]


def test_opening_imports_alembic_only_to_migrate(tmp_path):
    script = (
        "import asyncio, sys; from workflow_studio.worker.store import Database\n"
        "asyncio.run(Database.open(sys.argv[1]).close())\n"
        "assert 'alembic' not in sys.modules"
    )
    for _ in ("new", "up to date"):
        subprocess.run([sys.executable, "-c", script, tmp_path / "worker.db"], check=True)


def test_upgrading_twice_changes_nothing(engine):
    _migrate.upgrade(engine)
    _migrate.upgrade(engine)
    assert set(tables.metadata.tables) < names(engine)


def test_downgrading_takes_everything_back_and_up_again(engine):
    _migrate.upgrade(engine)
    _migrate.downgrade(engine, "base")
    assert names(engine) == {"alembic_version", "schema_serves"}
    _migrate.upgrade(engine)
    assert set(tables.metadata.tables) < names(engine)


def test_a_failing_migration_leaves_nothing_behind(engine, monkeypatch):
    migrate(engine, "0001")
    before = names(engine)
    upgrade = command.upgrade

    def fail_after(*arguments):
        upgrade(*arguments)
        raise RuntimeError("power cut")

    monkeypatch.setattr(command, "upgrade", fail_after)
    with pytest.raises(RuntimeError, match="power cut"):
        _migrate.upgrade(engine)
    assert names(engine) == before
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == "0001"


async def test_a_database_of_a_newer_worker_is_refused_and_left_alone(place):
    await place.open().close()
    engine = create_engine(
        f"sqlite:///{place.location}" if place.kind == "sqlite" else place.location.replace("://", "+psycopg://")
    )
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("UPDATE schema_serves SET revision = '9999'")
    try:
        for _ in range(2):  # the lock was let go, so a newer worker can open it
            with pytest.raises(StoreVersionError, match="does not know"):
                place.open()
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{_migrate.HEAD}'")
            connection.exec_driver_sql(f"UPDATE schema_serves SET revision = '{_migrate.SERVES}'")
        engine.dispose()
    await place.open().close()
