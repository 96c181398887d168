"""Any interleaving of clients leaves the engine as a small reference model says, and all invariants whole.

An app, executors and a restarting worker are driven at random; ``tests.support.world_clients`` says what they do. The
fast suite tries few interleavings and shows one that fails as it is. Many more are tried, and made small, by
``HYPOTHESIS_PROFILE=long pytest tests/worker/engine/test_world_properties.py``.
"""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import HealthCheck, Phase, settings
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
from tests.support.reference_model import Refused
from tests.support.world_clients import Call, Clients
from workflow_studio.worker.engine import EngineError

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
MAX_RUNS = 3

NO_RUN = -1
RUNS = st.sampled_from([0, 0, 0, 1, 1, 2, NO_RUN])
NOTHING = st.just("")
STEP_IDS = st.sampled_from(["step_1", "step_2"])
HOOK_IDS = st.sampled_from(["hook_1", "hook_2"])
WAIT_IDS = st.sampled_from(["wait_1", "wait_2"])
TIMES = ("resumeAt", "retryAfter")
# How far from now.
DELAYS = st.sampled_from([-1, 0, 1, 700, 60_000, 86_400_000])


def event(kinds, ids=NOTHING, **data):
    """Return a strategy for (type, correlation id, data)."""
    return st.tuples(st.sampled_from(kinds.split()), ids, st.fixed_dictionaries(data))


CREATIONS = [
    event("step_created", STEP_IDS, stepName=st.just("add"), input=st.sampled_from([b"", b"\0"])),
    event("hook_created", HOOK_IDS, token=st.sampled_from("ab")),
    event("wait_created", WAIT_IDS, resumeAt=DELAYS),
]
WAIT_ENDS = event("wait_completed", WAIT_IDS)
HOOK_ENDS = event("hook_disposed", HOOK_IDS)
RUN_ENDS = st.one_of(
    event("run_completed", output=st.just(b"out")),
    event("run_failed", error=st.just({"message": "no", "stack": "at"}), errorCode=st.just("USER_ERROR")),
)
OF_REPLAYS = st.one_of(*CREATIONS, *CREATIONS, WAIT_ENDS, HOOK_ENDS)
OF_STEPS = st.one_of(
    event("step_started", STEP_IDS),
    event("step_completed", STEP_IDS, result=st.just(b"r")),
    event("step_failed", STEP_IDS, error=st.just("no")),
    event("step_retrying", STEP_IDS, error=st.just("no"), retryAfter=DELAYS),
    event("step_retrying", STEP_IDS, error=st.just("again")),
)
HOOK_RECEIVED = event("hook_received", HOOK_IDS, payload=st.just(b"p"))
OF_APPS = st.one_of(HOOK_RECEIVED, HOOK_RECEIVED, HOOK_RECEIVED, WAIT_ENDS, WAIT_ENDS, event("run_cancelled"))
ANY = st.one_of(OF_REPLAYS, OF_STEPS, RUN_ENDS, OF_APPS, event("run_started"))
OF_FIRST_REPLAY = [
    ("step_created", "step_1", {"stepName": "add", "input": b"in"}),
    ("hook_created", "hook_1", {"token": "a"}),
    ("wait_created", "wait_1", {"resumeAt": 60_000}),
]
ENDINGS = st.sampled_from(["fail", "lost", "return"])


