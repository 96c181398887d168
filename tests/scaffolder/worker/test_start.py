"""``studio worker start``: the process it becomes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.errors import NodeNotFoundError
from workflow_studio.scaffolder.worker.launch import worker_environment

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Became:
    """What the process would have turned into."""

    command: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        prefix = "WORKFLOW_STUDIO_WORKER_"
        return {name.removeprefix(prefix): value for name, value in self.environment.items() if name.startswith(prefix)}


@pytest.fixture
def became(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Became:
    result = Became()

    def execve(program: str, command: list[str], environment: dict[str, str]) -> None:
        assert program == command[0]
        result.command, result.environment = command, environment

    (tmp_path / "node").write_text("#!/bin/sh\necho v22.3.4\n")
    (tmp_path / "node").chmod(0o755)
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path / "app")
    monkeypatch.setenv("STUDIO_NODE", str(tmp_path / "node"))
    monkeypatch.setattr(os, "execve", execve)
    return result


def test_without_options_the_worker_gets_this_node_and_nothing_else(became: Became, tmp_path: Path) -> None:
    assert main(["worker", "start"]) == 0
    assert became.command == [sys.executable, "-m", "workflow_studio.worker"]
    assert became.settings == {"NODE": str(tmp_path / "node")}


def test_options_become_settings(became: Became) -> None:
    options = ["--host", "::1", "--port", "9000", "--data-dir", "/data", "--node", "/n", "--env-file", "app.env"]
    assert main(["worker", "start", *options, "--public-url", "https://w.test", "--require-https"]) == 0
    assert became.settings == {
        "HOST": "::1",
        "PORT": "9000",
        "DATA_DIR": "/data",
        "NODE": "/n",
        "ENV_FILE": "app.env",
        "PUBLIC_URL": "https://w.test",
        "REQUIRE_HTTPS": "true",
    }


def test_the_settings_file_and_the_log_level_are_passed_on(became: Became) -> None:
    assert main(["worker", "start", "--settings", "worker.env", "--log-level", "debug"]) == 0
    assert became.command[3:] == ["--settings", "worker.env", "--log-level", "debug"]


def test_the_default_data_folder_keeps_the_key_out_of_git(became: Became, tmp_path: Path) -> None:
    assert main(["worker", "start"]) == 0
    assert (tmp_path / "app/.workflow-studio/.gitignore").read_text() == "*\n"
    assert became.command


def test_another_data_folder_leaves_this_one_alone(became: Became, tmp_path: Path) -> None:
    assert main(["worker", "start", "--data-dir", str(tmp_path / "data")]) == 0
    assert list((tmp_path / "app").iterdir()) == []
    assert became.command


def test_a_node_that_is_set_for_the_worker_is_kept() -> None:
    assert worker_environment({}, {"WORKFLOW_STUDIO_WORKER_NODE": "/mine"}) == {"WORKFLOW_STUDIO_WORKER_NODE": "/mine"}


def test_without_node_the_worker_does_not_start(became: Became, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_NODE", "/nonexistent")
    with pytest.raises(NodeNotFoundError):
        worker_environment({})
    assert main(["worker", "start"]) == 1
    assert became.command == []


def test_without_the_worker_package_it_says_how_to_get_it(
    became: Became, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert main(["worker", "start"]) == 1
    assert became.command == []
    assert capsys.readouterr().err.splitlines() == [
        "Error: The worker is not installed beside this command.",
        "Run: pip install 'workflow-studio[worker]'",
    ]


def test_json_comes_before_anything_the_worker_prints(became: Became) -> None:
    code = (
        "import os, sys\n"
        "from workflow_studio.scaffolder.cli import main\n"
        "os.execve = lambda *_: os.write(1, b'the worker speaks')\n"
        "sys.exit(main(['worker', 'start', '--json']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    document = json.loads(done.stdout)
    assert document.pop("pid") > 0
    assert document == {"ok": True, "node": os.environ["STUDIO_NODE"]}
    assert "the worker speaks" in done.stderr
