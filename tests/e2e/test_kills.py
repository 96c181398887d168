"""500 runs in flight while the worker is killed ten times, and what else may happen to its processes."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tests.e2e.fleet import LEGS, Fleet, Ledger, copied_store
from tests.e2e.support import FRAMEWORKS, App, Worker, upload, wait_until
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


HANG_TIMEOUT = 5
"""Seconds of silence after which an executor is given up, where a test waits for that."""

MakeFleet = Callable[..., Fleet]


@pytest.fixture
def make_fleet(prepared_app: PreparedApp, tmp_path: Path) -> Iterator[MakeFleet]:
    with ExitStack() as stack:

        def make(*, step_ms: int = 20, **settings: str) -> Fleet:
            worker = Worker(tmp_path / "worker", WORKFLOW_STUDIO_WORKER_RATE_LIMIT_PER_MINUTE="1000000", **settings)
            stack.callback(worker.close)
            worker.start()
            directory = prepared_app("nitro")
            upload(directory, worker)
            app = App(FRAMEWORKS["nitro"], directory, worker)
            stack.callback(app.close)
            app.start()
            fleet = Fleet(app, worker, Ledger(tmp_path / "ledger"), step_ms)
            stack.callback(fleet.close)
            return fleet

        yield make


def test_500_runs_complete_though_the_worker_is_killed_ten_times(make_fleet: MakeFleet, tmp_path: Path) -> None:
    fleet = make_fleet()
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
    fleet.check_streams(tmp_path / "copy")


def test_100_runs_complete_though_executors_are_killed_ten_times(make_fleet: MakeFleet, tmp_path: Path) -> None:
    fleet = make_fleet()
    choices = random.Random(2027)
    runs = 100
    fleet.answer_meanwhile()
    fleet.start(range(runs))
    for kill in range(KILLS):
        fleet.progress((runs * len(LEGS) - fleet.ledger.ended()) // (KILLS - kill + 1))
        victim = wait_until(lambda: _busy_executors(fleet.worker), what="an executor with something to do")
        os.kill(choices.choice(victim), signal.SIGKILL)
    fleet.finish()

    fleet.check(interruptions=KILLS)
    fleet.worker.stop()
    fleet.check_logs(tmp_path / "copy")
    fleet.check_streams(tmp_path / "copy")


def _busy_executors(worker: Worker) -> list[int]:
    return [executor["pid"] for executor in worker.get("/v1/executors")["data"] if executor["inFlight"]]


def test_a_worker_that_stood_still_goes_on_as_if_nothing_had_been(make_fleet: MakeFleet, tmp_path: Path) -> None:
    fleet = make_fleet(WORKFLOW_STUDIO_WORKER_HANG_TIMEOUT=str(HANG_TIMEOUT))
    fleet.answer_meanwhile()
    fleet.start(range(1, 41))
    fleet.progress(10)
    before = {executor["pid"] for executor in fleet.worker.get("/v1/executors")["data"]}
    os.kill(fleet.worker.pid, signal.SIGSTOP)
    try:
        time.sleep(2 * HANG_TIMEOUT)
    finally:
        os.kill(fleet.worker.pid, signal.SIGCONT)
    fleet.finish()

    assert {executor["pid"] for executor in fleet.worker.get("/v1/executors")["data"]} == before
    fleet.check(interruptions=0)
    fleet.worker.stop()
    fleet.check_logs(tmp_path / "copy")
    fleet.check_streams(tmp_path / "copy")


def test_a_step_that_kills_its_process_does_not_take_its_neighbours_along(
    make_fleet: MakeFleet, tmp_path: Path
) -> None:
    """The SDK gives a step four starts. The neighbours' steps last longer than the killer's next attempts are away."""
    fleet = make_fleet(step_ms=10_000)
    fleet.answer_meanwhile()
    fleet.start(range(1, 4))
    wait_until(lambda: len(fleet.ledger.lines()) == 9, what="the begin of the neighbours' steps")
    deadly = fleet.app.begin("deadly")

    failed = fleet.worker.finished(deadly, seconds=120)
    assert failed["status"] == "failed"
    assert "exceeded max retries" in failed["error"]["message"]
    fleet.finish()
    fleet.check(interruptions=2)
    fleet.worker.stop()
    fleet.check_logs(tmp_path / "copy")
