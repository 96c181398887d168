"""Whatever ends the demo, nothing of it is left: no process, no folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.lives import lives
from workflow_studio.scaffolder.cli import main
from workflow_studio.scaffolder.demo.demo import Demo

if TYPE_CHECKING:
    from pathlib import Path

# `npm` of the tests: remembers its process and then does what the test says.
NPM = """#!/bin/sh
echo $$ >> {pids}
echo "npm says $1"
{does}
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose Node.js answers its version, and whose temporary folder is the test's."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "tmp").mkdir()
    write_script(tmp_path / "bin/node", "#!/bin/sh\necho v20.20.2\n")
    monkeypatch.setenv("STUDIO_NODE", str(tmp_path / "bin/node"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr(Demo, "_make_app", lambda _self, folder: folder.mkdir())
    monkeypatch.setattr("workflow_studio.scaffolder.demo.demo.worker_command", lambda: ["sleep", "600"])
    return tmp_path


def write_script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def npm_that(machine: Path, does: str) -> None:
    write_script(machine / "bin/npm", NPM.format(pids=machine / "pids", does=does))


def leftovers(machine: Path) -> list[str]:
    """Names of what is left in the temporary folder."""
    return [path.name for path in (machine / "tmp").iterdir()]


def test_a_failed_stage_shows_its_output_and_leaves_nothing(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    npm_that(machine, "exit 3")
    assert main(["demo"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-3:] == [
        "Error: npm install failed (exit status 3).",
        "Its last output:",
        "npm says install",
    ]
    assert leftovers(machine) == []


def test_a_failure_as_json(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    npm_that(machine, "exit 3")
    assert main(["demo", "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["message"]) == ("demo_failed", "npm install failed (exit status 3).")


def test_a_kept_folder_is_named(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    npm_that(machine, "exit 3")
    assert main(["demo", "--keep"]) == 1
    (name,) = leftovers(machine)
    assert f"Kept: {machine / 'tmp' / name}" in capsys.readouterr().err
    assert (machine / "tmp" / name / "2-npm-install.log").read_text() == "npm says install\n"


def test_a_folder_that_has_something_in_it_is_left_alone(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (machine / "mine").mkdir()
    (machine / "mine/thesis.txt").write_text("years of work")
    assert main(["demo", "--directory", str(machine / "mine"), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "directory_not_empty"
    assert (machine / "mine/thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_demo_leaves_nothing(machine: Path, number: signal.Signals) -> None:
    npm_that(machine, "sleep 600 & echo $! >> {pids}; wait".replace("{pids}", str(machine / "pids")))
    code = (
        "import sys\n"
        "from workflow_studio.scaffolder.demo import demo\n"
        "demo.Demo._make_app = lambda self, folder: folder.mkdir()\n"
        "demo.worker_command = lambda: ['sleep', '600']\n"
        "from workflow_studio.scaffolder.cli import main\n"
        "sys.exit(main(['demo']))\n"
    )
    studio = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ)
    )
    try:
        pids = wait_for_two_lines(machine / "pids")
        studio.send_signal(number)
        said, _ = studio.communicate(timeout=30)
    finally:
        studio.kill()
    assert studio.returncode == 130
    assert said.splitlines()[-1] == "Error: Interrupted."
    assert "Traceback" not in said
    assert not any(lives(pid) for pid in pids)
    assert leftovers(machine) == []


def wait_for_two_lines(path: Path) -> list[int]:
    deadline = time.monotonic() + 30
    while not path.exists() or path.read_text().count("\n") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [int(line) for line in path.read_text().split()]
