"""Streams that are read while they are written."""

from __future__ import annotations

import asyncio

import pytest

from workflow_studio.worker.engine import following
from workflow_studio.worker.engine.params import StreamsSearch
from workflow_studio.worker.engine.streams import MAX_READ_BYTES

NAME = "strm_1_user"


@pytest.fixture
async def run_id(world):
    return await world.new_run()


@pytest.fixture
def write(world, run_id):
    sequence = iter(range(10_000))

    async def write(*chunks, name=NAME):
        written = {"name": name, "runId": run_id, "chunks": list(chunks), "writerId": "w"}
        await world.call("streams.write", sequence=next(sequence), **written)

    return write


@pytest.fixture
def follow(world, run_id):
    stopping = asyncio.Event()

    def follow(start=0, *, waits=True):
        return world.engine.following.follow(run_id, NAME, start, waits=waits, stopping=stopping)

    follow.stopping = stopping
    return follow


async def chunks_of(parts):
    found = [part async for part in parts]
    assert [part.ends for part in found] == [False] * (len(found) - 1) + [True]
    return [chunk for part in found for chunk in part.chunks], found[-1]


async def next_chunks(parts):
    while True:
        part = await anext(parts)
        if part.chunks:
            return part.index, list(part.chunks)


async def test_a_stream_is_given_as_it_is_written_and_ends_with_its_close(world, run_id, write, follow):
    await write(b"a", b"b")
    parts = follow()
    assert await next_chunks(parts) == (0, [b"a", b"b"])
    for number in range(3):
        coming = asyncio.ensure_future(next_chunks(parts))
        await asyncio.sleep(0)
        await write(b"%d" % number)
        assert await coming == (2 + number, [b"%d" % number])
    await world.call("streams.close", name=NAME, runId=run_id)
    rest, last = await chunks_of(parts)
    assert (rest, last.done, last.next_index) == ([], True, 5)


async def test_a_closed_stream_is_given_from_any_index(world, run_id, write, follow):
    await write(b"a", b"b", b"c")
    await world.call("streams.close", name=NAME, runId=run_id)
    for start, expected in ((0, [b"a", b"b", b"c"]), (2, [b"c"]), (-2, [b"b", b"c"]), (3, []), (99, []), (-99, None)):
        found, last = await chunks_of(follow(start))
        assert found == (expected if expected is not None else [b"a", b"b", b"c"])
        assert (last.done, last.next_index) == (True, max(3, start))


async def test_without_waiting_what_there_is_is_given(write, follow):
    await write(b"a")
    found, last = await chunks_of(follow(waits=False))
    assert (found, last.done, last.next_index) == ([b"a"], False, 1)


async def test_an_open_stream_of_a_run_that_has_ended_ends_after_its_last_words(
    world, run_id, write, follow, monkeypatch
):
    await write(b"a")
    await world.create(run_id, "run_completed")
    monkeypatch.setattr(following, "_AFTER_END_SECONDS", 30.0)
    parts = follow()
    assert await next_chunks(parts) == (0, [b"a"])
    coming = asyncio.ensure_future(next_chunks(parts))
    await asyncio.sleep(0)
    await write(b"on its way")
    assert await coming == (1, [b"on its way"])
    monkeypatch.setattr(following, "_AFTER_END_SECONDS", 0.01)
    rest, last = await chunks_of(parts)
    assert (rest, last.done, last.next_index) == ([], False, 2)


async def test_the_end_of_its_run_ends_a_stream_that_is_followed(world, run_id, write, follow, monkeypatch):
    monkeypatch.setattr(following, "_AFTER_END_SECONDS", 0.01)
    await write(b"a")
    reading = asyncio.ensure_future(chunks_of(follow()))
    await asyncio.sleep(0.05)
    await world.engine.runs.cancel(run_id)
    async with asyncio.timeout(10):  # far less than it would be silent
        found, last = await reading
    assert (found, last.done) == ([b"a"], False)


