"""Messages of the Workflow SDK's queues: how they are sent and handled. What ``js/queue.cjs`` does in an app.

A message is opaque to the worker. It travels as CBOR in the ``body`` of an envelope that has in clear what the worker
needs to deliver it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.compute import wire
from workflow_studio.compute.ids import MessageId
from workflow_studio.compute.interface import MessageMeta, PublishOptions
from workflow_studio.compute.web import WebRequest, WebResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.compute.interface import Consumer, Message, MessageHandler

QUEUE_NAME_HEADER: Final = "x-vqs-queue-name"
MESSAGE_ID_HEADER: Final = "x-vqs-message-id"
ATTEMPT_HEADER: Final = "x-vqs-message-attempt"

WORKFLOW_QUEUE: Final = "__wkf_workflow_"
STEP_QUEUE: Final = "__wkf_step_"

_WAKE_KEYS: Final = frozenset({"runId", "traceCarrier", "requestedAt"})
"""What a message may hold that asks for nothing but a replay of its run."""

_ATTEMPT: Final = re.compile(r"[1-9][0-9]{0,8}")


def envelope(queue_name: str, message: Message, options: PublishOptions | None = None) -> dict[str, Any]:
    """Return the parameters of ``queue.publish``; see ``docs/reference/wire.md``.

    Args:
        queue_name: The queue.
        message: The message; what it says of its run, its step and its deployment is used where the options do not.
        options: How it is to be delivered.
    """
    options = options or PublishOptions()
    start = message.get("runInput") or {}
    fields: dict[str, Any] = {
        "queueName": queue_name,
        "body": wire.encode(dict(message)),
        "runId": options.run_id or message.get("runId") or message.get("workflowRunId"),
        "stepId": options.step_id or message.get("stepId"),
        "isWake": "runId" in message and message.keys() <= _WAKE_KEYS,
        "isHealthCheck": message.get("__healthCheck") is True,
        "deploymentId": options.deployment_id or start.get("deploymentId"),
        "idempotencyKey": options.idempotency_key,
        "delaySeconds": options.delay_seconds,
        "headers": dict(options.headers) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def delivery(url: str, meta: MessageMeta, body: bytes, headers: Mapping[str, str] | None = None) -> WebRequest:
    """Return a delivery as a request for a consumer.

    Args:
        url: Where the consumer is.
        meta: Which message it is.
        body: The message, encoded.
        headers: What its publisher wants handed over with it.
    """
    own = {
        "content-type": wire.CBOR_MEDIA_TYPE,
        QUEUE_NAME_HEADER: meta.queue_name,
        MESSAGE_ID_HEADER: meta.message_id,
        ATTEMPT_HEADER: str(meta.attempt),
    }
    return WebRequest("POST", url, tuple({**(headers or {}), **own}.items()), body)


def create_consumer(queue_name_prefix: str, handler: MessageHandler) -> Consumer:
    """Return what takes deliveries from all queues whose names begin so; see :data:`.interface.Consumer`.

    Args:
        queue_name_prefix: Such as :data:`WORKFLOW_QUEUE`.
        handler: Handles the messages.
    """

    async def consume(request: WebRequest) -> WebResponse:
        meta = _meta(request)
        if meta is None:
            return _answer(400, {"error": "Missing required headers"})
        if not meta.queue_name.startswith(queue_name_prefix):
            return _answer(400, {"error": "Unhandled queue"})
        if not request.body:
            return _answer(400, {"error": "Missing request body"})
        try:
            message = wire.decode(request.body)
            if not isinstance(message, dict):
                return _answer(400, {"error": "The message is not a map"})
            again = await handler(message, meta)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message is to come again
            return WebResponse(500, (("content-type", "text/plain; charset=utf-8"),), _said(error))
        return _answer(200, {"ok": True} if again is None else {"timeoutSeconds": again.timeout_seconds})

    return consume


def _meta(request: WebRequest) -> MessageMeta | None:
    queue_name, message_id = request.header(QUEUE_NAME_HEADER), request.header(MESSAGE_ID_HEADER)
    attempt = request.header(ATTEMPT_HEADER) or ""
    if not queue_name or not message_id or _ATTEMPT.fullmatch(attempt) is None:
        return None
    return MessageMeta(queue_name, MessageId(message_id), int(attempt))


def _answer(status: int, value: dict[str, Any]) -> WebResponse:
    return WebResponse(
        status, (("content-type", "application/json"),), json.dumps(value, separators=(",", ":")).encode()
    )


def _said(error: Exception) -> bytes:
    return f"{type(error).__name__}: {error}".encode(errors="replace")
