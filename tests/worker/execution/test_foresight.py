"""Replays that an executor begins before they are asked for, and what becomes of them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from workflow_studio.compute.ids import event_id
from workflow_studio.compute.wire import encode
from workflow_studio.worker.execution.connection import Connection
from workflow_studio.worker.ports import Failed, FirstCall, Handled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflow_studio.worker.ports import Delivery, Line, Outcome

pytestmark = pytest.mark.node

RUN: Final = "wrun_1"

# As the SDK does it (source: @workflow/core 4.8.9): a replay leaves one step more than the log has ends of steps.
FLOW: Final = """
let replays = 0;
module.exports.POST = world.createQueueHandler('__wkf_workflow_', async ({ runId }, { messageId }) => {
  const n = (replays += 1);
  const { events } = await world.events.create(runId, { eventType: 'run_started', specVersion: 3 });
  const ends = events.filter(({ eventType }) => eventType === 'step_completed');
  console.log(`replay ${n} of ${events.length}, ${+(ends.at(-1)?.createdAt ?? 0)}`);
  MORE
  const correlationId = `step_${ends.length + 1}`;
  const eventData = { stepName: 'add', input: new Uint8Array([n]) };
  await world.events.create(runId, { eventType: 'step_created', specVersion: 3, correlationId, eventData });
  await world.queue('__wkf_step_add', { workflowRunId: runId, stepId: correlationId });
});
"""
STEP: Final = """
module.exports.POST = world.createQueueHandler('__wkf_step_', async ({ runId, stepId }) => {
  if (stepId === 'waiting') return void (await world.runs.get(runId));
  if (stepId === 'idle') return undefined;
  await world.events.create(runId, { eventType: 'step_started', correlationId: stepId });
  const eventData = { stepName: 'add', result: new Uint8Array([7]) };
  await world.events.create(runId, { eventType: 'step_completed', specVersion: 3, correlationId: stepId, eventData });
  await world.queue('__wkf_workflow_x', { runId });
});
"""


class Sink:
    """Keeps what deliveries print."""

    in_order = False

    def __init__(self) -> None:
        self.printed: list[tuple[str, str]] = []

    async def append(self, delivery: Delivery, lines: Sequence[Line], **_: object) -> None:
        self.printed += [(delivery.id, line.text) for line in lines]


class Worker:
    """Delivers to one executor what a worker would, and keeps the log of one run."""

    def __init__(self, pool: Any, world: Any, delivery: Any, sink: Sink, run_id: str = RUN) -> None:
        self.run_id = run_id
        self.pool = pool
        self.world = world
        self.make = delivery
        self.sink = sink
        self.foreseen = 0
        self.log: list[dict[str, Any]] = []
        self.known = 0
        self.went_on: list[dict[str, Any]] | None = None
        self.run = {"runId": self.run_id, "status": "running", "startedAt": 1, "input": b"devl[[]]"}
        self.wake = encode({"runId": self.run_id})
        for kind in ("run_created", "run_started"):
            self.append(kind)

    def append(self, kind: str, step: str | None = None, data: Any = None, at: int | None = None) -> dict[str, Any]:
        fields = {"correlationId": step, "specVersion": 3 if data else None, "eventData": data}
        event: dict[str, Any] = {
            "runId": self.run_id,
            "eventId": event_id(len(self.log) + 1),
            "eventType": kind,
            "createdAt": at or int(time.time() * 1000),
            **{name: value for name, value in fields.items() if value is not None},
        }
        self.log.append(event)
        return event

    async def beside(self, run_id: str) -> Worker:
        """Start another run on the same executor."""
        other = Worker(self.pool, self.world, self.make, self.sink, run_id)
        assert (await other.replay())[1] == Handled()
        return other

    @property
    def left(self) -> list[dict[str, Any]]:
        """What the last delivery left to be stored."""
        calls: list[dict[str, Any]] = self.world.made("batch")[-1]["calls"]
        return calls

    def answer(self, known: int) -> dict[str, Any]:
        """Return the answer to ``run_started``."""
        return {"run": self.run, "events": self.log[known:], "cursor": event_id(len(self.log)), "hasMore": False}

    async def replay(self, **fields: Any) -> tuple[Delivery, Outcome]:
        first = FirstCall("run_started", "", {"value": self.answer(self.known)}, self.known)
        message = self.make("workflow", run_id=self.run_id, **{"body": self.wake, "first": first, **fields})
        self.known = len(self.log)
        return message, await self.pool.deliver(message)

    async def step(self, *, at: int | None = None) -> None:
        """Store the step that the last replay left, run it, and store its end."""
        left, self.went_on = self.went_on or self.left, None
        created = next(call["params"]["event"] for call in left if call["method"] == "events.create")
        step_id = created["correlationId"]
        stored = self.append("step_created", step_id, created["eventData"])
        started = self.append("step_started", step_id)
        step = {"runId": self.run_id, "stepId": step_id, "createdAt": stored["createdAt"]}
        first = FirstCall("step_started", step_id, {"value": {"event": started, "step": step}})
        message = self.make_step(step_id, first=first)
        assert await self.pool.deliver(message) == Handled()
        ended, wake = (call["params"] for call in self.left)
        self.wake = wake["body"]
        self.append("step_completed", step_id, ended["event"]["eventData"], at or ended.get("occurredAt"))

    async def steps_together(self, *, but: int = 0, in_between: str | None = None) -> None:
        """Store the steps that the last replay left, run all but some at the same time, and store their ends."""
        created = [call["params"]["event"] for call in self.left if call["method"] == "events.create"]
        stored = [self.append("step_created", event["correlationId"], event["eventData"]) for event in created]
        if in_between:
            self.append(in_between, "hook_1", {"payload": b"x"})
        messages = []
        for event in stored[: len(stored) - but]:
            step_id = event["correlationId"]
            step = {"runId": self.run_id, "stepId": step_id, "createdAt": event["createdAt"]}
            answer = {"event": self.append("step_started", step_id), "step": step}
            messages.append(self.make_step(step_id, first=FirstCall("step_started", step_id, {"value": answer})))
        assert await asyncio.gather(*map(self.pool.deliver, messages)) == [Handled()] * len(messages)
        for batch in self.world.made("batch")[-len(messages) :]:
            ended = batch["calls"][0]["params"]
            event = ended["event"]
            self.append("step_completed", event["correlationId"], event["eventData"], ended.get("occurredAt"))

    def make_step(self, step_id: str, **fields: Any) -> Delivery:
        body = encode({"runId": self.run_id, "stepId": step_id})
        message: Delivery = self.make("step", body=body, run_id=self.run_id, step_id=step_id, **fields)
        return message

    def go_on(self) -> None:
        """Store what came with the end of the step, as the worker does that finds the log as was foreseen."""
        onward = self.onward
        assert onward is not None
        assert (onward["runId"], onward["slot"], onward["at"]) == (
            self.run_id,
            len(self.log),
            self.log[-1]["createdAt"],
        )
        self.went_on = onward["calls"]
        self.known = len(self.log)

    @property
    def onward(self) -> dict[str, Any] | None:
        """What came with the end of the last step."""
        onward: dict[str, Any] | None = self.world.made("batch")[-1].get("onward")
        return onward

    async def turn(self) -> None:
        """Let the executor do what it has begun."""
        assert await self.pool.deliver(self.make_step("idle")) == Handled()

    def printed(self, message: Delivery) -> list[str]:
        return [text for name, text in self.sink.printed if name == message.id]


@pytest.fixture
async def start(make_pool: Any, artifact: Any, delivery: Any, world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Starts a run whose replays do something more, and returns the worker."""
    receive = Connection.receive
    workers: list[Worker] = []

    async def counted_receive(self: Connection) -> Any:
        frame = await receive(self)
        for worker in workers:
            worker.foreseen += bool(frame and frame.get("foreseen"))
        return frame

    monkeypatch.setattr(Connection, "receive", counted_receive)
    world.answers["batch"] = lambda params: {"results": [{"value": {}} for _ in params["calls"]]}

    async def start_run(more: str = "", *, before: str = "") -> Worker:
        artifact(flow=before + FLOW.replace("MORE", more), step=STEP)
        sink = Sink()
        worker = Worker(make_pool(output=sink), world, delivery, sink)
        workers.append(worker)
        assert (await worker.replay())[1] == Handled()
        return worker

    return start_run


