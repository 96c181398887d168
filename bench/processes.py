"""What processes take: processor time and memory."""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import psutil

from tests.e2e.support import descendants

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

Roots = dict[int, str]
"""The roles of the processes that stand for a World; what is below a process has its role, but for executors."""

POSTGRES: Final = "postgres"
EXECUTOR: Final = "executor"
WORKER: Final = "worker"
_SECONDS_BETWEEN_LOOKS: Final = 0.2


def processes(roots: Roots) -> Iterator[tuple[str, psutil.Process]]:
    """Yield all processes of a World with their roles. A worker's children are its executors."""
    for root, role in roots.items():
        for pid in descendants(root):
            with contextlib.suppress(psutil.Error):
                yield EXECUTOR if role == WORKER and pid != root else role, psutil.Process(pid)


def memory(roots: Roots) -> dict[str, int]:
    """Return the resident memory in bytes, by role; what PostgreSQL's processes share is counted once."""
    own: dict[str, int] = defaultdict(int)
    shared: dict[str, int] = defaultdict(int)
    for role, process in processes(roots):
        with contextlib.suppress(psutil.Error):
            found = process.memory_info()
            if role == POSTGRES:
                own[role] += found.rss - found.shared
                shared[role] = max(shared[role], found.shared)
            else:
                own[role] += found.rss
    return {role: size + shared[role] for role, size in own.items()}


@dataclass
class _Clock:
    """The processor time of all processes of a World, also of those that end meanwhile."""

    roots: Roots
    first: dict[psutil.Process, float] = field(default_factory=dict)
    last: dict[psutil.Process, float] = field(default_factory=dict)
    roles: dict[psutil.Process, str] = field(default_factory=dict)

    def look(self, *, is_first: bool = False) -> None:
        for role, process in processes(self.roots):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                self.last[process] = times.user + times.system
                # What begins meanwhile begins at nothing.
                self.first.setdefault(process, self.last[process] if is_first else 0.0)
                self.roles[process] = role

    def seconds(self) -> dict[str, float]:
        found: dict[str, float] = defaultdict(float)
        for process, seconds in self.last.items():
            found[self.roles[process]] += seconds - self.first[process]
        return dict(found)


class Meter:
    """Looks at the processes of Worlds as long as it is entered.

    Attributes:
        cpu: Seconds of processor time of the World that is measured, by role.
        memory: The most memory of the World that is measured, in bytes, by role.
        others_cpu: Seconds of processor time of all others.
    """

    def __init__(self, roots: Roots, others: list[Roots]) -> None:
        self.cpu: dict[str, float] = {}
        self.memory: dict[str, int] = {}
        self.others_cpu = 0.0
        self._own = _Clock(roots)
        self._others = [
            _Clock({pid: role for pid, role in other.items() if pid not in roots})  # such as a database of both
            for other in others
        ]
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch, name="meter", daemon=True)

    def __enter__(self) -> Self:
        for clock in (self._own, *self._others):
            clock.look(is_first=True)
        self._watching.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._watching.join()
        for clock in (self._own, *self._others):
            clock.look()
        self._look()
        self.cpu = self._own.seconds()
        # A database that two others share is counted once.
        other = {process: clock for clock in self._others for process in clock.last}
        self.others_cpu = sum(clock.last[process] - clock.first[process] for process, clock in other.items())

    def _watch(self) -> None:
        while not self._over.wait(_SECONDS_BETWEEN_LOOKS):
            self._look()
            self._own.look()

    def _look(self) -> None:
        for role, size in memory(self._own.roots).items():
            self.memory[role] = max(self.memory.get(role, 0), size)
