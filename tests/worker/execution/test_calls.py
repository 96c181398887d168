"""What an executor makes of the World calls of a delivery: what belongs together is sent together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from workflow_studio.compute.wire import encode
from workflow_studio.compute.world_errors import EntityConflictError, RunExpiredError, WorldError
from workflow_studio.worker.ports import Failed, FirstCall, Handled

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.node

# As the SDK does it (source: @workflow/core 4.8.9, suspension-handler.js and step-handler.js).
SDK = """
const created = (id) => world.events.create('wrun_1', {
  eventType: 'step_created', correlationId: id, eventData: { stepName: 'x', input: new Uint8Array(SIZE) },
});
const queued = (id) => world.queue('__wkf_step_x', { workflowRunId: 'wrun_1', stepId: id }, { idempotencyKey: id });
const started = () => world.events.create('wrun_1', { eventType: 'step_started', correlationId: 'step_1' });
const ended = (type = 'step_completed') =>
  world.events.create('wrun_1', { eventType: type, correlationId: 'step_1', eventData: { stepName: 'x' } });
const wake = () => world.queue('__wkf_workflow_x', { runId: 'wrun_1' });
const conflict = (error) => { if (error.name !== 'EntityConflictError') throw error; };
"""
END = """await world.events.create('wrun_1', {
  eventType: 'run_completed', correlationId: 'end', eventData: { output: new Uint8Array(1) },
});"""


def bundle(body: str, size: int = 1) -> str:
    return (
        SDK.replace("SIZE", str(size))
        + f"module.exports.POST = async () => {{ {body}\n return Response.json({{ ok: true }}); }};"
    )


def answering(refusals: dict[str, Exception] | None = None) -> Callable[[Any], Any]:
    """Answers a batch; calls that name an entity of ``refusals`` are refused."""

    def answer(params: Any) -> Any:
        results = []
        for call in params["calls"]:
            named = call["params"].get("event", {}).get("correlationId")
            refusal: Any = (refusals or {}).get(named)
            results.append({"error": refusal.to_wire()} if refusal else {"value": {"messageId": "msg_1"}})
        return {"results": results}

    return answer


def shown(calls: list[Any]) -> list[str]:
    """Return calls in a few words."""
    return [
        call["params"]["event"]["eventType"] if call["method"] == "events.create" else call["params"]["queueName"]
        for call in calls
    ]


@pytest.fixture
def run(make_pool: Any, artifact: Any, delivery: Any, world: Any) -> Any:
    async def deliver(kind: str, body: str, *, size: int = 1, **fields: Any) -> Any:
        world.answers.setdefault("batch", answering())
        artifact(**{"step" if kind == "step" else "flow": bundle(body, size)})
        return await make_pool().deliver(delivery(kind, **fields))

    return deliver


async def test_steps_and_their_messages_share_a_frame(run: Any, world: Any) -> None:
    body = "await Promise.all(['a', 'b', 'c'].map(async (id) => { await created(id); await queued(id); }));"
    assert await run("workflow", body) == Handled()
    (batch,) = world.made("batch")
    assert shown(batch["calls"]) == ["step_created", "__wkf_step_x"] * 3
    assert world.made("events.create") == world.made("queue.publish") == []


async def test_the_end_of_a_step_goes_with_the_wake_up(run: Any, world: Any) -> None:
    assert await run("step", "await ended(); await wake();") == Handled()
    (batch,) = world.made("batch")
    assert shown(batch["calls"]) == ["step_completed", "__wkf_workflow_x"]


@pytest.mark.parametrize("refusal", [None, EntityConflictError("it has ended"), RunExpiredError("it has ended")])
async def test_the_end_of_a_run_goes_with_the_outcome(run: Any, world: Any, refusal: Exception | None) -> None:
    if refusal is not None:
        world.answers["batch"] = answering({"end": refusal})
    assert await run("workflow", END) == Handled()
    (batch,) = world.made("batch")
    assert shown(batch["calls"]) == ["run_completed"]


async def test_a_run_whose_end_cannot_be_stored_is_replayed_again(run: Any, world: Any) -> None:
    world.answers["batch"] = answering({"end": WorldError("no disk", status=503)})
    assert await run("workflow", END) == Failed("WorkflowWorldError: no disk")


async def test_a_large_result_of_a_run_is_stored_by_itself(run: Any, world: Any) -> None:
    await run("workflow", END.replace("Uint8Array(1)", "Uint8Array(2 ** 21)"))
    assert world.made("batch") == []
    assert len(world.made("events.create")) == 1


@pytest.mark.parametrize(("answer", "ends"), [("{ ok: true }", True), ("{ timeoutSeconds: 5 }", False)])
async def test_what_is_left_to_be_stored_goes_with_the_outcome(run: Any, world: Any, answer: str, ends: bool) -> None:
    outcome = await run("workflow", f"await created('a'); await queued('a'); return Response.json({answer});")
    assert outcome == (Handled() if ends else Handled(timeout_seconds=5))
    (batch,) = world.made("batch")
    assert batch["endsDelivery"] is ends


async def test_only_the_last_frame_goes_with_the_outcome(run: Any, world: Any) -> None:
    names = "Array.from({ length: 70 }, (_, n) => `s${n}`)"
    body = f"await Promise.all({names}.map(async (id) => {{ await created(id); await queued(id); }}));"
    assert await run("workflow", body) == Handled()
    assert [batch.get("endsDelivery") for batch in world.made("batch")] == [None, True]


async def test_a_failed_delivery_stores_what_it_has_but_does_not_end(run: Any, world: Any) -> None:
    outcome = await run("workflow", "await created('a'); await queued('a'); throw new Error('no luck');")
    assert outcome.message == "Error: no luck"
    (batch,) = world.made("batch")
    assert "endsDelivery" not in batch


async def test_what_takes_longer_than_a_turn_does_not_hold_up_what_is_to_be_stored(run: Any, world: Any) -> None:
    stored = asyncio.Event()

    def store(params: Any) -> Any:
        stored.set()
        return answering()(params)

    async def wait(_params: Any) -> dict[str, Any]:
        await asyncio.wait_for(stored.wait(), 10)
        return {}

    world.answers |= {"batch": store, "streams.write": wait}
    body = "await created('a'); await queued('a'); await world.writeToStream('s', 'wrun_1', 'x');"
    assert await run("workflow", body) == Handled()


async def test_what_may_depend_on_a_message_comes_after_it(run: Any, world: Any) -> None:
    body = "await created('a'); await queued('a'); await world.runs.get('wrun_1');"
    assert await run("workflow", body) == Handled()
    assert [method for method, _, _ in world.calls] == ["batch", "runs.get"]


async def test_the_worker_tells_what_it_cannot_store(run: Any, world: Any) -> None:
    def fail(_params: Any) -> None:
        raise OSError("no disk")

    world.answers["batch"] = fail
    outcome = await run("step", "await ended(); await wake();")
    assert outcome == Failed("The worker failed; its log has the reason.")


async def test_a_handler_that_the_sdk_registers_is_called_without_a_request(
    make_pool: Any, artifact: Any, delivery: Any
) -> None:
    artifact(
        flow="""const handle = async (message, meta) => {
          if (message.fail) throw new TypeError('no luck');
          return { timeoutSeconds: message.wait + meta.attempt };
        };
        module.exports.POST = world.createQueueHandler('__wkf_workflow_', handle);"""
    )
    pool = make_pool()
    assert await pool.deliver(delivery("workflow", encode({"wait": 2}), attempt=3)) == Handled(timeout_seconds=5)
    assert await pool.deliver(delivery("workflow", encode({"fail": True}))) == Failed("TypeError: no luck")
    other = await pool.deliver(delivery("workflow", encode({}), queue_name="__wkf_step_x"))
    assert other == Failed('HTTP 400: {"error":"Unhandled queue"}')


async def test_messages_that_are_sent_again_share_a_frame(run: Any, world: Any) -> None:
    await run("workflow", "await Promise.all([queued('a'), queued('b')]);")
    (batch,) = world.made("batch")
    assert shown(batch["calls"]) == ["__wkf_step_x"] * 2


async def test_many_steps_take_several_frames(run: Any, world: Any) -> None:
    body = "await Promise.all(Array.from({ length: 150 }, async (_, n) => { await created(n); await queued(n); }));"
    await run("workflow", body.replace("(n)", "(`s${n}`)"))
    assert [len(batch["calls"]) for batch in world.made("batch")] == [128, 128, 44]


async def test_large_payloads_do_not_share_a_frame(run: Any, world: Any) -> None:
    body = "await Promise.all(['a', 'b'].map(async (id) => { await created(id); await queued(id); }));"
    await run("workflow", body, size=2 * 1024 * 1024)
    assert world.made("batch") == []
    assert len(world.made("events.create")) == len(world.made("queue.publish")) == 2


async def test_an_event_without_a_message_is_stored_before_the_delivery_is_done(run: Any, world: Any) -> None:
    assert await run("workflow", "await created('a');") == Handled()
    assert len(world.made("events.create")) == 1


async def test_what_may_depend_on_an_event_comes_after_it(run: Any, world: Any) -> None:
    # A step whose arguments cannot be serialized is created and failed, and never queued.
    body = """await created('a');
      await world.events.create('wrun_1', { eventType: 'step_failed', correlationId: 'a', eventData: {} });"""
    await run("workflow", body)
    assert [params["event"]["eventType"] for params in world.made("events.create")] == ["step_created", "step_failed"]


async def test_what_does_not_depend_on_an_event_lets_it_wait_for_its_message(run: Any, world: Any) -> None:
    body = """await created('a');
      await world.events.create('wrun_1', { eventType: 'wait_created', correlationId: 'w', eventData: {} });
      await queued('a');"""
    await run("workflow", body)
    assert len(world.made("events.create")) == 1
    assert len(world.made("batch")) == 1


async def test_a_step_that_is_there_already_is_queued(run: Any, world: Any) -> None:
    world.answers["batch"] = answering({"a": EntityConflictError("it exists")})
    assert await run("workflow", "await created('a'); await queued('a');") == Handled()


async def test_a_refused_event_refuses_its_message(run: Any, world: Any) -> None:
    world.answers["batch"] = answering({"a": RunExpiredError("the run has ended")})
    outcome = await run("workflow", "await created('a'); await queued('a');")
    assert "RunExpiredError" in outcome.message


async def test_a_refused_event_without_a_message_fails_the_delivery(run: Any, world: Any) -> None:
    def refuse(_params: Any) -> None:
        raise RunExpiredError("the run has ended")

    world.answers["events.create"] = refuse
    assert "RunExpiredError" in (await run("workflow", "await created('a');")).message


async def test_a_batch_that_is_lost_refuses_all_of_it(run: Any, world: Any) -> None:
    def lose(_params: Any) -> None:
        raise RunExpiredError("lost")

    world.answers["batch"] = lose
    body = "await Promise.all(['a', 'b'].map(async (id) => { await created(id); await queued(id); }));"
    assert "RunExpiredError" in (await run("workflow", body)).message


async def test_the_first_call_is_answered_by_the_delivery(run: Any, world: Any) -> None:
    step = {"stepId": "step_1", "status": "running", "attempt": 1}
    first = FirstCall("step_started", "step_1", {"value": {"step": step}})
    body = "if ((await started()).step.attempt !== 1) throw new Error('not that');"
    assert await run("step", body, first=first) == Handled()
    assert world.made("events.create") == []


async def test_only_the_first_call_is_answered_by_the_delivery(run: Any, world: Any) -> None:
    first = FirstCall("step_started", "step_1", {"value": {}})
    await run("step", "await started(); await started();", first=first)
    assert len(world.made("events.create")) == 1


async def test_a_refusal_of_the_first_call_comes_with_the_delivery(run: Any, world: Any) -> None:
    first = FirstCall("step_started", "step_1", {"error": EntityConflictError("it has ended").to_wire()})
    assert await run("step", "await started().catch(conflict);", first=first) == Handled()
    assert world.made("events.create") == []


async def test_a_replay_is_sent_what_it_does_not_know(make_pool: Any, artifact: Any, delivery: Any, world: Any) -> None:
    log = [{"eventId": f"evnt_{number}", "eventType": "x", "eventData": {"n": number}} for number in range(5)]
    known = 3

    def answer(params: Any) -> Any:
        since = params.get("knownSlot", 0)
        return {"run": {"runId": "wrun_1"}, "events": log[since:known], "hasMore": False}

    world.answers["events.create"] = answer
    artifact(
        flow="""module.exports.POST = async () => {
          const { events } = await world.events.create('wrun_1', { eventType: 'run_started' });
          return Response.json({ timeoutSeconds: Number(events.map(({ eventData }) => eventData.n).join('')) });
        };"""
    )
    pool = make_pool()
    assert await pool.deliver(delivery("workflow")) == Handled(timeout_seconds=12)
    known = 5
    assert await pool.deliver(delivery("workflow")) == Handled(timeout_seconds=1234)
    assert [params.get("knownSlot") for params in world.made("events.create")] == [None, 3]


async def test_a_replay_begins_with_what_came_with_it_if_that_goes_on_where_its_log_ends(
    make_pool: Any, artifact: Any, delivery: Any, world: Any
) -> None:
    log = [{"eventId": f"evnt_{number}", "eventType": "x", "eventData": {"n": number}} for number in range(1, 6)]

    def begin(known: int, last: int, run_id: str = "wrun_1") -> FirstCall:
        answer = {"run": {"runId": run_id}, "events": log[known:last], "hasMore": False}
        return FirstCall("run_started", "", {"value": answer}, known)

    world.answers["events.create"] = lambda params: begin(params.get("knownSlot", 0), 5).answer["value"]
    artifact(
        flow="""module.exports.POST = async () => {
          const { events } = await world.events.create('wrun_1', { eventType: 'run_started' });
          return Response.json({ timeoutSeconds: Number(events.map(({ eventData }) => eventData.n).join('')) });
        };"""
    )
    pool = make_pool()
    assert await pool.deliver(delivery("workflow", first=begin(0, 2))) == Handled(timeout_seconds=12)
    assert await pool.deliver(delivery("workflow", first=begin(2, 4))) == Handled(timeout_seconds=1234)
    assert world.made("events.create") == []
    for other in (begin(2, 5), begin(4, 5, "wrun_2")):
        assert await pool.deliver(delivery("workflow", first=other)) == Handled(timeout_seconds=12345)
    assert [params["knownSlot"] for params in world.made("events.create")] == [4, 5]


async def test_a_log_that_is_too_large_for_an_answer_is_not_kept(
    make_pool: Any, artifact: Any, delivery: Any, world: Any
) -> None:
    world.answers["events.create"] = {"run": {"runId": "wrun_1"}}
    artifact(
        flow="""module.exports.POST = async () => {
          const { events } = await world.events.create('wrun_1', { eventType: 'run_started' });
          return Response.json({ timeoutSeconds: events === undefined ? 1 : 2 });
        };"""
    )
    pool = make_pool()
    for _ in range(2):
        assert await pool.deliver(delivery("workflow")) == Handled(timeout_seconds=1)
    assert [params.get("knownSlot") for params in world.made("events.create")] == [None, None]
