"""The feed: what happens in runs, told in order, from where a reader was, within bounds."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from workflow_studio.worker.engine import Engine, activity, activity_rows, journal
from workflow_studio.worker.engine.activity_rows import Wanted
from workflow_studio.worker.engine.bus import Bus
from workflow_studio.worker.ports import Delivery, Line

STEP = "step//./workflows/demo//add"


@pytest.fixture
def stopping():
    return asyncio.Event()


@pytest.fixture
def told(engine, stopping):
    """Return what the feed has now, after a cursor: the entries, and the cursor after them."""

    async def told(cursor=None, *, of=None, **wanted):
        feed = (of or engine).activity
        parts = [part async for part in feed.follow(Wanted(**wanted), cursor, waits=False, stopping=stopping)]
        return [fields for part in parts for _, fields in part.entries], parts[-1].cursor

    return told


async def start(engine):
    """Return a cursor of now."""
    async with aclosing(engine.activity.follow(Wanted(), None, stopping=asyncio.Event())) as parts:
        return (await anext(parts)).cursor


def types(entries):
    return [entry["type"] for entry in entries]


def printed_by(run_id, step_id="step_1", attempt=1):
    return Delivery("dlv_1", "msg_1", "step", "q", "dep_1", attempt, b"", run_id, step_id)


async def a_failing_run(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName=STEP, input=b"devl[[]]")
    await world.create(run_id, "step_started", "step_1")
    world.clock.tick(30)
    error = {"error": "No luck.", "stack": "Error: No luck.\n    at add (workflows/demo.ts:3:9)"}
    await world.create(run_id, "step_retrying", "step_1", retryAfter=world.clock.now, **error)
    await world.create(run_id, "step_started", "step_1")
    await world.engine.output.append(printed_by(run_id, attempt=2), [Line(world.clock.now, "warn", "Again.")])
    world.clock.tick(12)
    await world.create(run_id, "step_failed", "step_1", **error)
    world.clock.tick(8)
    await world.create(run_id, "run_failed", error={"message": "No luck."}, errorCode="USER_ERROR")
    return run_id


async def test_a_run_is_told_with_its_steps_their_attempts_durations_errors_and_lines(world, engine, told):
    cursor = await start(engine)
    run_id = await a_failing_run(world)
    entries, _ = await told(cursor)
    assert types(entries) == [
        "run_created",
        "run_started",
        "step_created",
        "step_started",
        "step_retrying",
        "step_started",
        "output",
        "step_failed",
        "run_failed",
    ]
    about = {
        "runId": run_id,
        "workflowName": world.workflow,
        "deploymentId": world.deployment_id,
        "environment": "production",
    }
    assert all(about.items() <= entry.items() for entry in entries)
    of_step = [entry for entry in entries if entry.get("stepId")]
    assert {entry["stepName"] for entry in of_step} == {STEP}
    assert [entry.get("attempt") for entry in of_step] == [None, 1, 1, 2, 2, 2]
    assert [entry.get("durationMs") for entry in entries] == [None] * 4 + [30, None, None, 12, 50]
    assert entries[4]["error"] == {
        "message": "No luck.",
        "stack": "Error: No luck.\n    at add (workflows/demo.ts:3:9)",
    }
    assert (entries[6]["level"], entries[6]["text"], entries[6]["position"]) == ("warn", "Again.", 1)
    assert entries[8]["error"] == {"message": "No luck.", "code": "USER_ERROR"}


async def test_sleeps_and_hooks_are_told_and_no_payload_is(world, engine, told):
    cursor = await start(engine)
    run_id = await world.new_run()
    due = world.clock.now + 60_000
    await world.create(run_id, "wait_created", "wait_1", resumeAt=due)
    await world.create(run_id, "hook_created", "hook_1", token="t", metadata=b"devl[1]")
    await world.create(run_id, "hook_received", "hook_1", payload=b"devl[2]")
    world.clock.tick(60_000)
    await world.create(run_id, "wait_completed", "wait_1", resumeAt=due)
    await world.create(run_id, "run_completed", output=b"devl[3]")
    entries, _ = await told(cursor)
    _, _, slept, hooked, received, woken, completed = entries
    assert (slept["resumeAt"], woken["durationMs"], hooked["token"]) == (due, 60_000, "t")
    assert "token" not in received
    assert completed["durationMs"] == 60_000
    assert [name for entry in entries for name, value in entry.items() if isinstance(value, bytes)] == []


async def test_a_reader_is_told_what_happens_while_it_waits_in_the_order_of_each_run(world, engine, stopping):
    feed = engine.activity.follow(Wanted(), None, stopping=stopping)
    entries = []
    async with aclosing(feed):
        assert (await anext(feed)).entries == ()
        reading = asyncio.ensure_future(anext(feed))
        await asyncio.gather(*(a_failing_run(world) for _ in range(5)))
        while len(entries) < 45:
            entries += [fields for _, fields in (await reading).entries]
            reading = asyncio.ensure_future(anext(feed))
        stopping.set()
        with pytest.raises(StopAsyncIteration):
            await reading
    by_run = {}
    for entry in entries:
        by_run.setdefault(entry["runId"], []).append(entry)
    assert len(by_run) == 5
    for found in by_run.values():
        slots = [entry["eventId"] for entry in found if "eventId" in entry]
        assert slots == sorted(slots)
        assert types(found).index("output") < types(found).index("step_failed")
    assert engine.activity.readers == 0


async def test_a_reader_goes_on_after_any_entry(world, engine, stopping):
    cursor = await start(engine)
    await a_failing_run(world)
    parts = [part async for part in engine.activity.follow(Wanted(), cursor, waits=False, stopping=stopping)]
    entries = [entry for part in parts for entry in part.entries]
    for number, (at, _) in enumerate(entries, 1):
        parts = [part async for part in engine.activity.follow(Wanted(), at, waits=False, stopping=stopping)]
        assert [fields for part in parts for _, fields in part.entries] == [fields for _, fields in entries[number:]]


async def test_only_what_is_wanted_is_told(world, engine, told):
    cursor = await start(engine)
    one, other = await world.new_run(), await world.new_run()
    entries, after = await told(cursor, run_id=other)
    assert {entry["runId"] for entry in entries} == {other}
    assert await told(after) == ([], after)
    assert len((await told(cursor, workflow_name=world.workflow))[0]) == 4
    assert (await told(cursor, workflow_name="workflow//./w//other"))[0] == []
    assert len((await told(cursor, environment="production"))[0]) == 4
    assert (await told(cursor, environment="dev-ada"))[0] == []
    assert one != other


async def test_lines_that_make_room_for_others_are_passed_by(world, engine, told):
    run_id = await world.new_run()
    cursor = await start(engine)
    await engine.output.append(printed_by(run_id), [Line(world.clock.now, "info", "a")])
    await engine.output.append(printed_by(run_id), [Line(world.clock.now, "info", "b")], dropped=3)
    entries, _ = await told(cursor)
    assert [entry["text"] for entry in entries] == ["a", "b"]


async def test_after_a_restart_a_reader_is_told_what_it_missed(world, engine, told, after_crash):
    run_id = await world.new_run()
    world.clock.tick(60_000)
    cursor = await start(engine)
    world.clock.tick(60_000)
    await world.create(run_id, "step_created", "step_1", stepName=STEP, input=b"devl[[]]")
    await engine.output.append(printed_by(run_id), [Line(world.clock.now, "info", "Before.")])
    ended = await world.new_run()
    await world.create(ended, "run_completed")
    restarted = await after_crash()
    await restarted.create(run_id, "step_started", "step_1")
    entries, after = await told(cursor, of=restarted.engine)
    assert "missed" not in entries[0]
    # Of one moment, lines come before events.
    assert types(entry for entry in entries if entry["runId"] == run_id) == ["output", "step_created", "step_started"]
    assert types(entry for entry in entries if entry["runId"] == ended) == [
        "run_created",
        "run_started",
        "run_completed",
    ]
    await restarted.create(run_id, "step_completed", "step_1")
    assert types((await told(after, of=restarted.engine))[0]) == ["step_completed"]


async def test_a_reader_that_is_too_slow_is_told_what_can_be_found_and_that_something_is_missing(
    world, engine, told, monkeypatch
):
    monkeypatch.setattr(journal, "_KEPT", 2)
    monkeypatch.setattr(activity_rows, "_FOUND", 6)
    cursor = await start(engine)
    world.clock.tick(60_000)
    for _ in range(5):
        await world.new_run()
    entries, after = await told(cursor)
    assert len(entries) == 6
    assert [entry.get("missed", False) for entry in entries] == [True] + [False] * 5
    last = await world.new_run()
    assert [entry["runId"] for entry in (await told(after))[0]] == [last, last]


async def test_a_cursor_of_nowhere_does_no_harm(world, engine, told):
    for cursor in (f"{engine.activity._journal.epoch}.999999.0", "-.0.0", "00000000.7.999999999999999", "nonsense"):
        entries, after = await told(cursor)
        assert activity.CURSOR.fullmatch(after), cursor
        assert entries == [], cursor


async def test_what_is_undone_is_not_told(world, engine, told):
    run_id = await world.new_run()
    cursor = await start(engine)
    with pytest.raises(Exception, match="not found"):
        await world.create(run_id, "step_completed", "step_9")
    assert (await told(cursor))[0] == []


async def test_word_of_commits_that_comes_in_another_order_is_put_in_order(database):
    kept = journal.Journal(database, Bus(database, "wrk_1"))
    for slots in ((1, 1), (3, 3), (2, 2), (4, 4), (4, 4)):
        kept._add([journal.Addition("log", "wrun_1", *slots)])
    assert [(one.first, one.last, one.number) for one in kept.after(0, 10)] == [(1, 1, 1), (2, 3, 2), (4, 4, 4)]
    assert [(one.first, one.last, one.number) for one in kept.after(2, 1)] == [(3, 3, 3)]
    assert kept.after(4, 10) == []
    assert kept.after(5, 10) is None


async def test_a_silent_feed_says_that_it_goes_on(engine, stopping, monkeypatch):
    monkeypatch.setattr(activity, "SILENCE_SECONDS", 0.01)
    async with aclosing(engine.activity.follow(Wanted(), None, stopping=stopping)) as parts:
        assert [(await anext(parts)).entries for _ in range(3)] == [(), (), ()]


async def test_the_feed_of_a_worker_that_is_about_to_end_says_one_thing(database, clock, stopping):
    stopping.set()
    feed = Engine(database, clock=clock).activity.follow(Wanted(), None, stopping=stopping)
    assert len([part async for part in feed]) == 1
