"""Webhook calls of other services, for a Compute that takes them."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request

from workflow_studio.compute.api import WebhookResponse
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import needs
from workflow_studio.worker.routes.webhooks import web_request
from workflow_studio.worker.services import By, Worker

router = APIRouter(prefix="/v1/webhooks", tags=["ingress"])

_NOT_PASSED_ON: Final = frozenset({"authorization"})
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
    call = await web_request(request, worker.settings.external_url, without=_NOT_PASSED_ON)
    return await worker.compute.webhook(provider, call, by)
