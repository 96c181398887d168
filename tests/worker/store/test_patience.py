"""A write that may wait shares the commit of one that may not."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import insert, select

from workflow_studio.worker.store import Database, _writer
from workflow_studio.worker.store.tables import settings

AN_HOUR = 3600.0


@pytest.fixture
async def database(place):
    opened = place.open()
    yield opened
    await opened.close()


@pytest.fixture
async def file(tmp_path):
    opened = Database.open(tmp_path / "worker.db")
    yield opened
    await opened.close()


@pytest.fixture
def endless(monkeypatch):
    monkeypatch.setattr(_writer, "_PATIENCE_SECONDS", AN_HOUR)


def put(key):
    def write(transaction):
        transaction.execute(insert(settings), {"key": key, "value": "x"})
        return key

    return write


async def begin(database, key):
    """Begin a write that may wait."""
    write = asyncio.ensure_future(database.write(put(key), may_wait=True))
    await asyncio.sleep(0)
    return write


async def keys(database):
    def found(connection):
        return set(connection.execute(select(settings.c.key)).scalars())

    return await database.read(found) & {"a", "b", "c"}


async def test_it_is_made(database):
    assert await database.write(put("a"), may_wait=True) == "a"
    assert await keys(database) == {"a"}


@pytest.mark.usefixtures("endless")
async def test_it_waits_for_the_next_commit_and_shares_it(file, commits):
    writes = [await begin(file, "a"), await begin(file, "b")]
    before = len(commits)
    await file.write(put("c"))
    await asyncio.gather(*writes)
    assert await keys(file) == {"a", "b", "c"}
    assert len(commits) == before + 1


@pytest.mark.usefixtures("endless")
async def test_it_waits_no_longer_once_it_is_hurried(file):
    write = await begin(file, "a")
    assert await keys(file) == set()
    file.hurry()
    assert await write == "a"


@pytest.mark.usefixtures("endless")
async def test_it_is_made_before_the_database_is_closed(tmp_path):
    database = Database.open(tmp_path / "worker.db")
    write = await begin(database, "a")
    await database.close()
    assert await write == "a"


@pytest.mark.usefixtures("endless")
async def test_it_fails_alone(file):
    def fail(_transaction):
        raise ValueError("no")

    write = asyncio.ensure_future(file.write(fail, may_wait=True))
    await asyncio.sleep(0)
    await file.write(put("a"))
    with pytest.raises(ValueError, match="no"):
        await write
    assert await keys(file) == {"a"}
