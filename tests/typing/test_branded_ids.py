"""Ids of different kinds cannot be mixed up: mypy refuses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent.parent

RIGHT = """
from workflow_studio.client import ComputeClient
from workflow_studio.compute.ids import DeploymentId, KeyId, RunId, StepId, deployment_id, parse_run_id


def look(client: ComputeClient, text: str, step: StepId) -> None:
    run = client.get_run(parse_run_id(text))
    client.cancel_run(run.run_id)
    client.get_deployment(run.deployment_id)
    client.get_run_step(step, run_id=RunId("wrun_1"))
    client.activate_deployment(deployment_id("sha256:" + "0" * 64))
    shown: str = run.run_id
    print(shown)
"""

WRONG = {
    "a step's id is no run's": "client.get_run(step)",
    "a deployment's id is no run's": "client.cancel_run(run.deployment_id)",
    "a run's id is no deployment's": "client.activate_deployment(run.run_id)",
    "any text is no id": "client.get_run(text)",
    "a key's id is no message's": "client.retry_dead_message(KeyId('key_1'))",
    "an answer's ids are of their kinds": "kept: DeploymentId = run.run_id",
}


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Check a module as the project's own are checked; return what mypy says of it."""
    folder = tmp_path_factory.mktemp("typing")

    def checked(source: str) -> str:
        module = folder / "snippet.py"
        module.write_text(source, encoding="utf-8")
        command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context"]
        command += ["--namespace-packages", "--cache-dir", str(folder / "cache"), str(module)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert not done.stderr, done.stderr
        return done.stdout

    return checked


def test_ids_are_refused_where_another_kind_belongs(check: Callable[[str], str]) -> None:
    lines = [*RIGHT.strip().splitlines(), *(f"    {line}" for line in WRONG.values())]
    refused = {line.split(":")[1] for line in check("\n".join(lines)).splitlines() if "error:" in line}
    first = len(lines) - len(WRONG) + 1
    assert refused == {str(first + number) for number in range(len(WRONG))}
