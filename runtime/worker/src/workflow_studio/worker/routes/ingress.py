"""Webhook calls of other services, for a Compute that takes them."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request

from workflow_studio.compute.api import WebhookResponse
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.compute.web import WebRequest
from workflow_studio.worker.auth import needs
from workflow_studio.worker.routes.webhooks import HOP_BY_HOP, public_url
from workflow_studio.worker.services import By, Worker

router = APIRouter(prefix="/v1/webhooks", tags=["ingress"])

_NOT_PASSED_ON: Final = HOP_BY_HOP | {"authorization"}
"""The key opens this worker, and is none of the Compute's business."""


@router.post(
    "/{provider}",
    dependencies=[needs(ComputeScope.TRIGGER_WRITE)],
    response_model=WebhookResponse,
    response_model_exclude_none=True,
    openapi_extra={"requestBody": {"content": {"*/*": {"schema": {}}}}},
)
async def take_webhook(
    provider: Annotated[str, Path(max_length=200)], request: Request, worker: Worker, by: By
) -> WebhookResponse:
    """Hand a call of another service to the worker's Compute. The built-in one takes none."""
    call = WebRequest(
        method=request.method,
        url=public_url(request, worker.settings.external_url),
        headers=tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in request.headers.raw
            if name.decode("latin-1") not in _NOT_PASSED_ON
        ),
        body=await request.body(),
    )
    return await worker.compute.webhook(provider, call, by)
