"""Retention deletes what is older than it is kept, all of it, and nothing else."""

from __future__ import annotations

import asyncio
import random

import pytest
from sqlalchemy import func, select, update

from workflow_studio.worker.engine import Engine, object_rows, retention
from workflow_studio.worker.engine.expiry import OUTCOMES, Retention
from workflow_studio.worker.engine.objects import GRACE_MS, digest_of
from workflow_studio.worker.engine.retention import Expired
from workflow_studio.worker.ports import Line
from workflow_studio.worker.store import tables

DAY = 86_400_000
EVERYTHING = Retention(outcomes=dict.fromkeys(OUTCOMES, 30 * DAY))


@pytest.fixture
def keeping(database, clock):
    """Return a function that makes an engine which keeps things for as long as it is told."""
    return lambda rules: Engine(database, clock=clock, retention=rules).retention


async def rows(database, table, **where):
    query = select(func.count()).select_from(table)
    for name, value in where.items():
        query = query.where(table.c[name] == value)
    return await database.read(lambda connection: connection.execute(query).scalar_one())


async def runs(database):
    query = select(tables.runs.c.run_id)
    return set(await database.read(lambda connection: connection.execute(query).scalars().all()))


async def ended(world, outcome="completed", *, steps=1, workflow=None):
    """Return a run that has some of everything and is over."""
    run_id = world.new_run_id()
    data = world.run_data() if workflow is None else world.run_data(workflowName=workflow)
    await world.create(run_id, "run_created", **data)
    await world.create(run_id, "run_started")
    for number in range(steps):
        await world.create(run_id, "step_created", f"step_{number}", stepName="step//./workflows/demo//add", input=b"x")
        await world.create(run_id, "step_started", f"step_{number}")
        await world.create(run_id, "step_completed", f"step_{number}", result=b"y")
    await world.create(run_id, "hook_created", "hook_1", token=f"token of {run_id}")
    await world.create(run_id, "wait_created", "wait_1", resumeAt=world.clock.now + DAY)
    chunks = {"name": f"strm_{run_id}", "runId": run_id, "chunks": [b"a", b"b"], "writerId": "w", "sequence": 0}
    await world.call("streams.write", **chunks)
    (delivery,) = [await published(world, run_id)]
    await world.engine.output.append(delivery, [Line(world.clock.now, "info", "said")])
    await world.engine.leases.complete(delivery.id)
    if outcome == "failed":
        await world.create(run_id, "run_failed", error={"message": "no"})
    else:
        await world.create(run_id, f"run_{outcome}")
    return run_id


async def published(world, run_id):
    await world.wake(run_id)
    return await world.claim_one()


OF_RUN = (
    tables.events,
    tables.steps,
    tables.hooks,
    tables.waits,
    tables.messages,
    tables.run_output,
    tables.run_output_sizes,
    tables.stream_runs,
    tables.streams,
)


async def remains(database, run_id):
    left = [table.name for table in OF_RUN if await rows(database, table, run_id=run_id)]
    chunks = await rows(database, tables.stream_chunks, name=f"strm_{run_id}")
    return left + ["stream_chunks"] * bool(chunks)


async def test_without_settings_everything_is_kept_for_ever(world, database, clock, keeping):
    run_id = await ended(world)
    clock.tick(10_000 * DAY)
    assert await keeping(Retention()).sweep() == Expired()
    assert await runs(database) == {run_id}


@pytest.mark.parametrize("outcome", OUTCOMES)
async def test_a_run_goes_with_all_it_has_when_its_time_is_over(world, database, clock, keeping, outcome):
    run_id = await ended(world, outcome)
    sweeper = keeping(Retention(outcomes={outcome: 30 * DAY}))
    clock.tick(30 * DAY - 1)
    assert await sweeper.sweep() == Expired()
    assert len(await remains(database, run_id)) > 5
    clock.tick(1)
    assert await sweeper.count() == Expired(runs=1)
    assert await sweeper.sweep() == Expired(runs=1)
    assert await runs(database) == set()
    assert await remains(database, run_id) == []


