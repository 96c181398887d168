"""The feed over HTTP: lines of JSON, for keys that may read runs, as long as they may."""

import asyncio
import json

from tests.worker.routes.conftest import ADMIN, make_settings, running, secret_of
from workflow_studio.compute.api import ActivityEntry, ActivityLine
from workflow_studio.compute.payload import dumps
from workflow_studio.worker.routes import lasting

PATH = "/v1/activity"
READER = secret_of("runs:read")


def lines_of(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


async def now(worker):
    (line,) = lines_of(await worker.get(PATH, params={"follow": "false"}))
    assert ActivityLine.model_validate(line).cursor == line["cursor"]
    return line["cursor"]


async def told(worker, cursor, key=READER, **wanted):
    response = await worker.get(PATH, key=key, params={"cursor": cursor, "follow": "false", **wanted})
    return [ActivityEntry.model_validate(line) for line in lines_of(response) if "type" in line]


async def somebody_follows(worker):
    while not worker.services.engine.activity.readers:  # noqa: ASYNC110  # nobody is told of a reader
        await asyncio.sleep(0)


async def test_what_happens_is_told_line_by_line(worker):
    cursor = await now(worker)
    run_id = await worker.start()
    await worker.event(run_id, "step_created", "step_1", stepName="step//./w//s", input=dumps([]))
    await worker.event(run_id, "step_started", "step_1")
    await worker.event(run_id, "step_failed", "step_1", error="No.", stack="Error: No.\n    at s (w.ts:1:2)")
    entries = await told(worker, cursor)
    assert [entry.type for entry in entries] == [
        "run_created",
        "run_started",
        "step_created",
        "step_started",
        "step_failed",
    ]
    failed = entries[-1]
    assert (failed.run_id, failed.step_name, failed.attempt) == (run_id, "step//./w//s", 1)
    assert (failed.error.message, failed.error.stack) == ("No.", "Error: No.\n    at s (w.ts:1:2)")
    assert failed.at.tzinfo is not None
    assert [entry.type for entry in await told(worker, entries[2].cursor)] == ["step_started", "step_failed"]
    assert await told(worker, cursor, runId="wrun_other") == []
    assert await told(worker, cursor, environment="dev-ada") == []


async def test_an_error_that_cannot_be_read_does_not_end_the_feed(worker):
    cursor = await now(worker)
    run_id = await worker.start()
    for number, error in enumerate((b"encr" + bytes(40), b"\xff", dumps({"message": "Five."}), 17, None, {"no": 1})):
        await worker.event(run_id, "step_created", f"step_{number}", stepName="s")
        await worker.event(run_id, "step_started", f"step_{number}")
        await worker.event(run_id, "step_failed", f"step_{number}", error=error)
    failed = [entry for entry in await told(worker, cursor) if entry.type == "step_failed"]
    assert len(failed) == 6
    assert failed[2].error.message == "Five."


async def test_tokens_of_hooks_are_for_keys_that_may_resume_runs(worker):
    cursor = await now(worker)
    run_id = await worker.start()
    await worker.event(run_id, "hook_created", "hook_1", token="secret-token")
    assert (await told(worker, cursor))[-1].token is None
    assert (await told(worker, cursor, ADMIN))[-1].token == "secret-token"


async def test_what_is_no_cursor_or_filter_is_refused(worker):
    for wrong in ({"cursor": "x"}, {"cursor": "-.1.1.1"}, {"follow": "maybe"}, {"status": "running"}):
        response = await worker.get(PATH, params=wrong)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request"), wrong


async def test_the_feed_ends_when_its_key_is_revoked(worker, monkeypatch):
    monkeypatch.setattr(lasting, "_KEY_CHECKED_EVERY", 0)
    following = asyncio.create_task(worker.get(PATH, key=READER))
    await somebody_follows(worker)
    assert (await worker.post("/v1/keys/runs:read/revoke")).status_code == 200
    await worker.start()
    async with asyncio.timeout(10):
        assert (await following).status_code in {200, 401}
    assert worker.services.engine.activity.readers == 0


async def test_feeds_count_against_the_limit_of_their_key_and_end_with_the_worker(tmp_path):
    async with running(make_settings(tmp_path / "data", max_streams_per_key=1)) as worker:
        following = asyncio.create_task(worker.get(PATH))
        await somebody_follows(worker)
        refused = await worker.get(PATH)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
        worker.services.stopping.set()
        async with asyncio.timeout(10):
            assert len(lines_of(await following)) == 1
