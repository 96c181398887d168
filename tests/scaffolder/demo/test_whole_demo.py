"""``studio demo``, for real: npm, a production build, a worker, a deployment, a request."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.rotation import part_of
from tests.support.template import PYTHON, TEMPLATES
from workflow_studio.scaffolder.demo.app import FRAMEWORKS as DEMOS
from workflow_studio.scaffolder.demo.app import DemoError
from workflow_studio.scaffolder.demo.command import FrameworkChoice


@pytest.mark.e2e
@pytest.mark.node
@pytest.mark.timeout(600)
def test_the_order_of_the_example_app_is_fulfilled_on_the_worker(tmp_path: Path) -> None:
    studio = Path(sys.executable).with_name("studio")
    environment = {**os.environ, "TMPDIR": str(tmp_path), "WORKFLOW_TARGET_WORLD": "must-not-matter", "PORT": "1"}
    done = subprocess.run(
        [studio, "demo", "--json"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["run"]["status"] == "completed"
    assert document["run"]["output"]["payment"]["attempt"] == 2, "the first attempt fails on purpose"
    rows = document["timeline"]
    assert [row["name"] for row in rows if row["kind"] == "step"] == ["priceOf", "priceOf", "priceOf", "charge", "ship"]
    assert {len(row["attempts"]) for row in rows if row["name"] == "charge"} == {2}
    assert {row["executor"] for row in rows if row["kind"] == "step"} <= set(document["executors"])
    (pause,) = (row for row in rows if row["kind"] == "sleep")
    assert pause["attempts"][0]["endMs"] - pause["attempts"][0]["startMs"] >= 2000
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_every_framework_has_a_demo() -> None:
    assert list(FrameworkChoice) == list(DEMOS)
    assert set(DEMOS) == set(TEMPLATES)


@pytest.mark.e2e
@pytest.mark.node
@pytest.mark.timeout(600)
@pytest.mark.parametrize("framework", part_of(PYTHON, 1))
def test_an_app_in_python_has_its_order_fulfilled(tmp_path: Path, framework: str) -> None:
    studio = Path(sys.executable).with_name("studio")
    command = [studio, "demo", "--framework", framework, "--json"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["run"]["status"] == "completed"


def test_a_package_that_the_app_needs_is_asked_for_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DemoError, match="needs the package flask") as caught:
        DEMOS["flask"].require_packages()
    assert caught.value.hint == "Install it beside Studio: pip install flask"
    DEMOS["nitro"].require_packages()
    DEMOS["fastapi"].require_packages()
