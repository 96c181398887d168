"""Astro 7: https://astro.build. Its starter needs the internet; the app is its documented minimum with a server."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from tests.e2e.matrix.checks import FORM, FORM_TYPE, Checks, take_the_tour
from tests.e2e.matrix.serving import output_of_a_refused_start, serving
from tests.e2e.matrix.starter import Starter
from tests.e2e.support import run, upload

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support import App, Worker


class TestAstro(Checks):
    starter: ClassVar[Starter] = Starter(
        id="astro",
        start=("node", "dist/server/entry.mjs"),
        typecheck=("npx", "astro", "check"),
        workflows="src/workflows",
        node="22",
        dev=("npx", "astro", "dev"),
    )

    @pytest.mark.parametrize("headers", [{"content-type": FORM_TYPE}, {"content-type": "text/plain"}, {}])
    def test_forms_of_other_sites_are_still_refused(self, local: App, headers: dict[str, str]) -> None:
        other = {**headers, "origin": "https://elsewhere.example.com"}
        assert local.http.post("/api/hook", content=FORM, headers=other).status_code == 403

    def test_the_development_server_takes_webhooks_that_are_forms(
        self, starter: Starter, folder: Path, worker: Worker, environment: dict[str, str]
    ) -> None:
        with serving(starter, folder, worker, environment, dev=True) as app:
            take_the_tour(app)

    def test_a_server_that_would_execute_in_the_wrong_place_does_not_start(
        self, starter: Starter, folder: Path, environment: dict[str, str]
    ) -> None:
        said = output_of_a_refused_start(starter, folder, environment)
        assert "WORKFLOW_TARGET_WORLD must be workflow-studio/world-remote" in said

    def test_an_app_below_a_path_runs_in_the_app(
        self, starter: Starter, folder: Path, worker: Worker, environment: dict[str, str]
    ) -> None:
        run("npx", "astro", "build", "--base", "/shop", "--outDir", "dist-shop", cwd=folder, env=environment)
        shop = replace(starter, start=("node", "dist-shop/server/entry.mjs"))
        with serving(shop, folder, worker, environment, below="/shop") as app:
            take_the_tour(app)

    def test_settings_in_an_env_file_send_runs_to_the_worker(
        self, starter: Starter, folder: Path, worker: Worker, environment: dict[str, str]
    ) -> None:
        upload(folder, worker)
        settings = {"WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote", **worker.cli}
        file = folder / ".env"
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        try:
            with serving(starter, folder, worker, environment) as app:
                assert worker.run(take_the_tour(app))["status"] == "completed"
        finally:
            file.unlink()
