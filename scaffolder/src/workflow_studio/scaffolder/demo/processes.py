"""Processes of the demo: each one a group of its own with its output in a file, none of them outliving the demo."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.errors import StudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_GRACE_SECONDS: Final = 8.0
_POLL_SECONDS: Final = 0.05
_LOG_LINES: Final = 30
_LOG_BYTES: Final = 64 * 1024


class DemoError(StudioError):
    """A stage of the demo failed."""

    code = "demo_failed"


class Child:
    """A running process and everything it starts.

    Args:
        name: What to call it in messages, such as "the worker".
        command: Program and arguments.
        cwd: Its folder.
        env: Its whole environment.
        log: Where its output goes.

    Raises:
        DemoError: If it cannot be started.
    """

    def __init__(self, name: str, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        try:
            with log.open("ab") as output:
                self._process = subprocess.Popen(  # noqa: S603 - our own programs and the example app's
                    command,
                    cwd=cwd,
                    env=dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is for the demo, which then stops its processes in order
                )
        except OSError as error:
            raise DemoError(f"{name} could not be started: {error}") from error

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its group."""
        return self._process.pid

    def wait(self) -> None:
        """Wait until it ends.

        Raises:
            DemoError: If it fails; its last output is the hint.
        """
        status = self._process.wait()
        if status != 0:
            raise self.failed(f"{self.name} failed (exit status {status}).")

    def wait_until(self, ready: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait until ``ready`` says so.

        Raises:
            DemoError: If the process ends before that, or time is up.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            status = self._process.poll()
            if status is not None:
                raise self.failed(f"{self.name} ended (exit status {status}) before {what}.")
            if time.monotonic() > deadline:
                raise self.failed(f"{what} did not happen within {seconds:.0f} s.")
            time.sleep(_POLL_SECONDS)

    def failed(self, message: str) -> DemoError:
        """Return an error with the last lines of this process's output."""
        lines = self.tail()
        return DemoError(message, hint="Its last output:\n" + "\n".join(lines) if lines else "It printed nothing.")

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
        """End the process and its group: ask first, then insist. Safe to repeat."""
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        while self._alive() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if self._alive():
            self._signal(signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_GRACE_SECONDS)

    def _alive(self) -> bool:
        """Tell whether any process of the group is there; the first one is reaped when it has ended."""
        self._process.poll()
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def _signal(self, number: signal.Signals) -> None:
        # A group keeps its id while any member lives, even when its first process is long gone.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


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


def free_port() -> int:
    """Return a port of this machine that nothing listens on at the moment."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port
