"""The SDK's own suite for Worlds, ``@workflow/world-testing``, in an app that has our World."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.e2e.support import APPS, clean_environment, run, studio

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.support import Worker


@dataclass(frozen=True)
class Case:
    """What vitest says of one case.

    Attributes:
        status: ``passed``, ``failed``, ``pending`` and so on.
        messages: Why it failed, with stacks.
    """

    status: str
    messages: tuple[str, ...]


def prepare(directory: Path) -> None:
    """Install the suite and our World, and have the app's SDK build the suite's workflows."""
    shutil.copytree(APPS / "world-testing", directory)
    run("npm", "install", "--prefer-offline", "--no-audit", "--no-fund", cwd=directory)
    studio("scaffold", "--yes", cwd=directory)
    run("npm", "run", "prepare-suite", cwd=directory)
    studio("build", cwd=directory)


def play(directory: Path, worker: Worker, report: Path) -> dict[str, Case]:
    """Have vitest run the suite against a worker that holds the app's deployment; return its cases by name."""
    done = subprocess.run(
        ("node_modules/.bin/vitest", "run", f"--outputFile={report}"),
        cwd=directory,
        env=clean_environment(**worker.cli),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert report.exists(), f"vitest ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    (file,) = json.loads(report.read_text())["testResults"]
    cases = {
        found["fullName"]: Case(found["status"], tuple(found["failureMessages"])) for found in file["assertionResults"]
    }
    assert len(cases) == len(file["assertionResults"]) > 0, file["message"]
    return cases
