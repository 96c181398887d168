"""Activation under load: while callers keep on starting runs, the active deployment changes to and fro."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.support import FRAMEWORKS, KEY, App, run, studio, upload, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import PreparedApp
    from tests.e2e.support import Worker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CHANGES = 50
PAUSE = 0.1
CALLERS = 2


@pytest.fixture
def deployments(prepared_app: PreparedApp, crashing_worker: Worker, tmp_path: Path) -> tuple[str, str]:
    """Two deployments of one app: the second returns the number with the other sign."""
    original = prepared_app("nitro")
    first = upload(original, crashing_worker)
    changed = tmp_path / "changed"
    shutil.copytree(original, changed, symlinks=True, ignore=shutil.ignore_patterns("node_modules"))
    run("cp", "-al", original / "node_modules", changed / "node_modules", cwd=tmp_path)
    source = changed / "workflows/features.ts"
    text = source.read_text()
    assert text.count("  return until;\n") == 1
    source.write_text(text.replace("  return until;\n", "  return -until;\n"))
    studio("build", cwd=changed)
    second: str = studio("compute", "deploy", cwd=changed, env=crashing_worker.cli)["deploymentId"]
    assert second != first
    return first, second


class Callers:
    """Start runs without a pause, through the app and over the worker's own API, and keep what they were told."""

    def __init__(self, app: App, worker: Worker, workflow: str) -> None:
        self._app = app
        self._worker = worker
        self._workflow = workflow
        self._enough = threading.Event()
        self.started: dict[str, str | None] = {}

    def through_the_app(self) -> None:
        while not self._enough.is_set():
            self.started[self._app.begin("counting", 1)] = None

    def over_the_api(self, caller: int) -> None:
        with httpx.Client(base_url=self._worker.url, headers={"authorization": f"Bearer {KEY}"}, timeout=30) as http:
            number = 0
            while not self._enough.is_set():
                number += 1
                answer = http.post(
                    "/v1/runs",
                    json={"workflowName": self._workflow, "input": [1]},
                    headers={"idempotency-key": f"{caller}-{number}"},
                )
                assert answer.status_code == 201, answer.text
                self.started[answer.json()["runId"]] = answer.json()["deploymentId"]
                time.sleep(0.02)

    def stop(self) -> None:
        self._enough.set()


def test_fifty_activations_under_a_steady_load_of_starts(
    deployments: tuple[str, str], prepared_app: PreparedApp, crashing_worker: Worker
) -> None:
    worker = crashing_worker
    results = dict(zip(deployments, (1, -1), strict=True))
    workflow = next(
        name for name in worker.get(f"/v1/deployments/{deployments[0]}")["workflows"] if name.endswith("//counting")
    )
    app = App(FRAMEWORKS["nitro"], prepared_app("nitro"), worker)
    app.start()
    callers = Callers(app, worker, workflow)
    try:
        with ThreadPoolExecutor(CALLERS + 1) as pool:
            calling = [
                pool.submit(callers.through_the_app),
                *(pool.submit(callers.over_the_api, n) for n in range(CALLERS)),
            ]
            try:
                for change in range(CHANGES):
                    chosen = deployments[(change + 1) % 2]
                    answer = worker.http.post(f"/v1/deployments/{chosen}/activate")
                    assert answer.status_code == 200, answer.text
                    assert worker.get("/v1/deployments/active")["deploymentId"] == chosen
                    time.sleep(PAUSE)
            finally:
                callers.stop()
            for call in calling:
                call.result()

        assert len(callers.started) > CHANGES, "there was a load"
        wait_until(lambda: not worker.get("/v1/runs", status="running", limit="1")["data"], seconds=240, what="the end")
        wait_until(lambda: not worker.get("/v1/runs", status="pending", limit="1")["data"], seconds=60, what="the end")
        seen = set()
        for run_id, promised in callers.started.items():
            found = worker.run(run_id)
            assert found["status"] == "completed", found
            assert promised in (None, found["deploymentId"]), "a run stays on the deployment it was started on"
            assert found["output"] == results[found["deploymentId"]], "it ran the code of that deployment"
            seen.add(found["deploymentId"])
        assert seen == set(deployments), "both were used"
    finally:
        app.close()
