"""The process's heap.

With glibc each thread that allocates while another does gets a heap of its own, and keeps what it frees. A worker has
few threads that do work at the same time, so that only costs memory: 7 MB of a worker at rest.
"""

from __future__ import annotations

import ctypes
import gc
import os
from typing import Final

_VARIABLE: Final = "MALLOC_ARENA_MAX"
_M_ARENA_MAX: Final = -8
"""glibc's number for the setting (source: glibc 2.41, ``malloc.h``)."""


def share() -> None:
    """Have the threads that are started from now on share one heap, unless the environment says otherwise."""
    if _VARIABLE in os.environ:
        return
    try:
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
    except (AttributeError, OSError, TypeError):
        return  # another C library, which has no such setting


def settle() -> None:
    """Give back what starting took and serving does not need, and have the collector leave alone what stays.

    Most of what there is when a worker begins to serve stays as long as the worker: modules, tables, routes.
    """
    gc.collect()
    gc.freeze()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return  # as above
