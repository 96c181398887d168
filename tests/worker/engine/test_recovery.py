"""What a crash leaves behind is taken up again, and nothing else is touched. More in ``tests/regressions``."""

from __future__ import annotations

from workflow_studio.worker.engine import recovery
from workflow_studio.worker.ports import CallContext


async def replay(world, *events, again_in=None):
    """Deliver the pending replay: start the run, write ``events``, acknowledge."""
    delivery = await world.claim_one()
    context = CallContext("exec-1", delivery.id)
    await world.create(delivery.run_id, "run_started", context=context)
    for kind, correlation_id, data in events:
        await world.create(delivery.run_id, kind, correlation_id, context=context, **data)
    if again_in is None:
        await world.engine.leases.complete(delivery.id)
    else:
        await world.engine.leases.defer(delivery.id, again_in)


async def test_a_worker_keeps_its_own_leases(world):
    run_id = await world.new_run()
    await world.publish_step(run_id)
    delivery = await world.claim_one()
    assert (await world.engine.recovery.at_boot()).released == 0
    assert await world.engine.leases.complete(delivery.id)


async def test_a_run_whose_first_message_was_never_published_is_woken(world, after_crash):
    run_id = await world.new_run(started=False)
    survivor = await after_crash()
    assert (await survivor.engine.recovery.at_boot()).woken == 1
    assert (await survivor.claim_one()).run_id == run_id


async def test_a_run_parked_on_a_hook_after_a_sleep_that_is_over_is_left_alone(world, after_crash):
    await world.engine.runs.start(world.workflow, b"")
    resume_at = world.clock.now + 1000
    await replay(world, ("wait_created", "wait_1", {"resumeAt": resume_at}), again_in=1)
    world.clock.tick(1000)
    await replay(
        world, ("wait_completed", "wait_1", {"resumeAt": resume_at}), ("hook_created", "hook_1", {"token": "t"})
    )
    survivor = await after_crash()
    assert (await survivor.engine.recovery.at_boot()).woken == 0


async def test_a_hook_payload_whose_wake_up_was_never_published_wakes_the_run(world, after_crash):
    run = await world.engine.runs.start(world.workflow, b"")
    await replay(world, ("hook_created", "hook_1", {"token": "t"}))
    await world.create(run["runId"], "hook_received", "hook_1", payload=b"x")
    survivor = await after_crash()
    assert (await survivor.engine.recovery.at_boot()).woken == 1
    assert (await survivor.claim_one()).run_id == run["runId"]


async def test_an_event_that_arrives_during_a_replay_is_not_taken_for_replayed(world, after_crash):
    run = await world.engine.runs.start(world.workflow, b"")
    await replay(world, ("hook_created", "hook_1", {"token": "t"}))
    await world.wake(run["runId"])
    delivery = await world.claim_one()
    context = CallContext("exec-1", delivery.id)
    await world.create(run["runId"], "run_started", context=context)
    await world.create(run["runId"], "hook_received", "hook_1", payload=b"x")
    await world.engine.leases.complete(delivery.id)
    survivor = await after_crash()
    assert (await survivor.engine.recovery.at_boot()).woken == 1


async def test_a_finished_step_whose_wake_up_was_never_published_wakes_the_run(world, after_crash):
    run = await world.engine.runs.start(world.workflow, b"")
    await replay(world, ("step_created", "step_1", {"stepName": "add"}))
    await world.create(run["runId"], "step_started", "step_1")
    await world.create(run["runId"], "step_completed", "step_1", result=b"1")
    survivor = await after_crash()
    assert (await survivor.engine.recovery.at_boot()).woken == 1


async def test_a_run_whose_step_is_pending_is_not_woken(world, after_crash):
    run = await world.engine.runs.start(world.workflow, b"")
    delivery = await world.claim_one()
    context = CallContext("exec-1", delivery.id)
    await world.create(run["runId"], "run_started", context=context)
    await world.create(run["runId"], "step_created", "step_1", context=context, stepName="add")
    await world.publish_step(run["runId"])
    await world.engine.leases.complete(delivery.id)
    survivor = await after_crash()
    assert (await survivor.engine.recovery.at_boot()).woken == 0
    assert (await survivor.claim_one()).kind == "step"


