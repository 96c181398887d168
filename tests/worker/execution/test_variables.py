"""Variables of a deployment's own, and executors that are replaced when they change."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.unpacked import unpacked
from workflow_studio.worker.execution import ExecutorOptions, NodeExecutorPool, find_nodes
from workflow_studio.worker.ports import ExecutorUnavailableError, Failed, Handled, Undelivered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.node

DEPLOYMENT = "dep_0123456789abcdef0123456789abcdef"
SHOW = """
module.exports.POST = async () => {
  await world.runs.get('r');
  return new Response(JSON.stringify([process.env.A, process.env.B, process.env.C]), { status: 500 });
};
"""


class Variables:
    """What a deployment's variables are, and a gate before them."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.error: Exception | None = None
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, deployment_id: str) -> dict[str, str]:
        assert deployment_id == DEPLOYMENT
        self.asked += 1
        found = dict(self.values)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return found


@pytest.fixture
def variables() -> Variables:
    return Variables()


@pytest.fixture
async def pool(world: Any, tmp_path: Path, variables: Variables) -> AsyncIterator[NodeExecutorPool]:
    made = NodeExecutorPool(
        world=world,
        artifact=unpacked(lambda deployment: tmp_path / "artifacts" / deployment),
        options=ExecutorOptions(nodes=find_nodes(), env={"A": "file", "B": "file"}),
        variables=variables,
    )
    yield made
    await made.close(grace=0)


def seen_by(outcome: Any) -> list[str | None]:
    assert isinstance(outcome, Failed)
    seen: list[str | None] = json.loads(outcome.message[outcome.message.index("[") : outcome.message.rindex("]") + 1])
    return seen


async def test_a_deployments_variables_win_over_the_env_file(
    pool: NodeExecutorPool, artifact: Any, delivery: Any, variables: Variables
) -> None:
    artifact(step=SHOW)
    variables.values = {"B": "own", "C": "own\nü"}
    assert seen_by(await pool.deliver(delivery())) == ["file", "own", "own\nü"]


async def test_a_change_counts_for_what_is_delivered_after_it_and_disturbs_nothing_that_runs(
    pool: NodeExecutorPool, artifact: Any, delivery: Any, variables: Variables, world: Any, eventually: Any
) -> None:
    artifact(step=SHOW)
    variables.values = {"C": "before"}
    gate = asyncio.Event()
    world.answers["runs.get"] = lambda _: gate.wait()
    running = asyncio.create_task(pool.deliver(delivery()))
    await eventually(lambda: world.calls)
    variables.values = {"C": "after"}
    await pool.refresh(DEPLOYMENT)
    later = asyncio.create_task(pool.deliver(delivery()))
    await eventually(lambda: len(world.calls) == 2)
    assert len({status.pid for status in pool.status()}) == 2
    gate.set()
    assert seen_by(await running)[2] == "before"
    assert seen_by(await later)[2] == "after"
    await eventually(lambda: len(pool.status()) == 1)


async def test_a_change_while_an_executor_starts_counts_for_the_delivery_that_waits_for_it(
    pool: NodeExecutorPool, artifact: Any, delivery: Any, variables: Variables, eventually: Any
) -> None:
    artifact(step=SHOW)
    variables.values = {"C": "before"}
    variables.gate.clear()
    waiting = asyncio.create_task(pool.deliver(delivery()))
    await eventually(lambda: variables.asked == 1)
    variables.values = {"C": "after"}
    await pool.refresh(DEPLOYMENT)
    variables.gate.set()
    assert seen_by(await waiting)[2] == "after"


async def test_variables_that_cannot_be_opened_keep_the_code_from_running_until_they_can(
    pool: NodeExecutorPool, artifact: Any, delivery: Any, variables: Variables
) -> None:
    artifact()
    variables.error = ExecutorUnavailableError("Variables were sealed under another key.")
    outcome = await pool.deliver(delivery())
    assert isinstance(outcome, Undelivered)
    assert "sealed under another key" in outcome.message
    variables.error = None
    await pool.refresh(DEPLOYMENT)
    assert await pool.deliver(delivery()) == Handled()


async def test_refreshing_a_deployment_that_has_no_executors_starts_none(pool: NodeExecutorPool) -> None:
    await pool.refresh(DEPLOYMENT)
    assert pool.status() == []
