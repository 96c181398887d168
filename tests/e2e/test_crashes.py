"""Kills with SIGKILL: nothing that was finished is lost or done again, and everything unfinished goes on."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.e2e.support import FRAMEWORKS, App, upload, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import PreparedApp
    from tests.e2e.support import Worker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

ENTRIES = 8


@pytest.fixture
def app(prepared_app: PreparedApp, crashing_worker: Worker) -> Iterator[App]:
    directory = prepared_app("nitro")
    upload(directory, crashing_worker)
    server = App(FRAMEWORKS["nitro"], directory, crashing_worker)
    server.start()
    try:
        yield server
    finally:
        server.close()


def lines(ledger: Path) -> list[str]:
    return ledger.read_text().splitlines() if ledger.exists() else []


def begun(ledger: Path, entry: int) -> bool:
    return any(line.startswith(f"begin {entry} ") for line in lines(ledger))


def check(ledger: Path, worker: Worker, run_id: str) -> None:
    """Compare what really happened, as the steps wrote it down, with what the worker recorded."""
    finished = worker.finished(run_id, seconds=90)
    assert finished["status"] == "completed", finished
    recorded = [match for text in finished["output"] if (match := re.fullmatch(r"(\d+)\.(\d+)", text))]
    assert [int(match[1]) for match in recorded] == list(range(ENTRIES))
    ended = [line.split()[1:3] for line in lines(ledger) if line.startswith("end ")]
    for match in recorded:
        assert [match[1], match[2]] in ended, "a recorded result is one that a step really returned"
    events = worker.events(run_id)
    completions = Counter(event["correlationId"] for event in events if event["eventType"] == "step_completed")
    assert len(completions) == ENTRIES
    assert set(completions.values()) == {1}, "no step's result is recorded twice"
    assert [int(event["eventId"].removeprefix("evnt_")) for event in events] == list(range(1, len(events) + 1))


def test_kill_9_of_the_executor_in_the_middle_of_a_step(app: App, crashing_worker: Worker, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    run_id = app.begin("ledger", str(ledger), ENTRIES, 400)
    wait_until(lambda: begun(ledger, 2), what="the third step's begin")
    victim = int(lines(ledger)[-1].split()[3])
    os.kill(victim, signal.SIGKILL)

    check(ledger, crashing_worker, run_id)
    interrupted = Counter(line.split()[1] for line in lines(ledger) if line.startswith("begin"))
    assert max(interrupted.values()) == 2, "the step that was cut off ran again"
    assert sum(interrupted.values()) == ENTRIES + 1, "and no other one did"
    assert victim not in {int(line.split()[3]) for line in lines(ledger)[-2:]}


def test_kill_9_of_the_worker_in_the_middle_of_a_run(app: App, crashing_worker: Worker, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    run_id = app.begin("ledger", str(ledger), ENTRIES, 400)
    wait_until(lambda: begun(ledger, 3), what="the fourth step's begin")
    orphan = int(lines(ledger)[-1].split()[3])
    crashing_worker.stop(signal.SIGKILL)
    wait_until(lambda: not _alive(orphan), seconds=10, what="the end of the executor that lost its worker")
    crashing_worker.start()

    check(ledger, crashing_worker, run_id)


@pytest.mark.parametrize("round_number", range(3))
def test_kill_9_of_the_worker_at_any_moment(
    app: App, crashing_worker: Worker, tmp_path: Path, round_number: int
) -> None:
    ledgers = [tmp_path / f"ledger-{number}" for number in range(3)]
    run_ids = [app.begin("ledger", str(ledger), ENTRIES, 30) for ledger in ledgers]
    for kill in range(3):
        time.sleep(0.11 + 0.17 * round_number + 0.3 * kill)
        crashing_worker.stop(signal.SIGKILL)
        crashing_worker.start()
    for ledger, run_id in zip(ledgers, run_ids, strict=True):
        check(ledger, crashing_worker, run_id)


def test_a_sleep_goes_on_over_a_crash(app: App, crashing_worker: Worker) -> None:
    run_id = app.begin("order", "carol", [1])
    wait_until(
        lambda: any(event["eventType"] == "wait_created" for event in crashing_worker.events(run_id)),
        what="the sleep's begin",
    )
    crashing_worker.stop(signal.SIGKILL)
    time.sleep(1.2)
    crashing_worker.start()
    assert crashing_worker.finished(run_id)["status"] == "completed"


def test_parked_runs_are_left_alone_at_boot(app: App, crashing_worker: Worker) -> None:
    sleeping = app.begin("patient")
    waiting = app.begin("approval", "parked")
    wait_until(lambda: crashing_worker.get(f"/v1/runs/{waiting}/hooks")["data"], what="the hook's creation")
    wait_until(lambda: len(crashing_worker.events(sleeping)) == 3, what="the sleep's begin")
    time.sleep(0.5)
    before = {run_id: crashing_worker.run(run_id)["updatedAt"] for run_id in (sleeping, waiting)}
    crashing_worker.stop(signal.SIGKILL)
    crashing_worker.start()
    time.sleep(1)
    assert crashing_worker.get("/v1/executors")["data"] == [], "nothing was there to do, so nothing was started"
    assert {run_id: crashing_worker.run(run_id)["updatedAt"] for run_id in before} == before
    assert app.resume("parked", {"ok": True}).status_code == 200
    assert app.resume("parked", {"ok": True}).status_code == 200
    assert crashing_worker.finished(waiting)["status"] == "completed"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
