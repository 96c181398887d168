"""What the shell offers after the Tab key."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.scaffolder.operate.conftest import LiveWorker

PROGRAM = "import sys; from workflow_studio.scaffolder.cli import main; sys.exit(main(sys.argv[1:]))"


def studio(*arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout


def offered(line: str) -> list[str]:
    """Return what bash is offered for a line."""
    words = line.split(" ")
    variables = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    return studio(_STUDIO_COMPLETE="complete_bash", **variables).split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(shell: str) -> None:
    script = studio(_STUDIO_COMPLETE=f"source_{shell}")
    assert f"_STUDIO_COMPLETE=complete_{shell}" in script


def test_commands_and_their_options() -> None:
    assert {"runs", "deployments", "doctor"} <= set(offered("studio "))
    assert offered("studio ru") == ["runs"]
    assert offered("studio runs wa") == ["watch", "wake"]
    assert offered("studio runs list --st") == ["--status"]
    assert offered("studio runs list --status ca") == ["cancelled"]


def test_ids_of_runs_and_deployments(worker: LiveWorker) -> None:
    deployment = worker.deploy()
    run = worker.start()
    assert run in offered("studio runs show ")
    assert offered(f"studio runs show {run[:-2]}") == [run]
    assert offered("studio deployments activate dep_") == [deployment]
    assert offered("studio keys revoke adm") == ["admin"]


def test_a_worker_that_is_down_offers_nothing_and_says_nothing(
    worker: LiveWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_COMPUTE_BASE_URL", "http://127.0.0.1:1")
    assert offered("studio runs show ") == []
    monkeypatch.delenv("WORKFLOW_COMPUTE_API_KEY")
    assert offered("studio runs show ") == []
