"""Workers of one service: who is there, whose work is taken over, and what a worker may write that was away."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text, update

from workflow_studio.compute.world_errors import EntityConflictError, WorldError
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.engine.claims import Executors
from workflow_studio.worker.engine.output import OutputQuery
from workflow_studio.worker.ports import CallContext, Line
from workflow_studio.worker.store import tables


@pytest.fixture
def place(place_of, tmp_path):
    return place_of("postgresql", tmp_path)


@pytest.fixture
async def second(world, place, clock):
    """Return another worker of the service."""
    database = place.open()
    yield type(world)(Engine(database, clock=clock), clock, world.deployment_id)
    await database.close()


@pytest.fixture
async def both(world, second):
    await world.engine.workers.register()
    await second.engine.workers.register()
    await world.engine.workers.beat()
    return world, second


async def silence(world, of=None):
    """Have it be long ago that a worker was heard of."""
    long_ago = update(tables.workers).values(heartbeat_at=0, lease_ms=-60_000)
    named = long_ago.where(tables.workers.c.worker_id == (of or world).engine.workers.id)
    await world.engine._database.write(lambda transaction: transaction.execute(named) and None)


async def a_step(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add")
    await world.publish_step(run_id)
    return run_id


class TestRegistration:
    async def test_the_workers_know_of_each_other_and_one_of_them_leads(self, both):
        first, second = both
        for one in both:
            known = await one.engine.workers.list()
            assert [worker.worker_id for worker in known] == [first.engine.workers.id, second.engine.workers.id]
            assert [worker.epoch for worker in known] == [1, 2]
            assert one.engine.workers.others == 1
        assert (first.engine.workers.leads, second.engine.workers.leads) == (True, False)

    async def test_who_leaves_gives_back_at_once_and_the_next_one_leads(self, both):
        first, second = both
        await a_step(first)
        delivery = await first.claim_one()
        assert await first.engine.workers.leave() == 1
        await second.engine.workers.beat()
        assert second.engine.workers.leads
        assert second.engine.workers.others == 0
        again = await second.claim_one()
        assert (again.message_id, again.attempt) == (delivery.message_id, 2)

    async def test_deliveries_are_counted_per_worker(self, both):
        first, second = both
        await a_step(first)
        await second.claim_one()
        assert [worker.in_flight for worker in await first.engine.workers.list()] == [0, 1]


class TestTakingOver:
    async def test_what_is_leased_to_a_worker_that_is_heard_of_is_left_to_it(self, both):
        first, second = both
        await a_step(first)
        delivery = await first.claim_one()
        assert await second.engine.workers.take_over() == 0
        await second.engine.workers.beat()
        assert await second.claim() == []
        assert await first.engine.leases.complete(delivery.id)

    async def test_the_work_of_a_silent_worker_is_taken_over_as_a_further_attempt(self, both):
        first, second = both
        await a_step(first)
        delivery = await first.claim_one()
        await silence(first)
        await second.engine.workers.beat()
        again = await second.claim_one()
        assert (again.message_id, again.attempt) == (delivery.message_id, 2)
        assert second.engine.workers.leads

    async def test_while_the_database_was_away_nobody_counts_as_silent(self, both):
        first, second = both
        just_now = update(tables.workers).values(heartbeat_at=0, lease_ms=10**9)
        await first.engine._database.write(lambda transaction: transaction.execute(just_now) and None)
        await second.engine.workers.beat()
        assert len(await second.engine.workers.list()) == 2

    async def test_a_worker_that_was_away_begins_anew_and_is_told(self, both):
        first, second = both
        told = []
        first.engine.workers.on_lost(lambda: told.append("lost"))
        await silence(first)
        await second.engine.workers.beat()
        assert not await first.engine.workers.beat()
        assert told == ["lost"]
        assert [worker.epoch for worker in await first.engine.workers.list()] == [2, 3]
        assert await first.engine.workers.beat()
        assert told == ["lost"]

    async def test_two_that_notice_at_once_take_over_once(self, both, place, clock):
        first, second = both
        third_database = place.open()
        third = type(first)(Engine(third_database, clock=clock), clock, first.deployment_id)
        await third.engine.workers.register()
        for _ in range(5):
            await a_step(first)
        assert len(await first.claim(step=5)) == 5
        await silence(first)
        await asyncio.gather(second.engine.workers.beat(), third.engine.workers.beat())
        taken = await second.claim() + await third.claim()
        assert [delivery.attempt for delivery in taken] == [2] * 5
        assert len({delivery.message_id for delivery in taken}) == 5
        await third_database.close()


@pytest.fixture
async def taken_over(both):
    """A step that the first worker delivers still, and the second one delivers, too."""
    first, second = both
    run_id = await a_step(first)
    mine = await first.claim_one()
    await first.create(run_id, "step_started", "step_1", context=CallContext("exec-1", mine.id))
    await silence(first)
    await second.engine.workers.beat()
    theirs = await second.claim_one()
    await second.create(run_id, "step_started", "step_1", context=CallContext("exec-2", theirs.id))
    return first, second, run_id, mine, theirs


class TestFencing:
    async def test_nothing_is_written_in_the_name_of_a_delivery_that_another_worker_makes(self, taken_over):
        first, second, run_id, mine, theirs = taken_over
        before = await first.log(run_id)
        late = CallContext("exec-1", mine.id)
        with pytest.raises(EntityConflictError):
            await first.create(run_id, "step_completed", "step_1", context=late, result=b"late")
        with pytest.raises(EntityConflictError):
            await first.wake(run_id, context=late)
        chunk = {"name": "s", "runId": run_id, "writerId": "w", "sequence": 0, "chunks": [b"late"]}
        with pytest.raises(EntityConflictError):
            await first.call("streams.write", context=late, **chunk)
        assert await first.log(run_id) == before
        assert (await first.call("streams.info", name="s", runId=run_id))["tailIndex"] == -1
        result = {"context": CallContext("exec-2", theirs.id), "result": b"3"}
        await second.create(run_id, "step_completed", "step_1", **result)
        assert (await first.log(run_id))[-1] == "step_completed"

    async def test_what_it_prints_is_not_kept(self, taken_over):
        first, second, run_id, mine, theirs = taken_over
        for one, delivery in ((first, mine), (second, theirs)):
            await one.engine.output.append(delivery, [Line(first.clock.now, "info", delivery.id)])
        page = await first.engine.output.list(OutputQuery(run_id))
        assert [line.text for line in page.lines] == [theirs.id]

    async def test_a_batch_of_it_is_refused_as_a_whole(self, taken_over):
        first, _, run_id, mine, _ = taken_over
        event = {"eventType": "step_completed", "specVersion": 3, "correlationId": "step_1"}
        wake = {"queueName": f"__wkf_workflow_{first.workflow}", "body": b"", "runId": run_id, "isWake": True}
        calls = [
            {"method": "events.create", "params": {"runId": run_id, "event": {**event, "eventData": {"result": b"1"}}}},
            {"method": "queue.publish", "params": wake},
        ]
        with pytest.raises(EntityConflictError):
            await first.call("batch", context=CallContext("exec-1", mine.id), calls=calls)
        assert "step_completed" not in await first.log(run_id)
        assert await first.claim() == []

    async def test_its_outcome_counts_for_nothing(self, taken_over):
        first, second, _, mine, theirs = taken_over
        assert not await first.engine.leases.fail(mine.id, "late")
        assert not await first.engine.leases.complete(mine.id)
        assert await second.engine.leases.complete(theirs.id)

    async def test_what_an_app_writes_through_any_worker_needs_no_lease(self, taken_over):
        first, _, run_id, _, _ = taken_over
        await first.create(run_id, "run_cancelled")
        assert (await first.log(run_id))[-1] == "run_cancelled"

    async def test_what_a_delivery_has_under_way_when_its_outcome_is_recorded_is_written_still(self, both):
        first, _ = both
        run_id = await a_step(first)
        delivery = await first.claim_one()
        context = CallContext("exec-1", delivery.id)
        name = {"name": "s", "runId": run_id, "writerId": "w"}
        await asyncio.gather(
            first.engine.leases.complete(delivery.id),
            *(first.call("streams.write", context=context, **name, sequence=n, chunks=[b"x"]) for n in range(20)),
        )
        await first.call("streams.close", context=context, name="s", runId=run_id)
        assert await first.call("streams.info", name="s", runId=run_id) == {"tailIndex": 19, "done": True}

    async def test_a_lease_is_not_lost_between_the_look_and_the_commit(self, both):
        first, second = both
        run_id = await a_step(first)
        delivery = await first.claim_one()
        await first.create(run_id, "step_started", "step_1", context=CallContext("exec-1", delivery.id))
        await silence(first)
        completed = {"context": CallContext("exec-1", delivery.id), "result": b"1"}
        outcomes = await asyncio.gather(
            first.create(run_id, "step_completed", "step_1", **completed),
            second.engine.workers.beat(),
            return_exceptions=True,
        )
        written = not isinstance(outcomes[0], WorldError)
        assert ("step_completed" in await first.log(run_id)) == written


class TestOneReplay:
    async def test_two_workers_do_not_replay_a_run_at_the_same_time(self, both):
        first, second = both
        runs = [(await first.engine.runs.start(first.workflow, b""))["runId"] for _ in range(8)]
        for run_id in runs:
            await first.wake(run_id)
        claims = await asyncio.gather(*(one.claim() for one in (first, second, first, second)))
        replayed = [delivery.run_id for claim in claims for delivery in claim]
        assert sorted(replayed) == sorted(runs)

    async def test_the_database_itself_refuses_a_second_replay(self, world):
        run_id = (await world.engine.runs.start(world.workflow, b""))["runId"]
        await world.claim_one()
        await world.wake(run_id)
        lease_all = text("UPDATE messages SET status = 'leased'")
        with pytest.raises(Exception, match="uq_messages_replayed"):
            await world.engine._database.write(lambda transaction: transaction.execute(lease_all))


class TestBeginning:
    """A claim begins a delivery in its own transaction, if that cannot have two claims wait for each other."""

    @pytest.fixture
    def claim(self, world):
        executors = Executors(lambda _: "exec-1", world.engine._events.begin)

        async def claimed():
            return (await world.engine.leases.claim({"workflow": 9, "step": 9}, executors)).deliveries

        return claimed

    async def test_a_lone_step_is_started_with_its_lease(self, world, claim):
        run_id = await a_step(world)
        (delivery,) = await claim()
        assert delivery.first.event_type == "step_started"
        assert (await world.log(run_id))[-1] == "step_started"

    async def test_of_several_steps_one_is(self, world, claim):
        for _ in range(3):
            await a_step(world)
        assert [delivery.first is not None for delivery in await claim()] == [True, False, False]

    async def test_no_step_is_where_a_replay_is_claimed(self, world, claim):
        run_id = await a_step(world)
        await world.wake(run_id)
        replay, step = await claim()
        assert (replay.kind, replay.first.event_type) == ("workflow", "run_started")
        assert step.first is None

    async def test_a_run_that_was_not_begun_begins_by_itself(self, world, claim):
        await world.engine.runs.start(world.workflow, b"")
        (delivery,) = await claim()
        assert delivery.first is None