async def test_a_sleep_whose_message_was_lost_is_kept_to_its_time(world, after_crash):
    await world.engine.runs.start(world.workflow, b"")
    await replay(world, ("wait_created", "wait_1", {"resumeAt": world.clock.now + 5000}))
    survivor = await after_crash()
    assert (await survivor.engine.recovery.at_boot()).woken == 1
    assert await survivor.claim() == []
    world.clock.tick(5000)
    assert len(await survivor.claim()) == 1


async def test_a_sleep_with_its_message_is_left_alone(world, after_crash):
    await world.engine.runs.start(world.workflow, b"")
    await replay(world, ("wait_created", "wait_1", {"resumeAt": world.clock.now + 5000}), again_in=5)
    survivor = await after_crash()
    assert (await survivor.engine.recovery.at_boot()).woken == 0
    assert (await survivor.engine.queue.depth())["ready"] == 1


async def test_a_run_is_not_swept_up_again_and_again_if_its_executor_names_no_deliveries(world):
    run = await world.engine.runs.start(world.workflow, b"")
    delivery = await world.claim_one()
    await world.create(run["runId"], "run_started")
    await world.create(run["runId"], "hook_created", "hook_1", token="t")
    await world.engine.leases.complete(delivery.id)
    world.clock.tick(60_000)
    assert await world.engine.recovery.sweep() == 0


async def test_a_payload_whose_wake_up_was_never_published_is_not_seen_only_when_the_sleep_is_over(world, after_crash):
    """As in ``Promise.race([hook, sleep('1 day')])``: the message at the end of the sleep is no wake-up."""
    run = await world.engine.runs.start(world.workflow, b"")
    in_a_day = ("wait_created", "wait_1", {"resumeAt": world.clock.now + 86_400_000})
    await replay(world, ("hook_created", "hook_1", {"token": "t"}), in_a_day, again_in=86_400)
    await world.create(run["runId"], "hook_received", "hook_1", payload=b"x")
    survivor = await after_crash()
    assert (await survivor.engine.recovery.at_boot()).woken == 1
    assert (await survivor.claim_one()).run_id == run["runId"]
    assert (await survivor.engine.queue.depth())["ready"] == 0, "the message of the sleep was brought forward"


async def test_the_sweep_finds_a_payload_that_a_sleeping_run_has_not_seen(world):
    run = await world.engine.runs.start(world.workflow, b"")
    in_a_day = ("wait_created", "wait_1", {"resumeAt": world.clock.now + 86_400_000})
    await replay(world, ("hook_created", "hook_1", {"token": "t"}), in_a_day, again_in=86_400)
    await world.create(run["runId"], "hook_received", "hook_1", payload=b"x")
    world.clock.tick(30_000)
    assert await world.engine.recovery.sweep() == 1
    assert await world.engine.recovery.sweep() == 0
    assert (await world.claim_one()).run_id == run["runId"]


async def test_a_failed_replay_is_not_brought_forward_by_recovery(world, after_crash):
    await world.engine.runs.start(world.workflow, b"")
    await world.engine.leases.fail((await world.claim_one()).id, "no")
    survivor = await after_crash()
    assert (await survivor.engine.recovery.at_boot()).woken == 0
    assert await survivor.claim() == []


async def test_finished_runs_are_left_alone(world, after_crash):
    for ending in ("run_completed", "run_failed", "run_cancelled"):
        await world.create(await world.new_run(), ending)
    survivor = await after_crash()
    assert (await survivor.engine.recovery.at_boot()).woken == 0


async def test_recovering_twice_wakes_once(world, after_crash):
    await world.new_run()
    survivor = await after_crash()
    assert (await survivor.engine.recovery.at_boot()).woken == 1
    assert (await survivor.engine.recovery.at_boot()).woken == 0
    assert (await survivor.engine.queue.depth())["ready"] == 1


async def test_the_sweep_gives_a_wake_up_half_a_minute_to_arrive(world):
    await world.new_run()
    assert await world.engine.recovery.sweep() == 0
    world.clock.tick(30_000)
    assert await world.engine.recovery.sweep() == 1
    assert await world.engine.recovery.sweep() == 0


async def test_many_runs_are_recovered_in_portions(world, after_crash, monkeypatch):
    monkeypatch.setattr(recovery, "_BATCH", 3)
    for _ in range(10):
        await world.new_run(started=False)
    survivor = await after_crash()
    assert (await survivor.engine.recovery.at_boot()).woken == 10
