"""Waiting for a run's end."""

from __future__ import annotations

import inspect
import time

import httpx
import pytest

from workflow_studio.client import AsyncComputeClient, ComputeClient, ComputeClientError, UnauthorizedError
from workflow_studio.client._waiting import LONGEST, Polls

RUN = {"runId": "wrun_1", "status": "running", "workflowName": "w", "deploymentId": "dep_1"}
ENDED = RUN | {"status": "completed", "output": 5}


@pytest.fixture
def clock(monkeypatch):
    """A clock that moves by what is slept, or as an answer says."""

    class Clock:
        def __init__(self):
            self.now = 1000.0
            self.naps = []

    made = Clock()

    def sleep(seconds):
        made.naps.append(seconds)
        made.now += seconds

    async def nap(seconds):
        sleep(seconds)

    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    monkeypatch.setattr("workflow_studio.client._sync.base.time.sleep", sleep)
    monkeypatch.setattr("workflow_studio.client._async.base.anyio.sleep", nap)
    return made


@pytest.fixture(params=["sync", "async"])
def ask(request, clock):
    """Wait for a run over answers, each with how many seconds it takes; return the run and the ``waitMs`` sent."""

    async def waiting(*answers, wait=None, **options):
        rest, sent = list(answers), []

        def handle(request):
            seconds, answer = rest.pop(0)
            sent.append(request.url.params.get("waitMs"))
            clock.now += seconds
            if isinstance(answer, Exception):
                raise answer
            return (
                httpx.Response(200, json=answer) if isinstance(answer, dict) else httpx.Response(answer, text="<html>")
            )

        options = {"transport": httpx.MockTransport(handle), "retries": 0} | options
        if request.param == "sync":
            with ComputeClient("http://worker.test", "a-key", **options) as client:
                run = client.wait_for_run("wrun_1", within=wait)
        else:
            async with AsyncComputeClient("http://worker.test", "a-key", **options) as client:
                run = await client.wait_for_run("wrun_1", within=wait)
        assert not rest
        return run, sent

    return waiting


async def test_the_end_is_waited_for_in_long_polls(ask, clock):
    run, sent = await ask((25, RUN), (25, RUN), (3, ENDED))
    assert (run.status, run.output) == ("completed", 5)
    assert sent == ["25000"] * 3
    assert sum(clock.naps) == 0


async def test_the_run_as_it_is_comes_back_when_the_time_is_up(ask):
    run, sent = await ask((25, RUN), (5, RUN), wait=30)
    assert not run.finished
    assert sent == ["25000", "5000"]
    run, sent = await ask((0, RUN), wait=0)
    assert (run.finished, sent) == (False, ["0"])


async def test_a_worker_that_does_not_wait_is_not_asked_without_a_pause(ask, clock):
    await ask((0, RUN), (0.25, RUN), (0, ENDED))
    assert [nap for nap in clock.naps if nap] == [1.0, 0.75]


@pytest.mark.parametrize("failure", [504, httpx.ReadError("cut"), httpx.RemoteProtocolError("cut")])
async def test_a_poll_that_is_cut_is_followed_by_a_plain_look_and_shorter_polls(ask, failure):
    run, sent = await ask((20, failure), (0, RUN), (12.5, RUN), (1, ENDED))
    assert run.finished
    assert sent == ["25000", None, "12500", "12500"]


async def test_a_worker_that_is_gone_is_an_error_like_that_of_any_other_call(ask):
    with pytest.raises(ComputeClientError, match="could not be reached"):
        await ask((20, httpx.ReadError("cut")), (0, httpx.ConnectError("refused")))


async def test_a_refusal_ends_the_wait(ask):
    with pytest.raises(UnauthorizedError):
        await ask((0, 401))
    with pytest.raises(ComputeClientError) as refused:
        await ask((0, 404))
    assert refused.value.status == 404


def test_a_poll_may_take_longer_than_other_calls(clock):
    timeouts = []

    def handle(request):
        timeouts.append(request.extensions["timeout"]["read"])
        return httpx.Response(200, json=ENDED)

    with ComputeClient("http://worker.test", timeout=3, transport=httpx.MockTransport(handle)) as client:
        client.wait_for_run("wrun_1")
        client.get_run("wrun_1")
    assert timeouts == [3 + LONGEST, 3]


def test_a_negative_timeout_is_refused():
    with pytest.raises(ValueError, match="negative"):
        Polls(-1)


def test_both_clients_wait_alike():
    assert inspect.signature(ComputeClient.wait_for_run) == inspect.signature(AsyncComputeClient.wait_for_run)
