"""``events.create``: what the Workflow SDK's runtime relies on."""

from __future__ import annotations

import asyncio

import pytest

from workflow_studio.compute.ids import event_id
from workflow_studio.compute.world_errors import (
    EntityConflictError,
    HookNotFoundError,
    RunExpiredError,
    RunNotFoundError,
    RunNotSupportedError,
    TooEarlyError,
    WorldError,
)
from workflow_studio.worker.engine.params import OfRun
from workflow_studio.worker.ports import CallContext

PAYLOAD = b"devl\x00\xff\x00[1]"


async def test_starting_a_run_twice_is_one_event_and_one_start_time(world):
    run_id = await world.new_run(started=False)
    first = await world.create(run_id, "run_started")
    world.clock.tick(5000)
    second = await world.create(run_id, "run_started")
    assert await world.log(run_id) == ["run_created", "run_started"]
    assert second["run"]["startedAt"] == first["run"]["startedAt"]
    assert second["run"]["input"] == b"devl[[1],2]"
    assert "event" not in second


async def test_run_started_returns_the_whole_log_every_time(world):
    run_id = await world.new_run()
    for number in range(150):
        await world.create(run_id, "step_created", f"step_{number:03d}", stepName="add", input=PAYLOAD)
    result = await world.create(run_id, "run_started")
    assert [event["eventId"] for event in result["events"]] == [event_id(slot) for slot in range(1, 153)]
    assert result["events"][2]["eventData"]["input"] == PAYLOAD
    assert result["cursor"] == event_id(152)
    assert result["hasMore"] is False


async def test_run_started_is_stored_without_data(world):
    run_id = await world.new_run(started=False)
    await world.create(run_id, "run_started", **world.run_data())
    event = await world.call("events.get", runId=run_id, eventId=event_id(2))
    assert "eventData" not in event


async def test_concurrent_starts_of_a_pending_run_make_one_event(world):
    run_id = await world.new_run(started=False)
    results = await asyncio.gather(*(world.create(run_id, "run_started") for _ in range(20)))
    assert await world.log(run_id) == ["run_created", "run_started"]
    assert len({result["run"]["startedAt"] for result in results}) == 1


async def test_run_started_creates_a_missing_run_from_its_data(world):
    run_id = world.new_run_id()
    result = await world.create(run_id, "run_started", **world.run_data(executionContext={"traceCarrier": {}}))
    assert result["run"]["status"] == "running"
    assert result["run"]["executionContext"] == {"traceCarrier": {}}
    assert result["run"]["specVersion"] == 3
    assert await world.log(run_id) == ["run_created", "run_started"]
    assert result["events"][0]["eventData"]["input"] == b"devl[[1],2]"
    with pytest.raises(EntityConflictError):
        await world.create(run_id, "run_created", **world.run_data())


async def test_run_started_of_a_missing_run_without_data_is_refused_and_leaves_nothing(world):
    run_id = world.new_run_id()
    with pytest.raises(RunNotFoundError):
        await world.create(run_id, "run_started")
    assert await world.log(run_id) == []


async def test_creation_and_resilient_start_race_to_one_run(world):
    for _ in range(10):
        run_id = world.new_run_id()
        outcomes = await asyncio.gather(
            world.create(run_id, "run_created", **world.run_data()),
            world.create(run_id, "run_started", **world.run_data()),
            return_exceptions=True,
        )
        assert await world.log(run_id) == ["run_created", "run_started"]
        assert isinstance(outcomes[1], dict)


async def test_starting_a_finished_run_is_refused(world):
    for ending in ("run_completed", "run_failed", "run_cancelled"):
        run_id = await world.new_run()
        await world.create(run_id, ending)
        with pytest.raises(RunExpiredError):
            await world.create(run_id, "run_started")


