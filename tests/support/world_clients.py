"""The clients of a World, one call at a time: an app, executors and a worker that restarts, beside the reference model.

Each call goes to the engine and to the model, which have to agree on the answer and on everything that is stored. The
clients keep to what the SDK does (source: ``@workflow/core`` 4.8.9): whoever records what a run has to react to wakes
the run afterwards, and a replay publishes its unfinished steps before it is acknowledged.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from tests.support.invariants import durable_violations, queue_violations
from tests.support.reference_model import Model, Refused
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import Engine, present
from workflow_studio.worker.ports import CallContext, IdempotencyKey
from workflow_studio.worker.store import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from sqlalchemy import Connection

    from tests.support.reference_model import Run
    from workflow_studio.worker.ports import Delivery

Entity = dict[str, Any]
Answer = Entity | Refused
LEFT_OUT = frozenset({"input", "output", "result", "error", "metadata", "payload", "events", "cursor", "hasMore"})


class Call(NamedTuple):
    """One ``events.create``."""

    run_id: str
    kind: str
    of: str = ""
    data: Entity = {}  # noqa: RUF012  # never changed


@dataclass
class InFlight:
    """A delivery that an executor works on.

    Attributes:
        begun: Whether run_started or step_started was accepted.
        known: The events that a replay has loaded or recorded itself, by id.
        conflict: Whether a replay was refused a token.
        loaded: The newest slot that a replay has loaded: at least what there was when it was taken.
    """

    delivery: Delivery
    begun: bool = False
    known: set[str] = field(default_factory=set)
    conflict: bool = False
    loaded: int = 0


class Clients:
    """Everybody who calls the World. Its methods are what they do; each leaves engine and model in agreement."""

    def __init__(self, place: Any, clock: Any, make_driver: Callable[..., Any], manifest: Any) -> None:
        self.place, self.clock, self._make_driver = place, clock, make_driver
        self.model = Model()
        self.run_ids: list[str] = []
        self.in_flight: dict[str, InFlight] = {}
        self.owed: set[str] = set()  # runs whose wake-up was lost with the app that should have published it
        self.replayed: dict[str, int] = {}  # run -> newest slot that an acknowledged replay has loaded
        self._keys = itertools.count()
        self._runner = asyncio.Runner()
        place.empty()
        self._runner.get_loop()
        self.database = self.do(_opened(place))
        self._boot("")
        deployment, _ = self.do(self.engine.deployments.register(manifest))
        self.do(self.engine.deployments.activate(deployment.id))
        self._boot(deployment.id)

    def _boot(self, deployment_id: str) -> None:
        self.engine = Engine(self.database, clock=self.clock)
        self.world = self._make_driver(self.engine, self.clock, deployment_id)

    def close(self) -> None:
        """Leave nothing open."""
        self.do(self.database.close())
        self._runner.close()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something of the engine to its end."""
        return self._runner.run(work)

    # What both are asked

    def create(self, call: Call, by: InFlight | None = None, *, repeats: int = 0, behind: int = 0) -> Answer:
        """Create an event; with ``repeats``, send it again under the same idempotency key.

        Args:
            call: The event.
            by: The delivery in whose course it is sent.
            repeats: How often it is sent again.
            behind: By how many milliseconds the worker's clock was set back for it.
        """
        self.clock.tick(-behind)
        key = IdempotencyKey("p", "events.create", str(next(self._keys)), "digest") if repeats else None
        expected = attempt(self.model, call, self.clock.now)
        answer = self.do(self._ask(call, by, key))
        assert_same(call, answer, expected)
        if not isinstance(answer, Refused):
            for _ in range(repeats):
                assert_same(call, self.do(self._ask(call, by, key)), expected)
            self._check_payloads(call, answer)
        self.clock.tick(behind)
        self.agree()
        return answer

    def create_at_once(self, calls: Sequence[Call]) -> None:
        """Create events at the same time; the outcome has to be that of some order of them."""

        async def ask() -> list[Answer]:
            return await asyncio.gather(*(self._ask(call, None, None) for call in calls))

        answers, now = self.do(ask()), self.clock.now
        stored = self.do(self.database.read(stored_entities))
        for order in itertools.permutations(range(len(calls))):
            model = copy.deepcopy(self.model)
            if all(same(answers[n], attempt(model, calls[n], now), at_once=True) for n in order) and (
                model_entities(model) == stored
            ):
                self.model = model
                break
        else:
            outcome = "\n".join(f"{call} -> {answer}" for call, answer in zip(calls, answers, strict=True))
            raise AssertionError(f"No order of these calls explains their answers:\n{outcome}\n{stored['log']}")
        self.agree()

    async def _ask(self, call: Call, by: InFlight | None, key: IdempotencyKey | None) -> Answer:
        context = CallContext("exec-1" if by else None, by.delivery.id if by else None, key)
        try:
            answer = await self.world.create(call.run_id, call.kind, call.of or None, context=context, **call.data)
        except WorldError as error:
            return Refused(error.name, error.fields.get("retryAfter"))
        return dict(answer)

    def _check_payloads(self, call: Call, answer: Entity) -> None:
        run = self.model.runs[call.run_id]
        if call.kind == "run_started":
            assert answer["run"]["input"] == run.entity["input"]
            assert (answer["events"], answer["hasMore"]) == (run.log, False)
        elif call.kind == "step_started":
            assert answer["step"]["input"] == run.steps[call.of]["input"]

    def agree(self) -> None:
        """Compare everything that is stored with the model, and look for breaches of what always holds."""

        def read(connection: Connection) -> tuple[Any, list[str]]:
            return stored_entities(connection), durable_violations(connection)

        stored, breaches = self.do(self.database.read(read))
        expect_none(breaches)
        for kind, expected in model_entities(self.model).items():
            assert stored[kind] == expected, f"{kind}:\nthe engine has {stored[kind]}\nthe model has {expected}"

    def check_queue(self, *, at_rest: bool = False) -> None:
        """Look for runs that nothing wakes or that something wakes in vain."""
        now = None if at_rest else self.clock.now
        r = tables.runs.c

        def read(connection: Connection) -> tuple[list[str], dict[str, int]]:
            rows = connection.execute(select(r.run_id, r.replayed_slot)).all()
            return queue_violations(connection, now=now), {row.run_id: row.replayed_slot for row in rows}

        breaches, replayed = self.do(self.database.read(read))
        assert replayed == {run_id: self.replayed.get(run_id, 0) for run_id in self.model.runs}, (
            "what replays have seen"
        )
        lacking = {run_id for run_id in self.owed if any(run_id in breach for breach in breaches)}
        self.owed = lacking | (self.owed & self._in_replay())
        expect_none(breach for breach in breaches if not any(run_id in breach for run_id in self.owed))

    def _in_replay(self) -> set[str]:
        """Return the runs with a replay under way; it may end without what was told meanwhile, which is owed then."""
        replays = (one.delivery for one in self.in_flight.values() if one.delivery.kind == "workflow")
        return {delivery.run_id for delivery in replays if delivery.run_id is not None}

    # What an app does

    def start_data(self) -> Entity:
        """Return what run_created says, and run_started in its place."""
        return self.world.run_data()  # type: ignore[no-any-return]

    def publish_start(self, run_id: str) -> None:
        """Publish a run's first message; it may come before run_created."""
        envelope = {"queueName": f"__wkf_workflow_{self.world.workflow}", "body": b"start", "runId": run_id}
        self.do(self.world.call("queue.publish", **envelope, deploymentId=self.world.deployment_id))

    def wake(self, run_ids: Iterable[str]) -> None:
        """Publish a wake-up for each of the runs that exist."""
        for run_id in sorted(set(run_ids) & self.model.runs.keys()):
            self.do(self.world.wake(run_id))

    # What executors do

    def claim(self, workflow: int = 9, step: int = 9) -> list[InFlight]:
        """Take what is due."""
        claimed = [
            InFlight(delivery, loaded=self._slots(delivery)) for delivery in self.do(self.world.claim(workflow, step))
        ]
        assert not {one.delivery.id for one in claimed} & self.in_flight.keys()
        self.in_flight |= {one.delivery.id: one for one in claimed}
        return claimed

    def _slots(self, delivery: Delivery) -> int:
        run = self.model.runs.get(delivery.run_id or "")
        return len(run.log) if run and delivery.kind == "workflow" else 0

    def end(self, one: InFlight, how: str = "ack", seconds: float | None = None) -> None:
        """Tell what became of a delivery: ``ack`` (with ``seconds``: come again), ``fail``, ``lost`` or ``return``."""
        del self.in_flight[one.delivery.id]
        if how == "ack" and one.delivery.run_id:
            self.replayed[one.delivery.run_id] = max(self.replayed.get(one.delivery.run_id, 0), one.loaded)
        leases, delivery_id = self.engine.leases, one.delivery.id
        endings = {
            "ack": lambda: leases.complete(delivery_id) if seconds is None else leases.defer(delivery_id, seconds),
            "fail": lambda: leases.fail(delivery_id, "500"),
            "lost": lambda: leases.fail(delivery_id, "gone", executor_lost=True),
            "return": lambda: leases.give_back(delivery_id, "no executor"),
        }
        assert self.do(endings[how]())
        # Whoever hears of the end twice changes nothing the second time.
        assert not self.do(endings[how]())

    def begin_replay(self, one: InFlight) -> None:
        """Start the run, as each replay does at its beginning."""
        run_id = one.delivery.run_id or ""
        data = self.start_data() if one.delivery.body == b"start" else {}
        answer = self.create(Call(run_id, "run_started", "", data), one)
        if isinstance(answer, Refused):
            self.end(one, "ack" if answer.name == "RunExpiredError" else "fail")
        else:
            one.loaded = self._slots(one.delivery)
            one.begun, one.known = True, {event["eventId"] for event in self.model.runs[run_id].log}

    def write_in_replay(self, one: InFlight, call: Call, **how: int) -> None:
        """Record what the workflow's code did; the SDK swallows refusals."""
        answer = self.create(call, one, **how)
        if not isinstance(answer, Refused):
            one.known.add(answer["event"]["eventId"])
            one.conflict = one.conflict or answer["event"]["eventType"] == "hook_conflict"

    def end_replay(self, one: InFlight, *, stale_seconds: float | None = None) -> None:
        """Suspend the run: publish its unfinished steps, and say when it sleeps until.

        A replay knows the log as it was when it began: with ``stale_seconds`` it has not seen that a sleep is over.
        """
        run_id = one.delivery.run_id or ""
        run = self.model.runs[run_id]
        if run.ended:
            self.end(one)
            return
        for step_id in unfinished(run):
            self.do(self.world.publish_step(run_id, step_id))
        sleeps = [wait["resumeAt"] for wait in run.waits.values() if wait["status"] == "waiting"]
        unseen = any(event["eventType"] in _TOLD and event["eventId"] not in one.known for event in run.log)
        if one.conflict:
            self.end(one, seconds=0)
        elif sleeps:
            self.end(one, seconds=max(1, math.ceil((min(sleeps) - self.clock.now) / 1000)))
        elif stale_seconds is not None and unseen:
            self.end(one, seconds=stale_seconds)
        else:
            if not (unfinished(run) or run.hooks or unseen):
                self.create(Call(run_id, "run_completed", "", {"output": b"out"}), one)
            self.end(one)

    def begin_step(self, one: InFlight) -> None:
        """Start a step."""
        run_id, step_id = one.delivery.run_id or "", one.delivery.step_id or ""
        answer = self.create(Call(run_id, "step_started", step_id), one)
        if not isinstance(answer, Refused):
            one.begun = True
        elif answer.name == "TooEarlyError":
            self.end(one, seconds=max(1, answer.retry_after or 0))
        elif answer.name == "WorkflowWorldError":
            self.end(one, "fail")
        else:
            if answer.name == "EntityConflictError":
                self.wake([run_id])
            self.end(one)

    def end_step(self, one: InFlight, outcome: str, *, lost: bool = False) -> None:
        """Record a step's outcome, wake the run, acknowledge; or be lost right after the event."""
        run_id, step_id = one.delivery.run_id or "", one.delivery.step_id or ""
        seconds = 2 if outcome == "step_retrying" else None
        data: Entity = {"result": b"r"} if outcome == "step_completed" else {"error": "no"}
        if seconds is not None:
            data["retryAfter"] = self.clock.now + 1000 * seconds
        answer = self.create(Call(run_id, outcome, step_id, data), one)
        refused = isinstance(answer, Refused)
        if lost or (isinstance(answer, Refused) and answer.name == "RunExpiredError"):
            self.end(one, "lost" if lost else "fail")
            return
        if not refused and seconds is None:
            self.wake([run_id])
        self.end(one, seconds=None if refused else seconds)

    # What befalls the worker

    def restart(self) -> None:
        """End the worker without notice and start another on what is stored."""
        self._boot(self.world.deployment_id)
        self.in_flight.clear()
        self.agree()
        self.do(self.engine.recovery.at_boot())
        self.owed.clear()

    def sweep(self) -> None:
        """Have the worker look for runs whose wake-up never came."""
        self.clock.tick(30_000)
        self.do(self.engine.recovery.sweep())
        self.owed &= self._in_replay()

    def settle(self) -> None:
        """Restart, and let well-behaved executors work until nothing is left to do."""
        self.restart()
        for _ in range(200):
            if not self.do(self.engine.queue.depth())["ready"]:
                return
            self.clock.tick(1_000_000)
            for one in self.claim():
                if one.delivery.kind == "step":
                    self.begin_step(one)
                    if one.begun:
                        self.end_step(one, "step_completed")
                else:
                    self._replay(one)
        raise AssertionError("The executors never come to an end.")

    def _replay(self, one: InFlight) -> None:
        self.begin_replay(one)
        run_id = one.delivery.run_id or ""
        if not one.begun:
            return
        for wait_id, wait in self.model.runs[run_id].waits.items():
            if wait["status"] == "waiting" and wait["resumeAt"] <= self.clock.now:
                self.write_in_replay(one, Call(run_id, "wait_completed", wait_id, {"resumeAt": wait["resumeAt"]}))
        self.end_replay(one)


