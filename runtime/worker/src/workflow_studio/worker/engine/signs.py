"""Signs of life: how a worker knows at once that another one of its machine has ended.

Each worker has a file in its data folder that it keeps locked. The kernel lets go of the lock when the process ends,
however it ends, and not before. So whoever gets the lock of another worker's file knows that it is dead, and need not
wait until its lease is over: a worker that is started again after a crash takes up what the one before it left.

That is certain only of processes under one kernel, since locks of files on a network may be each machine's own. So a
file is named after the boot of the machine, and those of others are left to their leases. Were it wrong all the same,
no more would happen than to a worker that was silent for too long: see :mod:`.fencing`.
"""

from __future__ import annotations

import fcntl
import logging
import os
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_LOG: Final = logging.getLogger(__name__)
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Signs:
    """The signs of life in a folder.

    Args:
        folder: Where they are; None, and a system that does not say when it was booted, has none.
    """

    def __init__(self, folder: Path | None) -> None:
        boot = _boot()
        self._folder = None if boot is None else folder
        self._ending = f"@{boot}"
        self._mine: tuple[Path, int] | None = None

    def give(self, worker_id: str) -> None:
        """Show that a worker lives, as long as this process does or until :meth:`withdraw`.

        Where files cannot be locked nothing is shown, and others wait until the worker's lease is over.
        """
        if self._folder is None or self._mine is not None:
            return
        path = self._folder / f"{worker_id}{self._ending}"
        # Nobody may find it before it is locked.
        hidden = self._folder / f".{path.name}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(hidden, os.O_CREAT | os.O_RDWR, 0o600)
            self._mine = path, file
            fcntl.flock(file, fcntl.LOCK_EX)
            hidden.rename(path)
        except OSError as error:
            _LOG.warning("After a crash, others wait for the end of this worker's lease: %s.", error)

    def withdraw(self) -> None:
        """Show no longer that the worker lives."""
        if self._mine is not None:
            path, file = self._mine
            self._mine = None
            path.unlink(missing_ok=True)
            os.close(file)

    def ended(self) -> set[str]:
        """Return the ids of workers of this machine that have ended and did not withdraw their sign."""
        return {path.name.removesuffix(self._ending) for path in self._others() if path.name.endswith(self._ending)}

    def clear(self, ended: Collection[str], known: Collection[str]) -> None:
        """Remove signs that say nothing more.

        Args:
            ended: Those that ended, and whose work has been taken over.
            known: All workers; what is left of another boot of the machine stays as long as they are known.
        """
        for path in self._others():
            worker_id = path.name.partition("@")[0]
            if worker_id in ended or (worker_id not in known and not path.name.endswith(self._ending)):
                path.unlink(missing_ok=True)

    def _others(self) -> Iterator[Path]:
        """Give the signs that no process holds."""
        if self._folder is None or not self._folder.is_dir():
            return
        mine = None if self._mine is None else self._mine[0]
        for path in sorted(self._folder.glob("wrk_*@*")):
            if path != mine and _is_free(path):
                yield path


def _is_free(path: Path) -> bool:
    with suppress(OSError), closing(path.open("rb")) as file:
        # Of another file of this kind: both are let go when the file is closed.
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return True
    return False


def _boot() -> str | None:
    try:
        return _BOOT.read_text(encoding="ascii").strip() or None
    except OSError:
        return None
