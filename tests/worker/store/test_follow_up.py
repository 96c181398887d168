"""A follow-up goes into the commit of the writes that want it."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import insert, select

from workflow_studio.worker.store import Database, StoreError, _sqlite
from workflow_studio.worker.store.tables import settings


@pytest.fixture
async def database(tmp_path):
    opened = Database.open(tmp_path / "worker.db")
    yield opened
    await opened.close()


class Outcomes:
    """What follow-ups came to."""

    def __init__(self):
        self.results = []
        self.errors = []

    def follow(self, database, work):
        return database.follow_up(work, done=self.results.append, failed=self.errors.append)


@pytest.fixture
def outcomes():
    return Outcomes()


def put(key, *, wants=True):
    def write(transaction):
        transaction.execute(insert(settings), {"key": key, "value": "x"})
        transaction.follow_up |= {"look"} if wants else set()
        return key

    return write


def keys(transaction):
    found = transaction.execute(select(settings.c.key).where(settings.c.key != "database_owner")).scalars()
    return sorted(found)


async def test_it_sees_what_was_written_and_costs_no_commit(database, outcomes, commits):
    assert outcomes.follow(database, keys)
    before = len(commits)
    assert await database.write(put("a")) == "a"
    assert len(commits) == before + 1
    assert outcomes.results == [["a"]]


async def test_it_comes_once_for_all_writes_of_a_commit(database, outcomes, commits):
    outcomes.follow(database, keys)
    hold = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait(_transaction):
        asyncio.run_coroutine_threadsafe(hold.wait(), loop).result(10)

    holder = asyncio.ensure_future(database.write(wait))
    await asyncio.sleep(0.01)
    writes = [asyncio.ensure_future(database.write(put(key))) for key in "abc"]
    await asyncio.sleep(0.01)
    hold.set()
    await asyncio.gather(holder, *writes)
    assert outcomes.results[-1] == ["a", "b", "c"]
    assert len(outcomes.results) <= 2


async def test_there_is_none_for_a_write_that_does_not_want_it(database, outcomes):
    outcomes.follow(database, keys)
    await database.write(put("a", wants=False))
    assert outcomes.results == []


async def test_there_is_none_for_a_write_that_failed(database, outcomes):
    outcomes.follow(database, keys)

    def fail(transaction):
        put("a")(transaction)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await database.write(fail)
    assert outcomes.results == outcomes.errors == []


async def test_its_failure_undoes_it_alone(database, outcomes):
    def fail(transaction):
        put("b")(transaction)
        raise ValueError("no")

    outcomes.follow(database, fail)
    await database.write(put("a"))
    assert [str(error) for error in outcomes.errors] == ["no"]
    assert await database.write(keys) == ["a"]


async def test_it_fails_with_the_commit(database, outcomes, monkeypatch):
    outcomes.follow(database, keys)

    def fail(_connection):
        raise OSError("disk")

    monkeypatch.setattr(_sqlite, "commit", fail)
    with pytest.raises(StoreError):
        await database.write(put("a"))
    assert outcomes.results == []
    assert len(outcomes.errors) == 1


async def test_what_waits_for_commits_hears_of_it(database, outcomes):
    heard = []

    def work(transaction):
        transaction.after_commit(lambda: heard.append("after"))

    database.before_commit(lambda _transaction: heard.append("before"))
    outcomes.follow(database, work)
    await database.write(put("a"))
    assert heard.count("after") == 1
    assert heard.count("before") == 2
