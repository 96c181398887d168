"""A session of small processes: what ends it, what it survives, and that nothing is left of it."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.json_process import JsonProcess
from tests.support.lives import lives

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM = Path(__file__).with_name("session_program.py")

# Each tells the ids of itself and of a process it starts, which would live on.
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session={apart})
print('pids', os.getpid(), child.pid, flush=True)
"""
WORKER = (
    FAMILY.format(apart=False)
    + """
for line in open(os.environ['WORKFLOW_STUDIO_WORKER_ENV_FILE']): print(line, end='')
assert os.environ['WORKFLOW_COMPUTE_API_KEY'] == 'the-key-of-the-session'
print('The worker is ready at http://x', flush=True)
time.sleep(600)
"""
)
APP = (
    FAMILY.format(apart=sys.platform == "linux")
    + """
print('Local: http://localhost:3000/', flush=True)
"""
)
WAITS = "time.sleep(600)"


class Running(JsonProcess):
    """A session under way."""

    def pids_of(self, source: str) -> list[int]:
        told = self.wait_for(lambda line: line.get("source") == source and line.get("text", "").startswith("pids"))
        return [int(pid) for pid in told["text"].split()[1:]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    sessions: list[Running] = []

    def begin(app: str = APP + WAITS, worker: str = WORKER) -> Running:
        sessions.append(Running([sys.executable, PROGRAM, tmp_path, app, worker]))
        return sessions[-1]

    yield begin
    for session in sessions:
        session.close()


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 30
    while any(lives(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_asked_to_end_it_ends_everything(start: Callable[..., Running], number: signal.Signals) -> None:
    session = start()
    pids = session.pids_of("worker") + session.pids_of("app")
    session.wait_for(lambda line: line["type"] == "broken")
    session.process.send_signal(number)
    assert session.ended() == 0
    assert not any(lives(pid) for pid in pids), "gone already"


def test_what_a_session_tells(start: Callable[..., Running]) -> None:
    session = start()
    broken = session.wait_for(lambda line: line["type"] == "broken")
    deployed = next(line for line in session.seen if line["type"] == "deployed")
    assert broken["active"] == deployed["deploymentId"]
    if not any(line["type"] == "ready" and line["source"] == "app" for line in session.seen):
        session.wait_for(lambda line: line["type"] == "ready" and line["source"] == "app")
    ready = {line["source"]: line["url"] for line in session.seen if line["type"] == "ready"}
    assert ready["app"] == "http://localhost:3000"
    assert ready["worker"].startswith("http://localhost:")
    kinds = [line["type"] for line in session.seen if line["type"] in {"build_started", "deployed", "broken"}]
    assert kinds == ["build_started", "deployed", "build_started", "broken"]


def test_the_end_of_the_app_is_the_end_of_the_session(start: Callable[..., Running]) -> None:
    session = start(APP + "sys.exit(3)")
    pids = session.pids_of("worker") + session.pids_of("app")
    assert session.ended() == 3
    assert {"source": "app", "text": "ended (exit status 3)"}.items() <= session.seen[-2].items()
    assert not any(lives(pid) for pid in pids)


def test_a_port_that_is_taken_is_told_once_and_what_to_do(start: Callable[..., Running]) -> None:
    refused = "print('Error: listen EADDRINUSE: address already in use :::3000', flush=True)\n"
    session = start(f"{refused * 2}raise SystemExit(1)")
    assert session.ended() == 1
    (told,) = [line["text"] for line in session.seen if line["type"] == "note" and "taken" in line["text"]]
    assert told.startswith("Port 3000 is taken by another program")
    assert re.search(r"PORT=\d+ studio dev$", told)


def test_a_worker_that_is_killed_is_started_again(start: Callable[..., Running]) -> None:
    session = start()
    first, its_child = session.pids_of("worker")
    app = session.pids_of("app")
    os.kill(first, signal.SIGKILL)
    second = session.pids_of("worker")
    assert not lives(its_child)
    assert all(lives(pid) for pid in app)
    session.wait_for(lambda line: line["type"] == "ready")
    session.process.send_signal(signal.SIGINT)
    assert session.ended() == 0
    assert not any(lives(pid) for pid in [*second, *app])


def test_a_worker_that_ends_again_and_again_ends_the_session(start: Callable[..., Running]) -> None:
    session = start(worker=WORKER.replace("time.sleep(600)\n", "print('so sad'); sys.exit(5)\n"))
    app = session.pids_of("app")
    assert session.ended() == 1
    assert sum(line.get("type") == "lost" for line in session.seen) == 3
    error = session.seen[-1]["error"]
    assert error["code"] == "worker_failed"
    assert error["message"] == "The worker ended again and again (exit status 5)."
    assert error["hint"].endswith("so sad")
    assert not any(lives(pid) for pid in app)


def test_a_worker_that_cannot_start(start: Callable[..., Running]) -> None:
    session = start(worker="print('Error: the port is taken.'); raise SystemExit(1)")
    assert session.ended() == 1
    error = session.seen[-1]["error"]
    assert error["message"] == "The worker could not be started."
    assert error["hint"] == "Its last words:\nError: the port is taken."


def test_nothing_is_left_of_a_session_that_is_killed(start: Callable[..., Running]) -> None:
    session = start()
    pids = session.pids_of("worker") + session.pids_of("app")
    session.process.kill()
    wait_until_gone(pids)


def test_changed_variables_reach_the_workflows(start: Callable[..., Running], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WHO='a'\n")
    session = start()
    first = session.pids_of("worker")
    session.wait_for(lambda line: line.get("text") == "WHO='a'")
    session.wait_for(lambda line: line["type"] == "ready")
    app = session.pids_of("app")
    (tmp_path / "other").write_text("is no variable")
    (tmp_path / ".env").write_text("WHO='b'\n")
    session.pids_of("worker")
    session.wait_for(lambda line: line.get("text") == "WHO='b'")
    assert not any(lives(pid) for pid in first)
    assert all(lives(pid) for pid in app)
    assert not any(line["type"] == "lost" for line in session.seen)
