"""What becomes of a delivery: acknowledged, asked for again, failed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from workflow_studio.compute.wire import decode, encode
from workflow_studio.compute.world_errors import EntityConflictError
from workflow_studio.worker.ports import Failed, Handled

pytestmark = pytest.mark.node


async def test_a_handled_message_is_acknowledged(make_pool: Any, artifact: Any, delivery: Any) -> None:
    artifact()
    assert await make_pool().deliver(delivery()) == Handled()


async def test_a_message_can_ask_to_come_again(make_pool: Any, artifact: Any, delivery: Any) -> None:
    artifact(flow="module.exports.POST = async () => Response.json({ timeoutSeconds: 2.5 });")
    assert await make_pool().deliver(delivery("workflow")) == Handled(timeout_seconds=2.5)


@pytest.mark.parametrize(
    ("bundle", "reason"),
    [
        ("async () => new Response('no luck', { status: 500 })", "HTTP 500: no luck"),
        ("async () => { throw new RangeError('off the road'); }", "RangeError: off the road"),
        ("() => { throw 'a string'; }", "a string"),
        ("async () => 5", "TypeError"),
    ],
)
async def test_a_failing_handler_fails_the_delivery(
    make_pool: Any, artifact: Any, delivery: Any, bundle: str, reason: str
) -> None:
    artifact(step=f"module.exports.POST = {bundle};")
    outcome = await make_pool().deliver(delivery())
    assert isinstance(outcome, Failed)
    assert reason in outcome.message
    assert not outcome.executor_lost


async def test_the_handler_gets_the_message_and_its_headers(
    make_pool: Any, artifact: Any, delivery: Any, world: Any
) -> None:
    code = """module.exports.POST = world.createQueueHandler('__wkf_step_', async (message, meta) => {
        await world.queue('__wkf_workflow_seen', { message, meta });
    });"""
    artifact(step=code)
    message = delivery(body=encode({"stepId": "s1"}), message_id="msg_7", attempt=3, headers={"traceparent": "00-1"})
    assert await make_pool().deliver(message) == Handled()
    (sent,) = world.made("queue.publish")
    assert decode(sent["body"]) == {
        "message": {"stepId": "s1"},
        "meta": {"attempt": 3, "queueName": "__wkf_step_x", "messageId": "msg_7"},
    }


async def test_steps_and_workflows_go_to_their_own_bundles(make_pool: Any, artifact: Any, delivery: Any) -> None:
    artifact(
        flow="module.exports.POST = async () => Response.json({ timeoutSeconds: 1 });",
        step="module.exports.POST = async () => Response.json({ timeoutSeconds: 2 });",
    )
    pool = make_pool()
    assert await pool.deliver(delivery("workflow")) == Handled(1)
    assert await pool.deliver(delivery("step")) == Handled(2)


async def test_deliveries_and_calls_run_side_by_side(make_pool: Any, artifact: Any, delivery: Any, world: Any) -> None:
    """Each waits for an answer that only comes when all have asked, and gets its own."""
    artifact(
        step="""module.exports.POST = async (request) => {
            const id = request.headers.get('x-vqs-message-id');
            const run = await world.runs.get(id);
            return Response.json(run.runId === id ? { ok: true } : { timeoutSeconds: 9 });
        };"""
    )
    barrier = asyncio.Barrier(40)

    async def answer(params: Any) -> Any:
        await barrier.wait()
        return {"runId": params["runId"]}

    world.answers["runs.get"] = answer
    pool = make_pool()
    outcomes = await asyncio.gather(*(pool.deliver(delivery()) for _ in range(40)))
    assert outcomes == [Handled()] * 40
    assert len(pool.status()) == 1


async def test_calls_say_which_executor_and_delivery_they_come_from(
    make_pool: Any, artifact: Any, delivery: Any, world: Any
) -> None:
    artifact(
        step="""module.exports.POST = async () => {
            await sleep(1);
            await world.hooks.list();
            return Response.json({});
        };"""
    )
    pool = make_pool()
    first, second = delivery(), delivery()
    await asyncio.gather(pool.deliver(first), pool.deliver(second))
    assert {context.delivery_id for _, _, context in world.calls} == {first.id, second.id}
    (status,) = pool.status()
    assert {context.executor_id for _, _, context in world.calls} == {status.executor_id}
    assert status.executor_id == f"exec-01234567-{status.pid}"


async def test_a_call_cannot_be_made_in_the_name_of_another_executors_delivery(
    make_pool: Any, artifact: Any, delivery: Any, world: Any
) -> None:
    body = encode({"t": "call", "id": 9999, "method": "runs.get", "params": {}, "delivery": "dlv_of_another"})
    frame = len(body).to_bytes(4, "big") + body
    artifact(
        step=f"""module.exports.POST = async () => {{
            require('node:fs').writeSync(3, Buffer.from('{frame.hex()}', 'hex'));
            await sleep(100);
            return Response.json({{}});
        }};"""
    )
    assert await make_pool().deliver(delivery()) == Handled()
    ((_, _, context),) = world.calls
    assert context.delivery_id is None


async def test_a_refusal_reaches_the_code_as_the_error_it_is(
    make_pool: Any, artifact: Any, delivery: Any, world: Any
) -> None:
    def refuse(_: Any) -> None:
        raise EntityConflictError("it is there")

    def fail(_: Any) -> None:
        raise RuntimeError("secret detail")

    world.answers |= {"runs.get": refuse, "steps.get": fail}
    artifact(
        step="""module.exports.POST = async () => {
            const [a, b] = await Promise.allSettled([world.runs.get('r'), world.steps.get('r', 's')]);
            const show = ({ name, message, status }) => JSON.stringify({ name, message, status });
            return new Response(show(a.reason) + show(b.reason), { status: 500 });
        };"""
    )
    outcome = await make_pool().deliver(delivery())
    assert isinstance(outcome, Failed)
    assert '{"name":"EntityConflictError","message":"it is there"}' in outcome.message
    assert '"name":"WorkflowWorldError"' in outcome.message
    assert '"status":500' in outcome.message
    assert "secret" not in outcome.message


async def test_an_oversized_message_is_refused_and_the_executor_lives(
    make_pool: Any, artifact: Any, delivery: Any, world: Any
) -> None:
    world.answers["runs.get"] = lambda _: {"input": bytes(65 * 1024 * 1024)}
    artifact(
        step="""module.exports.POST = async () => {
            const large = world.writeToStream('s', 'r', new Uint8Array(33 * 1024 * 1024))
                    .then(() => world.closeStream('s', 'r'));
            const [a, b] = await Promise.allSettled([large, world.runs.get('r')]);
            return new Response(`${a.reason.status} ${b.reason.status}`, { status: 500 });
        };"""
    )
    pool = make_pool()
    large = await pool.deliver(delivery(body=bytes(65 * 1024 * 1024)))
    assert isinstance(large, Failed)
    assert not large.executor_lost
    assert await pool.deliver(delivery()) == Failed("HTTP 500: 413 413")
    assert len(pool.status()) == 1


async def test_a_large_message_arrives_whole(make_pool: Any, artifact: Any, delivery: Any) -> None:
    artifact(
        step="""module.exports.POST = async (request) => {
            const body = new Uint8Array(await request.arrayBuffer());
            return Response.json({ timeoutSeconds: body.reduce((sum, byte) => sum + byte, 0) });
        };"""
    )
    assert await make_pool().deliver(delivery(body=b"\x01" * 9_000_000)) == Handled(9_000_000)


async def test_work_goes_on_after_the_answer_in_the_background(
    make_pool: Any, artifact: Any, delivery: Any, world: Any
) -> None:
    code = """const { waitUntil } = globalThis[Symbol.for('@vercel/request-context')].get();
    module.exports.POST = async () => {
        waitUntil(sleep(300).then(() => world.closeStream('late', 'r')));
        waitUntil(Promise.reject(new Error('ignored')));
        return Response.json({ ok: true });
    };"""
    artifact(step=code)
    pool = make_pool()
    assert await pool.deliver(delivery()) == Handled()
    assert world.made("streams.close") == []
    await pool.close(grace=5)
    (_, _, context) = world.calls[0]
    assert world.made("streams.close") == [{"name": "late", "runId": "r"}]
    assert context.delivery_id is None  # the delivery is over: nothing is said in its name any more


FLUSHES = """const {{ waitUntil }} = globalThis[Symbol.for('@vercel/request-context')].get();
    module.exports.POST = async () => {{
        const flushing = {flushing};
        void Promise.resolve().then(() => {{}}).then(() => waitUntil(flushing));
        await world.events.create('r', {{ eventType: 'step_completed', correlationId: 's' }});
        return Response.json({{ ok: true }});
    }};"""


async def test_a_step_ends_after_what_it_streamed(make_pool: Any, artifact: Any, delivery: Any, world: Any) -> None:
    world.answers["streams.write"] = lambda _: asyncio.sleep(0.2)
    flushing = "world.writeToStream('news', 'r', 'x').then(() => sleep(10)).then(() => world.closeStream('news', 'r'))"
    artifact(step=FLUSHES.format(flushing=flushing))
    assert await make_pool().deliver(delivery()) == Handled()
    assert [method for method, _, _ in world.calls] == ["streams.write", "streams.close", "events.create"]


@pytest.mark.parametrize("writing", ["sleep(50)", "world.writeToStream('news', 'r', 'x')"])
async def test_a_step_does_not_wait_for_a_writer_that_is_never_let_go(
    make_pool: Any, artifact: Any, delivery: Any, world: Any, writing: str
) -> None:
    artifact(step=FLUSHES.format(flushing=f"{writing}.then(() => new Promise(() => {{}}))"))
    assert await make_pool().deliver(delivery()) == Handled()
    assert world.calls[-1][0] == "events.create"


async def test_a_step_does_not_wait_for_a_stream_that_goes_on(
    make_pool: Any, artifact: Any, delivery: Any, world: Any
) -> None:
    flushing = "(async () => { for (;;) { await world.writeToStream('news', 'r', 'x'); await sleep(20); } })()"
    artifact(step=FLUSHES.format(flushing=flushing))
    assert await make_pool().deliver(delivery()) == Handled()
    assert len(world.made("streams.write")) > 3
    assert len(world.made("events.create")) == 1


async def test_a_step_does_not_wait_for_the_streams_of_another(
    make_pool: Any, artifact: Any, delivery: Any, world: Any
) -> None:
    world.answers["streams.close"] = lambda _: asyncio.sleep(1)
    flushing = "request.headers.get('name') === 'slow' ? world.closeStream('slow', 'r') : Promise.resolve()"
    artifact(step=FLUSHES.replace("async ()", "async (request)").format(flushing=flushing))
    pool = make_pool()
    slow = asyncio.create_task(pool.deliver(delivery(headers={"name": "slow"})))
    fast = asyncio.create_task(pool.deliver(delivery(headers={"name": "fast"})))
    assert await asyncio.gather(slow, fast) == [Handled(), Handled()]
    made = [(method, context.delivery_id) for method, _, context in world.calls]
    assert [method for method, _ in made] == ["streams.close", "events.create", "events.create"]
    assert made[0][1] != made[1][1], "the other one ended first"
