"""One session in a folder at a time, also after one that was killed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from workflow_studio.scaffolder.dev.lock import SessionLock
from workflow_studio.scaffolder.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

# A session that starts a process which ends a moment after it, and is killed.
KILLED = """
import os, signal, subprocess, sys
from pathlib import Path
from workflow_studio.scaffolder.dev.lock import SessionLock
lock = SessionLock(Path(sys.argv[1]))
lock.__enter__()
code = "import sys, time; sys.stdin.read(); time.sleep(0.3); open(sys.argv[1], 'w').close()"
subprocess.Popen([sys.executable, '-c', code, sys.argv[2]], stdin=subprocess.PIPE, pass_fds=[lock.descriptor])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_second_session_is_refused(tmp_path: Path) -> None:
    with SessionLock(tmp_path / "lock"):
        with pytest.raises(UsageError, match="runs in this folder already") as caught, SessionLock(tmp_path / "lock"):
            pass
        assert caught.value.code == "session_running"
    with SessionLock(tmp_path / "lock"):
        pass


def test_a_session_waits_for_the_processes_of_one_that_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, tmp_path / "lock", tmp_path / "ended"]
    assert subprocess.run(command, check=False, timeout=60).returncode == -9
    with SessionLock(tmp_path / "lock"):
        assert (tmp_path / "ended").exists()
