"""With a master key, what the worker is given in clear is stored encrypted, and comes back as it was."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from workflow_studio.worker.engine import Engine
from workflow_studio.worker.engine.encryption import Keyring, run_key
from workflow_studio.worker.ports import CallContext
from workflow_studio.worker.store import tables

MASTER_KEY = b"m" * 32
NAME = "strm_1_user"
RUN = "wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV"


class Stream:
    """One stream of one engine."""

    def __init__(self, database, master_key=MASTER_KEY):
        self.database = database
        self.world = Engine(database, master_key=master_key).world
        self.sequence = iter(range(100))

    async def write(self, *chunks):
        written = {"name": NAME, "runId": "wrun_x", "chunks": list(chunks), "writerId": "w"}
        await self.call("write", sequence=next(self.sequence), **written)

    async def read(self):
        return (await self.call("read", name=NAME))["chunks"]

    async def call(self, method, **params):
        return await self.world.call(f"streams.{method}", params, CallContext())

    async def stored(self):
        query = select(tables.stream_chunks.c.data).order_by(tables.stream_chunks.c.chunk_index)
        return await self.database.read(lambda connection: list(connection.execute(query).scalars()))


def test_a_sealed_payload_is_what_the_sdk_reads():
    sealed = Keyring(MASTER_KEY).seal("wrun_x", b'devl["hello"]')
    assert sealed[:4] == b"encr"
    assert AESGCM(run_key(MASTER_KEY, "wrun_x")).decrypt(sealed[4:16], sealed[16:], None) == b'devl["hello"]'
    assert sealed != Keyring(MASTER_KEY).seal("wrun_x", b'devl["hello"]'), "no nonce is used twice"


def test_the_input_of_a_new_run_is_sealed_if_it_comes_in_clear():
    keyring = Keyring(MASTER_KEY)
    event = {"eventType": "run_created", "eventData": {"workflowName": "w", "input": b"devl[1]"}}
    sealed = keyring.with_sealed_input({"runId": RUN, "event": event})
    assert sealed["event"]["eventData"]["workflowName"] == "w"
    assert keyring.unseal(RUN, sealed["event"]["eventData"]["input"]) == b"devl[1]"
    assert sealed["event"]["eventData"]["input"].startswith(b"encr")
    assert keyring.with_sealed_input(sealed) == sealed
    for other in ({"runId": RUN, "event": {**event, "eventType": "hook_received"}}, {"runId": RUN, "isWake": True}):
        assert keyring.with_sealed_input(other) == other


def test_without_a_master_key_payloads_stay_as_they_are():
    assert Keyring(None).seal("wrun_x", b"devl[[]]") == b"devl[[]]"
    assert not Keyring(None).encrypts


@given(chunk=st.binary(max_size=200), index=st.integers(0, 2**40))
def test_a_sealed_chunk_opens_at_its_place_alone(chunk, index):
    seal = Keyring(MASTER_KEY).stream(NAME)
    stored = seal.seal(index, chunk)
    assert seal.open(index, stored) == chunk
    assert seal.open(index + 1, stored) == stored
    assert Keyring(MASTER_KEY).stream("strm_2_user").open(index, stored) == stored
    assert Keyring(b"n" * 32).stream(NAME).open(index, stored) == stored
    assert len(chunk) < 6 or chunk not in stored[8:]


@given(chunk=st.one_of(st.binary(max_size=50), st.binary(max_size=50).map(lambda rest: b"\0\0\0\0seal" + rest)))
def test_a_chunk_in_clear_opens_as_it_is(chunk):
    assert Keyring(MASTER_KEY).stream(NAME).open(0, chunk) == chunk


async def test_chunks_are_stored_sealed_and_read_in_clear(database):
    stream = Stream(database)
    await stream.write(b"first", b"")
    await stream.write(b"\0\0\0\0seal, so it seems")
    assert await stream.read() == [b"first", b"", b"\0\0\0\0seal, so it seems"]
    page = await stream.call("chunks", name=NAME, runId="wrun_x", limit=2)
    assert [entry["data"] for entry in page["data"]] == [b"first", b""]
    stored = await stream.stored()
    assert len(set(stored)) == 3
    assert not any(b"first" in data or b"seems" in data for data in stored)


async def test_a_stream_from_before_the_master_key_goes_on(database):
    await Stream(database, master_key=None).write(b"clear")
    after = Stream(database)
    after.sequence = iter(range(100, 200))
    await after.write(b"secret")
    assert await after.read() == [b"clear", b"secret"]
    assert (await after.stored())[0] == b"clear"


async def test_a_chunk_that_was_moved_in_the_database_does_not_open(database):
    stream = Stream(database)
    await stream.write(b"one", b"two")
    swapped = (await stream.stored())[1]
    chunks = tables.stream_chunks
    statement = update(chunks).where(chunks.c.chunk_index == 0).values(data=swapped)
    await database.write(lambda transaction: transaction.execute(statement))
    assert await stream.read() == [swapped, b"two"]
