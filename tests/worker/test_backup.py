"""A copy that is taken while a worker works, as docs/operations/backup.md says, is one that a worker goes on from."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.postgres import binaries, database_url
from tests.support.until import until
from tests.worker.routes.conftest import WORKFLOW, make_settings, running
from workflow_studio.worker.unpacking import Unpacking

PAGE = (Path(__file__).parents[2] / "docs/operations/backup.md").read_text(encoding="utf-8")


def command(tool: str) -> list[str]:
    """Return a command of the page."""
    (line,) = re.findall(rf"^{tool} .*$", PAGE, re.MULTILINE)
    return shlex.split(line)


class Sqlite:
    def __init__(self, folder: Path) -> None:
        self.backup = folder / "backup"
        self.backup.mkdir()
        self.data = folder / "data"

    def settings(self, folder: Path) -> object:
        return make_settings(folder)

    def copy(self) -> None:
        statement = command("sqlite3")[2].replace("/backup/", f"{self.backup}/")
        with closing(sqlite3.connect(self.data / "worker.db")) as connection:
            connection.execute(statement)
        (copied,) = re.findall(r"^cp -a (.+) /backup/$", PAGE, re.MULTILINE)
        for path in copied.split():
            source = self.data / Path(path).name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, self.backup / source.name)

    def restore(self, folder: Path) -> object:
        shutil.copytree(self.backup, folder)
        return make_settings(folder)


class Postgres:
    def __init__(self, folder: Path, server: Path) -> None:
        self.server = server
        self.dump = folder / "studio.dump"
        self.objects = folder / "objects-store"
        self.run("createdb", "backed_up")

    def run(self, tool: str, *arguments: str) -> None:
        given = ["--host", str(self.server), "--username", "postgres", *arguments]
        subprocess.run([binaries() / tool, *given], check=True, capture_output=True)

    def settings(self, folder: Path) -> object:
        return self.of("backed_up", folder)

    def of(self, name: str, folder: Path) -> object:
        url = database_url(self.server, name)
        return make_settings(folder, database_url=url, objects_url=f"file://{self.objects}")

    def copy(self) -> None:
        options = [part for part in command("pg_dump") if part.startswith("--format")]
        self.run("pg_dump", *options, f"--file={self.dump}", "backed_up")

    def restore(self, folder: Path) -> object:
        self.run("createdb", "restored")
        options = [part for part in command("pg_restore") if part == "--no-owner"]
        self.run("pg_restore", *options, "--dbname=restored", str(self.dump))
        return self.of("restored", folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "sqlite":
        yield Sqlite(tmp_path)
        return
    made = Postgres(tmp_path, request.getfixturevalue("postgres"))
    yield made
    for name in ("backed_up", "restored"):
        made.run("dropdb", "--if-exists", name)


async def test_the_runs_of_a_copy_that_was_taken_under_load_go_on(service, tmp_path):
    started = []
    async with running(service.settings(tmp_path / "data")) as worker:

        async def load():
            while True:
                run_id = await worker.start()
                message = {"queueName": f"__wkf_workflow_{WORKFLOW}", "body": b"x", "runId": run_id}
                await worker.world("queue.publish", message)
                started.append(run_id)

        loading = asyncio.create_task(load())
        await until(lambda: len(started) > 3)
        surely = list(started)
        await asyncio.to_thread(service.copy)
        await until(lambda: len(started) > len(surely) + 2)
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)
    async with running(service.restore(tmp_path / "restored")) as worker:
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
