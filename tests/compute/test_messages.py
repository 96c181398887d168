"""Messages: what is published, and how a delivery of one is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workflow_studio.compute import wire
from workflow_studio.compute.ids import DeploymentId, MessageId, RunId
from workflow_studio.compute.interface import Again, MessageMeta, PublishOptions
from workflow_studio.compute.messages import WORKFLOW_QUEUE, create_consumer, delivery, envelope
from workflow_studio.compute.web import WebRequest

if TYPE_CHECKING:
    from workflow_studio.compute.interface import Message

QUEUE = WORKFLOW_QUEUE + "workflow//./w//f"
META = MessageMeta(QUEUE, MessageId("msg_1"), 2)
URL = "http://app.test/flow"


def test_an_envelope_has_in_clear_what_delivering_takes() -> None:
    message = {"runId": "wrun_1", "runInput": {"deploymentId": "dep_1", "input": b"devl"}}
    fields = envelope(QUEUE, message)
    assert wire.decode(fields.pop("body")) == message
    assert fields == {
        "queueName": QUEUE,
        "runId": "wrun_1",
        "isWake": False,
        "isHealthCheck": False,
        "deploymentId": "dep_1",
    }
    step = envelope("__wkf_step_s", {"workflowRunId": "wrun_1", "stepId": "step_1"})
    assert (step["runId"], step["stepId"], step["isWake"]) == ("wrun_1", "step_1", False)
    assert envelope(QUEUE, {"__healthCheck": True})["isHealthCheck"]


def test_a_message_that_only_names_a_run_is_a_wake_up() -> None:
    assert envelope(QUEUE, {"runId": "wrun_1", "traceCarrier": {}})["isWake"]
    assert not envelope(QUEUE, {"runId": "wrun_1", "replayDivergence": {}})["isWake"]
    assert not envelope(QUEUE, {"traceCarrier": {}})["isWake"]


def test_options_come_before_what_the_message_says() -> None:
    options = PublishOptions(DeploymentId("dep_2"), RunId("wrun_2"), None, "once", 1.5, {"a": "b"})
    fields = envelope(QUEUE, {"runId": "wrun_1", "runInput": {"deploymentId": "dep_1"}}, options)
    told = {name: fields[name] for name in ("deploymentId", "runId", "idempotencyKey", "delaySeconds", "headers")}
    assert told == {
        "deploymentId": "dep_2",
        "runId": "wrun_2",
        "idempotencyKey": "once",
        "delaySeconds": 1.5,
        "headers": {"a": "b"},
    }


@pytest.mark.parametrize(
    ("outcome", "status", "body"),
    [
        (None, 200, b'{"ok":true}'),
        (Again(2.5), 200, b'{"timeoutSeconds":2.5}'),
        (Again(0), 200, b'{"timeoutSeconds":0}'),
        (LookupError("no such run"), 500, b"LookupError: no such run"),
    ],
)
async def test_a_consumer_says_what_became_of_a_delivery(
    outcome: Again | Exception | None, status: int, body: bytes
) -> None:
    handled: list[tuple[Message, MessageMeta]] = []

    async def handle(message: Message, meta: MessageMeta) -> Again | None:
        handled.append((message, meta))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    request = delivery(URL, META, wire.encode({"runId": "wrun_1"}), {"traceparent": "00", "x-vqs-message-id": "forged"})
    assert request.header("TraceParent") == "00"
    answer = await create_consumer(WORKFLOW_QUEUE, handle)(request)
    assert (answer.status, answer.body) == (status, body)
    assert handled == [({"runId": "wrun_1"}, META)]


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"x-vqs-queue-name": "__wkf_step_s"}, 400, b'{"error":"Unhandled queue"}'),
        ({"x-vqs-queue-name": ""}, 400, b'{"error":"Missing required headers"}'),
        ({"x-vqs-message-id": None}, 400, b'{"error":"Missing required headers"}'),
        ({"x-vqs-message-attempt": "0"}, 400, b'{"error":"Missing required headers"}'),
        ({"x-vqs-message-attempt": "1.5"}, 400, b'{"error":"Missing required headers"}'),
        ({"body": b""}, 400, b'{"error":"Missing request body"}'),
        ({"body": b"\x01"}, 400, b'{"error":"The message is not a map"}'),
        ({"body": b"\xff"}, 500, b"WireFormatError"),
    ],
)
async def test_what_is_no_delivery_reaches_no_handler(
    change: dict[str, str | bytes | None], status: int, said: bytes
) -> None:
    async def handle(_message: Message, _meta: MessageMeta) -> None:
        raise AssertionError("it was handled")

    request = delivery(URL, META, wire.encode({"runId": "wrun_1"}))
    body = change.pop("body", request.body)
    headers = {name: value for name, value in {**dict(request.headers), **change}.items() if isinstance(value, str)}
    answer = await create_consumer(WORKFLOW_QUEUE, handle)(
        WebRequest("POST", URL, tuple(headers.items()), body if isinstance(body, bytes) else b"")
    )
    assert answer.status == status
    assert answer.body.startswith(said)
