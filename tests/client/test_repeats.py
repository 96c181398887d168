"""What is repeated, when, and under which correlation id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from workflow_studio.client import ComputeClient, ComputeClientError, RateLimitedError, TransportError, correlated
from workflow_studio.client._core import backoff

WOKEN = {"runId": "wrun_1", "wokenWaits": 1}
SLOW_DOWN = {"code": "rate_limited", "message": "Too many."}
BROKEN = {"code": "internal_error", "message": "No."}


@pytest.fixture
def naps(monkeypatch):
    taken: list[float] = []
    monkeypatch.setattr("workflow_studio.client._sync.base.time.sleep", taken.append)
    return taken


@pytest.fixture
def wake(naps):
    """Wake a run, which is not repeated without need, over answers; return how many requests were made."""

    def waking(*answers, retries=2):
        rest, requests = list(answers), []

        def worker(request):
            requests.append(request)
            answer = rest.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        with ComputeClient("http://w.test", "k", retries=retries, transport=httpx.MockTransport(worker)) as client:
            try:
                client.wake_run("wrun_1")
            except ComputeClientError as error:
                return len(requests), error
        return len(requests), None

    return waking


@pytest.mark.parametrize("kind", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout])
def test_what_cannot_have_arrived_is_sent_again_whatever_it_is(wake, kind):
    made, error = wake(kind("no"), kind("no"), httpx.Response(200, json=WOKEN))
    assert (made, error) == (3, None)


@pytest.mark.parametrize("kind", [httpx.ReadTimeout, httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError])
def test_what_may_have_arrived_is_not(wake, kind):
    made, error = wake(kind("no"), httpx.Response(200, json=WOKEN))
    assert made == 1
    assert isinstance(error, TransportError)
    assert error.may_have_arrived


def test_a_call_that_was_one_too_many_is_made_again(wake, naps):
    slow_down = httpx.Response(429, json=SLOW_DOWN, headers={"retry-after": "3"})
    assert wake(slow_down, httpx.Response(200, json=WOKEN)) == (2, None)
    assert naps == [3]
    made, error = wake(*[slow_down] * 3)
    assert made == 3
    assert isinstance(error, RateLimitedError)


def test_a_failure_of_the_worker_is_not_taken_for_nothing_done(wake):
    made, error = wake(httpx.Response(503, json=BROKEN))
    assert (made, error.status) == (1, 503)


def asked(answer, naps):
    rest = [answer, httpx.Response(200, json={"healthy": True})]
    with ComputeClient("http://w.test", transport=httpx.MockTransport(lambda _: rest.pop(0))) as client:
        client.health()
    return naps


def test_a_worker_that_is_down_says_for_how_long(naps):
    assert asked(httpx.Response(503, json=BROKEN, headers={"retry-after": "5"}), naps) == [5]


def test_the_time_to_wait_may_be_a_date(naps):
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    (nap,) = asked(httpx.Response(429, json=SLOW_DOWN, headers={"retry-after": soon}), naps)
    assert 25 <= nap <= 30


@pytest.mark.parametrize("header", ["soon", "nan", "inf", "", "Thu, 99 Jan 2026 00:00:00 GMT"])
def test_a_time_to_wait_that_makes_no_sense_is_left_out(naps, header):
    (nap,) = asked(httpx.Response(429, json=SLOW_DOWN, headers={"retry-after": header}), naps)
    assert 0 <= nap <= 0.25


def test_who_failed_together_does_not_come_back_together():
    for failures, limit in [(1, 0.25), (2, 0.5), (3, 1.0), (6, 8.0), (50, 8.0)]:
        pauses = [backoff(failures, None) for _ in range(200)]
        assert all(0 <= pause <= limit for pause in pauses)
        # Anything from nothing to the limit: the odds of missing a half are 1 in 2 ** 200.
        assert min(pauses) < limit / 2 < max(pauses)


def test_calls_carry_the_correlation_id_that_was_chosen_for_them():
    ids = []

    def worker(request):
        ids.append(request.headers.get_list("x-workflow-correlation-id"))
        return httpx.Response(200, json={"healthy": True})

    with ComputeClient("http://w.test", transport=httpx.MockTransport(worker)) as client:
        with correlated("checkout/17") as chosen:
            client.health()
            with correlated("inner"):
                client.health()
            client.health()
        client.health()
    assert chosen == "checkout/17"
    assert ids[:3] == [["checkout/17"], ["inner"], ["checkout/17"]]
    assert len(ids[3][0]) == 36


@pytest.mark.parametrize("text", ["", "a b", "a\nb", "x" * 129, "ä"])
def test_a_correlation_id_that_a_worker_would_not_take_is_refused(text):
    with pytest.raises(ValueError, match="correlation id"), correlated(text):
        raise AssertionError("it was taken")
