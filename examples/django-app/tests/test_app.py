"""The app's routes, with a worker that answers as each test tells it to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator

import django
import httpx
import pytest
from django.core.management import call_command
from django.test import Client, override_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

RUN_ID = "wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV"
FULFIL_ORDER = "workflow//./workflows/order//fulfilOrder"
RUN = {
    "runId": RUN_ID,
    "status": "completed",
    "workflowName": FULFIL_ORDER,
    "deploymentId": "dep_0123456789abcdef0123456789abcdef",
    "output": {"total": 55},
}
SETTINGS = {"compute_base_url": "http://worker.example", "compute_api_key": "a-key", "compute_retries": 0}
WEBHOOK = "/.well-known/workflow/v1/webhook/a-token"


class FakeWorker(httpx.MockTransport):
    """Remembers what it is asked, and answers with ``answer``."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(404)
        super().__init__(self._handle)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    worker = FakeWorker()
    with override_settings(WORKFLOW_STUDIO=SETTINGS, WORKFLOW_STUDIO_TRANSPORT=worker, ALLOWED_HOSTS=["testserver"]):
        yield worker


@pytest.fixture
def client() -> Client:
    return Client()


def test_the_project_has_what_it_needs(worker: FakeWorker) -> None:
    call_command("check", fail_level="WARNING")


def test_an_order_starts_a_run(client: Client, worker: FakeWorker) -> None:
    worker.answer = lambda _: httpx.Response(
        201, json={"runId": RUN_ID, "status": "pending", "deploymentId": RUN["deploymentId"]}
    )
    order = {"customer": "ada", "items": ["tea"]}
    answer = client.post("/api/orders", order, "application/json", headers={"idempotency-key": "order-1"})
    assert (answer.status_code, answer.json()) == (202, {"runId": RUN_ID})
    (request,) = worker.requests
    assert (request.method, str(request.url)) == ("POST", "http://worker.example/v1/runs")
    assert request.headers["idempotency-key"] == "order-1"
    assert request.headers["authorization"] == "Bearer a-key"
    assert json.loads(request.content) == {"workflowName": FULFIL_ORDER, "input": [order]}


def test_an_order_of_nothing_is_refused(client: Client, worker: FakeWorker) -> None:
    assert client.post("/api/orders", {"customer": "ada", "items": []}, "application/json").status_code == 422
    assert worker.requests == []


def test_an_order_is_told_with_its_result(client: Client, worker: FakeWorker) -> None:
    worker.answer = lambda _: httpx.Response(200, json=RUN)
    answer = client.get(f"/api/orders/{RUN_ID}")
    assert answer.json() == {"runId": RUN_ID, "status": "completed", "result": {"total": 55}}


def test_runs_of_other_workflows_are_no_orders(client: Client, worker: FakeWorker) -> None:
    worker.answer = lambda _: httpx.Response(200, json=RUN | {"workflowName": "workflow//./workflows/other//secret"})
    assert client.get(f"/api/orders/{RUN_ID}").status_code == 404
    assert client.get("/api/orders/not-a-run").status_code == 404


def test_a_worker_that_refuses_the_key_is_no_fault_of_the_caller(client: Client, worker: FakeWorker) -> None:
    worker.answer = lambda _: httpx.Response(401, json={"code": "unauthorized", "message": "The key is unknown."})
    answer = client.get(f"/api/orders/{RUN_ID}")
    assert answer.status_code == 502
    assert answer.json()["code"] == "unauthorized"
    assert "key" not in answer.json()["message"]


def test_a_webhook_call_goes_to_the_worker_and_its_answer_comes_back(client: Client, worker: FakeWorker) -> None:
    worker.answer = lambda _: httpx.Response(
        418, headers=[("set-cookie", "a=1"), ("set-cookie", "b=2")], content=b"short and stout"
    )
    answer = client.post(f"{WEBHOOK}?x=1", b"\x00\xff", "application/octet-stream")
    assert (answer.status_code, answer.getvalue()) == (418, b"short and stout")
    assert [value for name, value in answer.items() if name == "set-cookie"] == ["a=1", "b=2"]
    (request,) = worker.requests
    assert str(request.url) == f"http://worker.example{WEBHOOK}?x=1"
    assert request.content == b"\x00\xff"
    assert "authorization" not in request.headers
