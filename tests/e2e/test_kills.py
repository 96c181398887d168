"""500 runs in flight while the worker is killed ten times."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.e2e.fleet import LEGS, Fleet, Ledger, copied_store
from tests.e2e.support import FRAMEWORKS, App, Worker, upload
from tests.support.invariants import durable_violations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import PreparedApp

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

RUNS = 500
LATE = 50
"""So many of the runs are started while the worker is being killed."""

KILLS = 10


@pytest.fixture
def fleet(prepared_app: PreparedApp, tmp_path: Path) -> Iterator[Fleet]:
    worker = Worker(tmp_path / "worker", WORKFLOW_STUDIO_WORKER_RATE_LIMIT_PER_MINUTE="1000000")
    worker.start()
    directory = prepared_app("nitro")
    upload(directory, worker)
    app = App(FRAMEWORKS["nitro"], directory, worker)
    app.start()
    fleet = Fleet(app, worker, Ledger(tmp_path / "ledger"), step_ms=20)
    try:
        yield fleet
    finally:
        fleet.close()
        app.close()
        worker.close()


def test_500_runs_complete_though_the_worker_is_killed_ten_times(fleet: Fleet, tmp_path: Path) -> None:
    moments = random.Random(2026)
    early = RUNS - LATE
    fleet.start(range(early))
    in_flight = []
    delivering = []
    for kill in range(KILLS):
        per_kill = LATE // KILLS
        fleet.start_meanwhile(range(early + kill * per_kill, early + (kill + 1) * per_kill))
        if kill:  # one kill in two strikes the recovery from the one before
            if kill % 2:
                fleet.progress((RUNS * len(LEGS) - fleet.ledger.ended()) // (KILLS - kill + 1))
            time.sleep(moments.uniform(0, 0.3))
        fleet.worker.stop(signal.SIGKILL)
        with copied_store(fleet.worker, tmp_path / "copy") as connection:
            assert durable_violations(connection) == [], f"after kill {kill}"
            unfinished = "SELECT count(*) FROM runs WHERE status IN ('pending', 'running')"
            in_flight.append(connection.execute(text(unfinished)).scalar_one())
            leased = "SELECT count(*) FROM messages WHERE status = 'leased'"
            delivering.append(connection.execute(text(leased)).scalar_one())
        fleet.worker.start()
        if not kill:
            fleet.answer_meanwhile()
    fleet.finish()

    assert in_flight[0] >= early - KILLS, "nearly all were in flight when the worker was killed first"
    assert min(in_flight) > 0, "there were runs to lose at every kill"
    assert sum(map(bool, delivering)) > KILLS // 2, "and most kills cut deliveries off"
    fleet.check(interruptions=KILLS)
    fleet.worker.stop()
    fleet.check_logs(tmp_path / "copy")
