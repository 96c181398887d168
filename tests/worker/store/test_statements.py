"""Statements that are compiled once do what SQLAlchemy would do with them."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError

from workflow_studio.worker.engine import leases, queue
from workflow_studio.worker.store import Database, tables
from workflow_studio.worker.store.statements import Statement, change_rows, equals, insert_row, updating

RUN = {"run_id": "wrun_1", "status": "pending", "deployment_id": "d", "workflow_name": "w", "created_at": 1}
HOOK = {"run_id": "wrun_1", "hook_id": "hook_1", "token": "t", "is_webhook": True, "created_at": 2}
OF_RUN = Statement(select(tables.runs).where(tables.runs.c.run_id == bindparam("run")))


@pytest.fixture
async def database(place):
    opened = place.open()
    await opened.write(lambda transaction: insert_row(transaction.connection, tables.runs, {**RUN, "updated_at": 1}))
    yield opened
    await opened.close()


async def test_rows_are_those_of_sqlalchemy(database):
    def both(connection):
        row = connection.execute(OF_RUN.element, {"run": "wrun_1"}).mappings().one()
        return dict(row), OF_RUN.first(connection, {"run": "wrun_1"}), list(OF_RUN.rows(connection, {"run": "wrun_1"}))

    expected, first, rows = await database.read(both)
    assert first == expected
    assert rows == [expected]
    assert expected["last_slot"] == 0, "what a column is by default"


async def test_values_have_the_types_of_their_columns(database):
    query = Statement(select(tables.hooks.c.is_webhook).where(tables.hooks.c.token == bindparam("token")))

    def write(transaction):
        insert_row(transaction.connection, tables.hooks, HOOK)
        return query.scalar(transaction.connection, {"token": "t"})

    assert await database.write(write) is True


async def test_nothing_found_is_none(database):
    assert await database.read(lambda connection: OF_RUN.first(connection, {"run": "other"})) is None
    assert await database.read(lambda connection: OF_RUN.scalar(connection, {"run": "other"})) is None


async def test_updates_and_deletions_tell_how_many_rows_they_changed(database):
    gone = Statement(delete(tables.runs).where(tables.runs.c.run_id == bindparam("run")))
    fails = updating(tables.runs, ("status",), ("run_id", "created_at"))

    def write(transaction):
        connection = transaction.connection
        change_rows(connection, tables.runs, {"status": "running", "last_slot": 3}, run_id="wrun_1", created_at=1)
        return (
            OF_RUN.first(connection, {"run": "wrun_1"})["last_slot"],
            fails.run(connection, {"new_status": "failed", "old_run_id": "wrun_1", "old_created_at": 2}),
            OF_RUN.first(connection, {"run": "wrun_1"})["status"],
            fails.run(connection, {"new_status": "failed", "old_run_id": "wrun_1", "old_created_at": 1}),
            gone.run(connection, {"run": "wrun_1"}),
            gone.run(connection, {"run": "wrun_1"}),
        )

    assert await database.write(write) == (3, 0, "running", 1, 1, 0)


async def test_what_the_database_refuses_is_refused_as_by_sqlalchemy(database):
    with pytest.raises(IntegrityError):
        await database.write(
            lambda transaction: insert_row(transaction.connection, tables.runs, {**RUN, "updated_at": 1})
        )


async def test_lists_of_values_are_refused_where_they_would_be_handed_over(tmp_path):
    statement = Statement(select(tables.runs).where(tables.runs.c.status.in_(("a", "b"))))
    database = Database.open(tmp_path / "worker.db")
    with pytest.raises(ValueError, match="Lists of values"):
        await database.read(statement.first)
    await database.close()


def test_words_of_ours_stand_in_the_text():
    column = tables.messages.c.status
    assert str(equals(column, "ready").compile()) == "messages.status = 'ready'"
    with pytest.raises(ValueError, match="no word"):
        equals(column, "ready' OR 'x")


@pytest.mark.parametrize("module", [leases, queue])
def test_sqlite_prepares_no_statement_of_the_queue_anew_for_a_value_that_an_index_asks_for(module):
    found = [value for value in vars(module).values() if isinstance(value, Statement)]
    found += [one for value in vars(module).values() if isinstance(value, dict) for one in value.values()]
    texts = [str(one.element.compile(dialect=sqlite.dialect())) for one in found if isinstance(one, Statement)]
    assert texts
    for text in texts:
        asked = text.partition("WHERE")[2]
        assert not re.search(r"messages\.(status|kind) (=|IN) [(?]", asked), text