async def test_each_outcome_has_a_time_of_its_own(world, database, clock, keeping):
    made = {outcome: await ended(world, outcome) for outcome in OUTCOMES}
    sweeper = keeping(Retention(outcomes={"completed": 7 * DAY, "failed": 90 * DAY}))
    clock.tick(8 * DAY)
    assert await sweeper.sweep() == Expired(runs=1)
    assert await runs(database) == {made["failed"], made["cancelled"]}
    clock.tick(1000 * DAY)
    await sweeper.sweep()
    assert await runs(database) == {made["cancelled"]}


async def test_a_workflow_can_have_a_time_of_its_own(world, database, clock, keeping):
    run_id = await ended(world)
    clock.tick(31 * DAY)
    assert await keeping(Retention(EVERYTHING.outcomes, workflows={world.workflow: None})).sweep() == Expired()
    assert await keeping(Retention(workflows={world.workflow: 32 * DAY})).sweep() == Expired()
    assert await keeping(Retention(workflows={"another": 1})).sweep() == Expired()
    assert await runs(database) == {run_id}
    assert await keeping(Retention(workflows={world.workflow: 30 * DAY})).sweep() == Expired(runs=1)


async def test_a_live_run_is_never_deleted_however_old(world, database, clock, keeping):
    run_id = await world.new_run()
    clock.tick(1000 * DAY)
    assert await keeping(EVERYTHING).sweep() == Expired()
    assert await runs(database) == {run_id}


async def test_a_run_is_kept_while_a_live_one_was_started_from_it(world, database, clock, keeping):
    original = await ended(world)
    clock.tick(31 * DAY)
    rerun = (await world.engine.runs.rerun(original))["runId"]
    assert await keeping(EVERYTHING).sweep() == Expired()
    await world.create(rerun, "run_cancelled")
    assert await keeping(EVERYTHING).sweep() == Expired(runs=1)
    assert await runs(database) == {rerun}


async def test_a_run_is_kept_while_a_message_of_it_is_delivered(world, database, clock, keeping):
    run_id = await world.new_run()
    delivery = await published(world, run_id)
    await world.create(run_id, "run_cancelled")
    clock.tick(31 * DAY)
    assert await keeping(EVERYTHING).sweep() == Expired()
    await world.engine.leases.complete(delivery.id)
    assert await keeping(EVERYTHING).sweep() == Expired(runs=1)


async def test_a_stream_that_another_run_writes_to_is_kept(world, database, clock, keeping):
    old = await ended(world)
    clock.tick(31 * DAY)
    young = await world.new_run()
    chunk = {"name": f"strm_{old}", "runId": young, "chunks": [b"c"], "writerId": "w2", "sequence": 0}
    await world.call("streams.write", **chunk)
    await keeping(EVERYTHING).sweep()
    assert await rows(database, tables.stream_chunks, name=f"strm_{old}") == 3
    assert await rows(database, tables.stream_runs, name=f"strm_{old}") == 1


async def test_a_run_larger_than_a_portion_is_gone_at_once_for_whoever_asks(
    world, database, clock, keeping, monkeypatch
):
    run_id = await ended(world, steps=5)
    clock.tick(31 * DAY)
    monkeypatch.setattr(retention, "PORTION", 7)
    sweeper = keeping(EVERYTHING)
    step = sweeper._delete_runs
    seen = []

    def watched(transaction, names):
        done = step(transaction, names)
        seen.append(transaction.execute(select(func.count()).select_from(tables.events)).scalar_one())
        return done

    monkeypatch.setattr(sweeper, "_delete_runs", watched)
    gone, finished = await database.write(lambda transaction: step(transaction, [run_id]))
    assert (gone, finished) == (0, False)
    assert await runs(database) == {run_id}
    with pytest.raises(Exception, match="no run"):
        await world.engine.runs.get(run_id)
    assert (await world.call("runs.list"))["data"] == []
    assert await sweeper.sweep() == Expired(runs=1)
    assert len(seen) > 3
    assert await remains(database, run_id) == []


