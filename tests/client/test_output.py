"""What runs print, page by page and followed."""

from __future__ import annotations

import time

import httpx
import pytest

from workflow_studio.client import AsyncComputeClient, ComputeClient, ComputeClientError

AT = "2026-01-01T00:00:00Z"


def page(*positions, finished=False, more=False):
    lines = [{"position": place, "level": "info", "at": AT, "text": f"line {place}"} for place in positions]
    return {
        "data": lines,
        "cursor": str(max(positions, default=9)),
        "hasMore": more,
        "dropped": 3,
        "finished": finished,
    }


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Have no time pass."""
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)


pytestmark = pytest.mark.usefixtures("naps")


@pytest.fixture(params=["sync", "async"])
def follow(request):
    """Follow a run over answers; return the lines' texts and the queries that were sent."""

    async def following(*answers, **options):
        rest, sent = list(answers), []

        def handle(asked):
            assert asked.url.path == "/v1/runs/wrun_1/output"
            sent.append(dict(asked.url.params))
            answer = rest.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return httpx.Response(200, json=answer) if isinstance(answer, dict) else httpx.Response(answer, json={})

        given = {"transport": httpx.MockTransport(handle), "retries": 0}
        if request.param == "sync":
            with ComputeClient("http://worker.test", "a-key", **given) as client:
                texts = [line.text for line in client.follow_run_output("wrun_1", **options)]
        else:
            async with AsyncComputeClient("http://worker.test", "a-key", **given) as client:
                texts = [line.text async for line in client.follow_run_output("wrun_1", **options)]
        assert not rest
        return texts, sent

    return following


async def test_a_run_is_followed_to_its_end(follow, naps):
    texts, sent = await follow(
        page(1, 2, more=True), page(3), page(), page(10, finished=True), step_id="s", level="warn"
    )
    assert texts == ["line 1", "line 2", "line 3", "line 10"]
    assert [query.get("cursor") for query in sent] == [None, "2", "3", "9"]
    assert all((query["stepId"], query["level"], query["waitMs"]) == ("s", "warn", "25000") for query in sent)
    assert naps == [0.2, 1.0]


async def test_what_is_left_when_the_run_has_ended_is_read_to_the_end(follow):
    texts, _ = await follow(page(1, finished=True, more=True), page(2, finished=True), cursor="0")
    assert texts == ["line 1", "line 2"]


async def test_a_wait_that_is_cut_is_shorter_the_next_time(follow):
    texts, sent = await follow(httpx.ReadTimeout("cut"), page(1), page(2, finished=True))
    assert texts == ["line 1", "line 2"]
    assert [query.get("waitMs") for query in sent] == ["25000", None, "12500"]


async def test_a_run_that_is_not_there_is_not_followed(follow):
    with pytest.raises(ComputeClientError):
        await follow(404)


async def test_a_page_says_what_is_missing():
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=page(4, 5)))
    with ComputeClient("http://worker.test", "a-key", transport=transport) as client:
        found = client.list_run_output("wrun_1", limit=2, wait_ms=5)
    assert ([line.position for line in found.data], found.cursor, found.dropped) == ([4, 5], "5", 3)
