"""``studio worker start``: the process it becomes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.errors import NodeNotFoundError
from workflow_studio.scaffolder.worker.launch import worker_environment


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
    Path("app.env").touch()
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
    Path("worker.env").touch()
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


def test_with_json_the_document_is_the_workers(became: Became) -> None:
    assert main(["worker", "start", "--json"]) == 0
    assert became.command[3:] == ["--json"]


@pytest.mark.parametrize(
    "option",
    [("--env-file", "missing"), ("--settings", "missing"), ("--port", "65536"), ("--log-level", "loud")],
    ids=lambda option: option[0],
)
def test_an_option_that_cannot_be_is_refused_before_the_worker_starts(
    became: Became, option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["worker", "start", *option]) == 2
    assert became.command == []
    error = capsys.readouterr().err
    assert option[0] in error
    assert "studio worker start --help" in error
    assert "Value error" not in error


@pytest.mark.node
def test_a_port_that_is_taken_is_an_error_document_and_not_a_success(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code = "import sys; from workflow_studio.scaffolder.cli import main; sys.exit(main(sys.argv[1:]))"
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                code,
                "worker",
                "start",
                "--json",
                "--port",
                port,
                "--data-dir",
                str(tmp_path / "d"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    document = json.loads(done.stdout)
    assert done.returncode == 1
    assert document["ok"] is False
    assert document["error"]["code"] == "port_in_use"
    assert not (tmp_path / "d").exists()
