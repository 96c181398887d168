"""One session in a folder at a time."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Final, Self

from workflow_studio.scaffolder.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

_POLL_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 20.0
"""How long the processes of a session that was killed may take to end."""


class SessionLock:
    """Holds a folder for this session.

    The processes of the session hold the lock as well, so that it is free only when the last of them has ended.

    Args:
        path: The file that is locked; it holds the id of the process that has it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.descriptor = -1

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            UsageError: If another session has it.
        """
        self.descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._taken():
            if _lives(owner := self._owner()) or time.monotonic() > deadline:
                os.close(self.descriptor)
                raise UsageError(
                    f"`studio dev` runs in this folder already (process {owner}).",
                    code="session_running",
                    hint="Use that session, or end it with Ctrl-C in its terminal.",
                )
            time.sleep(_POLL_SECONDS)
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, str(os.getpid()).encode(), 0)
        return self

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        os.close(self.descriptor)
        self.descriptor = -1

    def _taken(self) -> bool:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _owner(self) -> int | None:
        text = os.pread(self.descriptor, 32, 0)
        return int(text) if text.isdigit() else None


def _lives(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
