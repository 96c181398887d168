"""Several workers on one PostgreSQL database, behind a load balancer: one service."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

import httpx
import psycopg
from sqlalchemy import create_engine

from tests.e2e.support import KEY, Worker, wait_until
from tests.support.balancer import Balancer
from tests.support.postgres import Server, database_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

LEASE_SECONDS = 2


class Service(Worker):
    """What an app and a person see of the workers: one address.

    Attributes:
        workers: The workers behind it.
        database: Their database server.
    """

    def __init__(self, folder: Path, database: Server, size: int = 3) -> None:
        self.database = database
        settings = {
            "WORKFLOW_STUDIO_WORKER_DATABASE_URL": database_url(database.folder),
            "WORKFLOW_STUDIO_WORKER_OBJECTS_URL": f"file://{folder / 'objects'}",
            "WORKFLOW_STUDIO_WORKER_LEASE_SECONDS": str(LEASE_SECONDS),
            "WORKFLOW_STUDIO_WORKER_RATE_LIMIT_PER_MINUTE": "1000000",
        }
        super().__init__(folder)
        self.workers = [Worker(folder / f"worker{number}", **settings) for number in range(size)]
        for worker in self.workers:
            worker.start()
        self._balancer = Balancer(_port(worker) for worker in self.workers)
        self.url = f"http://localhost:{self._balancer.port}"
        self.http.close()
        self.http = httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {KEY}"}, timeout=30)

    def close(self) -> None:
        """Stop all of it for good."""
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError, AssertionError):
                os.kill(worker.pid, signal.SIGCONT)
            worker.close()
        self.http.close()
        self._balancer.close()

    def kill(self, worker: Worker) -> None:
        """Kill a worker, and start it anew."""
        worker.stop(signal.SIGKILL)
        worker.start()

    def pause_past_its_lease(self, worker: Worker) -> None:
        """Have a worker stand still until others have taken its work over, and go on then."""
        (mine,) = [row["workerId"] for row in worker.get("/v1/workers")["data"] if row["isThis"]]
        self._balancer.leave_out(_port(worker))
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: mine not in self._registered(), what="the end of a lease")
        finally:
            os.kill(worker.pid, signal.SIGCONT)
            self._balancer.take_back(_port(worker))

    def restart_database(self) -> None:
        """Crash the database server and start it again."""
        self.database.stop()
        self.database.start()

    def _registered(self) -> set[str]:
        with psycopg.connect(database_url(self.database.folder)) as connection:
            return {row[0] for row in connection.execute("SELECT worker_id FROM workers")}

    def logs(self) -> str:
        """Return what the workers have logged."""
        return "".join(worker.log.read_text() for worker in self.workers)

    @contextlib.contextmanager
    def store(self) -> Iterator[Connection]:
        """Look into the database."""
        engine = create_engine(database_url(self.database.folder).replace("://", "+psycopg://"))
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


def _port(worker: Worker) -> int:
    return int(worker.url.rpartition(":")[2])