async def test_the_replay_after_a_step_is_ready_when_its_delivery_comes(start: Any) -> None:
    worker = await start()
    for n in range(2, 5):
        await worker.step()
        message, outcome = await worker.replay()
        assert outcome == Handled()
        assert worker.foreseen == n - 1
        # There was one replay, of the log as it is, and the delivery has printed what it printed.
        assert worker.printed(message) == [f"replay {n} of {len(worker.log)}, {worker.log[-1]['createdAt']}"]
        assert worker.left[0]["params"]["event"]["correlationId"] == f"step_{n}"


QUIET: Final = "console.log = () => undefined;\n"


async def test_what_a_replay_leaves_comes_with_the_end_of_the_step_before_it(start: Any) -> None:
    worker = await start(before=QUIET)
    for n in range(2, 5):
        await worker.step()
        worker.go_on()
        assert worker.went_on is not None
        assert worker.went_on[0]["params"]["event"]["correlationId"] == f"step_{n}"
        # There was one replay per step.
        assert worker.went_on[0]["params"]["event"]["eventData"]["input"] == bytes([n])
    # The executor holds the log as it is: this one is sent what came after it.
    await worker.step()
    _, outcome = await worker.replay()
    assert outcome == Handled()
    assert worker.foreseen == 1


FAN_OUT: Final = """
  const create = async (correlationId) => {
    const eventData = { stepName: 'add', input: new Uint8Array([n]) };
    await world.events.create(runId, { eventType: 'step_created', specVersion: 3, correlationId, eventData });
    await world.queue('__wkf_step_add', { workflowRunId: runId, stepId: correlationId });
  };
  if (ends.length < 3) for (const name of ['a', 'b', 'c']) await create(`step_${n}${name}`);
  if (ends.length < 3) return;
"""


