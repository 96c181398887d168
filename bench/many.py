"""Worlds of several processes on one database: workers of ours, and apps of the SDK's reference."""

from __future__ import annotations

import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.worlds import Postgres, StudioPostgres
from tests.e2e.support import Server, free_port
from tests.support.balancer import Balancer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bench.processes import Roots
    from bench.worlds import Make, Surroundings

BALANCER: Final = "balancer"
OURS: Final = "studio-postgres"
RIVAL: Final = "postgres"
SLOTS: Final = 16
"""How many steps a process works on at a time: few, so that steps that wait fill them, and as many on both sides."""


class Workers(StudioPostgres):
    """Ours: workers behind a load balancer, also if there is only one."""

    def __init__(self, name: str, around: Surroundings, count: int) -> None:
        super().__init__(name, around)
        self._count = count
        self._balancer: Server | None = None

    def stop(self) -> None:
        """End the app, the workers and the load balancer."""
        super().stop()
        if self._balancer is not None:
            self._balancer.stop()
            self._balancer = None

    def roots(self) -> Roots:
        """Return the app, the workers, the database and the load balancer."""
        assert self._balancer is not None
        return {**super().roots(), self._balancer.pid: BALANCER}

    def _prepare(self, folder: Path) -> Mapping[str, str]:
        variables = super()._prepare(folder)
        ports = [worker.url.rpartition(":")[2] for worker in self._workers]
        port = free_port()
        self._balancer = Server(
            command=(sys.executable, "-m", __name__, str(port), *ports),
            cwd=Path(__file__).parent.parent,
            env={},
            log=folder / "balancer.log",
            url=f"http://localhost:{port}",
            health="/v1/health",
        )
        self._balancer.start()
        return {**variables, "WORKFLOW_COMPUTE_BASE_URL": self._balancer.url}

    def _start_workers(self, folder: Path, settings: Mapping[str, str]) -> None:
        for _ in range(self._count):
            self._start_worker(folder, settings)

    def _settings(self, folder: Path) -> dict[str, str]:
        return {
            **super()._settings(folder),
            "WORKFLOW_STUDIO_WORKER_OBJECTS_URL": f"file://{folder / 'objects'}",
            "WORKFLOW_STUDIO_WORKER_CONCURRENCY": str(SLOTS),
        }


class Apps(Postgres):
    """The SDK's reference for PostgreSQL: apps that share its queue."""

    def __init__(self, name: str, around: Surroundings, count: int) -> None:
        super().__init__(name, around)
        self._count = count

    def _prepare(self, folder: Path) -> Mapping[str, str]:
        slots = {
            "WORKFLOW_POSTGRES_WORKER_CONCURRENCY": str(SLOTS),
            # What its documentation advises, for a session to be left.
            "WORKFLOW_POSTGRES_MAX_POOL_SIZE": str(SLOTS + 2),
        }
        return {**super()._prepare(folder), **slots}

    def _start_apps(self, folder: Path, variables: Mapping[str, str]) -> None:
        for _ in range(self._count):
            self._start_app(folder, variables)


def worlds_of(counts: Iterable[int]) -> dict[str, Make]:
    """Return how to make the Worlds to compare: ours with each count, the reference with the least and the most."""
    numbers = sorted(set(counts))
    made: dict[str, Make] = {name_of(OURS, count): partial(Workers, count=count) for count in numbers}
    made.update({name_of(RIVAL, count): partial(Apps, count=count) for count in sorted({numbers[0], numbers[-1]})})
    return made


def name_of(world: str, count: int) -> str:
    """Return the name of a World of so many processes."""
    return f"{world}-{count}"


def size_of(name: str) -> int:
    """Return of how many processes a World is, by its name."""
    return int(name.rpartition("-")[2])


def main() -> None:
    """Be the load balancer: listen on the first port and pass connections on to the others, until SIGTERM."""
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    port, *servers = map(int, sys.argv[1:])
    balancer = Balancer(servers, port=port)
    signal.sigwait(ends)
    balancer.close()


if __name__ == "__main__":
    main()
