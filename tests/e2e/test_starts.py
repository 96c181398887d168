"""``start()`` of the published SDK against a worker: which deployment it lands on, and what it says when it cannot."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.support import run, studio, upload

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import PreparedApp
    from tests.e2e.support import Worker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

START = """
import { start } from 'workflow/api';
import { withRunOptions } from 'workflow-studio/run-options';
const { workflowId, args, options, runOptions } = JSON.parse(process.argv[1]);
try {
  const { runId } = await withRunOptions(runOptions, () => start({ workflowId }, args, options));
  console.log(JSON.stringify({ runId }));
} catch ({ name, message, status, code }) {
  console.log(JSON.stringify({ name, message, status, code }));
}
process.exit();
"""


@pytest.fixture(scope="module")
def directory(prepared_app: PreparedApp, worker: Worker) -> Path:
    found = prepared_app("nitro")
    upload(found, worker)
    return found


@pytest.fixture(scope="module")
def workflow(worker: Worker, directory: Path) -> str:
    """Return the id of a workflow that waits for a hook."""
    (active,) = [entry for entry in worker.get("/v1/deployments")["data"] if entry["status"] == "active"]
    (found,) = [name for name in active["workflows"] if name.endswith("//approval")]
    return str(found)


def start(
    directory: Path,
    worker: Worker,
    workflow: str,
    *args: object,
    run_options: dict[str, object] | None = None,
    **options: object,
) -> dict[str, Any]:
    call = json.dumps({"workflowId": workflow, "args": args, "options": options, "runOptions": run_options or {}})
    env = {"WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote", **worker.cli}
    lines = run("node", "--input-type=module", "-e", START, call, cwd=directory, env=env).splitlines()
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def test_a_start_that_no_deployment_can_run_is_rejected_and_leaves_nothing(
    directory: Path, worker: Worker, workflow: str
) -> None:
    runs = worker.get("/v1/runs")["data"]
    refused = start(directory, worker, "workflow//./workflows/features//nowhere", 1)
    assert (refused["name"], refused["status"], refused["code"]) == ("WorkflowWorldError", 404, "unknown_workflow")
    assert "has no workflow workflow//./workflows/features//nowhere" in refused["message"]
    gone = start(directory, worker, workflow, "x", deploymentId="dep_" + "0" * 32)
    assert (gone["status"], gone["code"]) == (404, "deployment_not_found")
    assert worker.get("/v1/runs")["data"] == runs
    assert worker.get("/v1/queue/dead")["data"] == []


def test_an_app_gives_its_runs_a_key_and_a_priority(directory: Path, worker: Worker, workflow: str) -> None:
    options: list[dict[str, object]] = [{"concurrencyKey": "acme", "priority": -3}, {"priority": 9}, {}]
    began = [start(directory, worker, workflow, f"k{n}", run_options=given) for n, given in enumerate(options)]
    for answer, given in zip(began, options, strict=True):
        run = worker.run(answer["runId"])
        assert {name: run[name] for name in ("concurrencyKey", "priority") if name in run} == given
        worker.http.post(f"/v1/runs/{answer['runId']}/cancel")


def test_latest_is_the_active_deployment_and_an_id_is_that_one(
    directory: Path, worker: Worker, workflow: str, tmp_path: Path
) -> None:
    first = worker.get("/v1/deployments/active")["deploymentId"]
    changed = tmp_path / "changed"
    shutil.copytree(directory, changed, symlinks=True, ignore=shutil.ignore_patterns("node_modules"))
    run("cp", "-al", directory / "node_modules", changed / "node_modules", cwd=tmp_path)
    source = changed / "workflows/features.ts"
    source.write_text(source.read_text().replace("answers.length === 2", "answers.length === 1"))
    second = studio("deploy", cwd=changed, env=worker.cli)["deploymentId"]
    assert second != first
    began = [
        start(directory, worker, workflow, "a", deploymentId="latest")["runId"],
        start(directory, worker, workflow, "b", deploymentId=first)["runId"],
        start(directory, worker, workflow, "c")["runId"],
    ]
    assert [worker.run(run_id)["deploymentId"] for run_id in began] == [second, first, second]
    for run_id in began:
        assert worker.http.post(f"/v1/runs/{run_id}/cancel").json()["status"] == "cancelled"
    assert worker.get(f"/v1/deployments/{first}")["status"] == "retired"
    assert worker.http.delete(f"/v1/deployments/{first}").status_code == 204
    gone = start(directory, worker, workflow, "d", deploymentId=first)
    assert gone["code"] == "deployment_not_found"