async def test_what_a_replay_leaves_comes_with_the_ends_of_all_steps_before_it(start: Any) -> None:
    worker = await start(FAN_OUT, before=QUIET)
    await worker.steps_together()
    worker.go_on()
    assert worker.went_on is not None
    assert worker.went_on[0]["params"]["event"]["correlationId"] == "step_4"
    await worker.step()
    assert worker.onward is not None


async def test_steps_of_which_one_has_yet_to_begin_end_without_what_comes_next(start: Any) -> None:
    worker = await start(FAN_OUT, before=QUIET)
    await worker.steps_together(but=1)
    assert worker.onward is None


async def test_steps_that_did_not_begin_right_after_their_replay_end_without_what_comes_next(start: Any) -> None:
    worker = await start(FAN_OUT, before=QUIET)
    await worker.steps_together(in_between="hook_received")
    assert worker.onward is None


async def test_what_came_with_the_end_of_a_step_is_left_again_if_the_worker_asks_for_the_replay(start: Any) -> None:
    worker = await start(before=QUIET)
    await worker.step()
    onward = worker.onward
    assert (await worker.replay())[1] == Handled()
    assert worker.foreseen == 1
    assert worker.left == onward["calls"]


async def test_a_replay_of_another_log_is_made_whatever_came_with_the_end_of_the_step(start: Any) -> None:
    worker = await start(before=QUIET)
    await worker.step()
    assert worker.onward is not None
    worker.append("hook_received", "hook_1", {"payload": b"x"})
    assert (await worker.replay())[1] == Handled()
    assert worker.foreseen == 0
    assert worker.left[0]["params"]["event"]["eventData"]["input"] == bytes([3])


async def test_an_executor_whose_foresight_is_of_no_use_rests_longer_each_time(start: Any) -> None:
    worker = await start(before=QUIET)
    early = []
    for _ in range(8):
        await worker.step()
        early.append(worker.onward is not None)
        worker.append("hook_received", "hook_1", {"payload": b"x"})
        await worker.replay()
    assert early == [True, False, True, False, False, True, False, False]


@pytest.mark.parametrize(
    "more",
    [
        "if (n > 1) await world.hooks.get('hook_1');",
        "if (n > 1) console.error('printed');",
        "if (n > 1) throw new Error('broken');",
        "if (n > 1) return { timeoutSeconds: 60 };",
        "if (n > 1) return undefined;",
        "if (n > 1) await new Promise(() => {});",
    ],
    ids=["calls", "prints", "fails", "sleeps", "rests", "never ends"],
)
async def test_the_end_of_a_step_comes_alone_if_the_replay_leaves_something_else(start: Any, more: str) -> None:
    worker = await start(more, before=QUIET)
    await worker.step()
    assert worker.onward is None


async def test_nothing_of_an_early_replay_is_seen_before_its_delivery(start: Any, world: Any) -> None:
    worker = await start("if (n > 1) await world.hooks.get('hook_1');")
    await worker.step()
    await worker.turn()
    assert world.made("hooks.get") == []
    assert len(worker.sink.printed) == 1
    message, outcome = await worker.replay()
    assert outcome == Handled()
    assert worker.foreseen == 1
    assert [context.delivery_id for method, _, context in world.calls if method == "hooks.get"] == [message.id]


