"""``studio demo``, for real: npm, a production build, a worker, a deployment, a request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.template import FRAMEWORKS
from workflow_studio.scaffolder.demo.app import FRAMEWORKS as DEMOS
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


def test_every_framework_in_javascript_has_a_demo() -> None:
    assert list(FrameworkChoice) == list(DEMOS)
    assert set(DEMOS) == set(FRAMEWORKS)
