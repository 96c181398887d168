"""A process that tells what happens in lines of JSON."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Line = dict[str, Any]


class JsonProcess:
    """Runs a command and reads its lines.

    Attributes:
        process: The process.
        seen: The lines that were looked at.
    """

    def __init__(
        self, command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self.process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, text=True)
        self.seen: list[Line] = []
        self._lines: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, wanted: Callable[[Line], object], *, seconds: float = 60) -> Line:
        """Return the next line that is wanted."""
        deadline = time.monotonic() + seconds
        while (line := self._next(deadline)) is not None:
            if wanted(line):
                return line
        raise AssertionError(f"The process ended before that; it said {self.seen[-40:]}")

    def read_available(self) -> None:
        """Look at the lines that have come."""
        while not self._lines.empty() and self._next(time.monotonic() + 1) is not None:
            pass

    def ended(self, *, seconds: float = 60) -> int:
        """Wait for the end; return the status."""
        deadline = time.monotonic() + seconds
        while self._next(deadline) is not None:
            pass
        return self.process.wait(timeout=seconds)

    def close(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()
        self._reader.join()

    def _next(self, deadline: float) -> Line | None:
        try:
            text = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except Empty:
            raise AssertionError(f"It did not happen; the process said {self.seen[-40:]}") from None
        if text is None:
            self._lines.put(None)
            return None
        self.seen.append(json.loads(text))
        return self.seen[-1]
