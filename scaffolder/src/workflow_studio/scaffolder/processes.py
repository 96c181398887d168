"""Processes that never outlive the command that starts them, not even one that is killed.

Each is started through :mod:`workflow_studio.scaffolder.keeper`, which watches a pipe of ours.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder import keeper
from workflow_studio.scaffolder.errors import StudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

GRACE_SECONDS: Final = 8.0
"""How long a process that is asked to end may take."""

_MARGIN_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.05
_LOG_LINES: Final = 30
_LOG_BYTES: Final = 64 * 1024


class ProcessError(StudioError):
    """A process could not be started, failed, or did not do in time what it should."""

    code = "process_failed"


class Leash:
    """The pipe that a kept process hangs on.

    Attributes:
        far_end: What the keeper inherits.
    """

    def __init__(self) -> None:
        self.far_end, self._near_end = os.pipe()

    def command(self, command: Sequence[str], grace: float) -> list[str]:
        """Return the command line that keeps ``command``; it has to inherit :attr:`far_end`."""
        return [sys.executable, "-I", "-S", keeper.__file__, str(self.far_end), str(grace), *command]

    def handed_over(self) -> None:
        """Close our copy of what the keeper has inherited."""
        os.close(self.far_end)

    def let_go(self) -> None:
        """Have the process ended. Safe to repeat."""
        if self._near_end >= 0:
            os.close(self._near_end)
            self._near_end = -1


class Child:
    """A running process and everything it starts, with its output in a file.

    Args:
        name: What to call it in messages, such as "The worker".
        command: Program and arguments.
        cwd: Its folder.
        env: Its whole environment.
        log: Where its output goes.
        grace: Seconds between asking it to end and killing it.
        error: What its failures are raised as.

    Raises:
        ProcessError: If there is no such program.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        log: Path,
        grace: float = GRACE_SECONDS,
        error: type[ProcessError] = ProcessError,
    ) -> None:
        self.name = name
        self.log = log
        self._error = error
        self._grace = grace
        require_program(name, command[0], env, error)
        self._leash = Leash()
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs and the app's
                self._leash.command(command, grace),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(self._leash.far_end,),
                start_new_session=True,  # Ctrl-C is for the command, which then stops its processes in order
            )
        self._leash.handed_over()

    @property
    def pid(self) -> int:
        """Id of the process that keeps the program; it lives until all of the program has ended."""
        return self._process.pid

    def wait(self) -> None:
        """Wait until it ends.

        Raises:
            ProcessError: If it fails; its last output is the hint.
        """
        status = self._process.wait()
        self._leash.let_go()
        if status != 0:
            raise self.failed(f"{self.name} failed (exit status {status}).")

    def wait_until(self, ready: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait until ``ready`` says so.

        Raises:
            ProcessError: If the process ends before that, or time is up.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            status = self._process.poll()
            if status is not None:
                raise self.failed(f"{self.name} ended (exit status {status}) before {what}.")
            if time.monotonic() > deadline:
                raise self.failed(f"{what} did not happen within {seconds:.0f} s.")
            time.sleep(_POLL_SECONDS)

    def failed(self, message: str) -> ProcessError:
        """Return an error with the last lines of this process's output."""
        lines = self.tail()
        return self._error(message, hint="Its last output:\n" + "\n".join(lines) if lines else "It printed nothing.")

    def tail(self) -> list[str]:
        """Return the last lines of the output so far."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - _LOG_BYTES))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return []
        return text.strip().splitlines()[-_LOG_LINES:]

    def stop(self) -> None:
        """End the process and all that it started: ask first, then insist. Safe to repeat."""
        self._leash.let_go()
        try:
            self._process.wait(timeout=self._grace + _MARGIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def require_program(name: str, program: str, env: Mapping[str, str], error: type[ProcessError] = ProcessError) -> None:
    """Make sure that a program is there.

    Args:
        name: What to call its process in the message.
        program: A path, or a name that is looked for as the process would.
        env: The environment of the process.
        error: What to raise.

    Raises:
        ProcessError: It is not.
    """
    if shutil.which(program, path=env.get("PATH", os.defpath)) is None:
        raise error(f"{name} could not be started: there is no program {program}.", hint="Install it, or correct PATH.")


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and other requests to stop back until the end of the block, where the first one takes effect.

    For the moments in which an interrupt would leave something behind: between starting a process and remembering it,
    and while cleaning up.
    """
    requested: list[int] = []

    def remember(number: int, _frame: object) -> None:
        requested.append(number)

    # Not SIG_IGN: a process that is started meanwhile would inherit it.
    before = [(number, signal.signal(number, remember)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
        if requested:
            signal.raise_signal(requested[0])


@contextlib.contextmanager
def stop_requests_as_interrupts() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into :class:`KeyboardInterrupt` inside the block, so that it cleans up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = [(number, signal.signal(number, interrupt)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def free_port(preferred: int = 0) -> int:
    """Return a port of this machine that nothing listens on at the moment.

    Args:
        preferred: The one to take if it is free.
    """
    for wanted in (preferred, 0):
        with contextlib.suppress(OSError), socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: not those of a moment ago
            server.bind(("127.0.0.1", wanted))
            port: int = server.getsockname()[1]
            return port
    raise ProcessError("This machine has no free port.", code="no_free_port", hint="End programs that listen.")
