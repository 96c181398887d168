"""Large payloads are objects, and nobody who reads them can tell."""

from __future__ import annotations

import base64

import pytest
from cbor2 import CBORTag
from sqlalchemy import func, select

from tests.worker.engine.conftest import Driver, make_manifest
from workflow_studio.compute import wire
from workflow_studio.worker.engine import Engine, references
from workflow_studio.worker.engine.expiry import Retention
from workflow_studio.worker.engine.object_rows import Stored
from workflow_studio.worker.engine.objects import GRACE_MS
from workflow_studio.worker.objects import MemoryObjects, ObjectStoreError
from workflow_studio.worker.ports import CallContext
from workflow_studio.worker.store import tables

LIMIT = 2000
LARGE = b"devl" + b"x" * LIMIT
OTHER = b"devl" + b"y" * LIMIT
STEP = {"stepName": "step//./workflows/demo//add"}


@pytest.fixture
def store():
    return MemoryObjects()


@pytest.fixture
async def engine(database, clock, store):
    return Engine(database, clock=clock, objects=store, large_payload_bytes=LIMIT)


async def all_of(world):
    """Return a run with a large payload in every place that can have one."""
    run_id = world.new_run_id()
    await world.create(run_id, "run_created", **world.run_data(input=LARGE))
    await world.create(run_id, "run_started")
    await world.create(run_id, "step_created", "step_1", input=LARGE, **STEP)
    await world.create(run_id, "step_started", "step_1")
    await world.create(run_id, "step_completed", "step_1", result=OTHER)
    await world.create(run_id, "hook_created", "hook_1", token=f"t-{run_id}", metadata=LARGE)
    await world.create(run_id, "hook_received", "hook_1", payload=OTHER)
    return run_id


async def objects(store):
    return [entry async for entry in store.list("")]


async def largest_row(database):
    e, r, s = tables.events, tables.runs, tables.steps
    columns = (e.c.data, r.c.input, r.c.output, s.c.input, s.c.output)
    query = select(*(select(func.max(func.length(column))).scalar_subquery() for column in columns))
    return max(size or 0 for size in await database.read(lambda connection: connection.execute(query).one()))


async def test_whoever_reads_them_gets_them_as_they_came(world, store, database):
    run_id = await all_of(world)
    run = await world.call("runs.get", runId=run_id)
    assert run["input"] == LARGE
    log = await data(world, "events.list", runId=run_id)
    events = {event["eventType"]: event.get("eventData") for event in log}
    assert events["run_created"]["input"] == LARGE
    assert events["step_created"]["input"] == LARGE
    assert events["step_completed"]["result"] == OTHER
    assert events["hook_created"]["metadata"] == LARGE
    assert events["hook_received"]["payload"] == OTHER
    (step,) = await data(world, "steps.list", runId=run_id)
    assert (step["input"], step["output"]) == (LARGE, OTHER)
    assert (await world.call("hooks.getByToken", token=f"t-{run_id}"))["metadata"] == LARGE
    started = await world.create(run_id, "run_started")
    assert started["run"]["input"] == LARGE
    assert started["events"][0]["eventData"]["input"] == LARGE
    await world.create(run_id, "run_completed", output=OTHER)
    assert (await world.engine.runs.get(run_id))["output"] == OTHER
    assert len(await objects(store)) == 2  # the same content is there once
    assert await largest_row(database) < 1000


async def data(world, method, **params):
    return (await world.call(method, **params))["data"]


async def test_a_step_gets_its_input_with_its_start(world):
    run_id = world.new_run_id()
    await world.create(run_id, "run_created", **world.run_data())
    await world.create(run_id, "run_started")
    await world.create(run_id, "step_created", "step_1", input=LARGE, **STEP)
    assert (await world.create(run_id, "step_started", "step_1"))["step"]["input"] == LARGE


async def test_a_batch_puts_them_away_too(world, store):
    run_id = await world.new_run()
    event = {"eventType": "step_created", "correlationId": "step_1", "eventData": {"input": LARGE, **STEP}}
    calls = [{"method": "events.create", "params": {"runId": run_id, "event": event}}]
    await world.call("batch", calls=calls, context=CallContext("exe_1"))
    (step,) = await data(world, "steps.list", runId=run_id)
    assert step["input"] == LARGE
    assert len(await objects(store)) == 1


async def test_what_is_small_stays_in_its_row(world, store):
    run_id = world.new_run_id()
    await world.create(run_id, "run_created", **world.run_data(input=LARGE[: LIMIT - 1]))
    assert await objects(store) == []