async def test_a_worker_that_stops_ends_what_is_followed(write, follow):
    await write(b"a")
    reading = asyncio.ensure_future(chunks_of(follow()))
    await asyncio.sleep(0.05)
    follow.stopping.set()
    async with asyncio.timeout(10):
        found, last = await reading
    assert (found, last.ends, last.done) == ([b"a"], True, False)


async def test_a_silent_stream_says_that_it_goes_on(write, follow, monkeypatch):
    monkeypatch.setattr(following, "SILENCE_SECONDS", 0.01)
    await write(b"a")
    parts = follow()
    assert [bool((await anext(parts)).chunks) for _ in range(4)] == [True, False, False, False]
    await write(b"b")
    assert await next_chunks(parts) == (1, [b"b"])
    await parts.aclose()


async def test_a_large_stream_is_never_held_whole(write, follow):
    chunk = b"x" * (MAX_READ_BYTES // 4)
    for _ in range(5):
        await write(*[chunk] * 4)
    sizes = [sum(map(len, part.chunks)) async for part in follow(waits=False)]
    assert sum(sizes) == 5 * MAX_READ_BYTES
    assert max(sizes) <= MAX_READ_BYTES


async def test_those_who_are_up_to_date_are_handed_what_is_written(world, run_id, write, follow, monkeypatch):
    reads = []
    next_part = world.engine.streams.next_part

    async def counted(name, start):
        reads.append(start)
        return await next_part(name, start)

    monkeypatch.setattr(world.engine.streams, "next_part", counted)
    followers = [follow() for _ in range(3)]
    assert [(await anext(parts)).chunks for parts in followers] == [()] * 3
    for number in range(20):
        coming = [asyncio.ensure_future(next_chunks(parts)) for parts in followers]
        await asyncio.sleep(0)
        await write(b"%d" % number, b"")
        assert await asyncio.gather(*coming) == [(2 * number, [b"%d" % number, b""])] * 3
    await world.call("streams.close", name=NAME, runId=run_id)
    assert [(await chunks_of(parts))[1].done for parts in followers] == [True] * 3
    assert reads == [0] * 3


async def test_the_last_chunks_and_the_close_come_together(world, run_id, follow):
    parts = follow()
    await anext(parts)
    last = {"name": NAME, "runId": run_id, "chunks": [b"a", b"b"], "writerId": "w", "sequence": 0, "closes": True}
    for _ in range(2):  # a repeat changes nothing
        await world.call("streams.write", **last)
    part = await anext(parts)
    assert (part.chunks, part.done) == ((b"a", b"b"), True)
    assert (await world.call("streams.info", name=NAME, runId=run_id)) == {"tailIndex": 1, "done": True}


async def test_whoever_stops_reading_leaves_nothing_behind(world, run_id, write, follow):
    await write(b"a")
    parts = follow()
    assert await next_chunks(parts) == (0, [b"a"])
    assert world.engine.ended.listeners == 1
    waiting = asyncio.ensure_future(anext(parts))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (world.engine.ended.listeners, world.engine.streams.grown.listeners) == (0, 0)


async def test_a_runs_streams_are_listed_by_name_in_pages(world, run_id, write):
    for name in ("c", "a", "b"):
        await write(b"1", b"2", name=name)
    await world.call("streams.close", name="b", runId=run_id)
    await world.call("streams.close", name="d", runId=await world.new_run())
    first = await world.engine.streams.search(StreamsSearch(run_id=run_id, limit=2))
    rest = await world.engine.streams.search(StreamsSearch(run_id=run_id, limit=2, cursor=first["cursor"]))
    assert [entry["name"] for entry in first["data"] + rest["data"]] == ["a", "b", "c"]
    assert (first["hasMore"], rest["hasMore"]) == (True, False)
    assert [(entry["tailIndex"], entry["done"]) for entry in first["data"]] == [(1, False), (1, True)]
    assert await world.engine.streams.is_of_run("a", run_id)
    assert not await world.engine.streams.is_of_run("d", run_id)
