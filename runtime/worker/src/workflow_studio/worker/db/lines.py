"""What the commands say: JSON, one object on a line. The last one is the result, those before it tell of progress."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EVERY_SECONDS: Final = 0.1


def say(line: Mapping[str, Any]) -> None:
    """Write a line, at once."""
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


class Progress:
    """Tells how far a piece of work is, not more often than a person can see."""

    def __init__(self) -> None:
        self._said_at = 0.0

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Say that ``done`` of ``total`` is done."""
        now = time.monotonic()
        if done >= total or now - self._said_at >= _EVERY_SECONDS:
            self._said_at = now
            say({"progress": {"phase": phase, "done": done, "total": total}})


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the process at once: whatever is under way is undone by the database."""

    def end(number: int, _frame: object) -> None:
        os._exit(128 + number)

    previous = [(name, signal.signal(name, end)) for name in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for name, handler in previous:
            signal.signal(name, handler)
