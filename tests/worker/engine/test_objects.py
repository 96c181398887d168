"""Objects: stored before anybody refers to them, deleted when nobody does, and never anything between the two."""

from __future__ import annotations

import asyncio
import random

import pytest

from workflow_studio.worker.engine import object_rows
from workflow_studio.worker.engine.object_rows import ObjectGoneError
from workflow_studio.worker.engine.objects import GRACE_MS, Objects, digest_of
from workflow_studio.worker.objects import MemoryObjects, ObjectMissingError, ObjectStoreError

CONTENT = b"what is in it"
DIGEST = digest_of(CONTENT)


@pytest.fixture
def store():
    return MemoryObjects()


@pytest.fixture
def objects(database, clock, store):
    return Objects(database, clock, store)


async def refer(database, owner, stored):
    await database.write(lambda transaction: object_rows.refer(transaction, owner, stored))


async def release(database, owner):
    await database.write(lambda transaction: object_rows.release(transaction, [owner]))


async def keep(objects, content=CONTENT):
    return (await objects.keep({digest_of(content): content}))[digest_of(content)]


async def names(store):
    return [entry.name async for entry in store.list("")]


async def test_what_is_kept_is_read_back_and_fetched(objects, tmp_path):
    stored = await keep(objects)
    assert await objects.read(stored) == CONTENT
    await objects.fetch(stored, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


async def test_the_same_content_is_stored_once(objects, store):
    assert len({await keep(objects) for _ in range(3)}) == 1
    assert len(await names(store)) == 1


async def test_two_workers_store_the_same_at_once(place, database, clock, store):
    other = Objects(database, clock, store)
    mine = Objects(database, clock, store)
    assert len(set(await asyncio.gather(*(keep(worker) for worker in (mine, other) * 5)))) == 1
    assert len(await names(store)) == 1


async def test_a_damaged_object_is_not_taken_for_a_good_one(objects, store, tmp_path):
    stored = await keep(objects)
    (name,) = await names(store)
    await store.delete(name)
    await store.put(name, b"something else")
    with pytest.raises(ObjectMissingError, match="is damaged"):
        await objects.read(stored)
    with pytest.raises(ObjectMissingError, match="is damaged"):
        await objects.fetch(stored, tmp_path / "file")


async def test_an_object_lives_as_long_as_somebody_has_it(objects, store, database, clock):
    stored = await keep(objects)
    await refer(database, "wrun_1", [stored])
    await refer(database, "dep_1", [stored])
    clock.tick(GRACE_MS + 1)
    await release(database, "wrun_1")
    assert await objects.sweep() == 0
    await release(database, "dep_1")
    assert await objects.sweep() == 1
    assert await names(store) == []
    assert await objects.of("dep_1") == {}


async def test_what_was_stored_a_moment_ago_is_not_deleted(objects, store, clock):
    await keep(objects)
    clock.tick(GRACE_MS - 1)
    assert await objects.sweep() == 0
    await keep(objects)
    clock.tick(GRACE_MS - 1)
    assert await objects.sweep() == 0
    clock.tick(2)
    assert await objects.sweep() == 1


async def test_nobody_can_refer_to_what_was_deleted_meanwhile(objects, database, clock):
    stored = await keep(objects)
    clock.tick(GRACE_MS + 1)
    assert await objects.sweep() == 1
    with pytest.raises(ObjectGoneError):
        await refer(database, "wrun_1", [stored])
    again = await keep(objects)
    with pytest.raises(ObjectGoneError):
        await refer(database, "wrun_1", [stored])
    await refer(database, "wrun_1", [again])


async def test_what_is_being_deleted_is_stored_again_when_it_is_gone(objects, store, database, clock):
    stored = await keep(objects)
    clock.tick(GRACE_MS + 1)
    assert await objects._mark() == 1
    assert await objects.keep({DIGEST: CONTENT}, patience=0) == {}
    again = asyncio.create_task(keep(objects))
    await objects.sweep()
    assert (await again) != stored
    assert await objects.read(await again) == CONTENT


async def test_a_late_deletion_does_not_meet_what_was_stored_since(objects, store, clock):
    stored = await keep(objects)
    clock.tick(GRACE_MS + 1)
    await objects._mark()
    late = await objects._name(stored)  # one who is about to delete it falls asleep
    await objects.sweep()  # another one does it
    again = await keep(objects)
    await store.delete(late)
    assert await objects.read(again) == CONTENT


async def test_a_crash_between_the_object_and_its_row_leaves_nothing_for_ever(world, after_crash, clock):
    store = MemoryObjects()
    await keep(Objects(world.engine._database, clock, store))
    survivor = (await after_crash()).engine
    clock.tick(GRACE_MS + 1)
    assert await Objects(survivor._database, clock, store).sweep() == 1
    assert await names(store) == []


async def test_a_crash_in_the_middle_of_a_deletion_is_made_up_for(world, after_crash, clock):
    store = MemoryObjects()
    objects = Objects(world.engine._database, clock, store)
    await keep(objects)
    clock.tick(GRACE_MS + 1)
    await objects._mark()
    survivor = Objects((await after_crash()).engine._database, clock, store)
    assert await survivor.sweep() == 1
    assert await names(store) == []
    await keep(survivor)


async def test_a_store_that_fails_to_delete_is_asked_again(objects, store, clock, monkeypatch):
    await keep(objects)
    clock.tick(GRACE_MS + 1)

    async def fail(_name):
        raise ObjectStoreError("It is down.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "delete", fail)
        with pytest.raises(ObjectStoreError):
            await objects.sweep()
    assert await objects.sweep() == 1
    assert await names(store) == []


async def test_whoever_has_an_object_can_always_read_it(database, clock, store):
    """Owners come and go, the time passes, and two workers sweep, all at once."""
    dice = random.Random(7)
    contents = [b"%d" % number for number in range(4)]
    workers = [Objects(database, clock, store) for _ in range(2)]

    async def own(number):
        for turn in range(6):
            content = dice.choice(contents)
            owner = f"wrun_{number}_{turn}"
            try:
                stored = await keep(dice.choice(workers), content)
                await refer(database, owner, [stored])
            except ObjectGoneError:
                continue  # the clock jumped in between
            clock.tick(dice.choice((0, GRACE_MS + 1)))
            assert await dice.choice(workers).read(stored) == content
            await release(database, owner)

    async def sweep(worker):
        for _ in range(12):
            await worker.sweep()
            await asyncio.sleep(0)

    await asyncio.gather(*(own(number) for number in range(4)), *(sweep(worker) for worker in workers))
    clock.tick(GRACE_MS + 1)
    await workers[0].sweep()
    assert await names(store) == []


async def test_services_that_share_a_store_share_no_objects(objects, store, place_of, tmp_path, clock, database):
    other_database = place_of("sqlite", tmp_path / "other").open()
    other = Objects(other_database, clock, store)
    stored = await keep(objects)
    await refer(database, "wrun_1", [stored])
    await keep(other)
    clock.tick(GRACE_MS + 1)
    assert await other.sweep() == 1
    assert await objects.read(stored) == CONTENT
    await other_database.close()
