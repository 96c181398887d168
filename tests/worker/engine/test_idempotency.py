"""A repeated request has one effect and one answer, whatever happens in between."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib

import pytest

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import EngineError
from workflow_studio.worker.engine.idempotency import RETENTION_MS
from workflow_studio.worker.ports import CallContext, IdempotencyKey
from workflow_studio.worker.store import tables


def key(name="k", content=b"content", project="project", endpoint="events.create"):
    return IdempotencyKey(project, endpoint, name, hashlib.sha256(content).hexdigest())


def repeat(*args, **options):
    return CallContext(idempotency=key(*args, **options))


@pytest.fixture
async def hook(world):
    run_id = await world.new_run()
    await world.create(run_id, "hook_created", "hook_1", token="t")

    async def receive(context, *, driver=world):
        return await driver.create(run_id, "hook_received", "hook_1", payload=b"\x00", context=context)

    receive.run_id = run_id
    return receive


async def received(world, hook):
    return (await world.log(hook.run_id)).count("hook_received")


async def test_a_repeat_gets_the_first_answer_and_has_no_effect(world, hook):
    first = await hook(repeat())
    assert first["event"]["eventType"] == "hook_received"
    assert await hook(repeat()) == first
    assert await received(world, hook) == 1


async def test_simultaneous_repeats_all_get_the_answer(world, hook):
    answers = await asyncio.gather(*(hook(repeat()) for _ in range(20)))
    assert answers == [answers[0]] * 20
    assert await received(world, hook) == 1


async def test_a_repeated_step_started_counts_no_attempt(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="s", input=b"\x00in")
    answers = await asyncio.gather(
        *(world.create(run_id, "step_started", "step_1", context=repeat()) for _ in range(5))
    )
    assert answers == [answers[0]] * 5
    assert (answers[0]["step"]["attempt"], answers[0]["step"]["input"]) == (1, b"\x00in")


async def test_simultaneous_repeats_of_what_only_one_can_do_all_get_its_answer(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="s", input=b"")
    completed = [
        world.create(run_id, "step_completed", "step_1", result=b"r", context=repeat("done")) for _ in range(10)
    ]
    answers = await asyncio.gather(*completed)
    assert answers == [answers[0]] * 10


async def test_a_repeated_message_is_stored_once_even_after_it_was_delivered(world):
    envelope = {"queueName": "__wkf_step_add", "body": b"x", "runId": await world.new_run(), "stepId": "step_1"}
    context = repeat(endpoint="queue.publish")
    first = await world.call("queue.publish", context=context, **envelope)
    delivery = await world.claim_one()
    await world.engine.leases.complete(delivery.id)
    assert await world.call("queue.publish", context=context, **envelope) == first
    assert await world.claim() == []


async def test_a_repeated_run_started_finds_the_run_started(world):
    run_id = await world.new_run(started=False)
    first = await world.create(run_id, "run_started", context=repeat())
    again = await world.create(run_id, "run_started", context=repeat())
    assert (again["run"], again["events"]) == (first["run"], first["events"])
    assert await world.log(run_id) == ["run_created", "run_started"]


@pytest.mark.parametrize("change", [{"name": "other"}, {"project": "other"}, {"endpoint": "other"}])
async def test_project_endpoint_and_key_name_a_request(world, hook, change):
    await hook(repeat())
    await hook(repeat(**change))
    assert await received(world, hook) == 2


async def test_another_request_under_the_same_key_is_refused(world, hook):
    await hook(repeat())
    with pytest.raises(EngineError) as refusal:
        await hook(repeat(content=b"other"))
    assert (refusal.value.code, refusal.value.status) == (ErrorCode.IDEMPOTENCY_CONFLICT, 409)
    assert await received(world, hook) == 1


async def test_a_refusal_is_not_kept(world):
    run_id = await world.new_run()
    with pytest.raises(WorldError):
        await world.create(run_id, "step_started", "step_1", context=repeat())
    await world.create(run_id, "step_created", "step_1", stepName="s", input=b"")
    assert (await world.create(run_id, "step_started", "step_1", context=repeat()))["step"]["attempt"] == 1


async def test_answers_count_for_24_hours_and_are_then_deleted(world, hook, clock, database):
    await hook(repeat())
    clock.tick(RETENTION_MS - 1)
    await hook(repeat())
    assert await received(world, hook) == 1
    clock.tick(1)
    await hook(repeat(content=b"other"))
    assert await received(world, hook) == 2
    clock.tick(2 * RETENTION_MS)
    await hook(repeat("late"))
    assert (await world.engine.housekeeping.sweep()).answers == 1
    rows = await database.read(lambda connection: connection.execute(tables.idempotency.select()).all())
    assert [row.key for row in rows] == ["late"]


async def test_a_started_run_is_started_once(world):
    name = key(endpoint="POST /v1/runs")
    starts = [world.engine.runs.start(world.workflow, b"[]", repeat=name) for _ in range(10)]
    runs = await asyncio.gather(*starts)
    assert runs == [runs[0]] * 10
    await world.create(runs[0]["runId"], "run_started")
    assert await world.engine.runs.start(world.workflow, b"[]", repeat=name) == runs[0]
    assert len(await world.claim()) == 1
    with pytest.raises(EngineError) as refusal:
        await world.engine.runs.start(world.workflow, b"[]", repeat=dataclasses.replace(name, digest="other"))
    assert refusal.value.code is ErrorCode.IDEMPOTENCY_CONFLICT


async def test_a_crash_between_commit_and_answer_repeats_nothing(world, hook, after_crash):
    first = await hook(repeat())
    envelope = {"queueName": "__wkf_workflow_w", "body": b"x", "runId": hook.run_id}
    context = repeat("m", endpoint="queue.publish")
    published = await world.call("queue.publish", context=context, **envelope)
    survivor = await after_crash()
    assert await hook(repeat(), driver=survivor) == first
    assert await survivor.call("queue.publish", context=context, **envelope) == published
    assert (await survivor.log(hook.run_id)).count("hook_received") == 1
    assert len(await survivor.claim()) == 1