_TOLD = frozenset({"run_created", "step_completed", "step_failed", "hook_received", "wait_completed"})


async def _opened(place: Any) -> Any:
    return place.open()


def unfinished(run: Run) -> list[str]:
    """Return the steps that are to be run."""
    return [step_id for step_id, step in run.steps.items() if step["status"] in ("pending", "running")]


def attempt(model: Model, call: Call, now: int) -> Answer:
    """Return the model's answer to a call."""
    try:
        return copy.deepcopy(model.create(call.run_id, call.kind, call.of, dict(call.data), now=now))
    except Refused as refusal:
        return refusal


def expect_none(breaches: Iterable[str]) -> None:
    """Fail if there is any breach."""
    if sentences := "\n".join(breaches):
        raise AssertionError(sentences)


def assert_same(call: Call, answer: Answer, expected: Answer) -> None:
    """Fail unless two answers say the same."""
    assert same(answer, expected), f"{call}:\nthe engine says {answer!r}\nthe model says {expected!r}"


def same(answer: Answer, expected: Answer, *, at_once: bool = False) -> bool:
    """Tell whether two answers say the same; payloads aside, which not all answers carry.

    Args:
        answer: The engine's.
        expected: The model's.
        at_once: The answer to run_started is read after the event was recorded: the run may have ended meanwhile.
    """
    if isinstance(answer, Refused):
        if isinstance(expected, Refused):
            return (answer.name, answer.retry_after) == (expected.name, expected.retry_after)
        started = "event" not in expected or expected["event"]["eventType"] == "run_started"
        return at_once and started and answer.name == "RunExpiredError"
    if isinstance(expected, Refused):
        return False
    if at_once and "run" in expected and expected["run"]["status"] == "running":
        answer, expected = ({**one, "run": one["run"]["runId"]} for one in (answer, expected))
    return light(answer) == light(expected)