async def test_a_finished_run_takes_no_second_ending(world):
    run_id = await world.new_run()
    await world.create(run_id, "run_completed", output=PAYLOAD)
    for ending in ("run_completed", "run_failed", "run_cancelled"):
        with pytest.raises(EntityConflictError):
            await world.create(run_id, ending)
    run = await world.call("runs.get", runId=run_id)
    assert (run["status"], run["output"]) == ("completed", PAYLOAD)
    assert run["completedAt"] == world.clock.now


async def test_concurrent_endings_let_one_win(world):
    run_id = await world.new_run()
    endings = ["run_completed", "run_failed", "run_cancelled"] * 5
    outcomes = await asyncio.gather(*(world.create(run_id, kind) for kind in endings), return_exceptions=True)
    # A cancelled run may be cancelled again.
    won = [outcome["run"]["status"] for outcome in outcomes if isinstance(outcome, dict)]
    assert len(set(won)) == 1


async def test_cancelling_twice_is_two_events(world):
    run_id = await world.new_run()
    await world.create(run_id, "run_cancelled")
    again = await world.create(run_id, "run_cancelled")
    assert again["run"]["status"] == "cancelled"
    assert await world.log(run_id) == ["run_created", "run_started", "run_cancelled", "run_cancelled"]


async def test_a_failed_run_has_message_stack_and_code(world):
    run_id = await world.new_run()
    await world.create(run_id, "run_failed", error={"message": "boom", "stack": "at x"}, errorCode="USER_ERROR")
    run = await world.call("runs.get", runId=run_id, resolveData="none")
    assert run["error"] == {"message": "boom", "stack": "at x", "code": "USER_ERROR"}


@pytest.mark.parametrize(("error", "message"), [("boom", "boom"), ({}, "Unknown error"), (7, "Unknown error")])
async def test_a_run_error_always_has_a_message(world, error, message):
    run_id = await world.new_run()
    await world.create(run_id, "run_failed", error=error)
    assert (await world.call("runs.get", runId=run_id))["error"] == {"message": message}


