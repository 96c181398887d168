"""The queue under any order of calls, failures and crashes: nothing lost, nothing in flight twice, attempts counted."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.databases import KINDS
from workflow_studio.worker.engine import Engine

STEPS = ("step_1", "step_2", "step_3")


class Queue(RuleBasedStateMachine):
    """Publishes, delivers, fails and crashes, and remembers what is owed."""

    place = None
    make_manifest = None
    driver = None
    make_clock = None

    def __init__(self):
        super().__init__()
        self.place.empty()
        self.runner = asyncio.Runner()
        self.clock = self.make_clock()
        self.database = self.place.open()
        self.engine = Engine(self.database, clock=self.clock)
        self.in_flight = {}
        self.last = {}  # message id -> (attempt, how it ended)
        self.owed = set()  # what was published and not delivered since

    @initialize()
    def two_runs(self):
        self.runs = self.do(self._prepare())

    async def _prepare(self):
        deployment, _ = await self.engine.deployments.register(type(self).make_manifest())
        await self.engine.deployments.activate(deployment.id)
        self.world = type(self).driver(self.engine, self.clock, deployment.id)
        return [await self.world.new_run() for _ in range(2)]

    def do(self, coroutine):
        return self.runner.run(coroutine)

    @rule(run=st.integers(0, 1), delay=st.sampled_from([0, 0, 5]))
    def wake(self, run, delay):
        self.do(self.world.wake(self.runs[run], delaySeconds=delay))
        self.owed.add((self.runs[run], None))

    @rule(run=st.integers(0, 1))
    def start_message(self, run):
        envelope = {"queueName": "__wkf_workflow_x", "body": b"input", "runId": self.runs[run]}
        self.do(self.world.call("queue.publish", **envelope))
        self.owed.add((self.runs[run], None))

    @rule(run=st.integers(0, 1), step=st.sampled_from(STEPS), delay=st.sampled_from([0, 0, 5]))
    def step(self, run, step, delay):
        self.do(self.world.publish_step(self.runs[run], step, delaySeconds=delay))
        if not any((d.run_id, d.step_id) == (self.runs[run], step) for d in self.in_flight.values()):
            self.owed.add((self.runs[run], step))

    @rule(workflow=st.integers(0, 2), step=st.integers(0, 3))
    def claim(self, workflow, step):
        claimed = self.do(self.world.claim(workflow, step))
        assert sum(delivery.kind == "workflow" for delivery in claimed) <= workflow
        assert sum(delivery.kind == "step" for delivery in claimed) <= step
        for delivery in claimed:
            self._check_attempt(delivery)
            assert all(other.message_id != delivery.message_id for other in self.in_flight.values())
            self.in_flight[delivery.id] = delivery
            self.owed.discard((delivery.run_id, delivery.step_id))

    def _check_attempt(self, delivery):
        before = self.last.get(delivery.message_id)
        if before is None:
            assert delivery.attempt == 1
        else:
            attempt, ending = before
            assert ending is not None
            assert delivery.attempt == {"deferred": 2, "given back": attempt}.get(ending, attempt + 1)
        self.last[delivery.message_id] = (delivery.attempt, None)

    def _end(self, data, ending):
        delivery = data.draw(st.sampled_from(sorted(self.in_flight.values(), key=lambda d: d.id)))
        del self.in_flight[delivery.id]
        self.last[delivery.message_id] = (delivery.attempt, ending)
        return delivery

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def complete(self, data):
        assert self.do(self.engine.leases.complete(self._end(data, "completed").id))

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), seconds=st.sampled_from([0, 1, 30]))
    def defer(self, data, seconds):
        delivery = self._end(data, "deferred")
        assert self.do(self.engine.leases.defer(delivery.id, seconds))
        self.owed.add((delivery.run_id, delivery.step_id))

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data(), lost=st.booleans())
    def fail(self, data, lost):
        delivery = self._end(data, "failed")
        assert self.do(self.engine.leases.fail(delivery.id, "no", executor_lost=lost))
        self.owed.add((delivery.run_id, delivery.step_id))

    @precondition(lambda self: self.in_flight)
    @rule(data=st.data())
    def give_back(self, data):
        delivery = self._end(data, "given back")
        assert self.do(self.engine.leases.give_back(delivery.id, "no executor"))
        self.owed.add((delivery.run_id, delivery.step_id))

    @rule(seconds=st.sampled_from([1, 10, 1000]))
    def time_passes(self, seconds):
        self.clock.tick(seconds * 1000)

    @rule()
    def crash(self):
        """Start another engine over the same rows: all that a killed process leaves behind is in the database."""
        self.engine = Engine(self.database, clock=self.clock)
        self.world = type(self).driver(self.engine, self.clock, self.world.deployment_id)
        self.do(self.engine.recovery.at_boot())
        for delivery in self.in_flight.values():
            self.last[delivery.message_id] = (delivery.attempt, "crashed")
            self.owed.add((delivery.run_id, delivery.step_id))
        self.in_flight.clear()

    @invariant()
    def one_replay_of_a_run_at_a_time(self):
        replays = [delivery.run_id for delivery in self.in_flight.values() if delivery.kind == "workflow"]
        assert len(replays) == len(set(replays))

    def teardown(self):
        try:
            for _ in range(100):
                for delivery in list(self.in_flight.values()):
                    assert self.do(self.engine.leases.complete(delivery.id))
                self.in_flight.clear()
                if self.do(self.engine.queue.depth())["ready"] == 0:
                    break
                self.clock.tick(1_000_000)
                self.claim(10, 10)
            # Whatever was published, put off or cut short was delivered afterwards, and nothing is left over.
            assert self.owed == set()
            assert self.do(self.engine.queue.depth()) == {"ready": 0, "leased": 0, "dead": 0}
        finally:
            self.do(self.database.close())
            self.runner.close()


@pytest.mark.parametrize("kind", KINDS)
def test_the_queue_loses_nothing_and_delivers_nothing_twice_at_a_time(kind, tmp_path, place_of, helpers):
    clock, driver, manifest = helpers

    class Placed(Queue):
        place = place_of(kind, tmp_path)
        make_clock, make_manifest = clock, staticmethod(manifest)

    Placed.driver = driver
    run_state_machine_as_test(Placed, settings=settings(max_examples=25, stateful_step_count=30, deadline=None))
