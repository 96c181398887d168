"""What finishes a write belongs to its transaction, and does not keep it from being made."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import insert, select

from workflow_studio.worker.store.tables import settings


@pytest.fixture
async def database(place):
    opened = place.open()
    yield opened
    await opened.close()


def put(key):
    def write(transaction):
        transaction.execute(insert(settings), {"key": key, "value": "x"})
        transaction.due[key] = "step"

    return write


async def keys(database):
    query = select(settings.c.key).where(settings.c.key.like("key_%"))
    return sorted(await database.read(lambda connection: connection.execute(query).scalars().all()))


def finishing(transaction, *_):
    for key in tuple(transaction.due):
        transaction.execute(insert(settings), {"key": f"{key}_finished", "value": "x"})


async def test_it_is_committed_with_the_write(database):
    database.finish_writes(finishing)
    await database.write(put("key_a"))
    assert await keys(database) == ["key_a", "key_a_finished"]


async def test_a_write_whose_finish_fails_is_made_once_more_and_undoes_nothing_of_others(database):
    undone = []
    committed = []

    def finish(transaction, has_failed):
        finishing(transaction)
        if "key_b" in transaction.due and not has_failed:
            transaction.when_undone(lambda: undone.append("key_b"))
            transaction.after_commit(lambda: committed.append("never"))
            raise RuntimeError("no")
        transaction.after_commit(lambda: committed.extend(transaction.due))

    database.finish_writes(finish)
    await asyncio.gather(*(database.write(put(f"key_{name}")) for name in "abc"))
    assert undone == ["key_b"]
    assert sorted(committed) == ["key_a", "key_b", "key_c"]
    assert len(await keys(database)) == 6


async def test_a_write_whose_finish_fails_twice_fails_alone(database):
    def finish(transaction, _):
        if "key_b" in transaction.due:
            raise RuntimeError("no")

    database.finish_writes(finish)
    results = await asyncio.gather(*(database.write(put(f"key_{name}")) for name in "abc"), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), RuntimeError, type(None)]
    assert await keys(database) == ["key_a", "key_c"]
