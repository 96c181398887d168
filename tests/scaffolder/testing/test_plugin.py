"""The plugin of pytest, in projects of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["pytester"]

SETTINGS = "[pytest]\nasyncio_default_fixture_loop_scope = function\nworkflow_app = {app}\n"

MORE = """
import pytest
from datetime import UTC, datetime

def test_results_have_pythons_types(workflows):
    expected = {"date": datetime(1970, 1, 1, tzinfo=UTC), "big": 12, "map": {"a": 1}, "set": {1}, "bytes": b"\\1\\2"}
    assert workflows.run("values") == expected

def test_a_step_is_not_overtaken_by_a_sleep(workflows):
    run = workflows.start("racing").wait()
    assert run.result == "the step"
    assert run.output[0].text == "slowly"

def test_sleeps_in_loops_and_in_nested_runs_are_skipped(workflows):
    assert workflows.run("nested") == 3

def test_what_is_left_is_cancelled(workflows):
    global left
    left = workflows.start("sleeping", 1)

def test_what_was_left_is_cancelled(workflows):
    assert workflows.get(left.run_id).status == "cancelled"
    assert workflows.live() == []

@pytest.mark.fresh_workflow_worker
def test_alone(workflows, workflow_client, workflow_worker):
    assert workflows.client is workflow_client
    assert workflows.worker is not workflow_worker
    assert list(workflow_client.iter_runs()) == []

def test_that_fails(workflows):
    workflows.run("refused", "no stock")
"""


@pytest.fixture
def project(pytester: pytest.Pytester, shop: Path) -> pytest.Pytester:
    pytester.makeini(SETTINGS.format(app=shop))
    return pytester


@pytest.mark.node
@pytest.mark.timeout(300)
def test_a_projects_tests_run_workflows_on_a_worker(project: pytest.Pytester, page: dict[str, str]) -> None:
    project.makepyfile(test_page=page["tests/test_approval.py"], test_more=MORE)
    done = project.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist")
    done.assert_outcomes(passed=10, failed=1)
    done.stdout.fnmatch_lines(
        [
            "*def test_that_fails(workflows):",
            "*WorkflowFailure: The run wrun_* of refused has no result: it is failed.",
            "E * no stock*",
            "E *at refuse (workflows/more.ts:*)",
            "E *Steps:",
            'E * refuse: failed, with [[]"no stock"]',
            "E *It printed:",
            "E *about to refuse",
        ]
    )
    assert "raise WorkflowFailure" not in done.stdout.str(), "the code of the kit is not shown"


def test_an_app_that_cannot_be_built_is_told_in_a_sentence(pytester: pytest.Pytester) -> None:
    pytester.makeini(SETTINGS.format(app="."))
    pytester.makefile(".json", package='{"dependencies": {"workflow": "4.8.9"}}')
    pytester.makepyfile("def test_it(workflows): ...")
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines(["The Workflow SDK (npm package workflow) is not installed in *", "Run: npm install"])
    assert "Traceback" not in done.stdout.str()


def test_the_app_is_named_by_the_settings_or_on_the_command_line(pytester: pytest.Pytester) -> None:
    pytester.makeini(SETTINGS.format(app="apps/web"))
    pytester.makepyfile("def test_it(workflow_app): print(workflow_app)")
    settings = pytester.runpytest_inprocess("-s")
    settings.stdout.fnmatch_lines([f"*{pytester.path}/apps/web*"])
    option = pytester.runpytest_inprocess("-s", "--workflow-app", "apps/api")
    option.stdout.fnmatch_lines([f"*{pytester.path}/apps/api*"])


def test_where_it_is_not_used_nothing_of_it_is_loaded(pytester: pytest.Pytester) -> None:
    pytester.makeini(SETTINGS.format(app="."))
    pytester.makepyfile(
        """
        import sys
        def test_it():
            heavy = ("httpx", "pydantic", "workflow_studio.client", "workflow_studio.scaffolder.testing.runs")
            assert [name for name in heavy if name in sys.modules] == []
        """
    )
    # The other plugins of this environment, which load things of their own, stay out.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "workflow_studio.scaffolder.testing.plugin",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, "-o", "addopts=", "-c", "/dev/null", "--rootdir", "."],
        cwd=pytester.path,
        env={"PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
