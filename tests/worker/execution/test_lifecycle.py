"""When executors are started, kept, retired and drained, and what surrounds the code that runs in them."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import Any

import pytest

from workflow_studio.worker.execution.executor import Executor
from workflow_studio.worker.execution.pool import _Group
from workflow_studio.worker.ports import ExecutorUnavailableError, Failed, Handled, Undelivered, WebRequest

pytestmark = pytest.mark.node

DEPLOYMENT = "dep_0123456789abcdef0123456789abcdef"
OTHER = "dep_fedcba9876543210fedcba9876543210"
ASK = "module.exports.POST = async () => { await world.runs.get('r'); return Response.json({ ok: true }); };"
SHOW = "module.exports.POST = async () => new Response(JSON.stringify(%s), { status: 500 });"


async def test_deliveries_at_once_share_one_start(make_pool: Any, artifact: Any, delivery: Any) -> None:
    artifact()
    pool = make_pool()
    assert await asyncio.gather(*(pool.deliver(delivery()) for _ in range(20))) == [Handled()] * 20
    assert len(pool.status()) == 1


async def test_each_deployment_has_its_own_executor(make_pool: Any, artifact: Any, delivery: Any) -> None:
    artifact()
    artifact(deployment=OTHER, step="module.exports.POST = async () => Response.json({ timeoutSeconds: 7 });")
    pool = make_pool()
    outcomes = await asyncio.gather(pool.deliver(delivery()), pool.deliver(delivery(deployment_id=OTHER)))
    assert outcomes == [Handled(), Handled(7)]
    assert [status.deployment_id for status in pool.status()] == [DEPLOYMENT, OTHER]


async def test_a_busy_deployment_gets_as_many_executors_as_allowed(
    make_pool: Any, artifact: Any, delivery: Any, world: Any, eventually: Any
) -> None:
    artifact(step=ASK)
    open_gate = asyncio.Event()
    world.answers["runs.get"] = lambda _: open_gate.wait()
    pool = make_pool(processes_per_deployment=2)
    deliveries = []
    for _ in range(6):
        deliveries.append(asyncio.create_task(pool.deliver(delivery())))
        await eventually(lambda: len(world.calls) == len(deliveries))
        await asyncio.sleep(0.3)
    assert sorted(status.in_flight for status in pool.status()) == [3, 3]
    open_gate.set()
    assert await asyncio.gather(*deliveries) == [Handled()] * 6


async def test_a_warm_executor_is_there_before_the_first_delivery_and_takes_it(
    make_pool: Any, artifact: Any, delivery: Any, eventually: Any
) -> None:
    artifact()
    pool = make_pool(idle_timeout=1)
    pool.warm(DEPLOYMENT)
    pool.warm(DEPLOYMENT)
    await eventually(pool.status)
    pool.warm(DEPLOYMENT)
    (warm,) = pool.status()
    assert await pool.deliver(delivery()) == Handled()
    assert [status.pid for status in pool.status()] == [warm.pid]
    await eventually(lambda: pool.status() == [])  # it is retired like any other


async def test_a_deployment_that_cannot_be_loaded_is_not_warmed_again_and_again(
    make_pool: Any, artifact: Any, delivery: Any, eventually: Any, caplog: pytest.LogCaptureFixture
) -> None:
    artifact(step="throw new Error('not today');")
    pool = make_pool()
    pool.warm(DEPLOYMENT)
    await eventually(lambda: "No executor for" in caplog.text)
    for _ in range(3):
        await asyncio.sleep(0)
        pool.warm(DEPLOYMENT)
    assert isinstance(await pool.deliver(delivery()), Undelivered)
    assert caplog.text.count("No executor for") == 1


async def test_a_pool_that_closes_leaves_no_executor_that_was_just_being_warmed(
    make_pool: Any, artifact: Any, eventually: Any
) -> None:
    artifact()
    pool = make_pool()
    pool.warm(DEPLOYMENT)
    await asyncio.sleep(0)
    await pool.close(grace=0)
    pool.warm(DEPLOYMENT)
    await asyncio.sleep(0)
    assert pool.status() == []


async def test_an_idle_executor_is_retired_and_the_next_delivery_starts_another(
    make_pool: Any, artifact: Any, delivery: Any, eventually: Any
) -> None:
    artifact()
    pool = make_pool(idle_timeout=1)
    assert await pool.deliver(delivery()) == Handled()
    await eventually(lambda: pool.status() == [])
    assert await pool.deliver(delivery()) == Handled()


async def test_a_delivery_that_comes_as_the_idle_time_ends_is_not_cut_short(
    make_pool: Any, artifact: Any, delivery: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact(step="module.exports.POST = async () => { await sleep(1500); return Response.json({}); };")
    pool = make_pool(idle_timeout=1, drain_timeout=0.2)
    was_idle = Executor.is_idle.fget
    running: list[asyncio.Task[Any]] = []

    def idle(executor: Executor) -> bool:
        """Have a delivery come in the very moment in which the executor is found idle."""
        found = was_idle(executor)
        if found and not running:
            running.append(asyncio.create_task(pool.deliver(delivery())))
        return found

    monkeypatch.setattr(Executor, "is_idle", property(idle))
    assert await pool.deliver(delivery()) == Handled()
    await eventually(lambda: running)
    assert await running[0] == Handled()


async def test_an_executor_with_a_delivery_is_not_idle_before_the_next_tick_either(
    make_pool: Any, artifact: Any, delivery: Any, world: Any, eventually: Any
) -> None:
    artifact(step=ASK)
    pool = make_pool(idle_timeout=1)
    await pool.deliver(delivery())
    (executor,) = pool._groups[DEPLOYMENT].executors
    executor._idle_ticks = 100
    open_gate = asyncio.Event()
    world.answers["runs.get"] = lambda _: open_gate.wait()
    running = asyncio.create_task(pool.deliver(delivery()))
    await eventually(lambda: executor.in_flight)
    assert not executor.is_idle
    open_gate.set()
    assert await running == Handled()


async def test_starts_are_put_off_by_half_a_minute_at_most_even_after_days_of_failures() -> None:
    group = _Group(DEPLOYMENT)
    for _ in range(3000):
        group.failed("no Node.js")
    assert 25 < group.retry_at - time.monotonic() <= 30


async def test_a_delivery_does_not_hold_its_place_for_a_start_that_takes_long(
    make_pool: Any, artifact: Any, delivery: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    artifact(step="const end = Date.now() + 2000; while (Date.now() < end); " + ASK)
    pool = make_pool()
    monkeypatch.setattr("workflow_studio.worker.execution.pool._PATIENCE", 0.2)
    early = await pool.deliver(delivery())
    assert isinstance(early, Undelivered)
    assert "still starting" in early.message
    await eventually(pool.status)
    assert await pool.deliver(delivery()) == Handled()
    assert len(pool.status()) == 1


async def test_background_work_keeps_an_executor_from_being_retired(
    make_pool: Any, artifact: Any, delivery: Any, world: Any, eventually: Any
) -> None:
    artifact(
        step="""const { waitUntil } = globalThis[Symbol.for('@vercel/request-context')].get();
        module.exports.POST = async () => {
            waitUntil(sleep(3500).then(() => world.closeStream('late', 'r')));
            return Response.json({ ok: true });
        };"""
    )
    pool = make_pool(idle_timeout=1)
    await pool.deliver(delivery())
    await eventually(lambda: world.made("streams.close"))


async def test_closing_lets_deliveries_finish_and_takes_no_new_ones(
    make_pool: Any, artifact: Any, delivery: Any, world: Any, eventually: Any
) -> None:
    artifact(step=ASK)
    open_gate = asyncio.Event()
    world.answers["runs.get"] = lambda _: open_gate.wait()
    pool = make_pool()
    running = asyncio.create_task(pool.deliver(delivery()))
    await eventually(lambda: world.calls)
    closing = asyncio.create_task(pool.close(grace=10))
    await asyncio.sleep(0.1)
    assert await pool.deliver(delivery()) == Undelivered("The worker is shutting down.")
    with pytest.raises(ExecutorUnavailableError, match="shutting down"):
        await pool.request(DEPLOYMENT, WebRequest("GET", "http://localhost/", (), b""))
    open_gate.set()
    assert await running == Handled()
    await asyncio.wait_for(closing, 5)
    assert pool.status() == []


async def test_closing_kills_what_does_not_finish(
    make_pool: Any, artifact: Any, delivery: Any, eventually: Any
) -> None:
    artifact(step="module.exports.POST = () => sleep(60_000);")
    pool = make_pool()
    running = asyncio.create_task(pool.deliver(delivery()))
    await eventually(lambda: pool.status() and pool.status()[0].in_flight)
    await pool.close(grace=0.2)
    outcome = await running
    assert isinstance(outcome, Failed)
    assert outcome.executor_lost


async def test_closing_while_an_executor_starts_leaves_nothing_behind(
    make_pool: Any, artifact: Any, delivery: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    artifact(step="for (;;);")
    pids = []
    original = Executor.__init__

    def note(self: Any, *arguments: Any) -> None:
        original(self, *arguments)
        pids.append(self.pid)

    monkeypatch.setattr(Executor, "__init__", note)
    pool = make_pool()
    running = asyncio.create_task(pool.deliver(delivery()))
    await eventually(lambda: pids)
    await pool.close(grace=0)
    assert isinstance(await running, Undelivered)
    (pid,) = pids
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_delivery_nobody_waits_for_any_more_disturbs_nothing(
    make_pool: Any, artifact: Any, delivery: Any, world: Any, eventually: Any
) -> None:
    artifact(step=ASK)
    open_gate = asyncio.Event()
    world.answers["runs.get"] = lambda _: open_gate.wait()
    pool = make_pool()
    running = asyncio.create_task(pool.deliver(delivery()))
    await eventually(lambda: world.calls)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    open_gate.set()
    assert await pool.deliver(delivery()) == Handled()


async def test_the_environment_is_the_apps_and_not_the_workers(
    make_pool: Any, artifact: Any, delivery: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", "secret")
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    monkeypatch.setenv("NODE_OPTIONS", "--no-warnings")
    artifact(step=SHOW % "process.env")
    app = {"STRIPE_KEY": "sk", "VERCEL": "1", "VERCEL_DEPLOYMENT_ID": "d", "WORKFLOW_QUEUE_NAMESPACE": "n"}
    outcome = await make_pool(env={**app, "VERCEL_URL": "elsewhere"}).deliver(delivery())
    assert isinstance(outcome, Failed)
    assert "secret" not in outcome.message
    for name in ("VERCEL", "NODE_OPTIONS", "WORKFLOW_QUEUE_NAMESPACE", "elsewhere"):
        assert name not in outcome.message
    for entry in ('"STRIPE_KEY":"sk"', '"NODE_ENV":"production"', '"PATH":'):
        assert entry in outcome.message


async def test_the_world_is_there_before_the_bundles_and_hides_its_connection(
    make_pool: Any, artifact: Any, delivery: Any
) -> None:
    artifact(
        step="""const { inspect } = require('node:util');
        const handlers = globalThis[Symbol.for('@workflow/world//stubbedCache')];
        const shown = inspect(world, { depth: 9, showHidden: true });
        const seen = [handlers === world, world.specVersion, /socket|pending|secret/i.test(shown), process.argv.length];
        module.exports.POST = async () =>
            new Response(JSON.stringify([...seen, await world.getDeploymentId()]), { status: 500 });"""
    )
    assert await make_pool().deliver(delivery()) == Failed(f'HTTP 500: [true,3,false,2,"{DEPLOYMENT}"]')


async def test_the_spec_version_is_the_manifests(make_pool: Any, artifact: Any, delivery: Any) -> None:
    folder = artifact(step=SHOW % "world.specVersion")
    (folder / "manifest.json").write_text('{"sdk": {"specVersion": 7, "core": "5.0.0"}}')
    assert await make_pool().deliver(delivery()) == Failed("HTTP 500: 7")


async def test_output_goes_to_the_log_line_by_line(
    make_pool: Any, artifact: Any, delivery: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    artifact(
        step=r"""module.exports.POST = async () => {
            console.log('first\nsecond');
            console.error('bad \u001b[31mnews\u001b[0m');
            process.stdout.write('x'.repeat(20000) + '\nno newline at the end');
            return Response.json({ ok: true });
        };"""
    )
    pool = make_pool()
    await pool.deliver(delivery())
    await pool.close(grace=5)
    records = [record for record in caplog.records if record.name == f"workflow_studio.executor.{DEPLOYMENT}"]
    printed = [record.getMessage() for record in records if record.levelno == logging.INFO]
    assert printed == ["first", "second", "x" * 16384, "x" * 3616, "no newline at the end"]
    assert [r.getMessage() for r in records if r.levelno == logging.WARNING] == ["bad \\x1b[31mnews\\x1b[0m"]


async def test_a_webhook_call_is_answered_by_the_webhook_bundle(make_pool: Any, artifact: Any) -> None:
    artifact(
        webhook="""exports.PUT = async (request) => {
            const headers = new Headers([['set-cookie', 'a=1'], ['set-cookie', 'b=2'], ['x-url', request.url]]);
            const text = (await request.text()) + request.headers.get('x-twice');
            return new Response(text, { status: 201, headers });
        };
        exports.GET = async (request) => new Response(new Uint8Array([0, 255, request.body === null ? 1 : 0]));"""
    )
    pool = make_pool()
    url = "https://worker.example.com/.well-known/workflow/v1/webhook/t%20k?x=1"
    put = await pool.request(
        DEPLOYMENT, WebRequest("PUT", url, (("x-twice", "1"), ("x-twice", "2"), ("content-length", "4")), b"body")
    )
    assert (put.status, put.body) == (201, b"body1, 2")
    assert [pair for pair in put.headers if pair[0] != "content-type"] == [
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-url", url),
    ]
    get = await pool.request(DEPLOYMENT, WebRequest("GET", url, (), b""))
    assert (get.status, get.body) == (200, b"\x00\xff\x01")
    assert (await pool.request(DEPLOYMENT, WebRequest("PATCH", url, (), b""))).status == 405


@pytest.mark.parametrize("bundle", ["exports.GET = async () => { throw new Error('hidden'); };", "syntax error"])
async def test_a_webhook_bundle_that_fails_answers_500_and_says_no_more(
    make_pool: Any, artifact: Any, bundle: str, caplog: pytest.LogCaptureFixture
) -> None:
    artifact(webhook=bundle)
    response = await make_pool().request(DEPLOYMENT, WebRequest("GET", "http://localhost/x", (), b""))
    assert (response.status, response.body) == (500, b"")
    assert "The webhook handler failed" in caplog.text
