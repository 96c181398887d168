"""Traces: what the worker does for a run belongs to the trace of whoever started it."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from ulid import ULID

from tests.support.sdk import build_artifact
from tests.support.unpacked import unpacked
from tests.support.until import until
from tests.worker.engine.conftest import make_manifest
from tests.worker.routes.conftest import WORKFLOW, Driver, FakePool, make_settings
from workflow_studio.compute import wire
from workflow_studio.worker.app import create_app
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.execution.options import ExecutorOptions
from workflow_studio.worker.execution.pool import NodeExecutorPool
from workflow_studio.worker.ports import CallContext, Delivery, Failed
from workflow_studio.worker.store import Database
from workflow_studio.worker.tracing import TracedPool, TracedWorld, Tracing, carried, is_wanted, tracing_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
SOURCE = """
async function add(n: number) {
  'use step';
  return n + 1;
}
export async function twice(n: number) {
  'use workflow';
  return add(await add(n));
}
"""


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest.fixture
def tracing(exporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Tracing(provider)


@pytest.fixture
async def worker(tmp_path, tracing):
    pool = FakePool()
    app = create_app(make_settings(tmp_path), pool=pool, tracing=tracing)
    async with app.router.lifespan_context(app):
        driver = Driver(app, pool)
        async with driver.http:
            yield driver


def trace_of(span):
    return f"{span.context.trace_id:032x}"


def id_of(span):
    return f"{span.context.span_id:016x}"


async def test_a_run_that_a_traced_request_starts_belongs_to_its_trace(worker, exporter):
    await worker.deploy()
    headers = {"idempotency-key": "k1", "traceparent": TRACEPARENT}
    started = await worker.post("/v1/runs", json={"workflowName": WORKFLOW}, headers=headers)
    assert started.status_code == 201
    await until(lambda: [span for span in exporter.get_finished_spans() if span.name.startswith("deliver")])
    spans = [span for span in exporter.get_finished_spans() if trace_of(span) == TRACE]
    request, delivery = sorted(spans, key=lambda span: span.start_time)
    assert (request.name, request.kind) == ("POST /v1/runs", SpanKind.SERVER)
    assert f"{request.parent.span_id:016x}" == PARENT
    assert request.attributes["http.response.status_code"] == 201
    assert (delivery.name, delivery.kind) == (f"deliver workflow_{WORKFLOW}", SpanKind.CONSUMER)
    assert delivery.parent.span_id == request.context.span_id
    assert delivery.attributes["workflow.run.id"] == started.json()["runId"]


async def test_an_executor_is_handed_the_context_of_its_delivery(worker, exporter):
    run_id = await worker.start()
    body = wire.encode({"runId": run_id, "traceCarrier": {"traceparent": TRACEPARENT}})
    message = {"queueName": f"__wkf_workflow_{WORKFLOW}", "body": body, "runId": run_id}
    await worker.world("queue.publish", message)
    await until(lambda: [span for span in exporter.get_finished_spans() if span.name.startswith("deliver")])
    (delivery,) = [span for span in exporter.get_finished_spans() if span.name.startswith("deliver")]
    assert trace_of(delivery) == TRACE
    (handed,) = worker.pool.deliveries
    assert handed.headers["traceparent"] == f"00-{TRACE}-{id_of(delivery)}-01"


async def test_no_secret_and_no_address_is_in_a_span(worker, exporter):
    await worker.get("/.well-known/workflow/v1/webhook/the-secret-token?and=more", None)
    await worker.get("/v1/nothing-here?secret=1")
    for span in exporter.get_finished_spans():
        assert "secret" not in span.to_json()
        assert "admin-key" not in span.to_json()


async def test_a_delivery_that_fails_is_an_error_without_its_words(tracing, exporter):
    class Pool(FakePool):
        async def deliver(self, delivery):
            return Failed("the card 4111 was refused")

    async def nothing(_run_id):
        return None

    delivery = Delivery("dlv_1", "msg_1", "step", "__wkf_step_s", "dep_1", 2, b"no CBOR", run_id="wrun_1")
    await TracedPool(Pool(), tracing, nothing).deliver(delivery)
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code == StatusCode.ERROR
    assert "4111" not in span.to_json()


@pytest.mark.parametrize(
    "body", [b"", b"\xff", wire.encode([1]), wire.encode({"traceCarrier": 3}), wire.encode({"traceCarrier": {"a": 1}})]
)
def test_a_body_that_carries_nothing_is_no_trouble(body):
    assert carried(Delivery("d", "m", "step", "__wkf_step_s", "dep_1", 1, body)) == {}


@pytest.mark.node
async def test_one_trace_reaches_from_the_start_of_a_run_to_the_calls_of_its_steps(tmp_path, tracing, exporter):
    artifact = await asyncio.to_thread(build_artifact, SOURCE)
    database = Database.open(tmp_path / "worker.db")
    engine = Engine(database)
    name = "workflow//./workflows/app//twice"
    deployment, _ = await engine.deployments.register(make_manifest(workflows=(name,)))
    inner = NodeExecutorPool(
        world=TracedWorld(engine.world, tracing),
        artifact=unpacked(lambda _: artifact),
        options=ExecutorOptions(encrypts=False),
    )
    pool = TracedPool(inner, tracing, engine.trace_carrier_of)
    dispatcher = engine.dispatcher(pool)
    await dispatcher.start()
    try:
        run_id = f"wrun_{ULID()}"
        # As start() does in an app that is traced.
        context = {"traceCarrier": {"traceparent": TRACEPARENT}, "workflowCoreVersion": "4.8.9"}
        data = {
            "deploymentId": deployment.id,
            "workflowName": name,
            "input": b"devl[[1],1]",
            "executionContext": context,
        }
        event = {"eventType": "run_created", "eventData": data, "specVersion": 3}
        await engine.world.call("events.create", {"runId": run_id, "event": event}, CallContext())
        body = wire.encode({"runId": run_id})
        message = {"queueName": f"__wkf_workflow_{name}", "runId": run_id, "isWake": True, "body": body}
        await engine.world.call("queue.publish", message, CallContext())
        run = await engine.world.call("runs.get", {"runId": run_id, "waitMs": 25_000}, CallContext())
        assert run["status"] == "completed"
    finally:
        await dispatcher.stop(grace=5)
        await pool.close(grace=5)
        await database.close()
    spans = exporter.get_finished_spans()
    assert {trace_of(span) for span in spans} == {TRACE}
    deliveries = {span.context.span_id: span for span in spans if span.kind is SpanKind.CONSUMER}
    kinds = sorted(span.name.split("_")[0] for span in deliveries.values())
    assert kinds.count("deliver step") == 2
    assert "deliver workflow" in kinds
    calls = [span for span in spans if span.name.startswith("world ")]
    assert calls
    assert {span.parent.span_id for span in calls} <= set(deliveries)


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "TRUE"}, False),
    ],
)
def test_the_variables_of_opentelemetry_turn_traces_on(environment, wanted):
    assert is_wanted(environment) is wanted


def test_an_exporter_that_there_is_not_is_told_and_stops_nothing(caplog):
    assert tracing_of({"OTEL_TRACES_EXPORTER": "zipkin"}) is None
    assert "zipkin" in caplog.text


def test_a_worker_that_traces_nothing_does_not_load_the_sdk_of_opentelemetry():
    code = "import sys, workflow_studio.worker.main; print('opentelemetry.sdk' in sys.modules)"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "False"
