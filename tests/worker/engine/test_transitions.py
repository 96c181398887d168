"""The rules of the log against a reference model, which is written in another way: as a table of who may do what."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from workflow_studio.compute.world_errors import TooEarlyError, WorldError
from workflow_studio.worker.engine.transitions import (
    EVENT_TYPES,
    Delete,
    EventInput,
    HookState,
    Insert,
    RunState,
    Snapshot,
    StepState,
    WaitState,
    decide,
)

ENDED = ("completed", "failed", "cancelled")
RUNS = ("r1", "r2")
# Runs end rarely enough for their steps and hooks to live through something.
KINDS = (
    sorted(EVENT_TYPES) + sorted(kind for kind in EVENT_TYPES if not kind.startswith("run_")) * 3 + ["run_started"] * 3
)
ENTITIES = ("x1", "x2")
TOKENS = ("t1", "t2")
START = 1_000_000


@dataclass
class Model:
    """What should be, kept as plain facts."""

    runs: dict = field(default_factory=dict)
    steps: dict = field(default_factory=dict)
    hooks: dict = field(default_factory=dict)
    waits: dict = field(default_factory=dict)
    hooks_ever: set = field(default_factory=set)

    def verdict(self, kind, run, entity, data, now):
        """Return what should happen: ``ok``, ``again`` (recorded before), ``conflict``, or the name of the refusal."""
        key, state = (run, entity), self.runs.get(run)
        resilient = kind == "run_started" and data.get("deploymentId")
        if kind == "run_created":
            return "ok" if state is None else "EntityConflictError"
        if state is None:
            return "ok" if resilient else "WorkflowRunNotFoundError"
        over = state in ENDED
        if kind == "run_started":
            return "RunExpiredError" if over else "again" if state == "running" else "ok"
        if kind == "run_cancelled" and state == "cancelled":
            return "ok"
        if over and kind in (
            "run_completed",
            "run_failed",
            "run_cancelled",
            "step_created",
            "hook_created",
            "wait_created",
        ):
            return "EntityConflictError"
        return getattr(self, "_" + kind.partition("_")[0])(kind, key, data, now, over)

    def _run(self, kind, key, data, now, over):
        return "ok"

    def _step(self, kind, key, data, now, over):
        step = self.steps.get(key)
        if kind == "step_created":
            return "ok" if step is None else "EntityConflictError"
        if step is None:
            return "WorkflowWorldError"
        if step["status"] in ("completed", "failed"):
            return "EntityConflictError"
        if over and (kind == "step_started" or (kind == "step_failed" and step["status"] != "running")):
            return "RunExpiredError"
        if kind == "step_started" and (step["retry_after"] or 0) > now:
            return "TooEarlyError"
        return "ok"

    def _hook(self, kind, key, data, now, over):
        if kind != "hook_created":
            return "ok" if key in self.hooks else "HookNotFoundError"
        if key in self.hooks_ever:
            return "EntityConflictError"
        return "conflict" if data["token"] in self.hooks.values() else "ok"

    def _wait(self, kind, key, data, now, over):
        wait = self.waits.get(key)
        if kind == "wait_created":
            return "ok" if wait is None else "EntityConflictError"
        if wait is None:
            return "WorkflowWorldError"
        return "ok" if wait == "waiting" else "EntityConflictError"

    def change(self, verdict, kind, run, entity, data, now):
        """Make the facts follow."""
        key = (run, entity)
        if kind == "hook_created" and verdict in ("ok", "conflict"):
            self.hooks_ever.add(key)
        if verdict != "ok":
            return
        if kind.startswith("run_"):
            self._change_run(kind, run)
        elif kind.startswith("step_"):
            self._change_step(kind, key, data)
        elif kind == "hook_created":
            self.hooks[key] = data["token"]
        elif kind == "hook_disposed":
            del self.hooks[key]
        elif kind.startswith("wait_"):
            self.waits[key] = "waiting" if kind == "wait_created" else "completed"

    def _change_run(self, kind, run):
        self.runs[run] = {"run_created": "pending", "run_started": "running"}.get(kind, kind[4:])
        if self.runs[run] in ENDED:
            self.hooks = {other: token for other, token in self.hooks.items() if other[0] != run}
            self.waits = {other: wait for other, wait in self.waits.items() if other[0] != run}

    def _change_step(self, kind, key, data):
        if kind == "step_created":
            self.steps[key] = {"status": "pending", "attempt": 0, "retry_after": None}
        elif kind == "step_started":
            self.steps[key].update(status="running", attempt=self.steps[key]["attempt"] + 1, retry_after=None)
        elif kind == "step_retrying":
            self.steps[key].update(status="pending", retry_after=data.get("retryAfter"))
        else:
            self.steps[key]["status"] = kind[5:]


class Transitions(RuleBasedStateMachine):
    """Feeds the same events to the rules, applied to plain dictionaries, and to the model."""

    def __init__(self):
        super().__init__()
        self.now = START
        self.model = Model()
        self.rows = {"run": {}, "step": {}, "hook": {}, "wait": {}}
        self.log = {run: [] for run in RUNS}

    @rule(milliseconds=st.integers(-5_000, 10_000))
    def time_passes(self, milliseconds):
        self.now += milliseconds

    @rule(
        kind=st.sampled_from(KINDS),
        run=st.sampled_from(RUNS),
        entity=st.sampled_from(ENTITIES),
        token=st.sampled_from(TOKENS),
        delay=st.sampled_from([None, 0, 1500, 5000]),
        complete_data=st.booleans(),
    )
    def event_arrives(self, kind, run, entity, token, delay, complete_data):
        entity = "" if kind.startswith("run_") else entity
        data = self._data(kind, token, delay, complete_data=complete_data)
        expected = self.model.verdict(kind, run, entity, data, self.now)
        event = EventInput(run, kind, entity, data, spec_version=3)
        snapshot = self._snapshot(run, entity, token)
        if expected not in ("ok", "again", "conflict"):
            with pytest.raises(WorldError) as refusal:
                decide(event, snapshot, self.now)
            assert refusal.value.name == expected
            if isinstance(refusal.value, TooEarlyError):
                left = self.rows["step"][run, entity]["retry_after"] - self.now
                assert (refusal.value.retry_after - 1) * 1000 < left <= refusal.value.retry_after * 1000
            return
        decision = decide(event, snapshot, self.now)
        written = [new.event_type for new in decision.events]
        if expected == "again":
            assert not written
            assert not decision.changes
        elif expected == "conflict":
            assert written == ["hook_conflict"]
        else:
            assert expected == "ok"
            was_missing = kind == "run_started" and run not in self.rows["run"]
            assert written == (["run_created", "run_started"] if was_missing else [kind])
        self._apply(run, entity, decision)
        self.model.change(expected, kind, run, entity, data, self.now)

    def _data(self, kind, token, delay, *, complete_data):
        creation = {"deploymentId": "d", "workflowName": "w", "input": b""}
        retry = {"error": "e"} if delay is None else {"error": "e", "retryAfter": self.now + delay}
        return {
            "run_created": creation,
            "run_started": creation if complete_data else {},
            "step_created": {"stepName": "s"},
            "step_retrying": retry,
            "hook_created": {"token": token},
            "wait_created": {"resumeAt": self.now},
        }.get(kind, {})

    def _snapshot(self, run, entity, token):
        key = (run, entity)
        row, step = self.rows["run"].get(run), self.rows["step"].get(key)
        hook, wait = self.rows["hook"].get(key), self.rows["wait"].get(key)
        holder = next((other for other, values in self.rows["hook"].items() if values["token"] == token), None)
        known = any(
            event.correlation_id == entity and event.event_type in ("hook_created", "hook_conflict")
            for _, event in self.log[run]
        )
        return Snapshot(
            run=row and RunState(row["status"], row["spec_version"], row.get("started_at"), self.log[run][-1][0]),
            step=step and StepState(step["status"], step["attempt"], step.get("started_at"), step.get("retry_after")),
            hook=hook and HookState(*key),
            wait=wait and WaitState(wait["status"]),
            token_holder=holder and HookState(*holder),
            hook_known=known,
        )

    def _apply(self, run, entity, decision):
        for change in decision.changes:
            rows = self.rows[change.entity]
            key = run if change.entity == "run" else (run, entity)
            if isinstance(change, Insert):
                assert key not in rows
                rows[key] = dict(change.values)
            elif isinstance(change, Delete):
                gone = [other for other in rows if other[0] == run] if change.whole_run else [key]
                for other in gone:
                    del rows[other]
            else:
                rows[key].update(change.values)
        self.log[run] += [(decision.at, new) for new in decision.events]

    @invariant()
    def rows_are_what_the_model_says(self):
        assert {run: row["status"] for run, row in self.rows["run"].items()} == self.model.runs
        assert {key: row["status"] for key, row in self.rows["step"].items()} == {
            key: step["status"] for key, step in self.model.steps.items()
        }
        assert {key: row["attempt"] for key, row in self.rows["step"].items()} == {
            key: step["attempt"] for key, step in self.model.steps.items()
        }
        assert {key: row["token"] for key, row in self.rows["hook"].items()} == self.model.hooks
        assert {key: row["status"] for key, row in self.rows["wait"].items()} == self.model.waits

    @invariant()
    def logs_can_be_replayed(self):
        for run, log in self.log.items():
            times = [at for at, _ in log]
            assert times == sorted(times)
            kinds = [event.event_type for _, event in log]
            assert kinds[:1] in ([], ["run_created"])
            assert kinds.count("run_created") <= 1
            assert kinds.count("run_started") <= 1
            for entity in ENTITIES:
                own = [event.event_type for _, event in log if event.correlation_id == entity]
                for kind in ("step_created", "wait_created", "wait_completed", "hook_disposed"):
                    assert own.count(kind) <= 1, run
                assert own.count("step_completed") + own.count("step_failed") <= 1
                assert own.count("hook_created") + own.count("hook_conflict") <= 1
                if "hook_disposed" in own:
                    assert "hook_received" not in own[own.index("hook_disposed") :]

    @invariant()
    def first_start_times_never_change(self):
        for run, row in self.rows["run"].items():
            started = [at for at, event in self.log[run] if event.event_type == "run_started"]
            assert row.get("started_at") == (started[0] if started else None)
        for (run, entity), row in self.rows["step"].items():
            started = [
                at
                for at, event in self.log[run]
                if event.event_type == "step_started" and event.correlation_id == entity
            ]
            assert row.get("started_at") == (started[0] if started else None)


Transitions.TestCase.settings = settings(max_examples=100, stateful_step_count=120, deadline=None)
TestTransitions = Transitions.TestCase
