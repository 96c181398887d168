"""All workers of a service have the same master key, and the database knows which one without holding it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import select

from workflow_studio.worker.announce import explained
from workflow_studio.worker.db import master_key
from workflow_studio.worker.db.__main__ import main
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.engine.master_key import MasterKeyError
from workflow_studio.worker.store import tables

KEY = b"k" * 32
OTHER = b"o" * 32


@pytest.fixture
def worker(place, clock):
    """Return a function that starts a worker as far as it needs its key, one after the other."""

    async def start(key):
        database = place.open()
        try:
            engine = Engine(database, clock=clock, master_key=key)
            async with engine.workers.registered():
                await engine.check_master_key()
                query = select(tables.settings.c.value)
                return await database.read(lambda connection: connection.execute(query).scalars().all())
        finally:
            await database.close()

    return start


async def test_the_first_key_decides_and_is_not_in_the_database(worker):
    await worker(None)
    held = await worker(KEY)
    assert not any(KEY.hex() in value or KEY.decode() in value for value in held)
    assert await worker(KEY) == held
    with pytest.raises(MasterKeyError, match="not the one") as other:
        await worker(OTHER)
    with pytest.raises(MasterKeyError, match="has none"):
        await worker(None)
    (refusal,) = explained(other.value)
    assert (refusal.code, "forget-key" in refusal.hint) == ("master_key_mismatch", True)
    assert await worker(KEY) == held


async def test_a_lost_key_is_forgotten_once(worker, place):
    await worker(KEY)
    assert master_key.forget(place.location)
    assert not master_key.forget(place.location)
    await worker(OTHER)


async def test_a_key_is_not_brought_in_while_others_run_without_one(place_of, tmp_path, clock):
    place = place_of("postgresql", tmp_path)
    databases = [place.open(), place.open()]
    try:
        without, within = (
            Engine(database, clock=clock, master_key=key) for database, key in zip(databases, (None, KEY), strict=True)
        )
        async with without.workers.registered():
            await without.check_master_key()
            async with within.workers.registered():
                with pytest.raises(MasterKeyError, match="run without"):
                    await within.check_master_key()
        async with within.workers.registered():
            await within.check_master_key()
    finally:
        for database in databases:
            await database.close()


async def test_the_command_forgets_only_what_no_worker_uses(place, clock, capsys):
    named = ["--database-url", str(place.location)]
    if "://" not in str(place.location):
        named = ["--data-dir", str(Path(place.location).parent)]
    database = place.open()
    try:
        engine = Engine(database, clock=clock, master_key=KEY)
        async with engine.workers.registered():
            await engine.check_master_key()
            assert main(["forget-key", *named]) == 1
    finally:
        await database.close()
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "database_in_use"
    assert main(["forget-key", *named]) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "forgotten": True}
