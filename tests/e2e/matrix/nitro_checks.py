"""What holds besides in an app that Nitro builds and serves."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.e2e.matrix.checks import Checks, take_the_tour, take_the_tour_by_its_own_routes
from tests.e2e.matrix.serving import serving
from tests.e2e.matrix.starter import OPEN
from tests.e2e.support import upload

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.matrix.starter import Starter
    from tests.e2e.support import Worker


class NitroChecks(Checks):
    """The checks; ``starter`` says of which app."""

    def test_webhooks_in_development_have_the_url_of_the_development_server(
        self, starter: Starter, folder: Path, worker: Worker, environment: dict[str, str]
    ) -> None:
        with serving(starter, folder, worker, environment, dev=True) as app:
            take_the_tour(app, webhooks=app.url)

    def test_moved_output_runs_in_the_app_and_by_its_env_file_on_the_worker(
        self, starter: Starter, folder: Path, worker: Worker, environment: dict[str, str], tmp_path: Path
    ) -> None:
        upload(folder, worker)
        shutil.copytree(folder / ".output", tmp_path / "moved", symlinks=True)
        moved = replace(starter, start=("node", str(tmp_path / "moved/server/index.mjs")))
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        with serving(moved, elsewhere, worker, {**environment, **OPEN}) as app:
            take_the_tour(app, webhooks=app.url)
            take_the_tour_by_its_own_routes(app)
        settings = {"WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote", **worker.cli}
        (elsewhere / ".env").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        with serving(moved, elsewhere, worker, environment) as app:
            assert worker.run(take_the_tour(app))["status"] == "completed"
