"""The command ``size``, beside a worker that uses the database."""

from __future__ import annotations

import json

import pytest

from tests.worker.engine.conftest import Clock, Driver, make_manifest
from workflow_studio.worker.db.__main__ import main
from workflow_studio.worker.db.size import size
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.engine.expiry import Retention
from workflow_studio.worker.engine.objects import digest_of
from workflow_studio.worker.store import StoreError

DAY = 86_400_000


async def used(database):
    clock = Clock()
    clock.tick(-10 * DAY)
    engine = Engine(database, clock=clock)
    deployment, _ = await engine.deployments.register(make_manifest())
    await engine.deployments.activate(deployment.id)
    world = Driver(engine, clock, deployment.id)
    for _ in range(3):
        await world.create(await world.new_run(), "run_completed", output=b"x" * 50_000)
    await engine.objects.keep({digest_of(b"unused"): b"unused"})
    clock.tick(9 * DAY)
    await world.new_run()


@pytest.fixture
async def place(place):
    opened = place.open()
    await used(opened)
    yield place
    await opened.close()


def test_it_tells_rows_bytes_objects_and_what_retention_would_delete(place):
    told = size(place.location, Retention(outcomes={"completed": 7 * DAY, "failed": DAY}))
    by_name = {table["name"]: table for table in told["tables"]}
    assert by_name["runs"]["rows"] == 4
    assert by_name["events"]["rows"] == 11
    assert by_name["runs"]["bytes"] > 100_000
    assert told["bytes"] >= sum(table["bytes"] for table in told["tables"])
    assert told["objects"] == {"count": 1, "bytes": 6, "unusedCount": 1, "unusedBytes": 6}
    assert told["expired"] == {"runs": 3, "outputs": 0, "streams": 0}
    assert size(place.location, Retention())["expired"]["runs"] == 0


def test_the_largest_table_comes_first(place):
    sizes = [table["bytes"] for table in size(place.location, Retention())["tables"]]
    assert sizes == sorted(sizes, reverse=True)


def test_it_follows_the_settings_of_the_worker(place, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("WORKFLOW_STUDIO_WORKER_RETAIN_COMPLETED", "1w")
    url = place.location if "://" in place.location else f"sqlite:///{place.location}"
    assert main(["size", "--database-url", url]) == 0
    assert json.loads(capsys.readouterr().out)["expired"]["runs"] == 3


def test_without_a_database_there_is_nothing_to_measure(tmp_path):
    with pytest.raises(StoreError, match="no database"):
        size(tmp_path / "none.db", Retention())
    assert list(tmp_path.iterdir()) == []
