"""What a World has to prove to the SDK, item by item: what the rules for events, the queue and streams come down to.

:data:`PROVED_BY` names the tests that prove an item where they belong to a subject of their own; the items that no
other test proves follow below. All run on SQLite and PostgreSQL, those with executors too.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import signal
import time
from functools import cache
from pathlib import Path

import pytest

from tests.support.invariants import violations
from tests.support.sdk import build_artifact
from tests.support.unpacked import unpacked
from workflow_studio.compute import wire
from workflow_studio.compute.ids import event_id
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.engine.clock import system_clock
from workflow_studio.worker.execution import ExecutorOptions, NodeExecutorPool, find_nodes

TESTS = Path(__file__).parent
PROVED_BY = {
    "run_started twice: one event, the same startedAt": [
        "test_events.test_starting_a_run_twice_is_one_event_and_one_start_time",
        "test_events.test_concurrent_starts_of_a_pending_run_make_one_event",
    ],
    "run_created after a resilient start: 409": [
        "test_events.test_run_started_creates_a_missing_run_from_its_data",
        "test_events.test_creation_and_resilient_start_race_to_one_run",
    ],
    "run_started of a missing run without input: WorkflowRunNotFoundError": [
        "test_events.test_run_started_of_a_missing_run_without_data_is_refused_and_leaves_nothing"
    ],
    "run_started of a run that has ended: 410": ["test_events.test_starting_a_finished_run_is_refused"],
    "step_created, wait_created, hook_created twice: 409": [
        "test_events.test_concurrent_replays_create_each_entity_once"
    ],
    "step_started twice: attempt 2, startedAt kept": [
        "test_events.test_starting_a_step_twice_counts_attempts_and_keeps_the_first_start"
    ],
    "step_completed after step_failed: 409": ["test_events.test_a_step_ends_once"],
    "step_started before retryAfter: 425, seconds rounded up": [
        "test_events.test_a_step_is_not_started_before_its_retry_time"
    ],
    "a token of another run: hook_conflict, no error": [
        "test_events.test_a_token_held_by_another_run_is_a_recorded_conflict_not_an_error"
    ],
    "the same hook twice: 409": ["test_events.test_the_same_hook_twice_is_refused_even_after_it_was_disposed"],
    "a token is free after the run's end and after disposal": [
        "test_events.test_a_token_is_free_again_after_disposal_and_after_the_end_of_the_run"
    ],
    "hook_received after disposal: 404": ["test_events.test_a_disposed_hook_receives_nothing"],
    "run_cancelled twice: two events": ["test_events.test_cancelling_twice_is_two_events"],
    "cancel, step_completed is accepted, the wake-up gets 410": [
        "test_events.test_cancel_then_step_completed_is_recorded_then_start_is_refused"
    ],
    "slots are dense under 50 parallel writers, a log read meanwhile is a prefix": [
        "test_events.test_slots_are_dense_under_50_parallel_writers_and_readers_see_prefixes",
        "test_world_properties.test_engine_and_model_agree_after_every_operation",
    ],
    "a cursor is exclusive, an empty one is none, garbage is a 400": [
        "test_queries.test_events_come_oldest_first_and_the_cursor_is_exclusive",
        "test_checklist.test_an_empty_cursor_is_no_cursor",
        "test_queries.test_a_garbage_cursor_is_a_400",
    ],
    "resolveData none, per type": [
        "test_queries.test_resolve_data_none_leaves_out_payloads_and_nothing_else",
        "test_checklist.test_resolve_data_none_leaves_out_the_payload_of_each_type_of_event",
    ],
    "null bytes in payloads": ["test_checklist.test_null_bytes_in_every_kind_of_payload"],
    "a key is dropped while pending and in flight, and kept with delaySeconds": [
        "test_queue.test_a_repeated_key_is_dropped_while_pending_and_while_in_flight",
        "test_queue.test_a_repeated_key_does_not_move_a_delayed_message",
    ],
    "attempts count from 1, and from 2 after timeoutSeconds": [
        "test_queue.test_attempt_is_1_once_then_rises_with_every_failure",
        "test_queue.test_after_a_timeout_the_attempt_is_2_however_often",
    ],
    "60 sleeps in a row do not hit 48 attempts": ["test_checklist.test_60_sleeps_in_a_row_do_not_hit_48_attempts"],
    "kill -9 of an executor in a step: delivered once more, with the same messageId": [
        "test_checklist.test_kill_9_of_an_executor_in_a_step_delivers_it_once_more_with_the_same_message_id"
    ],
    "a stream's negative start, tail before the first write, close twice, write after close, null cursor at the end": [
        "test_streams.test_a_negative_start_counts_from_the_end_of_the_moment",
        "test_streams.test_a_reader_waits_for_a_stream_that_does_not_exist_yet",
        "test_streams.test_nothing_is_written_after_the_close_and_closing_twice_is_harmless",
        "test_streams.test_pages_of_chunks_end_with_a_null_cursor",
    ],
    "a cold health check takes less than 2 s": ["test_checklist.test_a_cold_health_check_takes_less_than_2_seconds"],
}
"""Item to tests of this folder."""

BOTH_DATABASES = frozenset({"world", "stream", "kind", "executors", "of_sdk"})
"""Arguments by which a test runs on both."""


@cache
def functions(module):
    """Return the tests of a module: name to (arguments, names of decorators)."""
    tree = ast.parse((TESTS / f"{module}.py").read_text())
    found = [node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return {
        node.name: ({arg.arg for arg in node.args.args}, " ".join(map(ast.unparse, node.decorator_list)))
        for node in found
    }


@pytest.mark.parametrize("item", PROVED_BY)
def test_each_item_is_proved_by_tests_that_run_on_both_databases(item):
    for name in PROVED_BY[item]:
        module, _, test = name.partition(".")
        assert test in functions(module), f"{name} is gone: what proves it now?"
        arguments, decorators = functions(module)[test]
        assert arguments & BOTH_DATABASES, f"{name} runs on one database only"
        assert "skip" not in decorators
        assert "xfail" not in decorators


async def test_an_empty_cursor_is_no_cursor(world):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add", input=b"")
    await world.create(run_id, "hook_created", "hook_1", token="t")
    by_step = {"runId": run_id, "correlationId": "step_1"}
    lists = {"runs": {}, "steps": {"runId": run_id}, "events": {"runId": run_id}, "hooks": {}}
    methods = {**{f"{name}.list": params for name, params in lists.items()}, "events.listByCorrelationId": by_step}
    for method, params in methods.items():
        page = await world.call(method, **params, cursor="")
        assert page == await world.call(method, **params)
        assert page["data"]


async def test_resolve_data_none_leaves_out_the_payload_of_each_type_of_event(world):
    run_id = await world.new_run()
    payload = b"heavy"
    for number in (1, 2):
        await world.create(run_id, "step_created", f"step_{number}", stepName="add", input=payload)
        await world.create(run_id, "step_started", f"step_{number}")
    await world.create(run_id, "step_retrying", "step_1", error=payload)
    await world.create(run_id, "step_failed", "step_1", error=payload)
    await world.create(run_id, "step_completed", "step_2", result=payload)
    await world.create(run_id, "hook_created", "hook_1", token="t", metadata=payload)
    await world.create(run_id, "hook_received", "hook_1", payload=payload, token="t")
    failed = await world.new_run()
    await world.create(failed, "run_failed", error=payload)
    await world.create(run_id, "run_completed", output=payload)
    for run in (run_id, failed):
        full = (await world.call("events.list", runId=run))["data"]
        light = (await world.call("events.list", runId=run, resolveData="none"))["data"]
        assert [event["eventType"] for event in light] == [event["eventType"] for event in full]
        for event, lighter in zip(full, light, strict=True):
            assert payload not in lighter.get("eventData", {}).values()
            assert lighter.get("eventData") != {}, "what is empty is left out"
            kept = {
                key: value for key, value in event.get("eventData", {}).items() if key != "input" and value != payload
            }
            assert lighter.get("eventData", {}) == kept
            one = {"runId": run, "eventId": event["eventId"]}
            assert await world.call("events.get", **one, resolveData="none") == lighter


async def test_null_bytes_in_every_kind_of_payload(world):
    payload = b'devl\0\0["a\\u0000b"]\0'
    text = "a\0b"
    run_id = world.new_run_id()
    await world.create(run_id, "run_created", **world.run_data(input=payload, executionContext={"x": text}))
    await world.create(run_id, "run_started")
    await world.create(run_id, "step_created", "step_1", stepName="add", input=payload)
    await world.create(run_id, "step_started", "step_1")
    await world.create(run_id, "step_completed", "step_1", result=payload)
    await world.create(run_id, "hook_created", "hook_1", token="t", metadata=payload)
    await world.create(run_id, "hook_received", "hook_1", payload=payload)
    stream = {"name": "strm_1", "runId": run_id}
    await world.call("streams.write", **stream, chunks=[payload], writerId="w", sequence=0)
    hook = await world.call("hooks.get", hookId="hook_1")
    failed = await world.new_run()
    await world.create(failed, "run_failed", error={"message": text, "stack": text})
    await world.create(run_id, "run_completed", output=payload)

    run = await world.call("runs.get", runId=run_id)
    step = await world.call("steps.get", runId=run_id, stepId="step_1")
    assert (run["input"], run["output"], run["executionContext"]) == (payload, payload, {"x": text})
    assert (step["input"], step["output"], hook["metadata"]) == (payload, payload, payload)
    assert (await world.call("runs.get", runId=failed))["error"] == {"message": text, "stack": text}
    assert (await world.call("events.get", runId=run_id, eventId=event_id(7)))["eventData"]["payload"] == payload
    assert (await world.call("streams.chunks", **stream))["data"] == [{"index": 0, "data": payload}]


class Executors:
    """An engine with real executors, and a note of each delivery that they were handed."""

    def __init__(self, engine, driver, artifacts):
        self.engine, self.driver, self.artifacts = engine, driver, artifacts
        self.deliveries = []
        options = ExecutorOptions(nodes=find_nodes())
        self.pool = NodeExecutorPool(
            world=engine.world, artifact=unpacked(lambda name: artifacts / name), options=options
        )
        self.dispatcher = engine.dispatcher(self)

    def ready(self, delivery):
        return None

    async def deliver(self, delivery):
        self.deliveries.append(delivery)
        return await self.pool.deliver(delivery)

    async def close(self):
        await self.dispatcher.stop(grace=0)
        await self.pool.close(grace=0)


OF_SDK = "workflow//./workflows/app//naps"


class FixedClock:
    """For the ids of runs."""

    def __init__(self):
        self.now = system_clock()


@pytest.fixture
async def executors(database, tmp_path, helpers):
    _, driver_of, make_manifest = helpers
    engine = Engine(database)
    deployment, _ = await engine.deployments.register(make_manifest(workflows=(driver_of.workflow, OF_SDK)))
    await engine.deployments.activate(deployment.id)
    driver = driver_of(engine, FixedClock(), deployment.id)
    started = Executors(engine, driver, tmp_path)
    await started.dispatcher.start()
    yield started
    await started.close()


async def until(condition, seconds=30):
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110  # what is waited for happens in other processes
            await asyncio.sleep(0.01)
    return found


@pytest.mark.node
async def test_kill_9_of_an_executor_in_a_step_delivers_it_once_more_with_the_same_message_id(executors):
    driver, notes = executors.driver, executors.artifacts / "notes"
    artifact = executors.artifacts / driver.deployment_id
    artifact.mkdir()
    (artifact / "package.json").write_text('{"type": "commonjs"}')
    code = (
        f"require('node:fs').appendFileSync({json.dumps(str(notes))}, process.pid + '\\n');"
        "if (request.headers.get('x-vqs-message-attempt') === '1') await new Promise(() => setTimeout(() => {}, 1e6));"
        "return Response.json({});"
    )
    for name in ("flow", "step", "webhook"):
        (artifact / f"{name}.js").write_text(f"module.exports.POST = async (request) => {{ {code} }};")

    async def begun():
        return notes.exists() and notes.read_text().splitlines()

    async def acknowledged():
        return sum((await executors.engine.queue.depth()).values()) == 0

    message_id = await driver.publish_step(await driver.new_run())
    (victim,) = await until(begun)
    os.kill(int(victim), signal.SIGKILL)
    await until(acknowledged)
    assert [(one.message_id, one.attempt) for one in executors.deliveries] == [(message_id, 1), (message_id, 2)]
    assert len(notes.read_text().splitlines()) == 2


NAPS = """
import { sleep } from 'workflow';

