"""A backup that is taken while a worker works is one that a worker goes on from."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.postgres import binaries, database_url
from tests.support.until import until
from tests.worker.routes.conftest import WORKFLOW, make_settings, running
from workflow_studio.worker.unpacking import Unpacking

if TYPE_CHECKING:
    from pathlib import Path


class Sqlite:
    def url(self, folder: Path) -> str:
        return f"sqlite:///{folder}/data/worker.db"

    def make(self, name: str) -> None:
        """Nothing has to be there."""


class Postgres:
    def __init__(self, server: Path) -> None:
        self.server = server
        self.made: list[str] = []

    def url(self, folder: Path) -> str:
        return database_url(self.server, folder.name)

    def make(self, name: str) -> None:
        self.made.append(name)
        self.run("createdb", name)

    def run(self, tool: str, *arguments: str) -> None:
        given = ["--host", str(self.server), "--username", "postgres", *arguments]
        subprocess.run([binaries() / tool, *given], check=True, capture_output=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    if request.param == "sqlite":
        yield Sqlite()
        return
    monkeypatch.setenv("PATH", str(binaries()), prepend=os.pathsep)
    made = Postgres(request.getfixturevalue("postgres"))
    yield made
    for name in made.made:
        made.run("dropdb", name)


def settings_of(service, folder: Path) -> object:
    """Return the settings of a worker whose data is in a folder."""
    return make_settings(folder / "data", database_url=service.url(folder))


def do(service, command: str, folder: Path, backup: Path) -> None:
    given = [command, str(backup), "--data-dir", str(folder / "data"), "--database-url", service.url(folder)]
    subprocess.run([sys.executable, "-m", "workflow_studio.worker.db", *given], check=True, capture_output=True)


async def test_the_runs_of_a_copy_that_was_taken_under_load_go_on(service, tmp_path):
    started = []
    first, second, backup = tmp_path / "first", tmp_path / "second", tmp_path / "backup"
    service.make(first.name)
    service.make(second.name)
    async with running(settings_of(service, first)) as worker:

        async def load():
            while True:
                run_id = await worker.start()
                message = {"queueName": f"__wkf_workflow_{WORKFLOW}", "body": b"x", "runId": run_id}
                await worker.world("queue.publish", message)
                started.append(run_id)

        loading = asyncio.create_task(load())
        await until(lambda: len(started) > 3)
        surely = list(started)
        await asyncio.to_thread(do, service, "backup", first, backup)
        await until(lambda: len(started) > len(surely) + 2)
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)
    await asyncio.to_thread(do, service, "restore", second, backup)
    async with running(settings_of(service, second)) as worker:
        runs = {run["runId"] for run in (await worker.get("/v1/runs?limit=1000")).json()["data"]}
        assert set(surely) <= runs
        assert started[-1] not in runs, "the copy is of the moment it was taken at"
        for run_id in surely:
            events = (await worker.get(f"/v1/runs/{run_id}/events")).json()["data"]
            assert [event["eventType"] for event in events] == ["run_created", "run_started"]
        run_id = surely[0]
        wake = {"queueName": f"__wkf_workflow_{WORKFLOW}", "body": b"x", "runId": run_id}
        await worker.world("queue.publish", wake)
        await until(lambda: run_id in {delivery.run_id for delivery in worker.pool.deliveries})
        await worker.event(run_id, "run_completed")
        assert (await worker.get(f"/v1/runs/{run_id}")).json()["status"] == "completed"
        deployment = (await worker.get("/v1/deployments/active")).json()["deploymentId"]
        services = worker.services
        unpacked = await Unpacking(services.artifacts, services.engine, 10**9).obtain(deployment)
        assert unpacked.is_dir(), "what was deployed can be unpacked from the copy"
