"""How each World is started, and asked to measure something."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
import psycopg

from bench.processes import POSTGRES, WORKER, Roots
from tests.e2e.support import Server, Worker, free_port, run, upload
from tests.support.postgres import database_url

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
        self._app: Server | None = None

    def start(self) -> None:
        """Start it, with nothing in it."""
        folder = self._around.folder / f"{self.name}-{next(self._times_begun)}"
        folder.mkdir()
        port = free_port()
        variables = {"PORT": str(port), "NODE_ENV": "production", **self._prepare(folder)}
        self._app = Server(
            command=("node", ".output/server/index.mjs"),
            cwd=self._around.app,
            env=variables,
            log=folder / "app.log",
            url=f"http://localhost:{port}",
        )
        self._app.http = httpx.Client(base_url=self._app.url)
        self._app.start()

    def stop(self) -> None:
        """End all that :meth:`start` started."""
        if self._app is not None:
            self._app.close()
            self._app = None

    def measure(self, shape: Shape, number: int) -> dict[str, float]:
        """Return the figures of one measurement.

        Args:
            shape: What to measure.
            number: One that no other measurement of this World has.

        Raises:
            MeasurementError: There are none.
        """
        assert self._app is not None
        order = {"kind": shape.kind, "size": shape.size, "seconds": shape.seconds, "number": number}
        try:
            answer = self._app.http.post("/api/measure", json=order, timeout=shape.seconds + _SECONDS_TO_ANSWER)
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
        assert self._app is not None
        return {APP: self._app.pid}

    def _prepare(self, folder: Path) -> Mapping[str, str]:
        """Get ready what the app needs; return the variables that tell it so."""
        raise NotImplementedError

    def _logs(self) -> str:
        """Return the ends of what its processes wrote."""
        assert self._app is not None
        return _end_of(self._app.log)

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
        return {POSTGRES: int(pid)}


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

    _worker: Worker | None = None

    def _prepare(self, folder: Path) -> Mapping[str, str]:
        self._worker = Worker(folder / "worker", **self._settings(folder))
        self._worker.start()
        upload(self._around.app, self._worker)
        return {"WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote", **self._worker.cli}

    def _settings(self, folder: Path) -> dict[str, str]:  # noqa: ARG002 - others need it
        # A limit for callers is no measure of speed.
        return {"WORKFLOW_STUDIO_WORKER_RATE_LIMIT_PER_MINUTE": "10000000"}

    def stop(self) -> None:
        """End the app, then the worker."""
        super().stop()
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def _logs(self) -> str:
        assert self._worker is not None
        return f"{super()._logs()}\n{_end_of(self._worker.log)}"

    def roots(self) -> Roots:
        """Return the app and the worker, below which the executors are."""
        assert self._worker is not None
        return {**super().roots(), WORKER: self._worker.pid}


class StudioPostgres(StudioSqlite):
    """Ours: a worker that keeps its state in PostgreSQL."""

    def _settings(self, folder: Path) -> dict[str, str]:
        url = self._new_database(folder)
        return {**super()._settings(folder), "WORKFLOW_STUDIO_WORKER_DATABASE_URL": url}

    def roots(self) -> Roots:
        """Return the app, the worker and the database."""
        return {**super().roots(), **self._postgres()}


WORLDS: Final[Mapping[str, type[World]]] = {
    "memory": Memory,
    "local": Local,
    "postgres": Postgres,
    "studio-sqlite": StudioSqlite,
    "studio-postgres": StudioPostgres,
}
"""In the order of the table."""

NEED_POSTGRES: Final = {"postgres", "studio-postgres"}
