"""Reads: pages, cursors and ``resolveData``."""

from __future__ import annotations

import pytest

from workflow_studio.compute import wire
from workflow_studio.compute.ids import event_id
from workflow_studio.compute.world_errors import HookNotFoundError, RunNotFoundError, WorldError


async def pages(world, method, **params):
    """Return the data of all pages, read as the SDK does."""
    found, cursor = [], ""
    for _ in range(100):
        page = await world.call(method, **params, cursor=cursor)
        found.append(page["data"])
        if not page["hasMore"]:
            return found
        assert page["cursor"] != cursor
        cursor = page["cursor"]
    raise AssertionError("The pages never end.")


@pytest.fixture
async def run_with_steps(world):
    run_id = await world.new_run()
    for number in range(25):
        await world.create(run_id, "step_created", f"step_{number:02d}", stepName="add", input=b"x")
    return run_id


async def test_no_answer_outgrows_a_frame_however_much_a_run_has_stored(world):
    run_id = await world.new_run(started=False)
    megabyte = bytes(1 << 20)
    for number in range(70):
        step = f"step_{number:02}"
        await world.create(run_id, "step_created", step, stepName="s")
        await world.create(run_id, "step_started", step)
        await world.create(run_id, "step_completed", step, result=megabyte)
    started = await world.create(run_id, "run_started")
    assert started["run"]["status"] == "running"
    assert "events" not in started
    types, cursor, pages = [], None, 0
    while True:
        page = await world.call("events.list", runId=run_id, cursor=cursor, limit=1000)
        assert len(wire.encode(page)) < 32 << 20
        types += [event["eventType"] for event in page["data"]]
        pages += 1
        if not page["hasMore"]:
            break
        cursor = page["cursor"]
    assert pages > 1
    assert (len(types), types[-1], types.count("step_completed")) == (212, "run_started", 70)
    steps = await world.call("steps.list", runId=run_id, limit=1000)
    assert steps["hasMore"]
    assert len(wire.encode(steps)) < 32 << 20
    assert not (await world.call("steps.list", runId=run_id, limit=1000, resolveData="none"))["hasMore"]


async def test_steps_come_newest_first_20_at_a_time_unless_told_otherwise(world, run_with_steps):
    found = await pages(world, "steps.list", runId=run_with_steps)
    assert [len(page) for page in found] == [20, 5]
    ids = [step["stepId"] for page in found for step in page]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 25
    ascending = await pages(world, "steps.list", runId=run_with_steps, sortOrder="asc", limit=7)
    assert [len(page) for page in ascending] == [7, 7, 7, 4]
    assert [step["stepId"] for page in ascending for step in page] == sorted(ids)


async def test_events_come_oldest_first_and_the_cursor_is_exclusive(world, run_with_steps):
    found = await pages(world, "events.list", runId=run_with_steps, limit=10)
    assert [event["eventId"] for page in found for event in page] == [event_id(slot) for slot in range(1, 28)]
    descending = await pages(world, "events.list", runId=run_with_steps, limit=10, sortOrder="desc")
    assert [event["eventId"] for page in descending for event in page] == [event_id(slot) for slot in range(27, 0, -1)]


async def test_the_last_page_has_a_cursor_from_which_newer_events_are_found(world, run_with_steps):
    page = await world.call("events.list", runId=run_with_steps)
    assert (page["cursor"], page["hasMore"]) == (event_id(27), False)
    empty = await world.call("events.list", runId=run_with_steps, cursor=page["cursor"])
    assert empty == {"data": [], "cursor": None, "hasMore": False}
    await world.create(run_with_steps, "step_started", "step_00")
    newer = await world.call("events.list", runId=run_with_steps, cursor=page["cursor"])
    assert [event["eventType"] for event in newer["data"]] == ["step_started"]


async def test_runs_come_newest_first_and_can_be_filtered(world):
    runs = []
    for _ in range(3):
        runs.append(await world.new_run(started=False))
        world.clock.tick(10)
    await world.create(runs[0], "run_cancelled")
    assert [run["runId"] for page in await pages(world, "runs.list", limit=2) for run in page] == runs[::-1]
    by_status = await world.call("runs.list", status="cancelled")
    assert [run["runId"] for run in by_status["data"]] == [runs[0]]
    several = await world.call("runs.list", status=["pending", "running"], sortOrder="asc")
    assert [run["runId"] for run in several["data"]] == runs[1:]
    assert (await world.call("runs.list", status=[]))["data"] == []
    assert (await world.call("runs.list", workflowName="other"))["data"] == []
    assert len((await world.call("runs.list", workflowName=world.workflow))["data"]) == 3


async def test_events_of_a_correlation_id_are_found_with_and_without_the_run(world):
    runs = [await world.new_run() for _ in range(3)]
    for run_id in runs:
        await world.create(run_id, "step_created", "step_same", stepName="add")
        await world.create(run_id, "step_started", "step_same")
    own = await world.call("events.listByCorrelationId", correlationId="step_same", runId=runs[0])
    assert [event["eventType"] for event in own["data"]] == ["step_created", "step_started"]
    assert own["cursor"] == event_id(4)
    for order in ("asc", "desc"):
        found = await pages(world, "events.listByCorrelationId", correlationId="step_same", limit=2, sortOrder=order)
        everything = [(event["eventId"], event["runId"]) for page in found for event in page]
        assert everything == sorted(everything, reverse=order == "desc")
        assert len(set(everything)) == 6


