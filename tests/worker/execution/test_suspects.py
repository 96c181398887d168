"""A message that kills its executor, and the neighbours that have nothing to do with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from workflow_studio.worker.execution import pool as pool_module
from workflow_studio.worker.execution.suspects import LOSSES, Suspects
from workflow_studio.worker.ports import Failed, Handled, Undelivered

if TYPE_CHECKING:
    from workflow_studio.worker.ports import Outcome

STEP = """module.exports.POST = async (request) => {
    const name = request.headers.get('x-vqs-message-id');
    await world.runs.get(name);
    if (name === 'msg_killer') process.kill(process.pid, 'SIGKILL');
    return Response.json({ ok: true });
};"""
LOST = Failed("The executor was lost.", executor_lost=True)


def is_lost(outcome: Outcome) -> bool:
    return isinstance(outcome, Failed) and outcome.executor_lost


def test_a_message_is_a_suspect_after_two_losses_in_a_row() -> None:
    suspects = Suspects()
    suspects.note("msg", LOST)
    assert "msg" not in suspects
    suspects.note("msg", LOST)
    assert "msg" in suspects
    assert "other" not in suspects


@pytest.mark.parametrize("outcome", [Handled(), Handled(timeout_seconds=1), Failed("The step's code threw.")])
def test_an_answer_clears_a_suspect(outcome: Outcome) -> None:
    suspects = Suspects()
    for _ in range(LOSSES):
        suspects.note("msg", LOST)
    suspects.note("msg", outcome)
    suspects.note("msg", LOST)
    assert "msg" not in suspects


def test_what_is_remembered_of_messages_that_never_came_again_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflow_studio.worker.execution.suspects._MOST", 3)
    suspects = Suspects()
    for number in range(9):
        suspects.note(f"msg_{number}", LOST)
    for number in range(9):
        suspects.note(f"msg_{number}", LOST)
    assert sum(f"msg_{number}" in suspects for number in range(9)) <= 3


class Stage:
    """Holds deliveries up, and lets the killer strike when all that were delivered with it are there."""

    def __init__(self, pool: Any, delivery: Any, world: Any, eventually: Any) -> None:
        self.pool = pool
        self._delivery = delivery
        self._eventually = eventually
        self._there: set[str] = set()
        self._strike = asyncio.Event()
        self.goes_on = asyncio.Event()
        world.answers["runs.get"] = self._hold

    async def _hold(self, params: dict[str, Any]) -> dict[str, Any]:
        name = params["runId"]
        self._there.add(name)
        await (self._strike if name == "msg_killer" else self.goes_on).wait()
        return params

    def deliver(self, name: str) -> asyncio.Task[Outcome]:
        return asyncio.create_task(self._deliver(name))

    async def _deliver(self, name: str) -> Outcome:
        outcome: Outcome = await self.pool.deliver(self._delivery(message_id=name))
        if isinstance(outcome, Undelivered):  # an executor that was lost at once is not replaced at once
            await asyncio.sleep(0.1)
            return await self._deliver(name)
        return outcome

    async def there(self, *names: str) -> None:
        await self._eventually(lambda: set(names) <= self._there)

    async def make_suspects(self, *names: str) -> None:
        """Have the messages lost together as often as it takes."""
        for _ in range(LOSSES):
            self._there.clear()
            self._strike.clear()
            deliveries = [self.deliver(name) for name in ("msg_killer", *names)]
            await self.there("msg_killer", *names)
            assert len({status.pid for status in self.pool.status() if status.in_flight}) == 1
            self._strike.set()
            assert all(map(is_lost, await asyncio.gather(*deliveries)))
            await self._eventually(lambda: self.pool.status() == [])
        self._there.clear()


@pytest.fixture
def stage(make_pool: Any, artifact: Any, delivery: Any, world: Any, eventually: Any) -> Stage:
    artifact(step=STEP)
    return Stage(make_pool(), delivery, world, eventually)


@pytest.mark.node
async def test_the_neighbours_of_a_killer_lose_two_starts_at_most(stage: Stage, eventually: Any) -> None:
    await stage.make_suspects("msg_innocent", "msg_too")
    again = [stage.deliver(name) for name in ("msg_innocent", "msg_too", "msg_fresh")]
    await stage.there("msg_innocent", "msg_too", "msg_fresh")
    assert is_lost(await stage.deliver("msg_killer"))
    # Each has an executor of its own.
    await eventually(lambda: [status.in_flight for status in stage.pool.status()] == [1, 1, 1])
    stage.goes_on.set()
    assert await asyncio.gather(*again) == [Handled(), Handled(), Handled()]
    await eventually(lambda: len(stage.pool.status()) == 1)
    assert is_lost(await stage.deliver("msg_killer")), "and it goes on to harm nobody but itself"
    await eventually(lambda: len(stage.pool.status()) == 1)


@pytest.mark.node
async def test_suspects_wait_for_a_place_and_nobody_else_does(
    make_pool: Any, artifact: Any, delivery: Any, world: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_MOST_ALONE", 1)
    artifact(step=STEP)
    stage = Stage(make_pool(), delivery, world, eventually)
    await stage.make_suspects("msg_a", "msg_b")
    first = stage.deliver("msg_a")
    await stage.there("msg_a")
    monkeypatch.setattr(pool_module, "_PATIENCE", 0.05)
    refused = await stage.pool.deliver(delivery(message_id="msg_b"))
    assert isinstance(refused, Undelivered)
    assert "delivered alone already" in refused.message
    monkeypatch.undo()
    other = stage.deliver("msg_other")
    await stage.there("msg_other")
    second = stage.deliver("msg_b")
    stage.goes_on.set()
    assert await asyncio.gather(first, other, second) == [Handled(), Handled(), Handled()]


@pytest.mark.node
async def test_closing_the_pool_ends_what_runs_alone(stage: Stage) -> None:
    await stage.make_suspects("msg_a")
    delivering = stage.deliver("msg_a")
    await stage.there("msg_a")
    await stage.pool.close(grace=0.1)
    assert is_lost(await delivering)
    assert stage.pool.status() == []
    stage.goes_on.set()
