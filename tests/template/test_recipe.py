"""The guide for servers that the template does not know: what it says to write and to run is written and run."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.template import ROOT, render
from tests.template.loader_app import LoaderApp, packages

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = (ROOT / "docs/guides/other-servers.md").read_text()
FENCE = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
FILES = {found[1]: found[2] for found in FENCE.finditer(GUIDE)}


@pytest.fixture
def app(template: Path) -> Iterator[LoaderApp]:
    answers = dict(found.split("=") for found in re.findall(r"--data (\S+)", GUIDE))
    with tempfile.TemporaryDirectory(dir=packages(), prefix="run-", ignore_cleanup_errors=True) as base:
        render(template, Path(base) / "app", answers.pop("framework"), answers.pop("mode"), **answers)
        app = LoaderApp(Path(base) / "app")
        app.write(FILES)
        yield app


@pytest.mark.e2e
def test_the_server_of_the_guide_runs_its_workflow(app: LoaderApp) -> None:
    scripts = json.loads(FILES["package.json"])["scripts"]
    app.run(*scripts["build"].split())
    *command, entry = scripts["start"].split()
    with app.serve(entry, tuple(command)) as server:
        run_id = server.http.post("/hello", params={"name": "Ada"}).text
        assert server.http.get(f"/runs/{run_id}").text == "hello Ada"
        assert server.http.post("/.well-known/workflow/v1/flow").status_code == 400
        assert server.http.get("/nothing").status_code == 404


@pytest.mark.e2e
def test_the_server_by_hand_answers_both(app: LoaderApp) -> None:
    app.build()
    with app.serve("by-hand.js") as server:
        assert server.http.put("/a/b?c=d").text == "PUT /a/b"
        assert server.http.post("/.well-known/workflow/v1/step").status_code == 400


def test_every_function_of_the_guide_is_exported(template: Path, tmp_path: Path) -> None:
    package = render(template, tmp_path / "app", "express", "existing", server="node") / "workflow-studio"
    declared = (package / "node.d.ts").read_text() + (package / "index.d.ts").read_text()
    named = set(re.findall(r"\b((?:with|handle|answer)Workflow\w+|to(?:Web|Node)\w+|sendWebResponse)\(?", GUIDE))
    assert len(named) == 6
    assert {name for name in named if f"function {name}" not in declared} == set()
