"""Streams that apps follow: one answer, in parts, until the stream is closed."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.until import until
from tests.worker.routes.conftest import ADMIN, make_settings, running, secret_of
from workflow_studio.compute import wire

NAME = "strm_1_user"


def items_of(body):
    """Return the pages in a body; it must be whole."""
    pages = []
    while body:
        assert body[0] == 0x5A
        size = int.from_bytes(body[1:5], "big")
        pages.append(wire.decode(body[5 : 5 + size]))
        assert len(body) >= 5 + size
        body = body[5 + size :]
    return pages


def follow(worker, start=0, key=ADMIN, **params):
    return worker.call("streams.read", {"name": NAME, "startIndex": start, "follow": True, **params}, key=key)


async def write(worker, sequence, *chunks, closes=False):
    params = {"name": NAME, "runId": "wrun_made_up", "chunks": list(chunks), "writerId": "w"}
    await worker.world("streams.write", params | {"sequence": sequence, "closes": closes})


async def followers(worker, count):
    await until(lambda: worker.services.engine.streams.grown.listeners == count)


async def test_chunks_are_sent_as_they_are_written_and_the_last_page_says_so(worker):
    readers = [asyncio.create_task(follow(worker, start)) for start in (0, 0, 2)]
    await followers(worker, 3)
    await write(worker, 0, b"a", b"b")
    await write(worker, 1, b"c", closes=True)
    answers = [await reader for reader in readers]
    for answer, expected in zip(answers, ([b"a", b"b", b"c"], [b"a", b"b", b"c"], [b"c"]), strict=True):
        assert answer.headers["content-type"] == "application/cbor-seq"
        assert answer.headers["x-accel-buffering"] == "no"
        pages = items_of(answer.content)
        assert pages[0]["chunks"] == [], "the first page comes at once"
        assert [chunk for page in pages for chunk in page["chunks"]] == expected
        assert [page["done"] for page in pages] == [False] * (len(pages) - 1) + [True]
        assert pages[-1]["nextIndex"] == 3
    assert worker.services.engine.streams.grown.listeners == 0


async def test_a_worker_that_stops_ends_the_answer_and_not_the_stream(worker):
    reader = asyncio.create_task(follow(worker))
    await followers(worker, 1)
    worker.services.stopping.set()
    pages = items_of((await reader).content)
    assert [(page["chunks"], page["nextIndex"], page["done"]) for page in pages] == [([], 0, False)] * 2


async def test_followers_count_against_the_limit_of_their_key_and_leave_nothing(tmp_path):
    async with running(make_settings(tmp_path, max_streams_per_key=1)) as worker:
        reader = asyncio.create_task(follow(worker))
        await until(lambda: worker.services.streams.open("admin") == 1)
        refused = await follow(worker)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
        reader.cancel()
        await until(lambda: worker.services.streams.open("admin") == 0)
        await followers(worker, 0)


@pytest.mark.parametrize("params", [{"name": 7}, {"startIndex": "first"}])
async def test_what_makes_no_sense_is_refused_before_the_answer_begins(worker, params):
    refused = await follow(worker, **params)
    assert (refused.status_code, refused.headers["content-type"]) == (400, "application/json")


async def test_only_keys_of_the_world_lane_may_follow(worker):
    assert (await follow(worker, key=secret_of("runs:read"))).status_code == 403
