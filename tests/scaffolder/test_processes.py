"""No process outlives the command that started it, and a failed one shows its last words."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support.lives import lives
from workflow_studio.scaffolder.processes import (
    Child,
    ProcessError,
    free_port,
    stop_requests_as_interrupts,
    uninterrupted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    class Start(Protocol):
        def __call__(self, code: str, grace: float = 8) -> Child: ...


# A process that starts another one, tells its pid, and sleeps.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', {child!r}])
print(child.pid, flush=True)
{then}
"""
SLEEP = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    children: list[Child] = []

    def begin(code: str, grace: float = 8) -> Child:
        command = [sys.executable, "-c", code]
        child = Child("The child", command, cwd=tmp_path, env=dict(os.environ), log=tmp_path / "log", grace=grace)
        children.append(child)
        return child

    yield begin
    for child in children:
        child.stop()


def wait_for(probe: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not probe():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def said(child: Child) -> list[str]:
    wait_for(child.tail)
    return child.tail()


def test_stopping_ends_the_processes_it_started_too(start: Start) -> None:
    child = start(PARENT.format(child=SLEEP, then=SLEEP))
    grandchild = int(said(child)[0])
    child.stop()
    assert not lives(grandchild)
    child.stop()  # again does no harm


def test_stopping_ends_what_a_finished_process_left_behind(start: Start) -> None:
    child = start(PARENT.format(child=SLEEP, then=""))
    grandchild = int(said(child)[0])
    child.wait()
    child.stop()
    assert not lives(grandchild)


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux gives orphans in other sessions to an ancestor.")
@pytest.mark.parametrize("first", ["the helper", "the program"])
def test_a_deaf_helper_in_a_session_of_its_own_is_ended(start: Start, first: str) -> None:
    helper = f"import os; os.setsid()\n{DEAF}"
    child = start(PARENT.format(child=helper, then=SLEEP if first == "the helper" else ""), grace=0.3)
    pid = int(said(child)[0])
    child.stop()
    assert not lives(pid)


def test_nothing_survives_a_command_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path\n"
        "from workflow_studio.scaffolder.processes import Child\n"
        f"Child('The child', [sys.executable, '-c', {PARENT.format(child=SLEEP, then=SLEEP)!r}],"
        " cwd=Path.cwd(), env=dict(os.environ), log=Path('log'))\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path) as command:
        log = tmp_path / "log"
        wait_for(lambda: log.exists() and log.read_text().strip())
        command.kill()
    grandchild = int(log.read_text())
    wait_for(lambda: not lives(grandchild))


def test_a_keeper_that_is_asked_to_end_ends_its_program(start: Start) -> None:
    child = start(PARENT.format(child=SLEEP, then=SLEEP))
    grandchild = int(said(child)[0])
    os.kill(child.pid, signal.SIGTERM)
    wait_for(lambda: not lives(grandchild))
    with pytest.raises(ProcessError, match=r"The child failed \(exit status 143\)"):
        child.wait()


def test_a_process_that_does_not_listen_is_killed(start: Start) -> None:
    child = start(DEAF, grace=0.3)
    assert said(child) == ["deaf"]
    child.stop()
    assert not lives(child.pid)


def test_a_failed_process_shows_its_last_words(start: Start) -> None:
    child = start("import sys; print('\\n'.join(map(str, range(100)))); sys.exit('No such module')")
    with pytest.raises(ProcessError) as caught:
        child.wait()
    assert caught.value.message == "The child failed (exit status 1)."
    lines = str(caught.value.hint).splitlines()
    assert lines[0] == "Its last output:"
    assert lines[-2:] == ["99", "No such module"]
    assert len(lines) == 31


def test_a_process_that_ends_while_it_is_waited_for(start: Start) -> None:
    child = start("raise SystemExit(7)")
    with pytest.raises(ProcessError, match=r"ended \(exit status 7\) before its first answer"):
        child.wait_until(lambda: False, seconds=30, what="its first answer")


def test_waiting_has_an_end(start: Start) -> None:
    child = start(SLEEP)
    with pytest.raises(ProcessError, match=r"its first answer did not happen within 0 s"):
        child.wait_until(lambda: False, seconds=0.1, what="its first answer")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="could not be started"):
        Child("npm", ["/nonexistent/npm"], cwd=tmp_path, env={}, log=tmp_path / "log")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_stop_is_an_interrupt(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def stopped() -> None:
        with stop_requests_as_interrupts():
            os.kill(os.getpid(), number)
            time.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert signal.getsignal(number) is before


def test_an_interrupt_waits_for_the_end_of_an_uninterrupted_block() -> None:
    done: list[str] = []

    def interrupted() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
            done.append("block")
        done.append("after")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert done == ["block"]


def test_a_child_started_in_an_uninterrupted_block_listens_to_signals(start: Start) -> None:
    with uninterrupted():
        child = start(SLEEP)
    begun = time.monotonic()
    child.stop()
    assert time.monotonic() - begun < 5


def test_free_ports_are_free() -> None:
    port = free_port()
    assert 1024 <= port <= 65535
    assert free_port(port) == port
    with socket.create_server(("127.0.0.1", port)):
        assert free_port(port) != port
