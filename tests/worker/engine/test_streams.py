"""Streams: ordered, exactly once, readable while they are written."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.parts.file_streams import FileStreams
from tests.support.until import until
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.engine.streams import MAX_READ_BYTES

STREAM = "strm_1_user"


@pytest.fixture(params=["database", "files"])
async def engine(request, database, clock, tmp_path):
    if request.param == "database":
        return Engine(database, clock=clock)
    files = FileStreams(tmp_path / "streams")
    await files.start()
    return Engine(database, clock=clock, streams=files)


@pytest.fixture
def stream(world):
    sequence = iter(range(10_000))

    async def write(*chunks, writer="w", number=None, name=STREAM, run_id="wrun_made_up"):
        number = next(sequence) if number is None else number
        return await world.call(
            "streams.write", name=name, runId=run_id, chunks=list(chunks), writerId=writer, sequence=number
        )

    async def close(name=STREAM, run_id="wrun_made_up"):
        return await world.call("streams.close", name=name, runId=run_id)

    async def read(start=0, wait_ms=0, name=STREAM):
        return await world.call("streams.read", name=name, startIndex=start, waitMs=wait_ms)

    class Stream:
        pass

    made = Stream()
    made.write, made.close, made.read = write, close, read
    return made


async def test_chunks_come_back_in_order_and_whole(stream):
    await stream.write(b"a", b"", b"\x00\xff")
    await stream.write(b"d")
    assert await stream.read() == {"chunks": [b"a", b"", b"\x00\xff", b"d"], "nextIndex": 4, "done": False}
    assert await stream.read(2) == {"chunks": [b"\x00\xff", b"d"], "nextIndex": 4, "done": False}


async def test_a_repeated_write_changes_nothing(stream):
    await stream.write(b"a", b"b", number=1)
    await asyncio.gather(*(stream.write(b"a", b"b", number=1) for _ in range(5)))
    await stream.write(b"c", number=1, writer="other")
    assert (await stream.read())["chunks"] == [b"a", b"b", b"c"]


async def test_parallel_writes_keep_each_write_together(stream):
    await asyncio.gather(*(stream.write(*[bytes([number])] * 5, number=number) for number in range(20)))
    chunks = (await stream.read())["chunks"]
    assert len(chunks) == 100
    assert all(len(set(chunks[place : place + 5])) == 1 for place in range(0, 100, 5))


async def test_nothing_is_written_after_the_close_and_closing_twice_is_harmless(stream, world):
    await stream.write(b"a")
    await stream.close()
    await stream.close()
    await stream.write(b"late")
    assert await stream.read() == {"chunks": [b"a"], "nextIndex": 1, "done": True}
    assert await world.call("streams.info", name=STREAM, runId="x") == {"tailIndex": 0, "done": True}


async def test_a_reader_waits_for_a_stream_that_does_not_exist_yet(stream):
    reading = asyncio.ensure_future(stream.read(wait_ms=10_000))
    await asyncio.sleep(0.05)
    assert not reading.done()
    await stream.write(b"first")
    assert await asyncio.wait_for(reading, 5) == {"chunks": [b"first"], "nextIndex": 1, "done": False}


async def test_a_waiting_reader_hears_of_the_close(stream):
    await stream.write(b"a")
    readers = [asyncio.ensure_future(stream.read(1, wait_ms=10_000)) for _ in range(3)]
    await asyncio.sleep(0.05)
    await stream.close()
    for result in await asyncio.wait_for(asyncio.gather(*readers), 5):
        assert result == {"chunks": [], "nextIndex": 1, "done": True}


async def test_waiting_ends_without_a_result_when_the_time_is_up(stream):
    assert await stream.read(wait_ms=20) == {"chunks": [], "nextIndex": 0, "done": False}
    assert await stream.read(5, wait_ms=20) == {"chunks": [], "nextIndex": 5, "done": False}


async def test_a_tail_reader_loses_and_repeats_nothing(stream):
    async def tail():
        found, index = [], 0
        while True:
            result = await stream.read(index, wait_ms=5000)
            found += result["chunks"]
            index = result["nextIndex"]
            if result["done"]:
                return found

    reader = asyncio.ensure_future(tail())
    for number in range(100):
        await stream.write(str(number).encode())
    await stream.close()
    assert await asyncio.wait_for(reader, 20) == [str(number).encode() for number in range(100)]


async def test_a_negative_start_counts_from_the_end_of_the_moment(stream):
    assert await stream.read(-3) == {"chunks": [], "nextIndex": 0, "done": False}
    await stream.write(b"a", b"b", b"c")
    assert (await stream.read(-2))["chunks"] == [b"b", b"c"]
    assert (await stream.read(-10))["chunks"] == [b"a", b"b", b"c"]


async def test_a_negative_start_is_settled_before_the_wait(stream, world, monkeypatch):
    streams, settled = type(world.engine.streams), asyncio.Event()
    first_index = streams.first_index

    async def settle(*arguments):
        start = await first_index(*arguments)
        settled.set()
        return start

    monkeypatch.setattr(streams, "first_index", settle)
    reading = asyncio.ensure_future(stream.read(-1, wait_ms=20_000))
    await settled.wait()
    await stream.write(b"a", b"b")
    assert (await reading)["chunks"] == [b"a", b"b"]


async def test_a_start_past_the_end_of_a_closed_stream_is_done_at_once(stream):
    await stream.write(b"a")
    await stream.close()
    assert await stream.read(9, wait_ms=20_000) == {"chunks": [], "nextIndex": 9, "done": True}


async def test_a_read_is_bounded_but_never_splits_or_withholds_a_chunk(stream):
    half = bytes(MAX_READ_BYTES // 2)
    await stream.write(half, half, b"x", bytes(MAX_READ_BYTES + 1), b"y")
    await stream.close()
    sizes, index, done = [], 0, False
    while not done:
        result = await stream.read(index)
        sizes.append([len(chunk) for chunk in result["chunks"]])
        index, done = result["nextIndex"], result["done"]
    assert sizes == [[len(half)] * 2, [1], [MAX_READ_BYTES + 1], [1]]


async def test_pages_of_chunks_end_with_a_null_cursor(stream, world):
    await stream.write(*[str(number).encode() for number in range(250)])
    found, cursor = [], None
    for _ in range(10):
        page = await world.call("streams.chunks", name=STREAM, runId="x", cursor=cursor)
        found += [(chunk["index"], chunk["data"]) for chunk in page["data"]]
        cursor = page["cursor"]
        assert page["hasMore"] is (cursor is not None)
        if cursor is None:
            break
    assert found == [(number, str(number).encode()) for number in range(250)]
    assert page["done"] is False
    empty = await world.call("streams.chunks", name="unknown", runId="x")
    assert empty == {"data": [], "cursor": None, "hasMore": False, "done": False}
    with pytest.raises(WorldError, match="cursor"):
        await world.call("streams.chunks", name=STREAM, runId="x", cursor="garbage")


async def test_a_run_lists_the_streams_that_were_written_or_closed_under_it(stream, world):
    await stream.write(b"a", name="s1", run_id="wrun_a")
    await stream.write(b"b", name="s1", run_id="wrun_b")
    await stream.write(b"b", name="s1", run_id="wrun_b")
    await stream.close(name="s0", run_id="wrun_a")
    assert await world.call("streams.list", runId="wrun_a") == {"names": ["s0", "s1"]}
    assert await world.call("streams.list", runId="wrun_b") == {"names": ["s1"]}
    assert await world.call("streams.list", runId="wrun_c") == {"names": []}


async def test_an_unknown_stream_is_empty_not_missing(world):
    assert await world.call("streams.info", name="nope", runId="x") == {"tailIndex": -1, "done": False}


@pytest.mark.parametrize(
    "change",
    [{"chunks": "abc"}, {"chunks": ["text"]}, {"sequence": 1.5}, {"sequence": 2**70}, {"writerId": ""}, {"name": 1}],
)
async def test_a_malformed_write_is_a_400(world, change):
    good = {"name": STREAM, "runId": "x", "chunks": [b"a"], "writerId": "w", "sequence": 0}
    with pytest.raises(WorldError) as refusal:
        await world.call("streams.write", **{**good, **change})
    assert refusal.value.status == 400


async def test_a_reader_that_goes_away_leaves_nothing_behind(stream, world):
    reading = asyncio.ensure_future(stream.read(wait_ms=20_000))
    await until(lambda: world.engine.streams.grown.listeners)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert world.engine.streams.grown.listeners == 0


async def test_a_page_of_large_chunks_is_a_short_one(world, stream):
    for _ in range(25):
        await stream.write(bytes(1 << 20))
    indices, cursor, pages = [], None, 0
    while True:
        page = await world.call("streams.chunks", name=STREAM, runId="x", limit=1000, cursor=cursor)
        assert sum(len(chunk["data"]) for chunk in page["data"]) < 20 << 20
        indices += [chunk["index"] for chunk in page["data"]]
        pages += 1
        cursor = page["cursor"]
        assert page["hasMore"] is (cursor is not None)
        if cursor is None:
            break
    assert indices == list(range(25))
    assert pages == 2
