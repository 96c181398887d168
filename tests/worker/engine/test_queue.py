"""Publishing and leasing: nothing lost, nothing twice, attempts counted. More in ``tests/regressions``."""

from __future__ import annotations

import asyncio

import pytest

from workflow_studio.compute import wire
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine.claims import UNRESOLVED_MS
from workflow_studio.worker.engine.leases import MAX_FAILURES, backoff_ms
from workflow_studio.worker.ports import CallContext


async def test_a_message_is_delivered_as_it_was_sent(world):
    run_id = await world.new_run()
    message_id = await world.publish_step(run_id, headers={"traceparent": "00-a"}, body=b"\x00\xff")
    delivery = await world.claim_one()
    assert delivery.message_id == message_id
    assert (delivery.kind, delivery.queue_name, delivery.body) == ("step", "__wkf_step_add", b"\x00\xff")
    assert (delivery.run_id, delivery.step_id, delivery.attempt) == (run_id, "step_1", 1)
    assert delivery.headers == {"traceparent": "00-a"}
    assert delivery.deployment_id == world.deployment_id
    assert await world.engine.leases.complete(delivery.id)
    assert await world.engine.queue.depth() == {"ready": 0, "leased": 0, "dead": 0}


async def test_a_repeated_key_is_dropped_while_pending_and_while_in_flight(world):
    run_id = await world.new_run()
    ids = await asyncio.gather(*(world.publish_step(run_id) for _ in range(10)))
    assert len(set(ids)) == 1
    delivery = await world.claim_one()
    assert await world.publish_step(run_id) == ids[0]
    assert await world.claim() == []
    await world.engine.leases.complete(delivery.id)


async def test_a_repeated_key_does_not_move_a_delayed_message(world):
    run_id = await world.new_run()
    first = await world.publish_step(run_id, delaySeconds=10)
    assert await world.publish_step(run_id) == first
    assert await world.claim() == []
    world.clock.tick(10_000)
    assert (await world.claim_one()).message_id == first