async def test_cancel_then_step_completed_is_recorded_then_start_is_refused(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add")
    await world.create(run_id, "step_started", "step_1")
    await world.create(run_id, "run_cancelled")
    result = await world.create(run_id, "step_completed", "step_1", result=PAYLOAD)
    assert result["step"]["status"] == "completed"
    with pytest.raises(RunExpiredError):
        await world.create(run_id, "run_started")


@pytest.mark.parametrize("kind", ["step_created", "hook_created", "wait_created"])
async def test_nothing_is_created_in_a_finished_run(world, kind):
    run_id = await world.new_run()
    await world.create(run_id, "run_cancelled")
    with pytest.raises(EntityConflictError):
        await world.create(run_id, kind, "x_1", stepName="add", token="t", resumeAt=1)


async def test_a_step_of_a_finished_run_is_not_started(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add")
    await world.create(run_id, "run_cancelled")
    with pytest.raises(RunExpiredError):
        await world.create(run_id, "step_started", "step_1")
    with pytest.raises(RunExpiredError):
        await world.create(run_id, "step_failed", "step_1", error="late")


@pytest.mark.parametrize("kind", ["step_created", "hook_created", "wait_created"])
async def test_concurrent_replays_create_each_entity_once(world, kind):
    run_id = await world.new_run()
    outcomes = await asyncio.gather(
        *(world.create(run_id, kind, "x_1", stepName="add", token="t", resumeAt=1) for _ in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, dict) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, EntityConflictError) for outcome in outcomes) == 9
    assert (await world.log(run_id)).count(kind) == 1


async def test_starting_a_step_twice_counts_attempts_and_keeps_the_first_start(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add", input=PAYLOAD)
    first = await world.create(run_id, "step_started", "step_1")
    world.clock.tick(1000)
    second = await world.create(run_id, "step_started", "step_1")
    assert (first["step"]["attempt"], second["step"]["attempt"]) == (1, 2)
    assert second["step"]["startedAt"] == first["step"]["startedAt"]
    assert second["step"]["input"] == PAYLOAD


async def test_a_step_ends_once(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add")
    await world.create(run_id, "step_started", "step_1")
    await world.create(run_id, "step_failed", "step_1", error={"message": "no"}, stack="at y")
    for kind in ("step_completed", "step_failed", "step_retrying", "step_started"):
        with pytest.raises(EntityConflictError):
            await world.create(run_id, kind, "step_1")
    step = await world.call("steps.get", runId=run_id, stepId="step_1")
    assert step["error"] == {"message": "no", "stack": "at y"}


async def test_an_unknown_step_is_refused_in_the_words_that_the_sdk_looks_for(world):
    run_id = await world.new_run()
    with pytest.raises(WorldError, match=r'^Step "step_9" not found$') as refusal:
        await world.create(run_id, "step_started", "step_9")
    assert refusal.value.to_wire()["name"] == "WorkflowWorldError"


async def test_a_step_is_not_started_before_its_retry_time(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add")
    await world.create(run_id, "step_started", "step_1")
    retry_after = world.clock.now + 2001
    await world.create(run_id, "step_retrying", "step_1", error="again", retryAfter=float(retry_after))
    with pytest.raises(TooEarlyError) as refusal:
        await world.create(run_id, "step_started", "step_1")
    assert refusal.value.retry_after == 3
    step = await world.call("steps.get", runId=run_id, stepId="step_1")
    assert (step["status"], step["retryAfter"], step["error"]["message"]) == ("pending", retry_after, "again")
    world.clock.tick(2001)
    started = await world.create(run_id, "step_started", "step_1")
    assert started["step"]["attempt"] == 2
    assert "retryAfter" not in started["step"]


async def test_a_token_held_by_another_run_is_a_recorded_conflict_not_an_error(world):
    holder, other = await world.new_run(), await world.new_run()
    await world.create(holder, "hook_created", "hook_1", token="secret")
    result = await world.create(other, "hook_created", "hook_1", token="secret")
    assert result["event"]["eventType"] == "hook_conflict"
    assert result["event"]["eventData"] == {"token": "secret", "conflictingRunId": holder}
    assert "hook" not in result
    with pytest.raises(EntityConflictError):
        await world.create(other, "hook_created", "hook_1", token="secret")
    assert (await world.call("hooks.getByToken", token="secret"))["runId"] == holder


async def test_concurrent_claims_of_a_token_let_one_run_have_it(world):
    runs = [await world.new_run() for _ in range(8)]
    results = await asyncio.gather(*(world.create(run_id, "hook_created", "hook_1", token="one") for run_id in runs))
    kinds = sorted(result["event"]["eventType"] for result in results)
    assert kinds == ["hook_conflict"] * 7 + ["hook_created"]


async def test_the_same_hook_twice_is_refused_even_after_it_was_disposed(world):
    run_id = await world.new_run()
    await world.create(run_id, "hook_created", "hook_1", token="t")
    with pytest.raises(EntityConflictError):
        await world.create(run_id, "hook_created", "hook_1", token="t")
    await world.create(run_id, "hook_disposed", "hook_1")
    with pytest.raises(EntityConflictError):
        await world.create(run_id, "hook_created", "hook_1", token="t")


async def test_a_token_is_free_again_after_disposal_and_after_the_end_of_the_run(world):
    runs = [await world.new_run() for _ in range(3)]
    await world.create(runs[0], "hook_created", "hook_1", token="t")
    await world.create(runs[0], "hook_disposed", "hook_1")
    await world.create(runs[1], "hook_created", "hook_1", token="t")
    await world.create(runs[1], "run_completed")
    result = await world.create(runs[2], "hook_created", "hook_1", token="t")
    assert result["event"]["eventType"] == "hook_created"


async def test_a_disposed_hook_receives_nothing(world):
    run_id = await world.new_run()
    await world.create(run_id, "hook_created", "hook_1", token="t", metadata=PAYLOAD)
    for _ in range(3):
        await world.create(run_id, "hook_received", "hook_1", payload=PAYLOAD)
    await world.create(run_id, "hook_disposed", "hook_1")
    for kind in ("hook_received", "hook_disposed"):
        with pytest.raises(HookNotFoundError):
            await world.create(run_id, kind, "hook_1")


async def test_nothing_is_received_behind_a_disposal_whatever_the_order_of_arrival(world):
    for _ in range(10):
        run_id = await world.new_run()
        await world.create(run_id, "hook_created", "hook_1", token=f"t-{run_id}")
        kinds = ["hook_received"] * 4 + ["hook_disposed"] + ["hook_received"] * 4
        await asyncio.gather(*(world.create(run_id, kind, "hook_1") for kind in kinds), return_exceptions=True)
        assert (await world.log(run_id))[-1] == "hook_disposed"


async def test_the_end_of_a_run_deletes_its_hooks(world):
    run_id = await world.new_run()
    await world.create(run_id, "hook_created", "hook_1", token="t")
    await world.create(run_id, "run_failed", error="boom")
    with pytest.raises(HookNotFoundError):
        await world.call("hooks.getByToken", token="t")
    with pytest.raises(HookNotFoundError):
        await world.create(run_id, "hook_received", "hook_1", payload=b"")


async def test_a_wait_is_completed_once(world):
    run_id = await world.new_run()
    created = await world.create(run_id, "wait_created", "wait_1", resumeAt=world.clock.now + 1000)
    assert created["wait"]["waitId"] == f"{run_id}-wait_1"
    completed = await world.create(run_id, "wait_completed", "wait_1", resumeAt=world.clock.now + 1000)
    assert completed["wait"]["status"] == "completed"
    with pytest.raises(EntityConflictError):
        await world.create(run_id, "wait_completed", "wait_1")
    with pytest.raises(WorldError, match="not found") as refusal:
        await world.create(run_id, "wait_completed", "wait_2")
    assert refusal.value.status == 404


async def test_slots_are_dense_under_50_parallel_writers_and_readers_see_prefixes(world):
    run_id = await world.new_run()
    done = asyncio.Event()

    async def watch():
        lengths = []
        while not done.is_set():
            page = await world.call("events.list", runId=run_id, limit=1000)
            slots = [int(event["eventId"][5:]) for event in page["data"]]
            assert slots == list(range(1, len(slots) + 1))
            lengths.append(len(slots))
        return lengths

    watcher = asyncio.ensure_future(watch())
    await asyncio.gather(
        *(world.create(run_id, "step_created", f"step_{number:02d}", stepName="add") for number in range(50))
    )
    done.set()
    lengths = await watcher
    assert lengths == sorted(lengths)
    page = await world.call("events.list", runId=run_id, limit=1000)
    assert [event["eventId"] for event in page["data"]] == [event_id(slot) for slot in range(1, 53)]


async def test_time_in_the_log_never_runs_backwards(world):
    run_id = await world.new_run()
    world.clock.tick(-60_000)
    result = await world.create(run_id, "step_created", "step_1", stepName="add")
    world.clock.tick(60_000)
    assert result["event"]["createdAt"] == world.clock.now
    await world.create(run_id, "step_started", "step_1")
    page = await world.call("events.list", runId=run_id)
    times = [event["createdAt"] for event in page["data"]]
    assert times == sorted(times)


async def test_a_run_gets_an_id_if_it_comes_without(world):
    result = await world.create(None, "run_created", **world.run_data())
    assert result["run"]["runId"].startswith("wrun_")


async def test_a_run_id_drawn_at_another_time_is_refused(world):
    for offset in (-25 * 3600_000, 6 * 60_000):
        world.clock.tick(offset)
        run_id = world.new_run_id()
        world.clock.tick(-offset)
        with pytest.raises(WorldError, match="check the clock"):
            await world.create(run_id, "run_created", **world.run_data())


@pytest.mark.parametrize("spec_version", [None, 0, 1])
async def test_legacy_runs_are_refused(world, spec_version):
    with pytest.raises(WorldError, match="legacy"):
        await world.create(world.new_run_id(), "run_created", spec_version=spec_version, **world.run_data())


async def test_runs_of_a_newer_sdk_are_refused_by_name(world):
    with pytest.raises(RunNotSupportedError) as refusal:
        await world.create(world.new_run_id(), "run_created", spec_version=7, **world.run_data())
    assert refusal.value.fields == {"runSpecVersion": 7, "worldSpecVersion": 3}


async def test_a_stale_snapshot_is_no_reason_to_refuse(world):
    run_id = await world.new_run()
    event = {"eventType": "step_created", "correlationId": "step_1", "eventData": {"stepName": "add"}}
    result = await world.call("events.create", runId=run_id, event=event, stateUpdatedAt=0, requestId="r")
    assert result["step"]["status"] == "pending"


async def test_steps_and_events_remember_their_executor_but_the_world_lane_does_not_show_it(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add")
    context = CallContext(executor_id="exec-7")
    result = await world.create(run_id, "step_started", "step_1", context=context)
    assert "executorId" not in result["step"]
    steps = await world.engine.runs.steps(OfRun(run_id=run_id))
    events = await world.engine.runs.events(OfRun(run_id=run_id))
    assert steps["data"][0]["executorId"] == "exec-7"
    assert [event.get("executorId") for event in events["data"]] == [None, None, None, "exec-7"]


@pytest.mark.parametrize(
    "event",
    [
        {"eventType": "hook_conflict", "correlationId": "hook_1"},
        {"eventType": "made_up"},
        {"eventType": "step_created", "eventData": {"stepName": "add"}},
        {"eventType": "step_created", "correlationId": "step_1"},
        {"eventType": "step_created", "correlationId": "step_1", "eventData": {"stepName": 5}},
        {"eventType": "step_retrying", "correlationId": "step_1", "eventData": {"retryAfter": "soon"}},
        {"eventType": "hook_created", "correlationId": "hook_1", "eventData": {"token": None}},
        {"eventType": "wait_created", "correlationId": "wait_1", "eventData": {"resumeAt": -1}},
        {"eventType": "wait_created", "correlationId": "wait_1", "eventData": {"resumeAt": 2.5}},
        {"eventType": "wait_created", "correlationId": "wait_1", "eventData": {"resumeAt": 2**64}},
        {"eventType": "wait_created", "correlationId": "wait_1", "eventData": {"resumeAt": True}},
        {"eventType": "run_completed", "eventData": []},
        {"eventType": 5},
        {},
        None,
    ],
)
async def test_a_malformed_event_is_a_400_and_changes_nothing(world, event):
    run_id = await world.new_run()
    with pytest.raises(WorldError) as refusal:
        await world.call("events.create", runId=run_id, event=event)
    assert refusal.value.status == 400
    assert await world.log(run_id) == ["run_created", "run_started"]


@pytest.mark.parametrize("run_id", [None, "", "wrun_x", "../../etc", "wrun_" + "Z" * 26, 7])
async def test_a_malformed_run_id_is_a_400(world, run_id):
    with pytest.raises(WorldError) as refusal:
        await world.create(run_id, "step_started", "step_1")
    assert refusal.value.status in (400, 404)


@pytest.mark.parametrize("value", [b"", b"\x00" * 3, PAYLOAD, "text\x00", {"a": [1, 2.5, None]}, 0, False])
async def test_any_payload_comes_back_as_it_was(world, value):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add", input=value)
    step = await world.call("steps.get", runId=run_id, stepId="step_1")
    event = await world.call("events.get", runId=run_id, eventId=event_id(3))
    assert step["input"] == value
    assert event["eventData"]["input"] == value
