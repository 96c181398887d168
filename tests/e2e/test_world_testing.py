"""The SDK's own suite for Worlds passes on ours, each of its cases by name.

Which version of the suite, and why its cases about the next line of the SDK cannot pass on this one:
``docs/decisions/0006-world-testing.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e import world_testing
from tests.e2e.support import Worker, upload
from tests.support.databases import KINDS, PostgresPlace
from tests.support.postgres import postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import PreparedApp
    from tests.e2e.world_testing import Case

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

CASES = (
    "runs an addition",
    "idempotency",
    "hooks",
    "supports null bytes in step results",
    "retriable and fatal errors",
)
DELIVERIES_TO_THE_APP = {
    "sequential steps complete in a single flow invocation": "expected +0 to be 1",
    "sequential steps with stream complete in a single flow invocation": "expected +0 to be 1",
    "sleep workflow requires exactly 2 flow invocations": "expected +0 to be 2",
    "parallel steps (Promise.all) complete in 1-3 flow invocations": "expected 0 to be greater than or equal to 1",
}
"""Cases that count the deliveries to the suite's own server, after the run completed with the right result, and what
they say: a worker delivers to its executors, and on this line of the SDK steps are deliveries of their own."""


@pytest.fixture(scope="module", params=KINDS)
def worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    folder = tmp_path_factory.mktemp("worker")
    if request.param == "sqlite":
        yield from started(Worker(folder))
        return
    with postgres_server() as server:
        place = PostgresPlace(server, "world_testing")
        try:
            yield from started(Worker(folder, WORKFLOW_STUDIO_WORKER_DATABASE_URL=place.location))
        finally:
            place.drop()


def started(server: Worker) -> Iterator[Worker]:
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def cases(prepared_app: PreparedApp, worker: Worker) -> dict[str, Case]:
    app = prepared_app("world-testing", world_testing.prepare)
    upload(app, worker)
    return world_testing.play(app, worker, worker.cwd / "vitest.json")


def test_the_suite_has_the_cases_we_know(cases: dict[str, Case]) -> None:
    assert sorted(cases) == sorted([*CASES, *DELIVERIES_TO_THE_APP])


@pytest.mark.parametrize("name", CASES)
def test_a_case_of_the_sdks_suite_passes(name: str, cases: dict[str, Case]) -> None:
    assert cases[name].status == "passed", "\n".join(cases[name].messages)


@pytest.mark.parametrize("name", DELIVERIES_TO_THE_APP)
def test_a_case_that_counts_deliveries_to_the_app_holds_up_to_the_count(name: str, cases: dict[str, Case]) -> None:
    (message,) = cases[name].messages
    assert message.startswith(f"AssertionError: {DELIVERIES_TO_THE_APP[name]}")
