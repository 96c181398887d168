"""What Next.js and the Workflow SDK's plugin for it would get wrong, and the adapter puts right."""

from __future__ import annotations

import json

import pytest

from tests.template.support import App

pytestmark = pytest.mark.node

PACKAGE = "./node_modules/workflow-studio"
WRAP = f"const {{ withWorkflowStudioNext }} = require('{PACKAGE}/next.cjs');"
# What withWorkflow does around the adapter (source: @workflow/next 4.1.13).
SDK = """
const withWorkflow = (inner) => {
  if (!process.env.WORKFLOW_TARGET_WORLD) {
    process.env.WORKFLOW_TARGET_WORLD = 'local';
    process.env.WORKFLOW_LOCAL_DATA_DIR = '.next/workflow-data';
  }
  return (phase) => inner(phase, {});
};
"""


@pytest.mark.parametrize(("given", "kept"), [(None, ".workflow-data"), ("/runs", "/runs")])
def test_local_runs_outlive_a_build(app: App, given: str | None, kept: str) -> None:
    env = {"WORKFLOW_LOCAL_DATA_DIR": given} if given else {}
    code = f"{WRAP}{SDK} await withWorkflow(withWorkflowStudioNext({{}}))('phase-production-server');"
    assert app.value(f"{code} return process.env.WORKFLOW_LOCAL_DATA_DIR", **env) == kept


def test_a_folder_of_local_runs_is_left_alone_where_the_sdk_chooses_none(app: App) -> None:
    env = {"WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote"}
    code = f"{WRAP}{SDK} await withWorkflow(withWorkflowStudioNext({{}}))('phase-production-build');"
    assert app.value(f"{code} return process.env.WORKFLOW_LOCAL_DATA_DIR ?? null", **env) is None


@pytest.mark.parametrize(
    ("script", "built"), [("/app/node_modules/next/dist/telemetry/detached-flush.js", "1"), ("/app/next", None)]
)
def test_the_helper_that_next_dev_leaves_watches_nothing(app: App, script: str, built: str | None) -> None:
    code = f"process.argv[1] = {json.dumps(script)}; {WRAP} withWorkflowStudioNext({{}});"
    assert app.value(f"{code} return process.env.WORKFLOW_NEXT_PRIVATE_BUILT ?? null") == built


BUILD = f"{WRAP} return (await withWorkflowStudioNext({{output: OUTPUT}})('phase-production-build', {{}}))"
SETTINGS = {"execution": {"mode": "remote", "remoteWorkerUrl": "https://worker.example", "retries": 7}}


def test_a_standalone_server_has_the_settings_it_was_built_with(app: App) -> None:
    app.write("workflow.config.json", json.dumps(SETTINGS))
    made = app.value(BUILD.replace("OUTPUT", "'standalone'"))
    traced = made["outputFileTracingIncludes"]["/*"][-1].removeprefix("./")

    moved = App(app.folder.parent / "moved")
    (moved.folder / "node_modules").mkdir(parents=True)
    (moved.folder / "node_modules/workflow-studio").symlink_to(app.folder / "node_modules/workflow-studio")
    moved.write(traced, (app.folder / traced).read_text())
    read = "return require('workflow-studio').resolveWorkflowStudioAdapterConfig()"
    found = moved.value(read, __NEXT_PRIVATE_STANDALONE_CONFIG="{}")
    assert (found["executionMode"], found["baseUrl"], found["retries"]) == ("remote", "https://worker.example", 7)
    # What an earlier build has left in the app's own folder says nothing.
    assert moved.value(read)["executionMode"] == "local"


def test_no_settings_are_written_for_a_server_that_stays_where_the_app_is(app: App) -> None:
    app.write("workflow.config.json", json.dumps(SETTINGS))
    app.value(BUILD.replace("OUTPUT", "undefined"))
    assert not (app.folder / ".workflow-studio").exists()
