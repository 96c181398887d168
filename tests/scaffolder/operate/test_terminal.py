"""What a person at a terminal sees: colours, live screens, questions. On a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.scaffolder.operate.support import plain
from tests.worker.routes.conftest import ADMIN

if TYPE_CHECKING:
    from tests.scaffolder.operate.conftest import LiveWorker

PROGRAM = "import sys; from workflow_studio.scaffolder.cli import main; sys.exit(main(sys.argv[1:]))"
ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Terminal:
    """A command on a terminal of 100 columns.

    Args:
        arguments: Of ``studio``.
        variables: Changes of the environment; None takes one away.
    """

    def __init__(self, *arguments: str, **variables: str | None) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40", **variables}
        for name in ("NO_COLOR", "CI", "FORCE_COLOR"):
            environment.pop(name, None)
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={name: value for name, value in environment.items() if value is not None},
            start_new_session=True,
        )
        os.close(slave)
        self.screen = ""

    def read_until(self, text: str) -> None:
        """Read until a text is on the screen."""
        while text not in self.screen and self._read():
            pass
        assert text in self.screen, self.screen

    def type(self, text: str) -> None:
        """Type a line."""
        os.write(self._master, f"{text}\n".encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)  # as the terminal does for the process it controls

    def end(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            pass
        os.close(self._master)
        return self._process.wait(timeout=30)

    @property
    def text(self) -> str:
        """What was printed, without escape sequences."""
        return ESCAPE.sub("", self.screen).replace("\r\n", "\n")

    def _read(self) -> bool:
        try:
            content = os.read(self._master, 65536)
        except OSError:  # Linux: the other side has closed it
            return False
        self.screen += content.decode(errors="replace")
        return bool(content)


@pytest.fixture(scope="module")
def deployment(server: LiveWorker) -> str:
    return server.deploy()


def test_a_table_has_colours_and_whole_ids(worker: LiveWorker, deployment: str) -> None:
    run = worker.start()
    worker.fail(run, "no")
    terminal = Terminal("runs", "list", "--limit", "1")
    assert terminal.end() == 0
    assert plain(terminal.text.replace("\n", " ")) == [
        (
            f"run workflow status created took deployment {run} f failed T L {deployment} "
            "These are the newest 1; --limit shows more."
        )
    ]
    assert "\x1b[31mfailed" in terminal.screen


def test_watching_is_live_and_leaves_the_log(worker: LiveWorker, deployment: str) -> None:
    run = worker.start()
    worker.event(run, "step_created", "step_1", stepName="step//./w//charge", input=b"devl[]")
    worker.event(run, "step_started", "step_1")
    terminal = Terminal("runs", "watch", run, "--interval", "0.1")
    terminal.read_until("charge running")
    worker.complete(run)
    assert terminal.end() == 0
    assert "\x1b[1A" in terminal.screen or "\x1b[2K" in terminal.screen, "what is under way is drawn over"
    lines = [line for line in plain(terminal.text) if line]
    assert lines[-2:] == ["f completed after L", "Result null"]
    shown = "\n".join(lines)
    for kind in ("run_created", "run_started", "step_created charge", "step_started charge", "run_completed"):
        assert shown.count(f"T {kind}") == 1


def test_who_stops_watching_does_not_stop_the_run(worker: LiveWorker, deployment: str) -> None:
    run = worker.start()
    terminal = Terminal("runs", "watch", run)
    terminal.read_until("run_started")
    terminal.interrupt()
    assert terminal.end() == 130
    assert "Error: Interrupted." in terminal.text
    assert "Traceback" not in terminal.text
    assert worker.http.get(f"/v1/runs/{run}").json()["status"] == "running"


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_deleting_asks(worker: LiveWorker, deployment: str, answer: str, code: int) -> None:
    gone = worker.deploy(salt=f"asked {answer}", activate=False)
    terminal = Terminal("deployments", "delete", gone)
    terminal.read_until("[y/N]: ")
    terminal.type(answer)
    assert terminal.end() == code
    assert f"Delete {gone} from the worker at {worker.url}? [y/N]: " in terminal.text
    assert ("Error: Nothing was done." in terminal.text) is (code == 1)
    assert worker.http.get(f"/v1/deployments/{gone}").status_code == (404 if code == 0 else 200)


def test_json_asks_nothing_even_at_a_terminal(worker: LiveWorker, deployment: str) -> None:
    terminal = Terminal("deployments", "delete", deployment, "--json")
    assert terminal.end() == 2
    assert '"code": "confirmation_needed"' in terminal.text
    assert "\x1b" not in terminal.screen


def test_a_key_that_is_not_found_is_asked_for_and_not_shown(worker: LiveWorker, deployment: str) -> None:
    terminal = Terminal("deployments", "show", deployment, WORKFLOW_COMPUTE_API_KEY=None)
    terminal.read_until(f"API key for {worker.url}: ")
    terminal.type(ADMIN)
    assert terminal.end() == 0
    assert deployment in terminal.text
    assert ADMIN not in terminal.screen


def test_a_variable_that_is_not_found_is_asked_for_and_not_shown(worker: LiveWorker, deployment: str) -> None:
    terminal = Terminal("deployments", "env", "set", deployment, "A_SECRET_OF_MINE")
    terminal.read_until("Value of A_SECRET_OF_MINE: ")
    terminal.type("the-typed-secret")
    assert terminal.end() == 0
    assert "Set A_SECRET_OF_MINE." in terminal.text
    assert "the-typed-secret" not in terminal.screen


def test_a_dumb_terminal_gets_plain_lines(worker: LiveWorker, deployment: str) -> None:
    run = worker.start()
    later = threading.Timer(0.3, lambda: worker.complete(run))
    later.start()
    terminal = Terminal("runs", "watch", run, "--interval", "0.1", TERM="dumb")
    assert terminal.end() == 0
    later.join()
    assert "\x1b" not in terminal.screen