async def test_a_worker_without_the_setting_reads_what_another_one_put_away(world, database, clock, store):
    run_id = await all_of(world)
    other = Driver(Engine(database, clock=clock, objects=store), clock, world.deployment_id)
    assert (await other.call("runs.get", runId=run_id))["input"] == LARGE
    await other.create(run_id, "run_completed", output=LARGE)
    assert (await other.call("runs.get", runId=run_id))["output"] == LARGE


async def test_they_go_with_the_last_run_that_has_them(world, database, clock, store):
    first, second = await all_of(world), await all_of(world)
    for run_id in (first, second):
        await world.create(run_id, "run_cancelled")
    clock.tick(GRACE_MS + 1)
    sweeper = Engine(database, clock=clock, objects=store, retention=Retention(workflows={world.workflow: 1}))
    assert await sweeper.objects.sweep() == 0
    await sweeper.retention.sweep()
    assert await sweeper.objects.sweep() == 2
    assert await objects(store) == []


@pytest.mark.parametrize("master_key", [None, b"k" * 32])
async def test_a_rerun_has_the_input_of_its_original(database, clock, store, master_key):
    engine = Engine(database, clock=clock, objects=store, large_payload_bytes=LIMIT, master_key=master_key)
    deployment, _ = await engine.deployments.register(make_manifest())
    await engine.deployments.activate(deployment.id)
    world = Driver(engine, clock, deployment.id)
    run_id = world.new_run_id()
    await world.create(run_id, "run_created", **world.run_data(input=engine.keyring.seal(run_id, LARGE)))
    again = (await engine.runs.rerun(run_id))["runId"]
    stored = (await engine.runs.get(again))["input"]
    assert engine.keyring.unseal(again, stored) == LARGE


async def test_a_repeated_request_gets_the_same_answer(world, database):
    from workflow_studio.worker.ports import IdempotencyKey  # noqa: PLC0415

    run_id = await all_of(world)
    await world.create(run_id, "step_created", "step_2", input=LARGE, **STEP)
    key = CallContext(idempotency=IdempotencyKey("p", "e", "k", "digest"))
    answers = [await world.create(run_id, "step_started", "step_2", context=key) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[1]["step"]["input"] == LARGE


async def test_a_store_that_fails_refuses_the_event_and_asks_for_another_try(world, store, monkeypatch):
    run_id = await world.new_run()

    async def fail(_name, _content):
        raise ObjectStoreError("It is down.")

    monkeypatch.setattr(store, "put", fail)
    with pytest.raises(Exception, match="object store failed") as caught:
        await world.create(run_id, "step_created", "step_1", input=LARGE, **STEP)
    assert caught.value.status == 503
    assert "step_created" not in await world.log(run_id)


async def test_a_kill_after_the_object_and_before_the_row_leaves_a_run_that_can_go_on(world, clock, after_crash, store):
    run_id = await world.new_run()
    params = {"runId": run_id, "event": {"eventType": "run_completed", "eventData": {"output": LARGE}}}
    await world.engine.payloads.put_away("events.create", params)
    survivor = await after_crash()
    assert "run_completed" not in await survivor.log(run_id)
    await survivor.create(run_id, "run_completed", output=LARGE)
    assert (await survivor.call("runs.get", runId=run_id))["output"] == LARGE


async def test_pages_count_what_is_beside_the_rows(world, monkeypatch):
    from workflow_studio.worker.engine import queries  # noqa: PLC0415

    run_id = await all_of(world)
    monkeypatch.setattr(queries, "MAX_PAGE_BYTES", LIMIT)
    page = await world.call("events.list", runId=run_id)
    assert page["hasMore"]
    assert len(page["data"]) == 1


class TestReferences:
    STORED = Stored("ab" * 32, 1_790_000_000_000, 5)

    def test_one_comes_back_as_it_was(self):
        kept = wire.encode({"input": references.reference(self.STORED), "more": 1})
        assert references.referred(references.decode(kept)["input"]) == self.STORED
        assert references.size_beside(kept) == 5
        assert references.size_beside(wire.encode({"input": b"x"})) == 0

    def test_nobody_can_send_one(self):
        forged = wire.encode({"input": references.reference(self.STORED)})
        with pytest.raises(wire.WireFormatError, match="tag"):
            wire.decode(forged)

    def test_a_payload_that_looks_like_one_is_a_payload(self):
        inside = wire.encode(references.reference(self.STORED))
        kept = wire.encode({"input": inside})
        assert references.decode(kept) == {"input": inside}

    @pytest.mark.parametrize("value", [None, b"x", 1, {"a": CBORTag}, base64])
    def test_anything_else_is_none(self, value):
        assert references.referred(value) is None
