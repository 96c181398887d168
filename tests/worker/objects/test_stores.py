"""The object stores do the same as a dictionary, whoever else uses them, and a crash leaves nothing half-made."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore

from workflow_studio.worker.objects import (
    LocalObjects,
    MemoryObjects,
    ObjectMissingError,
    ObjectStoreError,
    open_objects,
)
from workflow_studio.worker.objects.cloud import CloudObjects

NAMES = ("db_1/aa/aa01", "db_1/aa/aa02", "db_1/bb/bb01", "db_2/aa/aa01")


async def content(store, name):
    return b"".join([piece async for piece in store.read(name)])


async def names(store, prefix=""):
    return sorted([entry.name async for entry in store.list(prefix)])


_ACTS = st.lists(
    st.tuples(
        st.sampled_from(("put", "put file", "read", "look", "delete", "list")),
        st.sampled_from(NAMES),
        st.binary(max_size=40),
    ),
    max_size=25,
)


@pytest.mark.parametrize("kind", ["memory", "local", "cloud"])
@settings(max_examples=40, deadline=None)
@given(acts=_ACTS)
def test_a_store_does_what_a_dictionary_does(kind, acts):
    async def play(folder):
        store = {
            "memory": MemoryObjects,
            "local": lambda: LocalObjects(folder / "objects"),
            "cloud": lambda: CloudObjects(MemoryStore()),
        }[kind]()
        model = {}
        for number, (act, name, data) in enumerate(acts):
            if act.startswith("put"):
                source = data
                if act == "put file":
                    source = folder / str(number)
                    source.write_bytes(data)
                assert await store.put(name, source) == (name not in model)
                model.setdefault(name, data)
            elif act == "delete":
                await store.delete(name)
                model.pop(name, None)
            elif act == "look":
                found = await store.look(name)
                assert (None if found is None else found.size) == (len(model[name]) if name in model else None)
            elif act == "read" and name in model:
                assert await content(store, name) == model[name]
            elif act == "read":
                with pytest.raises(ObjectMissingError):
                    await content(store, name)
            else:
                prefix = name.rpartition("/")[0]
                assert await names(store, prefix) == sorted(known for known in model if known.startswith(prefix))

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder)))


async def test_one_of_many_that_store_the_same_at_once_does_it(store):
    made = await asyncio.gather(*(store.put(NAMES[0], b"the same") for _ in range(20)))
    assert sum(made) == 1
    assert await content(store, NAMES[0]) == b"the same"


async def test_what_is_larger_than_a_piece_comes_back_whole(store, tmp_path):
    data = os.urandom(3 * 1024 * 1024 + 1)
    file = tmp_path / "file"
    file.write_bytes(data)
    await store.put(NAMES[0], file)
    assert await content(store, NAMES[0]) == data
    assert (await store.look(NAMES[0])).size == len(data)


class TestClouds:
    async def test_only_what_is_not_there_is_stored(self, bucket):
        store = open_objects(bucket, Path("unused"))
        assert await store.put(NAMES[0], b"first")
        assert not await store.put(NAMES[0], b"second")
        assert await content(store, NAMES[0]) == b"first"

    async def test_the_condition_is_the_servers(self, bucket, monkeypatch):
        store = open_objects(bucket, Path("unused"))

        async def nothing(_name):
            return None

        monkeypatch.setattr(store, "look", nothing)  # as for one who looked before the other stored it
        assert sum(await asyncio.gather(*(store.put(NAMES[0], b"%d" % number) for number in range(5)))) == 1

    async def test_objects_are_listed_looked_at_and_deleted(self, bucket):
        store = open_objects(bucket, Path("unused"))
        for name in NAMES:
            await store.put(name, name.encode())
        assert await names(store, "db_1/") == sorted(NAMES[:3])
        assert (await store.look(NAMES[1])).size == len(NAMES[1])
        await store.delete(NAMES[1])
        await store.delete(NAMES[1])
        assert await store.look(NAMES[1]) is None
        with pytest.raises(ObjectMissingError):
            await content(store, NAMES[1])

    async def test_a_file_is_stored_as_it_is(self, bucket, tmp_path):
        file = tmp_path / "bundle"
        file.write_bytes(os.urandom(6 * 1024 * 1024))
        store = open_objects(bucket, Path("unused"))
        assert await store.put(NAMES[0], file)
        assert await content(store, NAMES[0]) == file.read_bytes()

    async def test_a_store_that_refuses_is_an_error_in_one_line(self, bucket, monkeypatch):
        scheme, _, name = bucket.partition("://")
        store = open_objects(f"{scheme}://{name.partition('/')[0]}-nobody-made/x", Path("unused"))
        with pytest.raises(ObjectStoreError) as caught:
            await store.put(NAMES[0], b"content")
        assert "\n" not in caught.value.message
        assert "test" not in caught.value.message.replace("latest", "")  # the secret key is "test"


class TestLocal:
    def store(self, tmp_path):
        return LocalObjects(tmp_path / "objects")

    async def test_what_is_done_to_a_file_afterwards_is_not_done_to_the_object(self, tmp_path):
        file = tmp_path / "bundle"
        file.write_bytes(b"code")
        await self.store(tmp_path).put(NAMES[0], file)
        file.write_bytes(b"harm")
        assert await content(self.store(tmp_path), NAMES[0]) == b"code"

    @pytest.mark.parametrize("name", ["../other", "/etc/passwd", "a//b", "A", "a/../b", ""])
    async def test_a_name_cannot_lead_out_of_the_directory(self, tmp_path, name):
        with pytest.raises(ValueError, match="not the name"):
            await self.store(tmp_path).put(name, b"x")

    async def test_a_directory_that_cannot_be_written_is_an_error(self, tmp_path):
        (tmp_path / "objects").write_text("a file")
        with pytest.raises(ObjectStoreError, match="cannot be read or written"):
            await self.store(tmp_path).put(NAMES[0], b"x")

    async def test_what_a_crash_left_unfinished_is_removed_after_a_while(self, tmp_path):
        incoming = tmp_path / "objects" / ".incoming"
        incoming.mkdir(parents=True)
        old, new = incoming / "old", incoming / "new"
        old.write_bytes(b"half")
        new.write_bytes(b"half")
        os.utime(old, (time.time() - 7200, time.time() - 7200))
        assert await names(self.store(tmp_path)) == []
        assert not old.exists()
        assert new.exists()

    def test_a_kill_leaves_an_object_whole_or_not_at_all(self, tmp_path):
        code = (
            "import asyncio, sys\n"
            "from pathlib import Path\n"
            "from workflow_studio.worker.objects import LocalObjects\n"
            "async def main():\n"
            "    store = LocalObjects(Path(sys.argv[1]))\n"
            "    for number in range(10**6):\n"
            "        await store.put(f'db_1/{number}', bytes([number % 256]) * 300_000)\n"
            "        if number == 3: print('ready', flush=True)\n"
            "asyncio.run(main())\n"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "objects")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
        found = sorted((tmp_path / "objects" / "db_1").iterdir(), key=lambda path: int(path.name))
        assert len(found) > 3
        for number, path in enumerate(found):
            assert path.read_bytes() == bytes([number % 256]) * 300_000


def test_a_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "workflow_studio.worker.objects.cloud", raising=False)
    with pytest.raises(ObjectStoreError, match="needs obstore") as caught:
        open_objects("s3://bucket", Path("unused"))
    assert "workflow-studio-worker[objects]" in caught.value.recovery


def test_a_url_of_a_folder_is_a_folder(tmp_path):
    store = open_objects(f"file://{tmp_path}/with%20space", Path("unused"))
    assert store.directory == tmp_path / "with space"