async def test_hooks_come_by_id(world):
    run_id, other = await world.new_run(), await world.new_run()
    for number in (2, 0, 1):
        await world.create(run_id, "hook_created", f"hook_{number}", token=f"t{number}", metadata=b"m")
    await world.create(other, "hook_created", "hook_9", token="t9", isWebhook=False)
    found = await pages(world, "hooks.list", limit=3)
    assert [hook["hookId"] for page in found for hook in page] == ["hook_0", "hook_1", "hook_2", "hook_9"]
    assert len((await world.call("hooks.list", runId=run_id))["data"]) == 3
    assert (await world.call("hooks.get", hookId="hook_9"))["isWebhook"] is False
    assert (await world.call("hooks.get", hookId="hook_1"))["isWebhook"] is True


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("runs.list", {}),
        ("steps.list", {"runId": "wrun_x"}),
        ("events.list", {"runId": "wrun_x"}),
        ("events.listByCorrelationId", {"correlationId": "step_1"}),
        ("events.listByCorrelationId", {"correlationId": "step_1", "runId": "wrun_x"}),
        ("hooks.list", {}),
    ],
)
@pytest.mark.parametrize("cursor", ["not a cursor", "\x00", "evnt 1", "é" * 10, "x" * 1000])
async def test_a_garbage_cursor_is_a_400(world, method, params, cursor):
    with pytest.raises(WorldError, match="cursor") as refusal:
        await world.call(method, **params, cursor=cursor)
    assert (refusal.value.status, refusal.value.name) == (400, "WorkflowWorldError")


async def test_a_huge_event_id_is_only_a_cursor_past_the_end(world, run_with_steps):
    page = await world.call("events.list", runId=run_with_steps, cursor="evnt_" + "9" * 26)
    assert page["data"] == []
    with pytest.raises(WorldError, match="not found"):
        await world.call("events.get", runId=run_with_steps, eventId="evnt_" + "9" * 26)


async def test_resolve_data_none_leaves_out_payloads_and_nothing_else(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add", input=b"x")
    await world.create(run_id, "step_started", "step_1", stepName="add")
    await world.create(run_id, "step_retrying", "step_1", error="e", retryAfter=1)
    await world.create(run_id, "step_completed", "step_1", result=b"x", stepName="add")
    await world.create(run_id, "hook_created", "hook_1", token="t", metadata=b"x")
    await world.create(run_id, "hook_received", "hook_1", payload=b"x")
    await world.create(run_id, "wait_created", "wait_1", resumeAt=5)
    await world.create(run_id, "run_failed", error={"message": "e"}, errorCode="USER_ERROR")
    page = await world.call("events.list", runId=run_id, resolveData="none")
    assert [event.get("eventData") for event in page["data"]] == [
        {"deploymentId": world.deployment_id, "workflowName": world.workflow},
        None,
        {"stepName": "add"},
        {"stepName": "add"},
        {"retryAfter": 1},
        {"stepName": "add"},
        {"token": "t"},
        None,
        {"resumeAt": 5},
        {"errorCode": "USER_ERROR"},
    ]
    full = await world.call("events.list", runId=run_id, resolveData="all")
    assert full["data"][0]["eventData"]["input"] == b"devl[[1],2]"
    for entity in (
        await world.call("runs.get", runId=run_id, resolveData="none"),
        (await world.call("runs.list", resolveData="none"))["data"][0],
        await world.call("steps.get", stepId="step_1", resolveData="none"),
        (await world.call("steps.list", runId=run_id, resolveData="none"))["data"][0],
    ):
        assert not {"input", "output"} & set(entity)
        assert entity["error"]["message"] == "e"


async def test_a_hook_has_its_metadata_unless_it_is_not_wanted(world):
    run_id = await world.new_run()
    await world.create(run_id, "hook_created", "hook_1", token="t", metadata=b"m")
    assert (await world.call("hooks.getByToken", token="t"))["metadata"] == b"m"
    for method, params in (
        ("hooks.getByToken", {"token": "t"}),
        ("hooks.get", {"hookId": "hook_1"}),
    ):
        assert "metadata" not in await world.call(method, **params, resolveData="none")


async def test_absent_fields_are_left_out_never_null(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add", input=None)
    found = [
        await world.call("runs.get", runId=run_id),
        await world.call("steps.get", stepId="step_1"),
        *(await world.call("events.list", runId=run_id))["data"],
    ]
    assert all(value is not None for entity in found for value in entity.values())


async def test_what_does_not_exist_is_refused_by_name(world):
    with pytest.raises(RunNotFoundError):
        await world.call("runs.get", runId="wrun_x")
    with pytest.raises(HookNotFoundError):
        await world.call("hooks.get", hookId="hook_x")
    with pytest.raises(HookNotFoundError) as refusal:
        await world.call("hooks.getByToken", token="nope")
    assert refusal.value.fields["token"] == "nope"
    with pytest.raises(WorldError, match='Step "step_x" not found'):
        await world.call("steps.get", runId="wrun_x", stepId="step_x")


async def test_a_step_is_found_without_its_run(world, run_with_steps):
    assert (await world.call("steps.get", stepId="step_03"))["runId"] == run_with_steps
    with pytest.raises(WorldError, match="not found"):
        await world.call("steps.get", stepId="step_03", runId="wrun_other")
