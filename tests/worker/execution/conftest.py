"""A World that keeps a record, artifacts made of a few lines of JavaScript, and pools that are closed again."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.support.unpacked import unpacked
from workflow_studio.worker.execution import ExecutorOptions, NodeExecutorPool, find_nodes
from workflow_studio.worker.ports import Delivery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from workflow_studio.worker.ports import CallContext, OutputSink

DEPLOYMENT = "dep_0123456789abcdef0123456789abcdef"
OK = "module.exports.POST = async () => Response.json({ ok: true });"


class RecordingWorld:
    """Answers World calls from a table of results or functions; what is not there gets its own parameters back."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any], CallContext]] = []
        self.answers: dict[str, Any] = {}

    async def call(self, method: str, params: Mapping[str, Any], context: CallContext) -> Any:
        self.calls.append((method, dict(params), context))
        answer = self.answers.get(method, params)
        if callable(answer):
            answer = answer(params)
        return await answer if inspect.isawaitable(answer) else answer

    def made(self, method: str) -> list[dict[str, Any]]:
        return [params for name, params, _ in self.calls if name == method]


class MakeArtifact(Protocol):
    def __call__(self, *, flow: str = OK, step: str = OK, webhook: str = "", deployment: str = DEPLOYMENT) -> Path: ...


@pytest.fixture
def world() -> RecordingWorld:
    return RecordingWorld()


@pytest.fixture
def artifact(tmp_path: Path) -> MakeArtifact:
    """Writes an unpacked artifact; a bundle is the JavaScript given, with ``world`` and ``sleep`` at hand."""

    def make(*, flow: str = OK, step: str = OK, webhook: str = "", deployment: str = DEPLOYMENT) -> Path:
        folder = tmp_path / "artifacts" / deployment
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(json.dumps({"type": "commonjs"}))
        prelude = (
            "const world = globalThis[Symbol.for('@workflow/world//cache')];\n"
            "const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));\n"
        )
        for name, code in (("flow", flow), ("step", step), ("webhook", webhook)):
            (folder / f"{name}.js").write_text(prelude + code)
        return folder

    return make


@pytest.fixture
async def make_pool(world: RecordingWorld, tmp_path: Path) -> AsyncIterator[Callable[..., NodeExecutorPool]]:
    """Makes pools over the artifacts of this test."""
    pools = []
    oldest = find_nodes()[-1:]  # what the newest can do as well

    def make(output: OutputSink | None = None, **options: Any) -> NodeExecutorPool:
        pool = NodeExecutorPool(
            world=world,
            artifact=unpacked(lambda deployment: tmp_path / "artifacts" / deployment),
            options=ExecutorOptions(**{"nodes": oldest, **options}),
            output=output,
        )
        pools.append(pool)
        return pool

    yield make
    await asyncio.gather(*(pool.close(grace=0) for pool in pools))


_numbers = itertools.count(1)


def delivery(kind: Any = "step", body: bytes = b"\xa0", **fields: Any) -> Delivery:
    """A delivery of an empty message."""
    number = next(_numbers)
    defaults: dict[str, Any] = {
        "id": f"dlv_{number}",
        "message_id": f"msg_{number}",
        "queue_name": f"__wkf_{kind}_x",
        "deployment_id": DEPLOYMENT,
        "attempt": 1,
    }
    return Delivery(kind=kind, body=body, **{**defaults, **fields})


@pytest.fixture(name="delivery")
def delivery_fixture() -> Callable[..., Delivery]:
    return delivery


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Waits until a condition holds, for half a minute at most."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes
                await asyncio.sleep(0.02)

    return wait
