"""How each World is started, and asked to measure something."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import httpx
import psycopg

from bench.processes import POSTGRES, WORKER, Roots
from tests.e2e.support import Server, Worker, free_port, run, upload
from tests.support.postgres import database_url
from workflow_studio.worker.execution import find_node

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.shapes import Shape

APP: Final = "app"
_SECONDS_TO_ANSWER: Final = 30
"""What the app may take longer than a measurement, to say that it was too long."""


class MeasurementError(Exception):
    """A measurement came to nothing.

    Attributes:
        is_late: It took longer than it may.
    """

    def __init__(self, problem: str, *, is_late: bool) -> None:
        super().__init__(problem)
        self.is_late = is_late


@dataclass(frozen=True)
class Surroundings:
    """What Worlds need to begin.

    Attributes:
        app: The folder of the built app.
        folder: Where they may keep their data.
        postgres: The folder of the socket of a PostgreSQL server, if one runs.
    """

    app: Path
    folder: Path
    postgres: Path | None


class World:
    """A World at work: the app and whatever else it needs.

    Attributes:
        name: What it is called on the command line and in reports.
    """

    def __init__(self, name: str, around: Surroundings) -> None:
        self.name = name
        self._around = around
        self._times_begun = itertools.count(1)
        self._apps: list[Server] = []

    def start(self) -> None:
        """Start it, with nothing in it."""
        folder = self._around.folder / f"{self.name}-{next(self._times_begun)}"
        folder.mkdir()
        self._start_apps(folder, self._prepare(folder))

    def stop(self) -> None:
        """End all that :meth:`start` started."""
        while self._apps:
            app = self._apps.pop()
            # With @workflow/world-postgres it would take more than 20 seconds to end, and there is nothing to keep.
            app.stop(signal.SIGKILL)
            app.close()

    def measure(self, shape: Shape, number: int) -> dict[str, float]:
        """Return the figures of one measurement.

        Args:
            shape: What to measure.
            number: One that no other measurement of this World has.

        Raises:
            MeasurementError: There are none.
        """
        order = {"kind": shape.kind, "size": shape.size, "seconds": shape.seconds, "number": number}
        try:
            answer = self._apps[0].http.post("/api/measure", json=order, timeout=shape.seconds + _SECONDS_TO_ANSWER)
            found: dict[str, Any] = answer.raise_for_status().json()
        except httpx.HTTPError as error:
            is_late = isinstance(error, httpx.TimeoutException)
            raise MeasurementError(f"{error}; the logs end: {self._logs()}", is_late=is_late) from error
        if "problem" in found:
            raise MeasurementError(found["problem"], is_late=found["late"])
        figures: dict[str, float] = found["figures"]
        return figures

    def roots(self) -> Roots:
        """Return the processes that stand for it."""
        return {app.pid: APP for app in self._apps}

    def _start_apps(self, folder: Path, variables: Mapping[str, str]) -> None:
        """Start the app; the first one, if there are more, is what measures."""
        self._start_app(folder, variables)

    def _start_app(self, folder: Path, variables: Mapping[str, str]) -> None:
        port = free_port()
        app = Server(
            # The one that executors take, so that no World is faster for its Node.js.
            command=(str(find_node().path), ".output/server/index.mjs"),
            cwd=self._around.app,
            env={"PORT": str(port), "NODE_ENV": "production", **variables},
            log=folder / f"app-{len(self._apps)}.log",
            url=f"http://localhost:{port}",
        )
        app.http = httpx.Client(base_url=app.url)
        self._apps.append(app)
        app.start()

    def _prepare(self, folder: Path) -> Mapping[str, str]:
        """Get ready what the app needs; return the variables that tell it so."""
        raise NotImplementedError

    def _logs(self) -> str:
        """Return the ends of what its processes wrote."""
        return "\n".join(_end_of(app.log) for app in self._apps)

    def _new_database(self, folder: Path) -> str:
        """Make a database named like the folder and return its URL."""
        assert self._around.postgres is not None
        name = folder.name.replace("-", "_")
        with psycopg.connect(database_url(self._around.postgres), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return database_url(self._around.postgres, name)

    def _postgres(self) -> Roots:
        assert self._around.postgres is not None
        pid = (self._around.postgres / "data/postmaster.pid").read_text(encoding="ascii").split()[0]
        return {int(pid): POSTGRES}


def _end_of(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-500:]


class Memory(World):
    """The floor: no I/O at all."""

    def _prepare(self, folder: Path) -> Mapping[str, str]:  # noqa: ARG002 - it needs none
        return {"WORKFLOW_TARGET_WORLD": "world-memory"}


class Local(World):
    """The SDK's own, on files."""

    def _prepare(self, folder: Path) -> Mapping[str, str]:
        return {"WORKFLOW_TARGET_WORLD": "local", "WORKFLOW_LOCAL_DATA_DIR": str(folder / "data")}


class Postgres(World):
    """The SDK's reference for PostgreSQL."""

    def _prepare(self, folder: Path) -> Mapping[str, str]:
        url = {"WORKFLOW_POSTGRES_URL": self._new_database(folder)}
        run("node_modules/.bin/bootstrap", cwd=self._around.app, env=url)
        return {"WORKFLOW_TARGET_WORLD": "@workflow/world-postgres", **url}

    def roots(self) -> Roots:
        """Return the app and the database."""
        return {**super().roots(), **self._postgres()}


class StudioSqlite(World):
    """Ours: a worker that keeps its state in a file."""

    def __init__(self, name: str, around: Surroundings) -> None:
        super().__init__(name, around)
        self._workers: list[Worker] = []

    def _prepare(self, folder: Path) -> Mapping[str, str]:
        self._start_workers(folder, self._settings(folder))
        upload(self._around.app, self._workers[0])
        return {"WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote", **self._workers[0].cli}

    def _start_workers(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._start_worker(folder, settings)

    def _start_worker(self, folder: Path, settings: Mapping[str, str]) -> None:
        worker = Worker(folder / f"worker-{len(self._workers)}", **settings)
        self._workers.append(worker)
        worker.start()

    def _settings(self, folder: Path) -> dict[str, str]:  # noqa: ARG002 - others need it
        # A limit for callers is no measure of speed.
        return {"WORKFLOW_STUDIO_WORKER_RATE_LIMIT_PER_MINUTE": "10000000"}

    def stop(self) -> None:
        """End the app, then the worker."""
        super().stop()
        while self._workers:
            self._workers.pop().close()

    def _logs(self) -> str:
        return "\n".join([super()._logs(), *(_end_of(worker.log) for worker in self._workers)])

    def roots(self) -> Roots:
        """Return the app and the worker, below which the executors are."""
        return {**super().roots(), **{worker.pid: WORKER for worker in self._workers}}


class StudioPostgres(StudioSqlite):
    """Ours: a worker that keeps its state in PostgreSQL."""

    def _settings(self, folder: Path) -> dict[str, str]:
        url = self._new_database(folder)
        return {**super()._settings(folder), "WORKFLOW_STUDIO_WORKER_DATABASE_URL": url}

    def roots(self) -> Roots:
        """Return the app, the worker and the database."""
        return {**super().roots(), **self._postgres()}


Make: TypeAlias = Callable[[str, Surroundings], World]
"""Makes a World that has a name; it is not started."""

WORLDS: Final[Mapping[str, Make]] = {
    "memory": Memory,
    "local": Local,
    "postgres": Postgres,
    "studio-sqlite": StudioSqlite,
    "studio-postgres": StudioPostgres,
}
"""In the order of the table."""

NEED_POSTGRES: Final = {"postgres", "studio-postgres"}
"""Those of them that need a server."""