@pytest.mark.parametrize("what", ["a hook", "the time", "the run", "the message", "the attempt", "nothing known"])
async def test_an_early_replay_of_something_else_leaves_nothing(start: Any, world: Any, what: str) -> None:
    worker = await start("if (n > 1) await world.hooks.get('hook_1');")
    await worker.step(at=5 if what == "the time" else None)
    fields: dict[str, Any] = {}
    if what == "a hook":
        worker.append("hook_received", "hook_1", {"payload": b"x"})
    elif what == "the run":
        worker.run = {**worker.run, "startedAt": 2}
    elif what == "the message":
        fields["body"] = encode({"runId": RUN, "requestedAt": 1})
    elif what == "the attempt":
        fields["attempt"] = 2
    elif what == "nothing known":
        worker.known = 0
        world.answers["events.create"] = lambda params: worker.answer(params["knownSlot"])
    message, outcome = await worker.replay(**fields)
    assert outcome == Handled()
    assert worker.foreseen == 0
    assert worker.printed(message) == [f"replay 3 of {len(worker.log)}, {worker.log[4]['createdAt']}"]
    assert len(worker.sink.printed) == 2
    assert [context.delivery_id for method, _, context in world.calls if method == "hooks.get"] == [message.id]
    assert worker.left[0]["params"]["event"]["eventData"]["input"] == b"\x03"


async def test_a_delivery_that_never_comes_keeps_nothing(start: Any, world: Any) -> None:
    worker = await start("if (n > 1) await world.hooks.get('hook_1');")
    await worker.step()
    await worker.turn()
    (status,) = worker.pool.status()
    assert status.in_flight == 0
    async with asyncio.timeout(10):
        await worker.pool.close(grace=30)
    assert world.made("hooks.get") == []
    assert len(worker.sink.printed) == 1


async def test_an_early_replay_that_fails_is_made_again(start: Any) -> None:
    worker = await start("if (messageId === 'foreseen') throw new Error('too early');")
    await worker.step()
    await worker.turn()
    message, outcome = await worker.replay()
    assert outcome == Handled()
    assert worker.foreseen == 0
    assert len(worker.printed(message)) == 1


async def test_a_replay_fails_as_it_does_without_foresight(start: Any, world: Any) -> None:
    worker = await start("if (n > 1) await world.hooks.get('hook_1').then(() => { throw new Error('no hook'); });")
    await worker.step()
    await worker.turn()
    _, outcome = await worker.replay()
    assert outcome == Failed("Error: no hook")
    assert worker.foreseen == 1


async def test_an_early_replay_that_prints_without_end_is_made_again(start: Any) -> None:
    worker = await start("if (n > 1) console.log('x'.repeat(300_000));")
    await worker.step()
    await worker.turn()
    message, outcome = await worker.replay()
    assert outcome == Handled()
    assert worker.foreseen == 0
    assert worker.printed(message)[0].startswith("replay 3 of 5")


async def test_each_run_has_an_early_replay_of_its_own(start: Any) -> None:
    one = await start(before=QUIET)
    await one.step()
    one.go_on()
    two = await one.beside("wrun_2")
    for n in range(2, 5):
        for run in (two, one):
            await run.step()
            run.go_on()
            made = n if run is two else n + 1
            assert run.went_on[0]["params"]["event"]["correlationId"] == f"step_{made}"
    # There was one replay per step.
    assert one.went_on[0]["params"]["event"]["eventData"]["input"] == bytes([9])


async def test_a_replay_begins_early_beside_other_deliveries(start: Any, world: Any) -> None:
    worker = await start()
    asked = asyncio.Event()
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def wait(_: Any) -> Any:
        asked.set()
        return answer

    world.answers["runs.get"] = wait
    waiting = asyncio.create_task(worker.pool.deliver(worker.make_step("waiting")))
    await asked.wait()
    await worker.step()
    message, outcome = await worker.replay()
    assert outcome == Handled()
    assert worker.foreseen == 1
    assert worker.printed(message)[0].startswith("replay 2 of 5")
    answer.set_result({"runId": RUN})
    assert await waiting == Handled()


async def test_a_replay_that_left_more_than_a_step_has_no_early_one_after_it(start: Any) -> None:
    worker = await start("await world.queue('__wkf_step_add', { workflowRunId: runId, stepId: 'other' });")
    await worker.step()
    message, _ = await worker.replay()
    assert worker.foreseen == 0
    assert worker.printed(message)[0].startswith("replay 2 of 5")


async def test_an_executor_whose_foresight_fails_rests_longer_each_time(start: Any) -> None:
    worker = await start()
    early = []
    for _ in range(8):
        await worker.step()
        replays = int(worker.log[-3]["eventData"]["input"][0])
        worker.append("hook_received", "hook_1", {"payload": b"x"})
        message, _ = await worker.replay()
        (line,) = worker.printed(message)
        early.append(int(line.split()[1]) - replays == 2)
    assert early == [True, False, True, False, False, True, False, False]
    assert worker.foreseen == 0