async def test_the_key_of_an_acknowledged_message_counts_only_while_its_step_is_finished(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add")
    first = await world.publish_step(run_id)
    await world.engine.leases.complete((await world.claim_one()).id)
    assert await world.publish_step(run_id) != first
    await world.engine.leases.complete((await world.claim_one()).id)
    await world.create(run_id, "step_started", "step_1")
    await world.create(run_id, "step_completed", "step_1")
    assert (await world.publish_step(run_id)).startswith("msg_")
    assert await world.claim() == []


async def test_keys_of_different_runs_do_not_meet(world):
    runs = [await world.new_run() for _ in range(2)]
    ids = [await world.publish_step(run_id) for run_id in runs]
    assert len(set(ids)) == 2


async def test_without_a_key_every_message_counts(world):
    run_id = await world.new_run()
    for _ in range(3):
        await world.publish_step(run_id, idempotencyKey=None)
    assert len(await world.claim()) == 3


async def test_wake_ups_of_a_run_coalesce_to_the_earliest(world):
    run_id = await world.new_run()
    first = await world.wake(run_id, delaySeconds=60)
    assert await world.wake(run_id, delaySeconds=90) == first
    assert await world.claim() == []
    assert await world.wake(run_id) == first
    assert (await world.claim_one()).message_id == first


async def test_one_replay_in_flight_and_one_pending_per_run(world):
    run_id = await world.new_run()
    await world.wake(run_id)
    replay = await world.claim_one()
    pending = {await world.wake(run_id) for _ in range(5)}
    assert len(pending) == 1
    assert replay.message_id not in pending
    assert await world.claim() == []
    await world.engine.leases.complete(replay.id)
    assert (await world.claim_one()).message_id in pending


async def test_one_claim_takes_one_replay_of_a_run(world):
    run_id = await world.new_run()
    start = {"queueName": "__wkf_workflow_x", "body": b"", "runId": run_id}
    for _ in range(3):
        await world.call("queue.publish", **start)
    assert len(await world.claim()) == 1


async def test_replays_of_different_runs_and_steps_of_one_run_go_in_parallel(world):
    runs = [await world.new_run() for _ in range(3)]
    for run_id in runs:
        await world.wake(run_id)
    for number in range(3):
        await world.publish_step(runs[0], f"step_{number}")
    assert len(await world.claim()) == 6


async def test_a_start_message_is_never_merged_into_a_wake_up(world):
    run_id = await world.new_run()
    await world.wake(run_id)
    envelope = {"queueName": "__wkf_workflow_x", "body": b"with input", "runId": run_id}
    await world.call("queue.publish", **envelope)
    assert (await world.engine.queue.depth())["ready"] == 2


async def test_a_storm_of_wake_ups_does_not_use_up_the_attempts_of_a_failing_replay(world):
    run_id = await world.new_run()
    await world.wake(run_id)
    for _ in range(6):
        await world.engine.leases.fail((await world.claim_one()).id, "broken")
        world.clock.tick(60_000)
    await world.engine.leases.fail((await world.claim_one()).id, "broken")  # and now it waits 48 seconds or more
    for _ in range(49):
        await world.wake(run_id)
        world.clock.tick(100)
        assert await world.claim() == []
    world.clock.tick(100)
    assert (await world.claim_one()).attempt == 8, "a wake-up brings it forward, to five seconds from then"


async def test_a_wake_up_of_a_finished_run_is_dropped(world):
    run_id = await world.new_run()
    await world.create(run_id, "run_cancelled")
    assert (await world.wake(run_id)).startswith("msg_")
    assert (await world.engine.queue.depth())["ready"] == 0


async def test_attempt_is_1_once_then_rises_with_every_failure(world):
    run_id = await world.new_run()
    await world.publish_step(run_id)
    attempts = []
    for _ in range(4):
        delivery = await world.claim_one()
        attempts.append(delivery.attempt)
        await world.engine.leases.fail(delivery.id, "no")
        assert await world.claim() == []
        world.clock.tick(900_000)
    assert attempts == [1, 2, 3, 4]


async def test_after_a_timeout_the_attempt_is_2_however_often(world):
    run_id = await world.new_run()
    message_id = await world.publish_step(run_id)
    attempts = []
    for _ in range(60):
        delivery = await world.claim_one()
        assert delivery.message_id == message_id
        attempts.append(delivery.attempt)
        await world.engine.leases.defer(delivery.id, 1)
        assert await world.claim() == []
        world.clock.tick(1000)
    assert attempts == [1] + [2] * 59


async def test_a_timeout_of_zero_comes_back_at_once(world):
    run_id = await world.new_run()
    await world.wake(run_id)
    delivery = await world.claim_one()
    await world.engine.leases.defer(delivery.id, 0)
    assert (await world.claim_one()).attempt == 2


async def test_a_sleeping_run_is_replayed_when_its_first_wait_is_over_not_a_rounded_second_later(world):
    run_id = await world.new_run()
    await world.create(run_id, "wait_created", "wait_1", resumeAt=world.clock.now + 9000)
    await world.create(run_id, "wait_created", "wait_2", resumeAt=world.clock.now + 1200)
    await world.wake(run_id)
    await world.engine.leases.defer((await world.claim_one()).id, 2)
    world.clock.tick(1199)
    assert await world.claim() == []
    world.clock.tick(1)
    assert len(await world.claim()) == 1


async def test_a_deferred_wake_up_merges_into_one_that_is_pending(world):
    run_id = await world.new_run()
    await world.wake(run_id)
    replay = await world.claim_one()
    pending = await world.wake(run_id, delaySeconds=100)
    await world.engine.leases.defer(replay.id, 5)
    assert (await world.engine.queue.depth())["ready"] == 1
    world.clock.tick(5000)
    delivery = await world.claim_one()
    assert (delivery.message_id, delivery.attempt) == (pending, 1)


async def test_a_sleeping_start_message_takes_the_wake_ups_in(world):
    run_id = await world.new_run()
    envelope = {"queueName": "__wkf_workflow_x", "body": b"with input", "runId": run_id}
    start = (await world.call("queue.publish", **envelope))["messageId"]
    await world.engine.leases.defer((await world.claim_one()).id, 3600)
    assert await world.wake(run_id) == start
    assert (await world.claim_one()).attempt == 2


async def test_a_start_message_that_goes_to_sleep_leaves_the_pending_wake_up_alone_in_the_queue(world):
    """Else a run that was woken during its first replay keeps a message for a sleep that is over."""
    run_id = await world.new_run()
    envelope = {"queueName": "__wkf_workflow_x", "body": b"with input", "runId": run_id}
    await world.call("queue.publish", **envelope)
    replay = await world.claim_one()
    pending = await world.wake(run_id)
    await world.engine.leases.defer(replay.id, 86_400)
    assert (await world.engine.queue.depth())["ready"] == 1
    assert (await world.claim_one()).message_id == pending


async def test_a_start_message_whose_run_is_not_here_yet_is_kept_beside_a_wake_up(world):
    run_id = world.new_run_id()
    envelope = {"queueName": f"__wkf_workflow_{world.workflow}", "body": b"with input", "runId": run_id}
    start = await world.call("queue.publish", **envelope, deploymentId=world.deployment_id)
    replay = await world.claim_one()
    assert replay.message_id == start["messageId"]
    await world.wake(run_id)
    await world.engine.leases.defer(replay.id, 1)
    assert (await world.engine.queue.depth())["ready"] == 2


def test_backoff_doubles_up_to_15_minutes_less_a_quarter_at_most():
    seconds = [backoff_ms(attempt, attempt, executor_lost=False, jitter=0) // 1000 for attempt in range(1, 14)]
    assert seconds == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert backoff_ms(3, 3, executor_lost=False, jitter=1) == 3000
    assert backoff_ms(10_000, 40, executor_lost=False) <= 900_000
    lost = [backoff_ms(40, failures, executor_lost=True, jitter=0) // 1000 for failures in (1, 2, 3, 30)]
    assert lost == [1, 2, 4, 60]


async def test_after_50_failures_in_a_row_a_message_is_dead_and_listed(world):
    run_id = await world.new_run()
    message_id = await world.publish_step(run_id)
    for _ in range(MAX_FAILURES):
        await world.engine.leases.fail((await world.claim_one()).id, "still no")
        world.clock.tick(900_000)
    assert await world.claim() == []
    ((dead,), _) = await world.engine.dead_letters.list()
    assert (dead.message_id, dead.attempt, dead.last_error) == (message_id, 50, "still no")
    assert await world.publish_step(run_id) != message_id


async def test_a_message_that_no_executor_was_handed_has_had_no_attempt(world):
    run_id = await world.new_run()
    message_id = await world.publish_step(run_id)
    for _ in range(3):
        delivery = await world.claim_one()
        assert (delivery.message_id, delivery.attempt) == (message_id, 1)
        assert await world.engine.leases.give_back(delivery.id, "Node.js could not be started")
        assert await world.claim() == []
        world.clock.tick(60_000)
    await world.engine.leases.fail((await world.claim_one()).id, "no")
    world.clock.tick(60_000)
    delivery = await world.claim_one()
    assert delivery.attempt == 2
    assert await world.engine.leases.give_back(delivery.id, "Node.js could not be started")
    world.clock.tick(60_000)
    assert (await world.claim_one()).attempt == 2


async def test_an_outage_of_days_kills_no_message(world):
    run_id = await world.new_run()
    await world.publish_step(run_id)
    for _ in range(3 * MAX_FAILURES):
        assert await world.engine.leases.give_back((await world.claim_one()).id, "no Node.js")
        world.clock.tick(3_600_000)
    assert (await world.claim_one()).attempt == 1


async def test_a_new_activation_looks_at_once_at_messages_without_an_executor(world, manifest):
    run_id = await world.new_run()
    await world.publish_step(run_id)
    for _ in range(8):
        await world.engine.leases.give_back((await world.claim_one()).id, "no Node.js")
        world.clock.tick(60_000)
    await world.engine.leases.give_back((await world.claim_one()).id, "no Node.js")
    newer, _ = await world.engine.deployments.register(manifest("1"))
    await world.engine.deployments.activate(newer.id)
    assert (await world.claim_one()).attempt == 1


async def test_a_lost_lease_changes_nothing(world):
    run_id = await world.new_run()
    await world.publish_step(run_id)
    old = await world.claim_one()
    await world.engine.leases.fail(old.id, "no")
    world.clock.tick(1000)
    new = await world.claim_one()
    assert not await world.engine.leases.complete(old.id)
    assert not await world.engine.leases.defer(old.id, 1)
    assert not await world.engine.leases.fail(old.id, "no")
    assert not await world.engine.leases.give_back(old.id, "no")
    assert await world.engine.leases.complete(new.id)


async def test_a_message_ahead_of_its_run_goes_to_the_deployment_it_names(world):
    run_id = world.new_run_id()
    await world.wake(run_id, deploymentId=world.deployment_id)
    assert (await world.claim_one()).deployment_id == world.deployment_id


async def test_a_message_whose_run_is_not_here_yet_waits_for_it_without_losing_an_attempt(world):
    run_id = world.new_run_id()
    message_id = await world.wake(run_id)
    for _ in range(5):
        assert await world.claim() == []
        world.clock.tick(60_000)
    await world.create(run_id, "run_created", **world.run_data())
    delivery = await world.claim_one()
    assert (delivery.message_id, delivery.attempt) == (message_id, 1)


async def test_a_health_check_goes_to_the_active_deployment_and_is_refused_while_there_is_none(engine, manifest):
    envelope = {"queueName": "__wkf_workflow_health_check", "body": b"", "isHealthCheck": True}
    deployment, _ = await engine.deployments.register(manifest())
    with pytest.raises(WorldError) as refusal:
        await engine.world.call("queue.publish", envelope, CallContext())
    assert (refusal.value.status, refusal.value.code) == (409, "no_active_deployment")
    await engine.deployments.activate(deployment.id)
    await engine.world.call("queue.publish", envelope, CallContext())
    (delivery,) = (await engine.leases.claim({"workflow": 1})).deliveries
    assert (delivery.deployment_id, delivery.attempt) == (deployment.id, 1)


async def test_a_message_whose_deployment_never_comes_is_dead_after_a_day(world):
    await world.wake(world.new_run_id())
    assert await world.claim() == []
    world.clock.tick(UNRESOLVED_MS + 1)
    assert await world.claim() == []
    ((dead,), _) = await world.engine.dead_letters.list()
    assert "never arrived" in dead.last_error


async def test_what_a_claim_passes_over_does_not_hide_what_is_behind_it(world):
    run_id, other = await world.new_run(), await world.new_run()
    for _ in range(3):
        await world.call("queue.publish", queueName="__wkf_workflow_x", body=b"", runId=run_id)
        await world.wake(world.new_run_id())
        world.clock.tick(1)
    await world.wake(other)
    claimed = await world.claim(workflow=2)
    assert {delivery.run_id for delivery in claimed} == {run_id, other}


async def test_claims_respect_the_limits_and_say_when_the_next_message_is_due(world):
    run_id = await world.new_run()
    for number in range(5):
        await world.publish_step(run_id, f"step_{number}")
    await world.publish_step(run_id, "step_later", delaySeconds=3)
    await world.wake(run_id)
    claim = await world.engine.leases.claim({"workflow": 0, "step": 3})
    assert [delivery.kind for delivery in claim.deliveries] == ["step"] * 3
    assert claim.limited == {"workflow", "step"}
    claim = await world.engine.leases.claim({"workflow": 0, "step": 3})
    assert [delivery.kind for delivery in claim.deliveries] == ["step"] * 2
    assert claim.next_at["step"] == world.clock.now + 3000


@pytest.mark.parametrize(
    "change",
    [
        {"queueName": "jobs"},
        {"queueName": ""},
        {"queueName": None},
        {"queueName": "__wkf_other_x"},
        {"queueName": "__wkf_step_x", "isWake": True},
        {"isWake": True, "runId": None},
        {"body": "text"},
        {"body": None},
        {"delaySeconds": -1},
        {"delaySeconds": float("nan")},
        {"delaySeconds": float("inf")},
        {"delaySeconds": 1e300},
        {"headers": {"a": 1}},
        {"headers": []},
        {"runId": 5},
        {"isWake": "yes"},
    ],
)
async def test_a_malformed_envelope_is_a_400(world, change):
    envelope = {"queueName": "__wkf_workflow_x", "body": b"", "runId": "wrun_x"}
    with pytest.raises(WorldError) as refusal:
        await world.call("queue.publish", **{**envelope, **change})
    assert refusal.value.status == 400
    assert (await world.engine.queue.depth())["ready"] == 0


async def test_a_wake_up_that_the_worker_makes_names_its_run(world):
    run = await world.engine.runs.start(world.workflow, b"devl[[]]")
    delivery = await world.claim_one()
    assert wire.decode(delivery.body) == {"runId": run["runId"]}
    assert delivery.queue_name == f"__wkf_workflow_{world.workflow}"
