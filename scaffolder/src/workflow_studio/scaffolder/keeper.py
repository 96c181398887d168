"""Runs a program, and ends it with all that it started when told to, or when whoever wanted it is gone.

::

    python -I -S keeper.py FD GRACE PROGRAM [ARGUMENT ...]

``FD`` is the reading end of a pipe whose other end belongs to whoever wants the program. It is closed to end the
program, and the operating system closes it when that process dies of anything, ``kill -9`` too. Programs of frameworks
start helpers in sessions of their own, which no signal to a group reaches; on Linux they come back to this process when
their parents end, and none is left when it exits. Elsewhere the group of the program is ended.

It exits with the program's status once everything has ended, 127 if the program cannot be started. Only the standard
library is used: this runs without the packages of the command.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

_PR_SET_CHILD_SUBREAPER: Final = 36
_AFTERWARDS: Final = 1.0
"""Seconds for what the program leaves behind when it ends."""
_MERCILESS: Final = 5.0
"""Seconds after which not even SIGKILL has helped: a process that hangs in the kernel."""
_POLL: Final = 0.03
_NOT_STARTED: Final = 127


class Keeper:
    """Keeps one program.

    Args:
        owner: The reading end of the owner's pipe.
        grace: Seconds between asking the program to end and killing it.
    """

    def __init__(self, owner: int, grace: float) -> None:
        self._owner = owner
        self._grace = grace
        self._program = 0
        self._status: int | None = None
        self._wakeups, wakeup = os.pipe()
        os.set_blocking(wakeup, False)
        os.set_blocking(self._wakeups, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        self._told_to_end = False
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._end)

    def run(self, command: list[str]) -> int:
        """Run the program to its end and return its status as a shell would."""
        _adopt_orphans()
        try:
            # Not through Popen's own waiting: every child is waited for in one place, the adopted ones as well.
            program = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - what the owner wants
        except OSError as error:
            sys.stderr.write(f"{command[0]} could not be started: {os.strerror(error.errno or 0)}\n")
            return _NOT_STARTED
        self._program = program.pid
        self._wait()
        self._clean_up()
        status = self._status if self._status is not None else -signal.SIGKILL
        return status if status >= 0 else 128 - status

    def _end(self, *_: object) -> None:
        self._told_to_end = True

    def _wait(self) -> None:
        """Wait until the program has ended, or shall end."""
        while not self._told_to_end:
            self._reap()
            if self._status is not None:
                return
            ready, _, _ = select.select([self._owner, self._wakeups], [], [])
            if self._wakeups in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wakeups, 4096)
            if self._owner in ready and not os.read(self._owner, 1):
                return

    def _clean_up(self) -> None:
        # As Ctrl-C in a terminal does it: the program's own group is asked, and has helpers elsewhere end in its order.
        self._signal_group(signal.SIGTERM)
        deadline = time.monotonic() + self._grace
        asked: set[int] = set()
        while self._any_left() and time.monotonic() < deadline:
            if self._status is not None:
                for pid in _descendants() - asked:
                    _send(pid, signal.SIGTERM)
                    deadline = deadline if asked else min(deadline, time.monotonic() + _AFTERWARDS)
                    asked.add(pid)
            time.sleep(_POLL)
        deadline = time.monotonic() + _MERCILESS
        while self._any_left() and time.monotonic() < deadline:
            self._signal_group(signal.SIGKILL)
            for pid in _descendants():
                _send(pid, signal.SIGKILL)
            time.sleep(_POLL)

    def _signal_group(self, number: signal.Signals) -> None:
        # A group keeps its id while any member lives, even when its first process is long gone.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._program, number)

    def _any_left(self) -> bool:
        self._reap()
        if _descendants():
            return True
        try:
            os.killpg(self._program, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._program:
                self._status = os.waitstatus_to_exitcode(status)


def _adopt_orphans() -> None:
    """Become the parent of descendants whose own parents end, where the operating system can do that."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _descendants() -> set[int]:
    """Return every process below this one; none where there is no ``/proc``."""
    children: dict[int, list[int]] = {}
    for pid in _all_processes():
        # The name of a program may hold spaces and brackets; what follows the last bracket is its state and parent.
        with contextlib.suppress(OSError, ValueError):
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            state, parent = stat.rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(pid)
    found: set[int] = set()
    left = [os.getpid()]
    while left:
        for child in children.get(left.pop(), ()):
            found.add(child)
            left.append(child)
    return found


def _all_processes() -> list[int]:
    try:
        return [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    except OSError:
        return []


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


if __name__ == "__main__":
    sys.exit(Keeper(int(sys.argv[1]), float(sys.argv[2])).run(sys.argv[3:]))
