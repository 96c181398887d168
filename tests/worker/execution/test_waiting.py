"""A step that awaits another run's return value: its call waits, and nothing else does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from workflow_studio.worker.ports import Handled

pytestmark = pytest.mark.node

# As the SDK calls it (source: @workflow/core 4.8.9, runtime/run.js).
STEP = """
class Run {
  get returnValue() { return this.pollReturnValue(); }
  async pollReturnValue() { return (await world.runs.get('child')).output; }
}
module.exports.POST = async () => {
  const result = new Run().returnValue;
  await world.closeStream('meanwhile', 'r');
  return Response.json({ timeoutSeconds: await result });
};"""


class Waiting:
    """Answers a read of a run late."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.asked: list[Any] = []
        self.given_up = asyncio.Event()

    async def __call__(self, params: Any) -> Any:
        self.asked.append(params)
        try:
            await self.ended.wait()
        except asyncio.CancelledError:
            self.given_up.set()
            raise
        return {"runId": "child", "status": "completed", "output": 7}


@pytest.fixture
def child(world: Any) -> Waiting:
    waiting = Waiting()
    world.answers["runs.get"] = waiting
    return waiting


async def test_other_calls_go_on_while_one_waits(
    make_pool: Any, artifact: Any, delivery: Any, world: Any, child: Waiting, eventually: Any
) -> None:
    artifact(step=STEP)
    delivering = asyncio.create_task(make_pool().deliver(delivery()))
    await eventually(lambda: world.made("streams.close"))
    assert child.asked == [{"runId": "child", "waitMs": 25_000}]
    assert not delivering.done()
    child.ended.set()
    assert await asyncio.wait_for(delivering, 10) == Handled(timeout_seconds=7)
    assert len(child.asked) == 1


async def test_an_executor_that_waits_shows_signs_of_life(
    make_pool: Any, artifact: Any, delivery: Any, child: Waiting, eventually: Any
) -> None:
    artifact(step=STEP)
    delivering = asyncio.create_task(make_pool(hang_timeout=2).deliver(delivery()))
    await eventually(lambda: child.asked)
    done, _ = await asyncio.wait({delivering}, timeout=4)
    assert not done, "it would have been lost as hanging"
    child.ended.set()
    assert await asyncio.wait_for(delivering, 10) == Handled(timeout_seconds=7)


async def test_the_wait_of_a_lost_executor_is_given_up(
    make_pool: Any, artifact: Any, delivery: Any, child: Waiting, eventually: Any
) -> None:
    artifact(step=STEP)
    pool = make_pool()
    delivering = asyncio.create_task(pool.deliver(delivery()))
    await eventually(lambda: child.asked)
    await pool.close(grace=0)
    await asyncio.wait_for(child.given_up.wait(), 10)
    assert (await delivering).executor_lost
