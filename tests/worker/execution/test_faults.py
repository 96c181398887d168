"""Executors that crash, hang, grow, or never come up; and workers that go away."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from workflow_studio.worker.ports import (
    ExecutorUnavailableError,
    Failed,
    Handled,
    NoAnswerError,
    Undelivered,
    WebRequest,
)

pytestmark = pytest.mark.node

DEPLOYMENT = "dep_0123456789abcdef0123456789abcdef"
ASK = "module.exports.POST = async () => { await world.runs.get('r'); return Response.json({ ok: true }); };"


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_killed_executor_fails_its_deliveries_and_the_next_one_gets_a_new_executor(
    make_pool: Any, artifact: Any, delivery: Any, world: Any, eventually: Any
) -> None:
    artifact(step=ASK)
    stuck: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    world.answers["runs.get"] = lambda _: stuck
    pool = make_pool()
    deliveries = [asyncio.create_task(pool.deliver(delivery())) for _ in range(3)]
    await eventually(lambda: len(world.calls) == 3)
    (first,) = pool.status()
    assert first.in_flight == 3
    os.kill(first.pid, signal.SIGKILL)
    for outcome in await asyncio.gather(*deliveries):
        assert outcome == Failed(f"The executor {first.executor_id} was lost: it was killed by signal 9.", True)
    world.answers.clear()
    stuck.cancel()
    await eventually(lambda: pool.status() == [])
    await asyncio.sleep(0.6)
    assert await pool.deliver(delivery()) == Handled()
    assert pool.status()[0].pid != first.pid


async def test_code_that_never_yields_is_killed_as_hanging(make_pool: Any, artifact: Any, delivery: Any) -> None:
    artifact(step="module.exports.POST = async () => { for (;;); };")
    pool = make_pool(hang_timeout=2)
    outcome = await pool.deliver(delivery())
    assert isinstance(outcome, Failed)
    assert outcome.executor_lost
    assert "no sign of life for 2 s" in outcome.message


async def test_a_slow_step_is_not_a_hang(make_pool: Any, artifact: Any, delivery: Any) -> None:
    artifact(step="module.exports.POST = async () => { await sleep(3500); return Response.json({}); };")
    assert await make_pool(hang_timeout=2).deliver(delivery()) == Handled()


async def test_an_executor_that_takes_too_much_memory_is_killed(make_pool: Any, artifact: Any, delivery: Any) -> None:
    artifact(
        step="""const hoard = [];
        module.exports.POST = async () => {
            for (;;) { hoard.push(Buffer.alloc(16 << 20, 1)); await sleep(30); }
        };"""
    )
    outcome = await make_pool(memory_limit_mb=200).deliver(delivery())
    assert isinstance(outcome, Failed)
    assert outcome.executor_lost
    assert "MiB of memory; the limit is 200" in outcome.message


async def test_the_heap_is_limited_too(make_pool: Any, artifact: Any, delivery: Any) -> None:
    artifact(
        step="""module.exports.POST = async () => {
            const { heap_size_limit } = require('node:v8').getHeapStatistics();
            return Response.json({ timeoutSeconds: heap_size_limit >> 20 });
        };"""
    )
    outcome = await make_pool(memory_limit_mb=400).deliver(delivery())
    assert isinstance(outcome, Handled)
    assert outcome.timeout_seconds is not None
    assert 300 <= outcome.timeout_seconds < 400


async def test_a_bundle_that_cannot_be_loaded_fails_with_the_reason_and_is_not_tried_at_once_again(
    make_pool: Any, artifact: Any, delivery: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflow_studio.worker.execution.pool._FIRST_DELAY", 30)
    folder = artifact(step="require('no-such-package');")
    pool = make_pool()
    outcomes = await asyncio.gather(*(pool.deliver(delivery()) for _ in range(5)))
    for outcome in outcomes:
        assert isinstance(outcome, Undelivered)
        assert "Cannot find module 'no-such-package'" in outcome.message
    again = await pool.deliver(delivery())
    assert isinstance(again, Undelivered)
    assert re.search(r"It is tried again in \d+\.\d s\.$", again.message)
    assert pool.status() == []

    artifact(step="module.exports.POST = async () => Response.json({});")
    assert folder.exists()
    pool._groups[DEPLOYMENT].retry_at = time.monotonic()
    assert await pool.deliver(delivery()) == Handled()


@pytest.mark.parametrize(
    ("bundle", "reason"),
    [
        ("module.exports.GET = 1;", "step.js exports no POST function"),
        ("throw 'plain';", "plain"),
        ("process.exit(7);", "exit code 7"),
        ("for (;;);", "took more than 1 s"),
    ],
)
async def test_every_way_not_to_come_up_is_told(
    make_pool: Any, artifact: Any, delivery: Any, bundle: str, reason: str
) -> None:
    artifact(step=bundle)
    # Only what never comes up is waited for until then.
    outcome = await make_pool(start_timeout=1 if "1 s" in reason else 60).deliver(delivery())
    assert isinstance(outcome, Undelivered)
    assert reason in outcome.message


async def test_an_executor_that_ends_right_after_it_came_up_is_told(
    make_pool: Any, artifact: Any, delivery: Any
) -> None:
    artifact(step="setTimeout(() => { throw new Error('late') }); module.exports.POST = () => sleep(9999);")
    outcome = await make_pool().deliver(delivery())
    assert isinstance(outcome, Failed | Undelivered)
    assert "exit code 1" in outcome.message


async def test_a_missing_artifact_is_told(make_pool: Any, delivery: Any) -> None:
    outcome = await make_pool().deliver(delivery())
    assert isinstance(outcome, Undelivered)
    assert "could not be started" in outcome.message


async def test_an_end_is_noticed_at_once_although_something_it_started_holds_its_output(
    make_pool: Any, artifact: Any, delivery: Any, tmp_path: Path, eventually: Any
) -> None:
    note = tmp_path / "pid"
    artifact(
        step=f"""module.exports.POST = async () => {{
            const options = {{ detached: true, stdio: ['ignore', 'inherit', 'inherit'] }};
            const child = require('node:child_process').spawn('sleep', ['60'], options);
            require('node:fs').writeFileSync({str(note)!r}, String(child.pid));
            process.exit(3);
        }};"""
    )
    pool = make_pool()
    try:
        outcome = await asyncio.wait_for(pool.deliver(delivery()), 30)  # well before the sleep ends
        assert isinstance(outcome, Failed)
        assert "exit code 3" in outcome.message
        await eventually(lambda: pool.status() == [])
        await asyncio.wait_for(pool.close(grace=1), 20)
    finally:
        os.kill(int(note.read_text()), signal.SIGKILL)


async def test_an_executor_that_closes_its_connection_is_given_up(make_pool: Any, artifact: Any, delivery: Any) -> None:
    artifact(step="module.exports.POST = () => { require('node:fs').closeSync(3); return sleep(60_000); };")
    outcome = await asyncio.wait_for(make_pool(hang_timeout=4).deliver(delivery()), 50)
    assert isinstance(outcome, Failed)
    assert outcome.executor_lost


@pytest.mark.parametrize(
    "step",
    [
        r"module.exports.POST = async () => new Response('no \x1b[2J luck', { status: 500 });",
        r"throw new Error('no \x1b[2J luck');",
    ],
)
async def test_no_escape_sequence_of_an_app_gets_into_a_reason(
    make_pool: Any, artifact: Any, delivery: Any, step: str
) -> None:
    artifact(step=step)
    outcome = await make_pool().deliver(delivery())
    assert r"no \x1b[2J luck" in outcome.message


async def test_a_stray_rejection_harms_nobody(
    make_pool: Any, artifact: Any, delivery: Any, caplog: pytest.LogCaptureFixture
) -> None:
    artifact(
        step="""module.exports.POST = async () => {
            Promise.reject(new Error('forgotten'));
            await sleep(50);
            return Response.json({ ok: true });
        };"""
    )
    pool = make_pool()
    assert await asyncio.gather(*(pool.deliver(delivery()) for _ in range(3))) == [Handled()] * 3
    assert "Unhandled rejection: Error: forgotten" in caplog.text


async def test_an_uncaught_exception_ends_the_executor(
    make_pool: Any, artifact: Any, delivery: Any, caplog: pytest.LogCaptureFixture
) -> None:
    artifact(
        step="""module.exports.POST = async () => {
            setTimeout(() => { throw new Error('loose'); });
            await sleep(9999);
        };"""
    )
    outcome = await make_pool().deliver(delivery())
    assert isinstance(outcome, Failed)
    assert outcome.executor_lost
    assert "Uncaught exception, the executor ends: Error: loose" in caplog.text


@pytest.mark.parametrize(
    "frame",
    [
        "'garbage garbage'",
        "Buffer.from([255, 255, 255, 255])",
        "Buffer.from([0, 0, 0, 1, 0xa0])",
        "Buffer.from('00000006a16174617868', 'hex')",
        # A heartbeat with infinite memory: {t: "heartbeat", rss: Infinity, inFlight: 0}
        "Buffer.from('0000001ea361746968656172746265617463727373f97c0068696e466c6967687400', 'hex')",
        "Buffer.concat([Buffer.from([0, 0, 0, 13]), Buffer.from('a1617469', 'hex'), Buffer.from('delivered')])",
    ],
)
async def test_frames_forged_by_a_bundle_cost_only_its_own_executor(
    make_pool: Any, artifact: Any, delivery: Any, frame: str
) -> None:
    artifact(
        step=f"""module.exports.POST = async () => {{
            const fs = require('node:fs');
            for (const name of fs.readdirSync('/proc/self/fd')) {{
                try {{
                    if (fs.readlinkSync('/proc/self/fd/' + name).startsWith('socket:')) fs.writeSync(+name, {frame});
                }} catch {{}}
            }}
            await sleep(9999);
        }};"""
    )
    outcome = await make_pool().deliver(delivery())
    assert isinstance(outcome, Failed)
    assert outcome.executor_lost
    assert "it sent" in outcome.message


async def test_an_executor_given_up_cannot_call_the_world_any_more(
    make_pool: Any, artifact: Any, delivery: Any, world: Any, eventually: Any
) -> None:
    """It is stopped while it hangs, with calls on their way; they are not run."""
    artifact(
        step="""module.exports.POST = async () => {
            world.runs.get('before');
            await sleep(200);
            for (;;) world.runs.get('after');
        };"""
    )
    pool = make_pool(hang_timeout=2, memory_limit_mb=300)
    outcome = await pool.deliver(delivery())
    assert isinstance(outcome, Failed)
    assert outcome.executor_lost
    made = len(world.calls)
    await asyncio.sleep(0.2)
    assert len(world.calls) == made


async def test_what_a_step_started_ends_with_the_executor(
    make_pool: Any, artifact: Any, delivery: Any, eventually: Any, tmp_path: Path
) -> None:
    pid_file = tmp_path / "pid"
    artifact(
        step=f"""module.exports.POST = async () => {{
            const child = require('node:child_process').spawn('sleep', ['600'], {{ stdio: 'ignore' }});
            require('node:fs').writeFileSync({str(pid_file)!r}, String(child.pid));
            return Response.json({{ ok: true }});
        }};"""
    )
    pool = make_pool()
    assert await pool.deliver(delivery()) == Handled()
    child = int(pid_file.read_text())
    assert is_alive(child)
    await pool.close(grace=1)
    await eventually(lambda: not is_alive(child))


async def test_what_a_step_started_does_not_hold_the_connection(
    make_pool: Any, artifact: Any, delivery: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Even when the connection's descriptor has a high number in the worker."""
    caplog.set_level("INFO")
    artifact(
        step="""const { execFileSync } = require('node:child_process');
        module.exports.POST = async () => {
            const stdio = ['inherit', 'pipe', 'inherit'];
            console.log(String(execFileSync('ls', ['-l', '/proc/self/fd'], { stdio })));
            return Response.json({ ok: true });
        };"""
    )
    spare = [os.dup(0) for _ in range(40)]
    try:
        assert await make_pool().deliver(delivery()) == Handled()
    finally:
        for descriptor in spare:
            os.close(descriptor)
    assert "2 -> " in caplog.text
    assert not re.search(r" (?!1 )\d+ -> socket:", caplog.text)  # 1 is the pipe of execFileSync


