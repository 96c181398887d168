"""Nuxt 4: https://nuxt.com. Its starter is fetched from GitHub; the app is its documented minimum."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from tests.e2e.matrix.checks import Checks, take_the_tour
from tests.e2e.matrix.serving import output_of_a_refused_start, serving
from tests.e2e.matrix.starter import Starter
from tests.e2e.support import upload, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support import Worker

NAP = """import { sleep } from 'workflow';

export async function nap() {
  'use workflow';
  await sleep('8s');
  return 'rested';
}
"""
START_NAP = """import { start } from 'workflow/api';
import { nap } from '../workflows/nap';

export default defineEventHandler(async () => {
  const { runId } = await start(nap, []);
  return { runId };
});
"""


class TestNuxt(Checks):
    starter: ClassVar[Starter] = Starter(
        id="nuxt",
        start=("node", ".output/server/index.mjs"),
        typecheck=("npx", "nuxt", "typecheck"),
        workflows="server/workflows",
        node="22",
        dev=("npx", "nuxt", "dev"),
    )

    def test_a_server_that_would_execute_in_the_wrong_place_does_not_start(
        self, starter: Starter, folder: Path, environment: dict[str, str]
    ) -> None:
        said = output_of_a_refused_start(starter, folder, environment)
        assert "WORKFLOW_TARGET_WORLD must be workflow-studio/world-remote" in said

    def test_an_app_below_a_path_runs_in_the_app(
        self, starter: Starter, folder: Path, worker: Worker, environment: dict[str, str]
    ) -> None:
        below = {**environment, "NUXT_APP_BASE_URL": "/shop/"}
        with serving(starter, folder, worker, below, below="/shop") as app:
            take_the_tour(app)

    def test_moved_output_runs_in_the_app_and_on_the_worker(
        self, starter: Starter, folder: Path, worker: Worker, environment: dict[str, str], tmp_path: Path
    ) -> None:
        upload(folder, worker)
        shutil.copytree(folder / ".output", tmp_path / "moved", symlinks=True)
        moved = replace(starter, start=("node", str(tmp_path / "moved/server/index.mjs")))
        with serving(moved, tmp_path, worker, environment) as app:
            take_the_tour(app)
        with serving(moved, tmp_path, worker, environment, remote=True) as app:
            assert worker.run(take_the_tour(app))["status"] == "completed"

    def test_a_change_in_development_loses_no_run(
        self, starter: Starter, folder: Path, worker: Worker, environment: dict[str, str]
    ) -> None:
        workflow, route = folder / "server/workflows/nap.ts", folder / "server/api/nap.post.ts"
        workflow.write_text(NAP)
        route.write_text(START_NAP)
        try:
            with serving(starter, folder, worker, environment, dev=True) as app:
                take_the_tour(app)
                run_id = app.http.post("/api/nap").json()["runId"]
                built = app.log.read_text().count("server built")
                workflow.write_text(NAP + "// changed\n")
                wait_until(lambda: app.log.read_text().count("server built") > built, what="the new build")
                ended = wait_until(
                    lambda: found if (found := app.ask(run_id))["status"] == "completed" else None,
                    what=f"the end of {run_id}",
                )
                assert ended["result"] == "rested"
        finally:
            workflow.unlink()
            route.unlink()
