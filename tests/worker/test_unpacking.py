"""Artifacts across workers: uploaded to one, fetched and verified by another, bounded where they are unpacked."""

from __future__ import annotations

import asyncio

import pytest

from tests.worker.artifacts.archives import FILES, artifact
from tests.worker.engine.conftest import Clock
from workflow_studio.worker.artifacts import ArtifactError, ArtifactStore
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.objects import LocalObjects
from workflow_studio.worker.ports import ExecutorUnavailableError
from workflow_studio.worker.unpacking import Unpacking

MANY = 1024**3


async def nobody(_deployment_id):
    return False


class Machine:
    """What a worker has to do with artifacts, over a database and an object store that others share."""

    def __init__(self, database, shared, folder):
        self.store = LocalObjects(shared)
        self.engine = Engine(database, clock=Clock(), objects=self.store)
        self.artifacts = ArtifactStore(folder)
        self.unpacking = Unpacking(self.artifacts, self.engine, MANY)

    async def upload(self, files=FILES, base=None, content=None):
        async def pieces():
            yield artifact(files) if content is None else content

        async with self.artifacts.receiving(pieces(), base) as manifest:
            await self.engine.deployments.register(manifest, await self.unpacking.keep(manifest))
        return manifest.deployment_id

    def bound(self, limit):
        return Unpacking(self.artifacts, self.engine, limit)


@pytest.fixture
async def database(place_of, tmp_path):
    opened = place_of("sqlite", tmp_path / "database").open()
    yield opened
    await opened.close()


@pytest.fixture
async def machines(database, tmp_path):
    made = [Machine(database, tmp_path / "shared", tmp_path / f"artifacts{number}") for number in range(2)]
    for machine in made:
        await machine.artifacts.open(await machine.engine.identity(), machine.engine.deployments.is_known)
    return made


async def test_another_worker_fetches_what_was_uploaded_to_one(machines):
    first, second = machines
    name = await first.upload()
    folder = await second.unpacking.obtain(name)
    assert folder == second.artifacts.path(name)
    here, there = ({path.name: path for path in machine.artifacts.path(name).rglob("*")} for machine in machines)
    assert here.keys() == there.keys()
    assert all(here[file].is_dir() or here[file].read_bytes() == there[file].read_bytes() for file in here)


async def test_it_is_fetched_once_however_many_ask_for_it(machines, monkeypatch):
    first, second = machines
    name = await first.upload()
    reads = []
    read = LocalObjects.read
    monkeypatch.setattr(LocalObjects, "read", lambda store, object_name: reads.append(1) or read(store, object_name))
    await asyncio.gather(*(second.unpacking.obtain(name) for _ in range(5)))
    await second.unpacking.obtain(name)
    assert len(reads) == len(FILES)


async def test_files_that_two_deployments_share_are_stored_once(machines, tmp_path):
    first, _ = machines
    await first.upload()
    before = [path for path in (tmp_path / "shared").rglob("*") if path.is_file()]
    await first.upload({**FILES, "flow.js": b"exports.flow = 2;"})
    after = [path for path in (tmp_path / "shared").rglob("*") if path.is_file()]
    assert len(after) == len(before) + 1


async def test_a_damaged_object_is_refused_and_leaves_nothing_behind(machines, tmp_path):
    first, second = machines
    name = await first.upload()
    damaged = next(path for path in (tmp_path / "shared").rglob("*") if path.is_file() and path.stat().st_size == 1000)
    damaged.write_bytes(b"y" * 1000)
    with pytest.raises(ExecutorUnavailableError, match="is damaged"):
        await second.unpacking.obtain(name)
    assert not await second.artifacts.is_here(name)
    assert [path.name for path in second.artifacts.directory.iterdir()] == [".database"]


async def test_what_is_nowhere_says_so(machines):
    first, second = machines
    name = await first.upload()
    await first.engine.deployments.delete(name)
    with pytest.raises(ExecutorUnavailableError, match="no deployment"):
        await second.unpacking.obtain(name)


async def test_a_file_that_its_own_code_changed_is_not_passed_on(machines):
    first, _ = machines
    name = await first.upload()
    (first.artifacts.path(name) / "flow.js").write_bytes(b"exports.flow = evil;")
    with pytest.raises(ArtifactError, match="was changed"):
        await first.upload()


class TestFromBeforeThereWereObjects:
    async def old(self, machine):
        async def pieces():
            yield artifact()

        async with machine.artifacts.receiving(pieces()) as manifest:
            await machine.engine.deployments.register(manifest)
        return manifest.deployment_id

    async def test_what_is_only_here_is_stored(self, machines):
        first, second = machines
        name = await self.old(first)
        with pytest.raises(ExecutorUnavailableError, match="deploy it again"):
            await second.unpacking.obtain(name)
        assert await second.unpacking.store_what_is_only_here() == 0
        assert await first.unpacking.store_what_is_only_here() == 1
        assert await first.unpacking.store_what_is_only_here() == 0
        await second.unpacking.obtain(name)

    async def test_what_is_only_here_is_not_removed_to_make_room(self, machines):
        first, _ = machines
        name = await self.old(first)
        assert await first.bound(1).trim(set) == 0
        assert await first.artifacts.is_here(name)


class TestRoom:
    async def two(self, machine):
        return await machine.upload(), await machine.upload({**FILES, "flow.js": b"exports.flow = 2;"})

    async def test_what_was_not_used_for_longest_goes_first_and_comes_back(self, machines):
        first, _ = machines
        names = await self.two(first)
        unpacking = first.bound(max((await first.artifacts.sizes()).values()))
        assert await unpacking.trim(set) == 1
        (gone,) = [name for name in names if not await first.artifacts.is_here(name)]
        await unpacking.obtain(gone)
        assert await first.artifacts.is_here(gone)
        assert await unpacking.trim(set) == 1
        assert await first.artifacts.is_here(gone)  # as it was asked for just now

    async def test_what_an_executor_uses_stays(self, machines):
        first, _ = machines
        names = await self.two(first)
        assert await first.bound(1).trim(lambda: names) == 0
        assert await first.bound(1).trim(lambda: names[:1]) == 1
        assert await first.artifacts.is_here(names[0])

    async def test_what_is_the_base_of_an_upload_stays_meanwhile(self, machines):
        first, _ = machines
        name = await first.upload()

        async def pieces():
            yield artifact()

        async with first.artifacts.receiving(pieces()):
            assert await first.bound(1).trim(set) == 0
        assert await first.bound(1).trim(set) == 1
        assert not await first.artifacts.is_here(name)
        assert await first.artifacts.evict(name, nobody) is False
