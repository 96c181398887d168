"""Runs a program, and removes its folder if nobody else is left to do it.

::

    python -I -S janitor.py OWNER FOLDER PROGRAM [ARGUMENT ...]

``OWNER`` is the id of the process that made the folder and removes it once the program has ended. That process may be
killed, and then this one does it. Only the standard library is used: this runs without the packages of the command.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys


def main(owner: int, folder: str, command: list[str]) -> int:
    """Run the program to its end and return its status as a shell would."""
    program = subprocess.Popen(command)  # noqa: S603 - what the owner wants
    # Both get the signals that end the program: they are one group. This one stays until it has.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    status = program.wait()
    if not _lives(owner):
        shutil.rmtree(folder, ignore_errors=True)
    return status if status >= 0 else 128 - status


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
