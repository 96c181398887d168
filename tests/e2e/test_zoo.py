"""The workflow zoo: each workflow of ``workflows/`` ends on our World as it does on the SDK's own local World."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.support import FRAMEWORKS, App, Server, free_port, run, studio, upload
from workflow_studio.worker.execution.node import find_node

if TYPE_CHECKING:
    from tests.e2e.conftest import PreparedApp
    from tests.e2e.support import Worker

    Outcomes = dict[str, dict[str, Any]]

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PATIENCE = 240.0  # seconds until a run counts as one without an end; the whole zoo usually takes well under 60
ZOO = Path(__file__).parent / "workflows"
EXPORTED = re.compile(r"^export async function (\w+)\([^{]*?\)[^{]*\{\n  'use workflow'", re.MULTILINE)
WORKFLOWS = {name: file.stem for file in sorted(ZOO.glob("*.ts")) for name in EXPORTED.findall(file.read_text())}

# How a run ends that does not complete. Equal results alone would not notice a workflow that fails everywhere.
ENDS: dict[str, str] = {
    **{name: "failed" for name, theme in WORKFLOWS.items() if theme == "failures"},
    "cancelledAsleep": "cancelled",
}

# What the local World of workflow 4.8.9 gets wrong, and what we expect instead of its outcome.
LOCAL_FLAWS: dict[str, Any] = {
    # Its queue delivers the run once for each of the parallel steps, and the replays race to create the sleep
    # ("Replay diverged": a RUNTIME_ERROR, not at every run).
    "parallelStepsThenSleep": [1, 2, 3, 4, 5, 6],
    # Steps and routes are bundled into one process with a copy of the class each; the copy that registers last wins,
    # and an instance that a step is given need not be of the class that the step knows.
    "classInstance": [True, 10],
}


@pytest.fixture(scope="module")
def zoo(prepared_app: PreparedApp, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_zoo(prepared_app, tmp_path_factory)


def make_zoo(prepared_app: PreparedApp, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a prepared Nitro app with the zoo in it, built for both Worlds at once."""
    directory = tmp_path_factory.mktemp("zoo") / "app"
    directory.mkdir()
    prepared = prepared_app("nitro")
    built = {"node_modules", ".output", ".workflow-studio", ".swc", ".nitro"}
    shutil.copytree(prepared, directory, symlinks=True, dirs_exist_ok=True, ignore=lambda *_: built)
    run("cp", "-al", prepared / "node_modules", directory / "node_modules", cwd=directory)
    shutil.copytree(ZOO, directory / "workflows" / "zoo")
    for route, method in (("play", ".post"), ("echo", "")):
        line = f"export {{ default }} from '../../workflows/zoo/driver/{route}';\n"
        (directory / "server" / "api" / f"{route}{method}.ts").write_text(line)
    run("npm", "run", "build", cwd=directory)
    studio("build", cwd=directory)
    return directory


@pytest.fixture(scope="module")
def on_the_local_world(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("local")
    port = free_port()
    # The Node.js that executors take: an older one cannot serialize errors of its own, such as a TimeoutError.
    path = os.pathsep.join((str(find_node().path.parent), os.environ["PATH"]))
    data = str(folder / "data")
    app = Server(
        command=FRAMEWORKS["nitro"].start,
        cwd=zoo,
        env={"PORT": str(port), "NODE_ENV": "production", "WORKFLOW_LOCAL_DATA_DIR": data, "PATH": path},
        log=folder / "app.log",
        url=f"http://localhost:{port}",
    )
    app.http = httpx.Client(base_url=app.url, timeout=PATIENCE)
    return played(app)


@pytest.fixture(scope="module")
def on_our_world(zoo: Path, worker: Worker) -> Outcomes:
    upload(zoo, worker)
    app = App(FRAMEWORKS["nitro"], zoo, worker)
    app.http.timeout = httpx.Timeout(PATIENCE)
    return played(app)


def played(app: Server) -> Outcomes:
    """Start every workflow of the zoo at once and wait for them all."""

    def play(name: str) -> dict[str, Any]:
        try:
            answer = app.http.post("/api/play", json={"workflow": name})
        except httpx.TimeoutException:
            return {"status": "no end"}
        if answer.status_code != 200:
            return {"status": answer.status_code, "body": answer.text}
        outcome: dict[str, Any] = answer.json()
        return outcome

    app.start()
    try:
        with ThreadPoolExecutor(len(WORKFLOWS)) as visitors:
            return dict(zip(WORKFLOWS, visitors.map(play, WORKFLOWS), strict=True))
    finally:
        app.stop(signal.SIGKILL)  # on the local World it would first wait for the runs that nobody awaits any more
        app.close()


def test_the_zoo_is_large_and_the_exceptions_are_of_it() -> None:
    assert len(WORKFLOWS) > 100
    visited = set(
        re.findall(r"^  (\w+): ", (ZOO / "driver" / "visits.ts").read_text().split("visits:")[1], re.MULTILINE)
    )
    assert {*ENDS, *LOCAL_FLAWS, *visited} <= set(WORKFLOWS)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_ends_as_on_the_local_world(name: str, on_the_local_world: Outcomes, on_our_world: Outcomes) -> None:
    ours = without_run_id(on_our_world[name])
    assert ours["status"] == ENDS.get(name, "completed"), json.dumps(ours, indent=2)
    if name in LOCAL_FLAWS:
        assert ours["result"] == LOCAL_FLAWS[name]
    else:
        assert ours == without_run_id(on_the_local_world[name])


def without_run_id(outcome: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in outcome.items() if key != "runId"}
