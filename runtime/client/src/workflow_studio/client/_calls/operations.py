"""Calls about the worker itself and its queue, and calls of webhooks."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from workflow_studio.client._calls.base import Call, answer, query, segment
from workflow_studio.client._filters import Part
from workflow_studio.compute import wire
from workflow_studio.compute.api import DeadMessage, Executor, Health, Page, Readiness, ServiceWorker, WebhookResponse
from workflow_studio.compute.ids import ENVIRONMENT_HEADER, DeploymentId, MessageId
from workflow_studio.compute.interface import Published
from workflow_studio.compute.messages import envelope
from workflow_studio.compute.web import WebResponse

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from workflow_studio.compute.interface import Message, PublishOptions
    from workflow_studio.compute.web import WebRequest

_WEBHOOK_MS: Final = 300_000
"""How long a worker waits for the answer of a webhook's workflow."""

_OF_THE_CONNECTION: Final = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say something about one connection, and nothing to whoever is behind it."""

_OF_THE_WORKERS_CALLER: Final = frozenset({"authorization", ENVIRONMENT_HEADER, "idempotency-key"})
"""Headers that say something to the worker about whoever calls it, which the other service does not."""

_CBOR: Final = (("accept", wire.CBOR_MEDIA_TYPE), ("content-type", wire.CBOR_MEDIA_TYPE))


def health() -> Call[Health]:
    return Call("GET", "/v1/health", answer(Health))


def readiness() -> Call[Readiness]:
    # The answer is wanted as it is now.
    return Call("GET", "/v1/health/ready", answer(Readiness), repeatable=False)


def list_executors() -> Call[Page[Executor]]:
    return Call("GET", "/v1/executors", answer(Page[Executor]))


def list_workers() -> Call[Page[ServiceWorker]]:
    return Call("GET", "/v1/workers", answer(Page[ServiceWorker]))


def list_dead_messages(part: Part) -> Call[Page[DeadMessage]]:
    return Call("GET", "/v1/queue/dead", answer(Page[DeadMessage]), query(Part, part))


def retry_dead_message(message_id: MessageId) -> Call[DeadMessage]:
    # A repeat would be refused, because the message is not dead any more, or retry it after another death.
    return Call("POST", f"/v1/queue/dead/{segment(message_id)}/retry", answer(DeadMessage), repeatable=False)


def call_webhook(token: str, request: WebRequest) -> Call[WebResponse]:
    query_string = urlsplit(request.url).query
    # Whoever answers a webhook decides what a repeat means. The token is the key.
    return Call(
        request.method,
        f"/.well-known/workflow/v1/webhook/{segment(token)}{f'?{query_string}' if query_string else ''}",
        _web_response,
        content=request.body or None,
        headers=_without(request.headers, _OF_THE_CONNECTION),
        repeatable=False,
        wait_ms=_WEBHOOK_MS,
        with_key=False,
        refusals=False,
    )


def webhook_ingress(provider: str, request: WebRequest) -> Call[WebhookResponse]:
    query_string = urlsplit(request.url).query
    # What the other service's own credentials open is none of the worker's business.
    return Call(
        "POST",
        f"/v1/webhooks/{segment(provider)}{f'?{query_string}' if query_string else ''}",
        answer(WebhookResponse),
        content=request.body or None,
        headers=_without(request.headers, _OF_THE_CONNECTION | _OF_THE_WORKERS_CALLER),
        repeatable=False,
    )


def _web_response(response: httpx.Response) -> WebResponse:
    headers = _without(response.headers.multi_items(), _OF_THE_CONNECTION | {"content-encoding"})
    return WebResponse(response.status_code, headers, response.content)


def _without(headers: Iterable[tuple[str, str]], names: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers if name.lower() not in names)


def get_deployment_id() -> Call[DeploymentId]:
    return Call(
        "GET", "/v1/world/deployment-id", lambda response: DeploymentId(_text(response, "deploymentId")), headers=_CBOR
    )


def publish(queue_name: str, message: Message, options: PublishOptions | None) -> Call[Published]:
    return Call(
        "POST",
        "/v1/queue/publish",
        lambda response: Published(MessageId(_text(response, "messageId"))),
        content=wire.encode(envelope(queue_name, message, options)),
        headers=_CBOR,
        idempotency_key=str(uuid.uuid4()),
    )


def _text(response: httpx.Response, name: str) -> str:
    found = wire.decode(response.content)
    value = found.get(name) if isinstance(found, dict) else None
    if not isinstance(value, str):
        raise ValueError(f"The answer has no {name}.")  # noqa: TRY004 - what is wrong is the answer
    return value