async def test_a_crash_in_the_middle_is_made_up_for_even_if_the_settings_change(world, clock, after_crash, monkeypatch):
    run_id = await ended(world)
    clock.tick(31 * DAY)
    monkeypatch.setattr(retention, "PORTION", 3)
    sweeper = Engine(world.engine._database, clock=clock, retention=EVERYTHING).retention
    await world.engine._database.write(lambda transaction: sweeper._delete_runs(transaction, [run_id]))
    survivor = (await after_crash()).engine
    assert await survivor.retention.sweep() == Expired(runs=1)
    assert await remains(survivor._database, run_id) == []


async def test_two_workers_that_sweep_at_once_do_no_harm(world, database, clock, keeping):
    for _ in range(4):
        await ended(world)
    clock.tick(31 * DAY)
    live = await world.new_run()
    await asyncio.gather(*(keeping(EVERYTHING).sweep() for _ in range(3)))
    assert await runs(database) == {live}


async def test_objects_go_with_the_last_run_that_has_them(world, database, clock, keeping):
    first, second = await ended(world), await ended(world)
    objects = world.engine.objects
    stored = (await objects.keep({digest_of(b"large"): b"large"})).values()
    for run_id in (first, second):
        await database.write(lambda transaction, run_id=run_id: object_rows.refer(transaction, run_id, stored))
    clock.tick(31 * DAY)
    live = await world.new_run()
    await database.write(lambda transaction: object_rows.refer(transaction, live, stored))
    assert await keeping(EVERYTHING).sweep() == Expired(runs=2)
    assert await objects.sweep() == 0
    await world.create(live, "run_cancelled")
    clock.tick(31 * DAY + GRACE_MS)
    await keeping(EVERYTHING).sweep()
    assert await objects.sweep() == 1


async def test_output_can_go_before_its_run(world, database, clock, keeping):
    run_id, live = await ended(world), await world.new_run()
    clock.tick(8 * DAY)
    sweeper = keeping(Retention(output=7 * DAY))
    assert await sweeper.sweep() == Expired(outputs=1)
    assert await sweeper.sweep() == Expired()
    assert await rows(database, tables.run_output, run_id=run_id) == 0
    query = select(tables.run_output_sizes.c.lines, tables.run_output_sizes.c.dropped)
    assert await database.read(lambda connection: connection.execute(query).all()) == [(0, 1)]
    assert await runs(database) == {run_id, live}


async def test_chunks_can_go_before_their_run_and_leave_a_closed_stream(world, database, clock, keeping):
    run_id = await ended(world)
    clock.tick(8 * DAY)
    sweeper = keeping(Retention(streams=7 * DAY))
    assert await sweeper.sweep() == Expired(streams=1)
    assert await sweeper.sweep() == Expired()
    assert await world.call("streams.info", name=f"strm_{run_id}", runId=run_id) == {"tailIndex": -1, "done": True}
    assert await rows(database, tables.stream_chunks) == 0


async def test_what_runs_and_what_is_kept_is_never_touched(world, database, clock, keeping):
    """Runs of all kinds and ages, against a list of what must be left."""
    dice = random.Random(11)
    rules = Retention(outcomes={"completed": 5 * DAY, "failed": 20 * DAY})
    sweeper = keeping(rules)
    known = {}
    for _ in range(12):
        outcome = dice.choice((*OUTCOMES, None))
        run_id = await world.new_run() if outcome is None else await ended(world, outcome)
        known[run_id] = (outcome, clock.now)
        clock.tick(dice.randrange(8) * DAY)
        await sweeper.sweep()
        kept = {
            run_id
            for run_id, (outcome, at) in known.items()
            if outcome is None or rules.outcomes.get(outcome) is None or at + rules.outcomes[outcome] > clock.now
        }
        assert await runs(database) == kept


async def test_a_run_that_took_long_is_kept_from_its_end_on(world, database, clock, keeping):
    run_id = await world.new_run()
    clock.tick(100 * DAY)
    await world.create(run_id, "run_completed")
    await database.write(lambda transaction: transaction.execute(update(tables.runs).values(updated_at=0)) and None)
    clock.tick(30 * DAY - 1)
    assert await keeping(EVERYTHING).sweep() == Expired()
    clock.tick(1)
    assert await keeping(EVERYTHING).sweep() == Expired(runs=1)
