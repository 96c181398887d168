"""Three workers on one database: the zoo, and many runs while workers and the database server are done away with."""

from __future__ import annotations

import os
import random
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import text

from tests.e2e.fleet import WORKFLOW, Fleet, Ledger
from tests.e2e.service import LEASE_SECONDS, Service
from tests.e2e.support import FRAMEWORKS, App, upload, wait_until
from tests.e2e.test_zoo import ENDS, PATIENCE, make_zoo, played
from tests.support.postgres import running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.conftest import PreparedApp

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(3600)]

RUNS = int(os.environ.get("STUDIO_MANY_RUNS", "60"))
"""``nox -s many_workers`` has 2,000."""

DISTURBANCES = ("kill", "pause", "database", "kill", "pause", "database")
ROUNDS = 1 if RUNS < 500 else 3


@pytest.fixture(scope="module")
def zoo(prepared_app: PreparedApp, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_zoo(prepared_app, tmp_path_factory)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    # What a crash of the machine would lose is no matter here; that of the server loses nothing either way.
    with running_server("-c", "fsync=off") as database:
        made = Service(tmp_path_factory.mktemp("service"), database)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture(scope="module")
def app(zoo: Path, service: Service) -> App:
    upload(zoo, service)
    return App(FRAMEWORKS["nitro"], zoo, service)


def test_the_zoo_ends_as_it_should_on_three_workers(app: App, service: Service) -> None:
    app.http.timeout = httpx.Timeout(PATIENCE)
    outcomes = played(app)
    odd = {name: end for name, end in outcomes.items() if end["status"] != ENDS.get(name, "completed")}
    assert odd == {}
    assert len(service.get("/v1/workers")["data"]) == 3


def test_an_activation_counts_on_every_worker_as_soon_as_one_has_answered(
    app: App,
    service: Service,
    record_property: Any,
) -> None:
    (deployment,) = service.get("/v1/deployments")["data"]
    late: list[float] = []
    for number in range(30):
        environment = {"x-workflow-studio-environment": f"stage-{number}"}
        first, *others = service.workers[number % 3 :] + service.workers[: number % 3]
        activate = f"/v1/deployments/{deployment['deploymentId']}/activate"
        assert first.http.post(activate, headers=environment).status_code == 200
        at = time.perf_counter()
        for worker in others:
            active = worker.http.get("/v1/deployments/active", headers=environment).json()
            assert active["deploymentId"] == deployment["deploymentId"]
        late.append((time.perf_counter() - at) * 1000)
    record_property("p50_ms", median(late))
    record_property("most_ms", max(late))


def test_all_runs_complete_once_whatever_happens_to_workers_and_database(
    app: App, service: Service, tmp_path: Path
) -> None:
    app.http = httpx.Client(base_url=app.url, timeout=60)
    app.start()
    fleet = Fleet(app, service, Ledger(tmp_path / "ledger"), 20)
    choices = random.Random(2028)
    plan = DISTURBANCES * ROUNDS
    per_turn = RUNS // len(plan)
    try:
        fleet.answer_meanwhile()
        for turn, what in enumerate(plan):
            # One step in five of those that come is waited for, so there is always much in flight.
            fleet.start_meanwhile(range(turn * per_turn + 1, (turn + 1) * per_turn + 1))
            fleet.progress(per_turn)
            victim = choices.choice(service.workers)
            if what == "kill":
                service.kill(victim)
            elif what == "pause":
                service.pause_past_its_lease(victim)
            else:
                service.restart_database()
        fleet.finish()
    finally:
        fleet.close()
        app.close()

    fleet.check(interruptions=len(plan))
    wait_until(lambda: _messages(service) == 0, seconds=30 * LEASE_SECONDS, what="the end of all messages")
    with service.store() as connection:
        fleet.check_log_rows(connection)
    assert service.logs().count("others have taken its work over") >= plan.count("pause"), (
        "a worker learned that it had been away"
    )
    assert len(service.get("/v1/workers")["data"]) == 3


def _messages(service: Service) -> int:
    with service.store() as connection:
        # The zoo leaves a run asleep.
        query = "SELECT count(*) FROM messages JOIN runs USING (run_id) WHERE workflow_name = :name"
        found: int = connection.execute(text(query), {"name": WORKFLOW}).scalar_one()
        return found