async def test_a_webhook_call_that_is_never_answered_is_given_up_and_holds_nothing(
    make_pool: Any, artifact: Any, world: Any, delivery: Any, eventually: Any
) -> None:
    artifact(
        webhook="""module.exports.POST = async () => {
            for (;;) { await sleep(50); await world.runs.get('waiting'); }
        };"""
    )
    pool = make_pool(request_timeout=0.5, idle_timeout=1)
    call = WebRequest("POST", "http://localhost/.well-known/workflow/v1/webhook/t", (), b"")
    with pytest.raises(NoAnswerError, match=r"did not answer within 0\.5 s"):
        await pool.request(DEPLOYMENT, call)
    await asyncio.sleep(0.3)
    made = len(world.calls)
    await asyncio.sleep(0.3)
    assert len(world.calls) == made
    assert all(status.in_flight == 0 for status in pool.status())
    assert await pool.deliver(delivery()) == Handled()
    await eventually(lambda: pool.status() == [])


async def test_webhook_calls_that_wait_are_limited(
    make_pool: Any, artifact: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    monkeypatch.setattr("workflow_studio.worker.execution.executor._MAX_REQUESTS", 3)
    artifact(webhook="module.exports.POST = () => sleep(60_000);")
    pool = make_pool()
    call = WebRequest("POST", "http://localhost/", (), b"")
    waiting = [asyncio.create_task(pool.request(DEPLOYMENT, call)) for _ in range(3)]
    await eventually(lambda: pool.status() and pool.status()[0].in_flight == 3)
    with pytest.raises(ExecutorUnavailableError, match="3 webhook calls wait"):
        await pool.request(DEPLOYMENT, call)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert pool.status()[0].in_flight == 0


async def test_a_webhook_call_to_a_lost_executor_is_told(make_pool: Any, artifact: Any) -> None:
    artifact(webhook="module.exports.POST = async () => process.exit(3);")
    with pytest.raises(ExecutorUnavailableError, match="exit code 3"):
        await make_pool().request(DEPLOYMENT, WebRequest("POST", "http://localhost/x", (), b""))


WORKER = """
import asyncio, sys
from pathlib import Path
from workflow_studio.worker.execution import ExecutorOptions, NodeExecutorPool
from workflow_studio.worker.ports import Delivery

async def artifact(_):
    return Path(sys.argv[1])

async def main():
    pool = NodeExecutorPool(world=None, artifact=artifact, options=ExecutorOptions())
    work = asyncio.create_task(pool.deliver(Delivery("d", "m", "step", "__wkf_step_x", "dep_x", 1, b"\\xa0")))
    while not pool.status():
        await asyncio.sleep(0.05)
    print(pool.status()[0].pid, flush=True)
    await work

asyncio.run(main())
"""


@pytest.mark.parametrize("bundle", ["async () => sleep(60_000)", "async () => { for (;;); }"], ids=["waiting", "busy"])
async def test_an_executor_ends_when_its_worker_is_killed(artifact: Any, eventually: Any, bundle: str) -> None:
    folder = artifact(step=f"module.exports.POST = {bundle};")
    worker = await asyncio.create_subprocess_exec(sys.executable, "-c", WORKER, folder, stdout=asyncio.subprocess.PIPE)
    try:
        assert worker.stdout is not None
        pid = int(await worker.stdout.readline())
        await asyncio.sleep(0.3)
        assert is_alive(pid)
    finally:
        worker.kill()
        await worker.communicate()
    await eventually(lambda: not is_alive(pid))
