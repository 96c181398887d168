"""Executors with bundles that the Workflow SDK made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.memory_world import MemoryWorld
from tests.support.sdk import build_artifact
from tests.support.unpacked import unpacked
from workflow_studio.worker.execution import ExecutorOptions, NodeExecutorPool
from workflow_studio.worker.ports import WebRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = [pytest.mark.node, pytest.mark.e2e, pytest.mark.timeout(300)]

DEPLOYMENT = "dep_0123456789abcdef0123456789abcdef"
SOURCE = """
import { FatalError, createWebhook, getWritable } from 'workflow';

async function add(a: number, b: number) {
  'use step';
  return a + b;
}
async function say(...words: string[]) {
  'use step';
  const writer = getWritable<string>().getWriter();
  for (const word of words) await writer.write(word);
  await writer.close();
}
async function announce(url: string) {
  'use step';
  console.log('webhook', url);
}
export async function sums() {
  'use workflow';
  const first = await add(1, 2);
  return Promise.all([add(first, 10), add(first, 20)]);
}
export async function speech() {
  'use workflow';
  await say('hello', 'world');
}
export async function waiting() {
  'use workflow';
  const webhook = createWebhook();
  await announce(webhook.url);
  const request = await webhook;
  return request.text();
}
function check(amount: number) {
  if (amount > 1) throw new FatalError(`Too much: ${amount}`);
}
async function charge(amount: number) {
  'use step';
  console.error(new Error('looked at'));
  try {
    JSON.parse('no JSON');
  } catch (cause) {
    console.warn(new Error('about to fail', { cause }));
  }
  check(amount);
}
export async function failing() {
  'use workflow';
  await charge(2);
}
export async function broken() {
  'use workflow';
  console.error(new Error('in the workflow'));
  throw new Error('broken');
}
"""


@pytest.fixture(scope="session")
def sdk_artifact() -> Path:
    return build_artifact(SOURCE)


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


@pytest.fixture
async def sdk_pool(sdk_artifact: Path, world: MemoryWorld) -> AsyncIterator[Callable[..., NodeExecutorPool]]:
    pools = []

    def make(**options: Any) -> NodeExecutorPool:
        pool = NodeExecutorPool(
            world=world, artifact=unpacked(lambda _: sdk_artifact), options=ExecutorOptions(**options)
        )
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        await pool.close(grace=5)


async def test_a_workflow_runs_to_its_result(sdk_pool: Any, world: MemoryWorld) -> None:
    run_id = await world.start("workflow//./workflows/app//sums", DEPLOYMENT)
    run = await world.work(sdk_pool(), run_id)
    assert (run["status"], run["output"]) == ("completed", b"devl[[1,2],13,23]")
    assert world.failures == []
    assert [event["eventType"] for event in world.events[run_id]].count("step_completed") == 3


async def test_a_step_writes_a_stream(sdk_pool: Any, world: MemoryWorld) -> None:
    pool = sdk_pool()
    run_id = await world.start("workflow//./workflows/app//speech", DEPLOYMENT)
    await world.work(pool, run_id)
    await pool.close(grace=5)
    (name,) = world.streams
    assert [b"hello" in chunk for chunk in world.streams[name]] == [True, False]
    assert world.closed == {name}


def line_of(mark: str) -> int:
    (number,) = [number for number, line in enumerate(SOURCE.split("\n"), 1) if mark in line]
    return number


async def test_the_errors_of_a_step_name_the_users_lines(
    sdk_pool: Any, world: MemoryWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    pool = sdk_pool()
    run_id = await world.start("workflow//./workflows/app//failing", DEPLOYMENT)
    run = await world.work(pool, run_id)
    await pool.close(grace=5)
    (failed,) = [event["eventData"] for event in world.events[run_id] if event["eventType"] == "step_failed"]
    check, charge = line_of("throw new FatalError"), line_of("  check(amount);")
    for stack in (failed["stack"], run["error"]["stack"]):
        first, second, *_ = [line.strip() for line in stack.split("\n") if line.strip().startswith("at ")]
        assert first == f"at check (workflows/app.ts:{check}:25)"
        assert second == f"at charge (workflows/app.ts:{charge}:3)"
    assert f"at charge (workflows/app.ts:{line_of('looked at')}:17)" in caplog.text
    assert f"at charge (workflows/app.ts:{line_of('JSON.parse')}:" in caplog.text
    assert "at trace (node_modules/@workflow/core/" in caplog.text


async def test_the_errors_of_a_workflow_function_name_the_users_lines(
    sdk_pool: Any, world: MemoryWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    pool = sdk_pool()
    run_id = await world.start("workflow//./workflows/app//broken", DEPLOYMENT)
    run = await world.work(pool, run_id)
    await pool.close(grace=5)
    assert f"at broken (workflows/app.ts:{line_of('throw new Error')}:9)" in run["error"]["stack"]
    assert f"at broken (workflows/app.ts:{line_of('in the workflow')}:17)" in caplog.text


@pytest.mark.parametrize(
    ("public_url", "base"),
    [
        ("http://localhost:8787", "http://localhost:8787"),
        ("https://worker.example.com:8443/studio", "https://worker.example.com:8443/studio"),
    ],
)
async def test_a_webhook_url_names_the_worker_and_its_handler_resumes_the_run(
    sdk_pool: Any, world: MemoryWorld, public_url: str, base: str, caplog: pytest.LogCaptureFixture, eventually: Any
) -> None:
    caplog.set_level("INFO")
    pool = sdk_pool(public_url=public_url)
    run_id = await world.start("workflow//./workflows/app//waiting", DEPLOYMENT)
    working = asyncio.create_task(world.work(pool, run_id))
    await eventually(lambda: "webhook http" in caplog.text)
    (line,) = [message for message in caplog.messages if message.startswith("webhook ")]
    url = line.removeprefix("webhook ")
    assert url.startswith(f"{base}/.well-known/workflow/v1/webhook/")

    unknown = await pool.request(DEPLOYMENT, WebRequest("POST", f"{base}/.well-known/workflow/v1/webhook/no", (), b""))
    assert unknown.status == 404
    headers = (("content-type", "text/plain"), ("x-twice", "1"), ("x-twice", "2"))
    accepted = await pool.request(DEPLOYMENT, WebRequest("POST", url, headers, b"from outside"))
    assert accepted.status == 202
    run = await working
    assert (run["status"], run["output"]) == ("completed", b'devl["from outside"]')
