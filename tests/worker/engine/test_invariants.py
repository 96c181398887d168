"""The invariants that other tests rely on find what they are to find: each breach is planted and named."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from tests.support.invariants import durable_violations, queue_violations, violations
from workflow_studio.compute import wire
from workflow_studio.worker.ports import CallContext


@pytest.fixture
def raw(place, world):
    """Open a connection that checks no foreign key, to a database of which ``world`` has made the tables."""
    assert world.engine is not None
    location = place.location if "://" in place.location else f"sqlite:///{place.location}"
    engine = create_engine(location.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        if place.kind == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))
            connection.commit()
        yield connection
    engine.dispose()


async def replay(world, run_id, *events, again_in=None):
    """Deliver the pending replay: start the run, write ``events``, acknowledge."""
    await world.wake(run_id)
    delivery = await world.claim_one()
    context = CallContext("exec-1", delivery.id)
    await world.create(run_id, "run_started", context=context)
    for kind, correlation_id, data in events:
        await world.create(run_id, kind, correlation_id, context=context, **data)
    if again_in is None:
        await world.engine.leases.complete(delivery.id)
    else:
        await world.engine.leases.defer(delivery.id, again_in)


@pytest.fixture
async def busy(world):
    """Make a run that sleeps, has a hook, a step that runs and one that is done."""
    run_id = await world.new_run(started=False)
    for step_id in ("step_1", "step_2"):
        await world.publish_step(run_id, step_id)
    (one, two) = await world.claim()
    await replay(
        world,
        run_id,
        ("step_created", "step_1", {"stepName": "add", "input": b""}),
        ("step_created", "step_2", {"stepName": "add", "input": b""}),
        ("hook_created", "hook_1", {"token": "token"}),
        ("wait_created", "wait_1", {"resumeAt": world.clock.now + 60_000}),
        again_in=60,
    )
    for delivery in (one, two):
        await world.create(run_id, "step_started", delivery.step_id)
    await world.create(run_id, "step_completed", "step_2", result=b"")
    await replay(world, run_id, again_in=60)
    await world.engine.leases.complete(two.id if two.step_id == "step_2" else one.id)
    return run_id


@pytest.fixture
async def ended(world):
    """Make a run that was cancelled twice while its step ran."""
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add", input=b"")
    await world.create(run_id, "step_started", "step_1")
    await world.create(run_id, "hook_created", "hook_1", token="token")
    for _ in range(2):
        await world.create(run_id, "run_cancelled")
    await world.create(run_id, "step_completed", "step_1", result=b"")
    return run_id


AGAIN = "again"
INSERT_EVENT = (
    "INSERT INTO events (run_id, slot, event_type, correlation_id, created_at, data)"
    " SELECT '{run}', last_slot + 1, '{kind}', '{of}', last_event_at, :data FROM runs WHERE run_id = '{run}'"
)
INSERT_HOOK = (
    "INSERT INTO hooks (run_id, hook_id, token, owner_id, project_id, environment, created_at)"
    " VALUES ('{run}', 'hook_1', 'token', '', '', '', 0)"
)
COUNT = "UPDATE runs SET last_slot = last_slot + 1 WHERE run_id = '{run}'"


def events(kind, of=""):
    """Return the statements that append an event as the engine would, without its rules."""
    return INSERT_EVENT.replace("{kind}", kind).replace("{of}", of), COUNT


def of_run(table, change):
    return f"UPDATE {table} SET {change} WHERE run_id = '{{run}}'"


DURABLE = {
    "a hole in the slots": (
        ["UPDATE events SET slot = slot + 1 WHERE run_id = '{run}' AND slot = (SELECT last_slot FROM runs)"],
        "slots are not dense",
    ),
    "a wrong last slot": ([of_run("runs", "last_slot = 99")], "last_slot is 99"),
    "time that runs backwards": ([of_run("events", "created_at = 1000 - slot")], "1 ms older than event"),
    "a wrong newest time": ([of_run("runs", "last_event_at = 5")], "last_event_at is 5"),
    "no run_created": (["DELETE FROM events WHERE event_type = 'run_created'"], "does not begin with its one run_cr"),
    "started twice": (events("run_started"), "its run_started events are of"),
    "another startedAt": ([of_run("runs", "started_at = started_at + 1")], "its run_started events are of"),
    "a status that no event explains": ([of_run("runs", "status = 'completed'")], "its log says running"),
    "a running run that is completed": ([of_run("runs", "completed_at = 7")], "its completedAt is 7"),
    "an event after the end": ([*events("run_completed"), *events("run_started")], "was recorded after its end"),
    "a step without events": (["DELETE FROM events WHERE correlation_id = 'step_1'"], "step step_1 has no event"),
    "a step without a row": (["DELETE FROM steps"], "step step_1 has events and no row"),
    "a step created by the way": (
        ["UPDATE events SET event_type = 'step_retrying' WHERE event_type = 'step_created'"],
        "do not begin with its one step_created",
    ),
    "a step that ends twice": (events("step_failed", "step_2"), "step step_2 has more than one terminal event"),
    "a step that goes on after its end": (events("step_started", "step_2"), "step step_2 has events after its end"),
    "a step in another state": ([of_run("steps", "status = 'pending'")], "step step_1 is pending, its log says run"),
    "a miscounted attempt": ([of_run("steps", "attempt = 7")], "is at attempt 7, its log has 1"),
    "another first start": ([of_run("steps", "started_at = 7")], "has startedAt 7"),
    "a hook without events": (["DELETE FROM events WHERE correlation_id = 'hook_1'"], "hook hook_1 has no event"),
    "a hook without a row": (["DELETE FROM hooks"], "is alive in the log and has no row"),
    "a hook that was disposed and stays": (events("hook_disposed", "hook_1"), "and is not alive in the log"),
    "a payload behind the disposal": (
        [*events("hook_disposed", "hook_1"), *events("hook_received", "hook_1")],
        "hook hook_1 has events after its disposal",
    ),
    "a hook created by the way": (
        ["UPDATE events SET event_type = 'hook_received' WHERE event_type = 'hook_created'"],
        "do not begin with its one creation",
    ),
    "a payload for a hook without a token": (
        [*events("hook_conflict", "hook_9"), *events("hook_received", "hook_9")],
        "did not get its token",
    ),
    "a conflict with nobody": (events("hook_conflict", "hook_9"), "lost its token to the run wrun_other"),
    "another token than the log's": ([of_run("hooks", "token = 'another'")], "has the token another"),
    "a token with two hooks": (events("hook_created", "hook_9"), "Token token: more than one live hook"),
    "a wait without events": (["DELETE FROM events WHERE correlation_id = 'wait_1'"], "wait wait_1 has no event"),
    "a wait without a row": (["DELETE FROM waits"], "wait wait_1 has events and no row"),
    "a wait created by the way": (
        ["UPDATE events SET event_type = 'wait_completed' WHERE event_type = 'wait_created'"],
        "do not begin with its one wait_created",
    ),
    "a wait that ends twice": (
        [*events("wait_completed", "wait_1"), *events("wait_completed", "wait_1")],
        "wait wait_1 has more than one terminal event",
    ),
    "a wait in another state": (events("wait_completed", "wait_1"), "is waiting, its log says completed"),
    "a wait for another time": ([of_run("waits", "resume_at = 7")], "wait wait_1 resumes at 7"),
}
OF_NO_RUN = {
    f"{table} of no run": ([f"UPDATE {table} SET run_id = 'gone'"], f"Run gone: has {table} and does not exist")
    for table in ("events", "steps", "hooks", "waits")
}
OF_ENDED = {
    "another terminal event": (events("run_failed"), "more than one terminal event: run_cancelled"),
    "a hook of a run that has ended": (
        [INSERT_HOOK],
        "has ended and keeps the hooks hook_1",
    ),
    "a wait of a run that has ended": (
        ["INSERT INTO waits (run_id, wait_id, status, created_at, updated_at) VALUES ('{run}', 'w', 'waiting', 0, 0)"],
        "has ended and keeps the waits w",
    ),
}
OF_QUEUE = {
    "a sleep that nobody ends": (["DELETE FROM messages WHERE kind = 'workflow'"], "nothing will wake it"),
    "a sleep that ends late": (["UPDATE messages SET run_at = run_at + 1 WHERE kind = 'workflow'"], "message is due"),
    "a sleep that ends early": (["UPDATE messages SET run_at = run_at - 1 WHERE kind = 'workflow'"], "message is due"),
    "a result that nobody sees": ([of_run("runs", "replayed_slot = 1"), "DELETE FROM messages"], "step_completed"),
    "a payload that nobody sees": ([*events("hook_received", "hook_1"), "DELETE FROM messages"], "hook_received"),
    "a payload that is seen late": (events("hook_received", "hook_1"), "nothing will replay it though"),
    "a wait ended by an app that nobody sees": (
        [*events("wait_completed", "wait_1"), of_run("runs", "stimulus_slot = last_slot"), "DELETE FROM messages"],
        "wait_completed",
    ),
    "a start that nobody makes": (
        ["UPDATE runs SET status = 'pending', replayed_slot = last_slot", "DELETE FROM messages"],
        "has not seen its start",
    ),
    "a message of a parked run": (
        ["DELETE FROM waits"],
        "it is parked, nothing is due, and it has the messages",
    ),
    "a run that waits for nothing": (
        ["DELETE FROM waits", "DELETE FROM hooks", "UPDATE steps SET status = 'failed'", "DELETE FROM messages"],
        "it waits for nothing",
    ),
    "a step that nobody runs": (["DELETE FROM messages"], "step step_1 is running and nothing will run it"),
    "a lease of nobody": (["UPDATE messages SET lease_id = NULL"], "is leased with the lease None"),
    "a lease of what is not leased": (["UPDATE messages SET status = 'ready'"], "is ready with the lease dlv_"),
    "two sleeps of a run": ([AGAIN], "has several messages"),
    "two messages of a step": ([AGAIN], "2 messages of the step step_1 are to be delivered"),
    "two replays at a time": (
        [AGAIN, "DROP INDEX uq_messages_replayed", "UPDATE messages SET status = 'leased', lease_id = message_id"],
        "more than one of its replays is in flight",
    ),
}


def plant(raw, statements, run_id):
    data = wire.encode({"token": "token", "conflictingRunId": "wrun_other"})
    for statement in statements:
        bound = {"data": data} if ":data" in statement else {}
        raw.execute(text(again(raw) if statement == AGAIN else statement.replace("{run}", run_id)), bound)


def again(raw):
    """Return the statement that stores all messages a second time."""
    others = ", ".join(set(raw.execute(text("SELECT * FROM messages")).keys()) - {"message_id", "lease_id"})
    return (
        f"INSERT INTO messages (message_id, lease_id, {others})"
        f" SELECT message_id || '+', lease_id || '+', {others} FROM messages"
    )


def missed(raw, run_id, breaches, find):
    """Return what is found where a breach is planted and not named; one world serves for all, to save time."""
    assert find() == []
    not_named = {}
    for breach, (statements, sentence) in breaches.items():
        plant(raw, statements, run_id)
        found = find()
        if sentence not in "\n".join(found):
            not_named[breach] = found
        raw.rollback()
    assert find() == []
    return not_named


def test_each_breach_in_a_log_is_found(busy, raw):
    assert missed(raw, busy, DURABLE | OF_NO_RUN, lambda: durable_violations(raw)) == {}


def test_each_breach_of_a_run_that_has_ended_is_found(ended, raw):
    assert missed(raw, ended, OF_ENDED, lambda: durable_violations(raw)) == {}


def test_each_breach_in_the_queue_is_found(busy, raw, clock):
    assert missed(raw, busy, OF_QUEUE, lambda: queue_violations(raw, now=clock.now)) == {}


def test_at_rest_no_parked_run_may_have_a_message_that_is_due(busy, raw, clock):
    plant(raw, ["DELETE FROM waits"], busy)
    clock.tick(3_600_000)
    assert queue_violations(raw, now=clock.now) == []
    assert "it is parked" in "\n".join(violations(raw))