export async function naps(count: number) {
  'use workflow';
  for (let slept = 0; slept < count; slept += 1) await sleep(5);
  return count;
}
"""


@pytest.fixture
def of_sdk(executors):
    """Have the executors run bundles that the SDK made."""
    (executors.artifacts / executors.driver.deployment_id).symlink_to(build_artifact(NAPS))
    return executors


@pytest.mark.node
@pytest.mark.e2e
@pytest.mark.timeout(300)
async def test_60_sleeps_in_a_row_do_not_hit_48_attempts(of_sdk, database):
    driver = of_sdk.driver
    name = OF_SDK
    run_id = driver.new_run_id()
    await driver.create(run_id, "run_created", **driver.run_data(workflowName=name, input=b"devl[[1],60]"))
    body = {"queueName": f"__wkf_workflow_{name}", "body": wire.encode({"runId": run_id}), "runId": run_id}
    await driver.call("queue.publish", **body)

    async def ended():
        run = await driver.call("runs.get", runId=run_id)
        return run if run["status"] not in ("pending", "running") else None

    run = await until(ended, seconds=120)
    assert (run["status"], run["output"]) == ("completed", b"devl[60]")
    log = await driver.log(run_id)
    assert (log.count("wait_created"), log.count("wait_completed")) == (60, 60)
    assert len(of_sdk.deliveries) > 60
    assert {one.attempt for one in of_sdk.deliveries} == {1, 2}
    assert await database.read(violations) == []


@pytest.mark.node
@pytest.mark.e2e
@pytest.mark.timeout(300)
async def test_a_cold_health_check_takes_less_than_2_seconds(of_sdk):
    """The SDK's ``start()`` waits that long for the deployment that it was told to start on.

    What is counted is the processors' time, ours and the executor's: the machine may have other things to do.
    """
    driver = of_sdk.driver
    body = {"__healthCheck": True, "correlationId": "probe"}
    queue = {"queueName": "__wkf_workflow_health_check", "isHealthCheck": True, "body": wire.encode(body)}
    begun = time.process_time()
    await driver.call("queue.publish", **queue)
    answer = await driver.call("streams.read", name="__health_check__probe", startIndex=0, waitMs=20_000)
    (executor,) = of_sdk.pool.status()
    taken = time.process_time() - begun + processor_time_of(executor.pid)
    assert b"healthy" in b"".join(bytes(chunk) for chunk in answer["chunks"])
    assert taken < 2


def processor_time_of(pid):
    """Return how many seconds of processor time a process has used (source: proc(5), utime and stime)."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
