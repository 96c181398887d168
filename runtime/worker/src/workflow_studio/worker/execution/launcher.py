"""Moves an executor's connection to file descriptor 3, then becomes Node.js.

Run as a script, without the rest of Python: ``python -I -S launcher.py <descriptor> <program> <argument>...``. It is
here because ``pass_fds`` keeps a descriptor's number, and Node.js keeps only low ones from the processes that it starts
(source: libuv, ``uv_disable_stdio_inheritance``, which stops at the first gap above 15); a step's child processes must
not hold the connection.
"""

import os
import sys

CONNECTION_FD = 3


def main() -> None:
    """Run the command line."""
    descriptor, program = int(sys.argv[1]), sys.argv[2]
    if descriptor != CONNECTION_FD:
        os.dup2(descriptor, CONNECTION_FD)
        os.close(descriptor)
    os.execv(program, sys.argv[2:])  # noqa: S606 - the operator's own Node.js, without a shell


if __name__ == "__main__":
    main()
