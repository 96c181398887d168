"""Artifacts go through each cloud's store from one worker to another."""

from __future__ import annotations

from tests.worker.routes.conftest import make_settings, running
from workflow_studio.worker.unpacking import Unpacking


async def test_what_one_worker_was_sent_another_one_fetches(bucket, tmp_path):
    place = {"database_url": f"sqlite:///{tmp_path}/worker.db", "objects_url": bucket}
    async with running(make_settings(tmp_path / "first", **place)) as worker:
        deployment = await worker.deploy()
        sent = await Unpacking(worker.services.artifacts, worker.services.engine, 10**9).obtain(deployment)
        wanted = {path.relative_to(sent): path.read_bytes() for path in sent.rglob("*") if path.is_file()}
    async with running(make_settings(tmp_path / "second", **place)) as worker:
        fetched = await Unpacking(worker.services.artifacts, worker.services.engine, 10**9).obtain(deployment)
        assert fetched.is_relative_to(tmp_path / "second")
        assert {path.relative_to(fetched): path.read_bytes() for path in fetched.rglob("*") if path.is_file()} == wanted
        assert not (tmp_path / "second/objects").exists()