def light(value: Any) -> Any:
    """Return a value without payloads."""
    if not isinstance(value, dict):
        return value
    kept = {key: light(item) for key, item in value.items() if key not in LEFT_OUT}
    return {key: item for key, item in kept.items() if not (key == "eventData" and not item)}


def model_entities(model: Model) -> dict[str, Any]:
    """Return all that the model holds."""
    runs = model.runs.items()
    return {
        "runs": {run_id: run.entity for run_id, run in runs},
        "steps": {(run_id, of): entity for run_id, run in runs for of, entity in run.steps.items()},
        "hooks": {(run_id, of): entity for run_id, run in runs for of, entity in run.hooks.items()},
        "waits": {(run_id, of): entity for run_id, run in runs for of, entity in run.waits.items()},
        "log": {run_id: run.log for run_id, run in runs},
    }


def stored_entities(connection: Connection) -> dict[str, Any]:
    """Return all that the database holds, as the SDK sees it."""

    def rows(table: Any, *order: Any) -> list[Any]:
        return list(connection.execute(table.select().order_by(*order)).mappings())

    e = tables.events.c
    log: dict[str, list[Entity]] = {}
    for row in rows(tables.events, e.run_id, e.slot):
        log.setdefault(row["run_id"], []).append(present.event(row, with_payloads=True))
    return {
        "runs": {row["run_id"]: present.run(row, with_payloads=True) for row in rows(tables.runs)},
        "steps": {(row["run_id"], row["step_id"]): present.step(row, with_payloads=True) for row in rows(tables.steps)},
        "hooks": {(row["run_id"], row["hook_id"]): present.hook(row, with_payloads=True) for row in rows(tables.hooks)},
        "waits": {(row["run_id"], row["wait_id"]): present.wait(row) for row in rows(tables.waits)},
        "log": log,
    }
