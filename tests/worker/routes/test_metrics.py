import asyncio
import re

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.until import until
from tests.worker.routes.conftest import WORKFLOW, Driver, FakePool, make_settings, running, secret_of
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.app import create_app
from workflow_studio.worker.engine import backlog
from workflow_studio.worker.execution.tally import CAUSES
from workflow_studio.worker.metrics import MeasuredPool
from workflow_studio.worker.metrics.instruments import OTHER, UNMATCHED, Metrics, Names
from workflow_studio.worker.ports import Delivery, Failed, Handled, Undelivered

READER = secret_of(ComputeScope.METRICS_READ)


@pytest.fixture(autouse=True)
def always_looked_at_anew(monkeypatch):
    monkeypatch.setattr(backlog, "MAX_AGE_SECONDS", 0)


async def samples(worker, key=READER, **options):
    page = await worker.get("/metrics", key, **options)
    assert page.status_code == 200, page.text
    return parsed(page.text)


def parsed(text):
    return {
        (sample.name.removeprefix("workflow_studio_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def requests_in(found):
    return {labels[1:]: value for labels, value in found.items() if labels[0] == "http_requests_total"}


async def test_requests_are_counted_by_route_and_not_by_path(worker):
    for run in ("wrun_1", "wrun_2"):
        await worker.get(f"/v1/runs/{run}")
    await worker.get("/v1/nothing/here")
    await worker.get("/v1/runs", key="wrong-key-0123456789")
    await worker.call("runs.get", {"runId": "wrun_1"})
    await worker.get("/v1/health", key=None)
    found = await samples(worker)
    assert requests_in(found) == {
        ("GET", "/v1/runs/{run_id}", "404"): 2,
        ("GET", UNMATCHED, "404"): 1,
        ("GET", UNMATCHED, "401"): 1,
        ("POST", "/v1/world/runs/get", "404"): 1,
        ("GET", "/v1/health", "200"): 1,
    }
    assert found["http_request_duration_seconds_count", "GET", "/v1/runs/{run_id}"] == 2
    assert found["http_requests_in_progress",] == 1


async def test_only_a_key_for_it_reads_the_metrics(worker):
    for scope in ComputeScope:
        key = secret_of(scope) if scope != "admin" else "admin-key-of-the-tests"
        allowed = scope in {ComputeScope.METRICS_READ, ComputeScope.ADMIN}
        assert (await worker.get("/metrics", key)).status_code == (200 if allowed else 403), scope
    assert (await worker.get("/metrics", None)).status_code == 401
    for path in ("/v1/runs", "/v1/executors", "/v1/deployments", "/v1/audit", "/v1/keys"):
        assert (await worker.get(path, READER)).status_code == 403


async def test_hostile_requests_make_no_labels_of_their_own(worker):
    for number in range(20):
        await worker.send(f"X{number}", f"/v1/{number}")
        await worker.send("GET", f'/v1/runs/"}} evil_metric{{x="{number}')
        await worker.get(f"/.well-known/workflow/v1/webhook/{number}-evil", None)
    page = (await worker.get("/metrics", READER)).text
    assert "evil" not in page
    assert {labels[:2] for labels in requests_in(parsed(page))} == {
        (OTHER, UNMATCHED),
        ("GET", "/v1/runs/{run_id}"),
        ("GET", "/.well-known/workflow/v1/webhook/{token:path}"),
    }


async def test_what_waits_is_shown_by_kind_and_state(worker):
    await worker.start()
    publish = {"queueName": "__wkf_step_step//./w//s", "body": b"x", "stepId": "step_1", "delaySeconds": 60}
    run_id = await worker.start()
    await worker.world("queue.publish", {**publish, "runId": run_id})
    found = await samples(worker)
    assert found["queue_messages", "step", "scheduled"] == 1
    assert found["queue_messages", "step", "due"] == 0
    assert found["queue_oldest_due_seconds", "step"] == 0
    assert found["runs", "running"] == 2
    assert (found["store_up",], found["ready",]) == (1, 1)
    assert found["store_writes_total",] >= found["store_commit_seconds_count",] > 0
    assert found["store_failures_total",] == 0
    assert found["executors",] == 1
    assert found["executor_memory_bytes",] == 1000


async def test_deliveries_are_counted_by_outcome_and_timed(worker):
    run_id = await worker.start()
    message = {"queueName": f"__wkf_workflow_{WORKFLOW}", "body": b"x", "runId": run_id}
    await worker.world("queue.publish", message)
    await until(lambda: worker.pool.deliveries)
    found = await samples(worker)
    assert found["deliveries_total", "workflow", "handled"] == 1
    assert found["delivery_wait_seconds_count", "workflow"] == 1
    assert found["delivery_duration_seconds_count", "workflow"] == 1
    assert found["deliveries_in_flight", "workflow"] == 0
    assert (found["delivery_slots", "workflow"], found["delivery_slots", "step"]) == (16, 64)


async def test_runs_that_end_are_counted_by_how(worker):
    for kind, data in (("run_completed", {}), ("run_failed", {"error": {"message": "no"}}), ("run_cancelled", {})):
        await worker.event(await worker.start(), kind, **data)
    found = await samples(worker)
    assert [found["runs_ended_total", status] for status in ("completed", "failed", "cancelled")] == [1, 1, 1]
    assert found["runs", "running"] == 0


async def test_a_database_that_does_not_answer_is_told_and_hides_nothing_else(worker, monkeypatch):
    async def fail(_work):
        raise RuntimeError("away")

    monkeypatch.setattr(worker.services.engine.backlog, "_database", type("Away", (), {"read": staticmethod(fail)}))
    found = await samples(worker)
    assert found["store_up",] == 0
    assert found["executors",] == 1
    assert not [labels for labels in found if labels[0] == "queue_messages"]


async def test_who_asks_again_at_once_costs_no_other_look_at_the_database(worker, monkeypatch):
    monkeypatch.setattr(backlog, "MAX_AGE_SECONDS", 60)
    looks = []
    ask = worker.services.engine.backlog._ask

    async def counted():
        looks.append(1)
        return await ask()

    monkeypatch.setattr(worker.services.engine.backlog, "_ask", counted)
    await asyncio.gather(*(samples(worker) for _ in range(5)))
    assert len(looks) == 1


async def test_refusals_for_being_too_many_are_counted(tmp_path):
    async with running(make_settings(tmp_path, rate_limit_per_minute=2, failed_logins_per_minute=1)) as worker:
        for _ in range(4):
            await worker.get("/v1/runs")
            await worker.get("/v1/runs", "wrong-key-0123456789")
        found = await samples(worker)
    assert (found["rate_limited_total", "key"], found["rate_limited_total", "failed"]) == (2, 3)


async def test_openmetrics_is_given_to_whom_asks_for_it(worker):
    plain = await worker.get("/metrics", READER)
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    page = await worker.get("/metrics", READER, headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert page.headers["content-type"].startswith("application/openmetrics-text")
    assert page.text.endswith("# EOF\n")


async def test_every_name_says_what_it_is_and_in_which_unit(worker):
    families = list(text_string_to_metric_families((await worker.get("/metrics", READER)).text))
    ours = [family for family in families if family.name.startswith("workflow_studio")]
    assert len(ours) > 20
    assert [family.name for family in ours if not re.fullmatch(r"[A-Z].*[.]", family.documentation)] == []


async def test_the_address_of_its_own_has_the_metrics_and_nothing_else(tmp_path):
    app = create_app(make_settings(tmp_path), pool=FakePool())
    async with app.router.lifespan_context(app):
        apart = httpx.ASGITransport(app.state.services.exposition)
        async with Driver(app, FakePool()).http, httpx.AsyncClient(transport=apart, base_url="http://m") as http:
            assert "workflow_studio_ready 1.0" in (await http.get("/metrics")).text
            assert (await http.get("/v1/runs")).status_code == 404
            assert (await http.post("/metrics")).status_code == 405


def test_steps_beyond_the_bound_share_a_name():
    names = Names(2)
    assert [names.admit(name) for name in ("a", "b", "c", "a", "d" * 201)] == ["a", "b", OTHER, "a", OTHER]


@pytest.mark.parametrize(
    ("outcome", "name"),
    [
        (Handled(), "handled"),
        (Handled(3), "deferred"),
        (Failed("x"), "failed"),
        (Failed("x", executor_lost=True), "executor_lost"),
        (Undelivered("x"), "undelivered"),
    ],
)
async def test_each_outcome_has_a_name(outcome, name):
    class Pool(FakePool):
        async def deliver(self, delivery):
            return outcome

    metrics = Metrics()
    delivery = Delivery("dlv_1", "msg_1", "step", "__wkf_step_step//./w//s", "dep_1", 1, b"", step_id="step_1")
    assert await MeasuredPool(Pool(), metrics).deliver(delivery) is outcome
    count = metrics.registry.get_sample_value
    assert count("workflow_studio_deliveries_total", {"kind": "step", "outcome": name}) == 1
    assert count("workflow_studio_step_duration_seconds_count", {"step": "step//./w//s"}) == 1
    assert metrics.deliveries_under_way["step"] == 0


async def test_every_cause_of_an_executors_end_is_shown(worker):
    found = await samples(worker)
    assert {labels[1] for labels in found if labels[0] == "executor_ends_total"} == set(CAUSES)