class World(RuleBasedStateMachine):
    """Draws what happens next."""

    make_clients = None

    def __init__(self):
        super().__init__()
        self.clients = type(self).make_clients()

    @property
    def model(self):
        return self.clients.model

    def call(self, run, drawn):
        """Return the call of a drawn event, about a run that may not exist."""
        kind, of, data = drawn
        run_id = self.run_id(run)
        at = {key: self.clients.clock.now + value for key, value in data.items() if key in TIMES}
        return Call(run_id, kind, of, data | at)

    def run_id(self, run):
        ids = self.clients.run_ids
        return self.clients.world.new_run_id() if run == NO_RUN else ids[run % len(ids)]

    def flying(self, kind, *, begun):
        found = [one for one in self.clients.in_flight.values() if one.delivery.kind == kind and one.begun == begun]
        return sorted(found, key=lambda one: one.delivery.id)

    def pick(self, data, kind, *, begun):
        return data.draw(st.sampled_from(self.flying(kind, begun=begun)))

    @initialize(drawn=st.lists(OF_REPLAYS, max_size=3), suspended=st.booleans())
    def begin(self, drawn, suspended):
        """Have a run with a step, a hook and a sleep, and another whose replay is under way."""
        self.start("whole")
        self.executors_look()
        (one,) = self.flying("workflow", begun=True)
        self._write(one, [*OF_FIRST_REPLAY, *drawn])
        if suspended:
            self.clients.end_replay(one)
        self.start("whole")
        self.executors_look()

    # An app

    @rule(how=st.sampled_from(["whole", "only the message", "only the event"]))
    def start(self, how):
        clients = self.clients
        if len(clients.run_ids) == MAX_RUNS:
            # A message may have come without its event; that comes now.
            clients.create(Call(clients.run_ids[-1], "run_created", "", clients.start_data()))
            return
        run_id = clients.world.new_run_id()
        clients.run_ids.append(run_id)
        if how != "only the event":
            clients.publish_start(run_id)
        if how != "only the message":
            clients.create(Call(run_id, "run_created", "", clients.start_data()))
        if how == "only the event":
            clients.owed.add(run_id)

    @rule(
        run=RUNS,
        drawn=OF_APPS,
        then=st.sampled_from(["wake", "wake", "nothing", "restart", "sweep"]),
        repeats=st.sampled_from([0, 0, 2]),
    )
    def app_tells(self, run, drawn, then, repeats):
        """Tell a run something and wake it; or the app dies in between, and the worker may find out or may not yet."""
        call = self.call(run, drawn)
        if isinstance(self.clients.create(call, repeats=repeats), Refused):
            return
        if then == "wake":
            self.clients.wake([call.run_id])
            return
        self.clients.owed.add(call.run_id)
        if then != "nothing":
            self.worker_looks(restart=then == "restart")

    def parked_hooks(self):
        replayed = {one.delivery.run_id for one in self.clients.in_flight.values() if one.delivery.kind == "workflow"}
        runs = [(run_id, run) for run_id, run in self.model.runs.items() if run_id not in replayed]
        return sorted((run_id, of) for run_id, run in runs for of in run.hooks)

    @precondition(lambda self: self.parked_hooks())
    @rule(data=st.data(), restart=st.booleans())
    def a_wake_up_is_lost(self, data, restart):
        run_id, of = data.draw(st.sampled_from(self.parked_hooks()))
        self.clients.create(Call(run_id, "hook_received", of, {"payload": b"p"}))
        self.clients.owed.add(run_id)
        self.worker_looks(restart=restart)

    @rule(run=RUNS, what=st.sampled_from(["wake", "wake", "cancel"]))
    def public(self, run, what):
        (self.public_wake if what == "wake" else self.public_cancel)(run)

    def public_wake(self, run):
        """End all sleeps at once; the model ends them in the order that the log has."""
        run_id = self.run_id(run)
        known = self.model.runs.get(run_id)
        if known is None or known.ended:
            self.refused(self.clients.engine.runs.wake(run_id), "run_finished" if known else "run_not_found")
            return
        ended = self.clients.do(self.clients.engine.runs.wake(run_id))
        log = self.clients.do(self.clients.world.call("events.list", runId=run_id))["data"]
        for told in log[len(known.log) :]:
            of = told["correlationId"]
            data = {"resumeAt": known.waits[of]["resumeAt"]}
            self.model.create(run_id, "wait_completed", of, data, now=self.clients.clock.now)
            ended -= 1
        assert ended == 0
        self.clients.agree()

    def public_cancel(self, run):
        run_id = self.run_id(run)
        known = self.model.runs.get(run_id)
        if known is None or known.entity["status"] in ("completed", "failed"):
            self.refused(self.clients.engine.runs.cancel(run_id), "run_finished" if known else "run_not_found")
            return
        self.clients.do(self.clients.engine.runs.cancel(run_id))
        if known.entity["status"] != "cancelled":
            self.model.create(run_id, "run_cancelled", now=self.clients.clock.now)
        self.clients.agree()

    def refused(self, work, code):
        with pytest.raises(EngineError) as refusal:
            self.clients.do(work)
        assert refusal.value.code.value == code

    # Executors

    @rule(workflow=st.sampled_from([1, 9]), step=st.sampled_from([9, 1]), begin=st.sampled_from([True, True, False]))
    def executors_look(self, workflow=9, step=9, begin=True):
        """Take what is due, and begin with all that was taken, or leave that for later."""
        self.clients.claim(workflow, step)
        if begin:
            for one in self.flying("workflow", begun=False):
                self.clients.begin_replay(one)
            for one in self.flying("step", begun=False):
                self.clients.begin_step(one)

    @precondition(lambda self: self.flying("workflow", begun=True))
    @rule(data=st.data(), events=st.lists(OF_REPLAYS, min_size=1, max_size=3), repeats=st.sampled_from([0, 0, 1]))
    def replay_writes(self, data, events, repeats):
        self._write(self.pick(data, "workflow", begun=True), events, repeats=repeats)

    @precondition(lambda self: self.flying("workflow", begun=True))
    @rule(data=st.data(), drawn=RUN_ENDS)
    def replay_ends_the_run(self, data, drawn):
        one = self.pick(data, "workflow", begun=True)
        self._write(one, [drawn])
        self.clients.end_replay(one)

    def _write(self, one, events, **how):
        for drawn in events:
            call = self.call(0, drawn)._replace(run_id=one.delivery.run_id)
            self.clients.write_in_replay(one, call, **how)

    @precondition(lambda self: self.flying("workflow", begun=True))
    @rule(data=st.data(), stale_seconds=st.sampled_from([None, None, 60]))
    def replay_ends(self, data, stale_seconds):
        self.clients.end_replay(self.pick(data, "workflow", begun=True), stale_seconds=stale_seconds)

    @precondition(lambda self: self.flying("step", begun=False))
    @rule(data=st.data())
    def step_begins(self, data):
        self.clients.begin_step(self.pick(data, "step", begun=False))

    @precondition(lambda self: self.flying("step", begun=True))
    @rule(
        data=st.data(),
        outcome=st.sampled_from(["step_completed", "step_completed", "step_failed", "step_retrying"]),
        lost=st.sampled_from([False, False, True]),
    )
    def step_ends(self, data, outcome, lost):
        self.clients.end_step(self.pick(data, "step", begun=True), outcome, lost=lost)

    @precondition(lambda self: self.clients.in_flight)
    @rule(data=st.data(), how=ENDINGS)
    def delivery_fails(self, data, how):
        flying = sorted(self.clients.in_flight.values(), key=lambda one: one.delivery.id)
        self.clients.end(data.draw(st.sampled_from(flying)), how)

    # Whoever comes late, twice or all at once

    @rule(run=RUNS, drawn=OF_STEPS, behind=st.sampled_from([0, 0, 5000]))
    def late_step(self, run, drawn, behind):
        """An executor that was given up goes on with its step."""
        call = self.call(run, drawn)
        if not isinstance(self.clients.create(call, behind=behind), Refused):
            self.clients.wake([call.run_id])

    @rule(drawn=st.lists(st.tuples(st.integers(0, 1), ANY), min_size=2, max_size=5))
    def at_once(self, drawn):
        calls = [self.call(run, one) for run, one in drawn]
        self.clients.create_at_once(calls)
        self.clients.wake(call.run_id for call in calls)

    # The worker

    @rule(seconds=st.sampled_from([1, 60, 3000]))
    def time_passes(self, seconds):
        self.clients.clock.tick(seconds * 1000)

    @rule(restart=st.booleans())
    def worker_looks(self, restart):
        (self.clients.restart if restart else self.clients.sweep)()

    @invariant()
    def nothing_waits_in_vain(self):
        self.clients.check_queue()

    def teardown(self):
        try:
            if sys.exc_info()[0] is None:
                self.come_to_rest()
        finally:
            self.clients.close()

    def come_to_rest(self):
        self.clients.settle()
        self.clients.check_queue(at_rest=True)
        for run in self.model.runs.values():
            assert run.ended or run.hooks, "whatever could be finished is finished"


@pytest.mark.timeout(3600 if LONG else 120)
@pytest.mark.parametrize("kind", KINDS)
def test_engine_and_model_agree_after_every_operation(kind, tmp_path, place_of, helpers):
    clock, driver, manifest = helpers

    class Placed(World):
        @staticmethod
        def make_clients():
            return Clients(place_of(kind, tmp_path), clock(), driver, manifest())

    run_state_machine_as_test(
        Placed,
        settings=settings(
            max_examples=1000 if LONG else 6,
            stateful_step_count=50 if LONG else 30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=set(Phase) if LONG else set(Phase) - {Phase.shrink, Phase.explain},
        ),
    )
