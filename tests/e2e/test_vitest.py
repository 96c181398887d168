"""Vitest in a real app: the tests of the documentation's page, on a worker of the tests."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support import STUDIO, clean_environment, run
from tests.scaffolder.testing.conftest import files_of_the_page

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.e2e.conftest import PreparedApp

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

VITEST = "4.1.12"

MORE = """
import { expect, test } from 'vitest';
import { start } from 'workflow/api';
import { waitForHook, waitForRun } from 'workflow-studio/testing';
import { approval } from '../workflows/approval';

test('what waits is told', async () => {
  const run = await start(approval, ['i-9']);
  await waitForHook(run);
  const waited = waitForRun(run.runId, { timeout: 0, skipSleeps: false });
  await expect(waited).rejects.toThrow(/of approval is still running after 0 ms\\.\\n.*approve-i-9/);
  expect(await waitForRun(run.runId)).toBe('not paid');
});
"""


@pytest.fixture(scope="module")
def app(prepared_app: PreparedApp, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Nitro app with the page's files, and Vitest in a folder above it."""
    root = tmp_path_factory.mktemp("vitest")
    (root / "package.json").write_text(json.dumps({"private": True, "devDependencies": {"vitest": VITEST}}))
    run("npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--no-package-lock", cwd=root)
    folder = root / "app"
    run("cp", "-al", prepared_app("nitro"), folder, cwd=root)
    for path, text in files_of_the_page().items():
        if path.endswith(".ts"):
            file = folder / path
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
    (folder / "tests/more.test.ts").write_text(MORE)
    return folder


def vitest(app: Path, variables: Mapping[str, str], *, expect: int) -> str:
    """Run the tests and return all that is printed."""
    command = ("node", app.parent / "node_modules/vitest/vitest.mjs", "run", "--reporter=verbose")
    environment = clean_environment(**{"STUDIO_COMMAND": str(STUDIO), **variables})
    done = subprocess.run(
        command, cwd=app, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == expect, done.stdout
    return done.stdout


def test_the_tests_of_the_page_pass_on_a_worker_of_their_own(app: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    # Whatever worker the shell names is not asked.
    other = {"WORKFLOW_COMPUTE_BASE_URL": "http://127.0.0.1:9", "WORKFLOW_COMPUTE_ENVIRONMENT": "dev-ada"}
    told = vitest(app, {"TMPDIR": str(temporary), **other}, expect=0)
    for line in ("an invoice is paid when somebody says so", "after a week it is too late", "what waits is told"):
        assert f"> {line}" in told
    assert "4 passed" in told
    assert [entry.name for entry in temporary.iterdir() if entry.name.startswith("workflow-studio")] == []


def test_an_app_whose_configuration_names_a_worker_is_not_tested_there(app: Path) -> None:
    config = app / "workflow.config.ts"
    before = config.read_text()
    config.unlink()  # it may be a link to a file that other tests have
    config.write_text("export default { execution: { remoteWorkerUrl: 'https://worker.example.com' } };\n")
    try:
        told = vitest(app, {}, expect=1)
    finally:
        config.write_text(before)
    assert "workflow.config.ts sends workflows to https://worker.example.com, and so would these tests" in told


def test_without_the_command_the_tests_say_what_to_install(app: Path) -> None:
    told = vitest(app, {"STUDIO_COMMAND": "studio-that-is-not-there"}, expect=1)
    assert "There is no command studio-that-is-not-there. Run: pip install 'workflow-studio[worker]'" in told
