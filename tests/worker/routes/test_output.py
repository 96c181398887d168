"""``GET /v1/runs/{runId}/output``."""

from __future__ import annotations

import asyncio

import pytest

from workflow_studio.worker.ports import Delivery, Line

from .conftest import secret_of


@pytest.fixture
async def run_id(worker):
    """Return a run of which a step has printed two lines and the workflow function one."""
    run_id = await worker.start()
    await worker.event(run_id, "step_created", "step_1", stepName="step//./w//charge", input=b"devl[[]]")
    await prints(worker, run_id, Line(1_700_000_000_000, "info", "charging"), Line(1_700_000_000_500, "error", "no"))
    await prints(worker, run_id, Line(1_700_000_001_000, "debug", "goes on", 0), step_id=None)
    return run_id


async def prints(worker, run_id, *lines, step_id="step_1"):
    kind = "workflow" if step_id is None else "step"
    delivery = Delivery("dlv_1", "msg_1", kind, "q", "dep_1", 1, b"", run_id, step_id)
    await worker.services.engine.output.append(delivery, lines)


async def listed(worker, run_id, **query):
    answer = await worker.get(f"/v1/runs/{run_id}/output", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_whole_output(worker, run_id):
    step = {"stepId": "step_1", "stepName": "step//./w//charge", "attempt": 1}
    assert await listed(worker, run_id) == {
        "data": [
            {"position": 1, **step, "level": "info", "at": "2023-11-14T22:13:20Z", "text": "charging"},
            {"position": 2, **step, "level": "error", "at": "2023-11-14T22:13:20.500000Z", "text": "no"},
            {"position": 3, "attempt": 1, "level": "debug", "at": "2023-11-14T22:13:21Z", "text": "goes on"},
        ],
        "cursor": "3",
        "hasMore": False,
        "dropped": 0,
        "finished": False,
    }


async def test_it_is_filtered_and_paged(worker, run_id):
    assert [line["text"] for line in (await listed(worker, run_id, level="info", stepId="step_1"))["data"]] == [
        "charging",
        "no",
    ]
    page = await listed(worker, run_id, limit=2)
    assert (len(page["data"]), page["cursor"], page["hasMore"]) == (2, "2", True)
    page = await listed(worker, run_id, limit=2, cursor=page["cursor"])
    assert ([line["text"] for line in page["data"]], page["hasMore"]) == (["goes on"], False)
    assert (await listed(worker, run_id, cursor=page["cursor"]))["data"] == []


@pytest.mark.parametrize(
    "query",
    [{"level": "loud"}, {"limit": 0}, {"limit": 1001}, {"cursor": "x"}, {"cursor": "-1"}, {"waitMs": -1}, {"x": 1}],
)
async def test_what_makes_no_sense_is_refused(worker, run_id, query):
    answer = await worker.get(f"/v1/runs/{run_id}/output", params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


async def test_a_run_that_is_not_there(worker):
    answer = await worker.get("/v1/runs/wrun_01ARYZ6S41TSV4RRFFQ69G5FAV/output")
    assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")


async def test_it_takes_the_scope_to_read_runs(worker, run_id):
    assert (await worker.get(f"/v1/runs/{run_id}/output", key=secret_of("runs:read"))).status_code == 200
    assert (await worker.get(f"/v1/runs/{run_id}/output", key=secret_of("runs:write"))).status_code == 403
    assert (await worker.get(f"/v1/runs/{run_id}/output", key=None)).status_code == 401


async def test_it_can_be_followed_until_the_end(worker, run_id):
    following = asyncio.ensure_future(listed(worker, run_id, cursor="3", waitMs=20_000))
    await asyncio.sleep(0.05)
    assert not following.done()
    await prints(worker, run_id, Line(1_700_000_002_000, "warn", "late"))
    page = await asyncio.wait_for(following, 5)
    assert [line["text"] for line in page["data"]] == ["late"]
    following = asyncio.ensure_future(listed(worker, run_id, cursor=page["cursor"], waitMs=20_000))
    await asyncio.sleep(0.05)
    await worker.post(f"/v1/runs/{run_id}/cancel")
    page = await asyncio.wait_for(following, 5)
    assert (page["data"], page["finished"]) == ([], True)


async def test_a_worker_that_stops_lets_followers_go(worker, run_id):
    following = asyncio.ensure_future(listed(worker, run_id, cursor="3", waitMs=20_000))
    await asyncio.sleep(0.05)
    worker.services.stopping.set()
    assert (await asyncio.wait_for(following, 5))["data"] == []
