import asyncio

import pytest

from workflow_studio.worker import readiness
from workflow_studio.worker.store import StoreError


@pytest.fixture(autouse=True)
def always_asked_anew(monkeypatch):
    monkeypatch.setattr(readiness, "_MAX_AGE_SECONDS", 0)


async def ready(worker):
    return await worker.get("/v1/health/ready", key=None)


async def test_a_worker_that_runs_is_ready_and_says_so_without_a_key(worker):
    answer = await ready(worker)
    assert (answer.status_code, answer.json()) == (200, {"ready": True})


async def test_a_worker_that_was_told_to_stop_is_not_ready_and_still_answers(worker):
    worker.services.stopping.announce()
    answer = await ready(worker)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert (await worker.get("/v1/health", key=None)).status_code == 200
    assert (await worker.get("/v1/runs")).status_code == 200
    assert "workflow_studio_ready 0.0" in (await worker.get("/metrics")).text


async def test_a_worker_whose_database_fails_is_not_ready_until_it_answers_again(worker, monkeypatch):
    async def fail():
        raise StoreError("The disk is gone; the secret place is /srv/x.")

    monkeypatch.setattr(worker.services.readiness, "_ask", fail)
    answer = await ready(worker)
    assert answer.status_code == 503
    assert "secret" not in answer.text
    assert (await worker.get("/v1/health", key=None)).status_code == 200
    monkeypatch.setattr(worker.services.readiness, "_ask", worker.services.engine.ask_database)
    assert (await ready(worker)).status_code == 200


async def test_a_database_that_hangs_is_not_waited_for(worker, monkeypatch):
    monkeypatch.setattr(readiness, "_PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(worker.services.readiness, "_ask", asyncio.Event().wait)
    assert (await ready(worker)).status_code == 503


async def test_many_who_ask_cost_the_database_one_question(worker, monkeypatch):
    monkeypatch.setattr(readiness, "_MAX_AGE_SECONDS", 60)
    asked = []

    async def ask():
        asked.append(1)

    monkeypatch.setattr(worker.services.readiness, "_ask", ask)
    await asyncio.gather(*(ready(worker) for _ in range(20)))
    assert len(asked) == 1
