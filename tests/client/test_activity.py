"""The feed, over connections that break and a worker that is started anew."""

from __future__ import annotations

import itertools

import httpx
import pytest

from tests.client.test_streams import answer
from workflow_studio.client import AsyncComputeClient, ComputeClient, TransportError, UnauthorizedError
from workflow_studio.client import _following as following


def entry(number, run_id="wrun_1", **more):
    about = {"runId": run_id, "workflowName": "w", "deploymentId": "dep_1", "environment": "production"}
    told = {"type": "step_started", "at": "2026-09-17T09:00:00.120Z", "eventId": f"evnt_{number}"}
    return {"cursor": f"a.{number}.0"} | told | about | more


def pause(number):
    return {"cursor": f"a.{number}.0"}


pytestmark = pytest.mark.usefixtures("naps")


@pytest.fixture(params=["sync", "async"])
def follow(request):
    """Follow a feed over answers until enough was read; return what was told, and what was asked."""

    async def following(*answers, take=None, **options):
        rest, asked = list(answers), []

        def worker(sent):
            assert sent.url.path == "/v1/activity"
            asked.append(dict(sent.url.params))
            given = rest.pop(0)
            if isinstance(given, Exception):
                raise given
            return given

        transport = httpx.MockTransport(worker)
        found = []
        if request.param == "sync":
            with ComputeClient("http://w.test", "k", transport=transport) as client:
                for told in client.follow_activity(**options):
                    found.append(told)
                    if len(found) == take:
                        break
        else:
            async with AsyncComputeClient("http://w.test", "k", transport=transport) as client:
                told_ones = client.follow_activity(**options)
                async for told in told_ones:
                    found.append(told)
                    if len(found) == take:
                        break
                await told_ones.aclose()
        assert not rest
        return found, asked

    return following


async def test_what_is_told_is_given_and_filters_are_sent(follow):
    lines = answer(pause(1), entry(2), pause(3), entry(4, type="output", eventId=None, position=1, text="Hello"))
    found, asked = await follow(lines, take=2, run_id="wrun_1", environment="dev-ada", cursor="a.0.0")
    assert [(told.type, told.cursor, told.text) for told in found] == [
        ("step_started", "a.2.0", None),
        ("output", "a.4.0", "Hello"),
    ]
    assert asked == [{"runId": "wrun_1", "environment": "dev-ada", "cursor": "a.0.0"}]


async def test_without_a_cursor_it_begins_with_what_happens_from_now_on(follow):
    assert (await follow(answer(entry(1)), take=1))[1] == [{}]


@pytest.mark.parametrize("cut", [None, httpx.ReadError("cut"), httpx.ReadTimeout("silent"), '{"cursor": "a.', "[1]\n"])
async def test_the_following_goes_on_where_it_was_cut(follow, cut):
    first = answer(entry(1), pause(5), *([] if cut is None else [cut]))
    found, asked = await follow(first, httpx.ConnectError("away"), answer(entry(6)), take=2)
    assert [told.event_id for told in found] == ["evnt_1", "evnt_6"]
    assert asked == [{}, {"cursor": "a.5.0"}, {"cursor": "a.5.0"}]


async def test_what_is_told_twice_is_given_once(follow):
    again = answer(entry(1), entry(2), entry(1, run_id="wrun_2"))
    found, _ = await follow(answer(entry(1), entry(2)), again, take=3)
    assert [(told.run_id, told.event_id) for told in found] == [
        ("wrun_1", "evnt_1"),
        ("wrun_1", "evnt_2"),
        ("wrun_2", "evnt_1"),
    ]


async def test_pauses_say_that_the_feed_goes_on(follow):
    found, _ = await follow(answer(pause(1), entry(2), pause(3)), take=3, with_pauses=True)
    assert [told and told.event_id for told in found] == [None, "evnt_2", None]


async def test_a_refusal_ends_it_at_once(follow):
    with pytest.raises(UnauthorizedError):
        await follow(answer(entry(1)), httpx.Response(401, json={"code": "unauthorized", "message": "No."}))


async def test_a_worker_that_stays_away_ends_it_when_patience_does(follow, monkeypatch):
    clock = itertools.count(0, 10)
    monkeypatch.setattr(following.time, "monotonic", lambda: float(next(clock)))
    with pytest.raises(TransportError):
        await follow(answer(entry(1)), *[httpx.ConnectError("away")] * 4, patience=45)
