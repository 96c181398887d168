"""A worker that clients can call."""

from __future__ import annotations

import threading
import time

import pytest
import uvicorn

from tests.worker.artifacts.archives import artifact, manifest_of, redigested
from tests.worker.routes.conftest import ADMIN, FakePool, make_settings
from workflow_studio.client import ComputeClient
from workflow_studio.worker.app import create_app

WORKFLOW = "workflow//./workflows/order//processOrder"


@pytest.fixture
def url(tmp_path):
    """Serve a worker whose executors take messages and do nothing, with a deployment that is active."""
    app = create_app(make_settings(tmp_path / "data"), pool=FakePool())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        archive = tmp_path / "artifact.tgz"
        archive.write_bytes(artifact(manifest=redigested(manifest_of(workflows=[WORKFLOW]))))
        with ComputeClient(url, ADMIN) as client:
            client.activate_deployment(client.create_deployment(archive).deployment_id)
        yield url
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def naps(monkeypatch):
    """Have no client pause; return how long each pause would have been."""
    taken: list[float] = []

    async def nap(seconds):
        taken.append(seconds)

    monkeypatch.setattr("workflow_studio.client._sync.base.time.sleep", taken.append)
    monkeypatch.setattr("workflow_studio.client._async.base.anyio.sleep", nap)
    return taken
