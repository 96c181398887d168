"""How often PostgreSQL is asked for what apps and steps wait for."""

from __future__ import annotations

import pytest

from tests.support.round_trips import RoundTrips
from workflow_studio.worker.ports import BatchedCall, CallContext, IdempotencyKey

KEY = IdempotencyKey("p", "batch", "k", "digest")


@pytest.fixture
def place(place_of, tmp_path):
    return place_of("postgresql", tmp_path)


@pytest.fixture
async def asked(database, parked, monkeypatch):
    await database.read(lambda _: None)  # a connection takes some to make
    return RoundTrips.counted(monkeypatch)


@pytest.fixture
async def parked(world):
    """Return a run that waits for a hook."""
    run_id = await world.new_run()
    await world.create(run_id, "hook_created", "hook_1", token="t")
    return run_id


async def test_a_hook_and_its_run_are_one_question(world, parked, asked):
    found = await world.call("hooks.getByToken", token="t", withRun=True)
    assert (found["runId"], found["run"]["runId"], found["run"]["status"]) == (parked, parked, "running")
    assert asked.made == 1


async def test_a_hook_is_resumed_with_one_question_and_a_commit(world, parked, asked):
    received = {
        "eventType": "hook_received",
        "specVersion": 3,
        "correlationId": "hook_1",
        "eventData": {"payload": b""},
    }
    wake = {"queueName": f"__wkf_workflow_{world.workflow}", "body": b"", "runId": parked, "isWake": True}
    calls = [
        BatchedCall("events.create", {"runId": parked, "event": received}, KEY),
        BatchedCall("queue.publish", wake),
    ]
    answer = await world.engine.world.batch(calls, CallContext())
    assert not any("error" in result for result in answer["results"])
    assert (asked.made, asked.commits) == (2, 1)
    assert await world.engine.world.batch(calls, CallContext()) == answer
    assert (asked.made, asked.commits) == (4, 2), "and a repeat is answered likewise"


@pytest.mark.parametrize(
    ("event_type", "entity", "data"), [("hook_disposed", "hook_1", {}), ("wait_created", "wait_1", {"resumeAt": 1})]
)
async def test_an_event_of_a_hook_or_a_wait_is_one_question_and_a_commit(
    world, parked, asked, event_type, entity, data
):
    await world.create(parked, event_type, entity, **data)
    assert (asked.made, asked.commits) == (2, 1)


async def test_chunks_are_one_question_and_a_commit(world, asked):
    async def write(number):
        chunks = {"name": "strm_1", "runId": "wrun_1", "chunks": [b"a", b"b"], "writerId": "w", "sequence": number}
        await world.call("streams.write", **chunks)

    await write(1)
    assert (asked.made, asked.commits) == (2, 1)
    await write(2)
    await write(2)
    assert (asked.made, asked.commits) == (6, 3)
    assert (await world.call("streams.read", name="strm_1", startIndex=0))["chunks"] == [b"a", b"b"] * 2


async def test_chunks_of_a_delivery_are_fenced_in_the_same_question(world, asked):
    await world.publish_step(await world.new_run(started=False))
    (delivery,) = await world.claim(workflow=0)
    before = asked.made
    context = CallContext("exec-1", delivery.id)
    chunks = {"name": "strm_1", "runId": delivery.run_id, "chunks": [b"a"], "writerId": "w", "sequence": 1}
    await world.call("streams.write", context=context, **chunks)
    assert asked.made - before == 2
