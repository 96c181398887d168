"""Orders: each one is a run of the workflow in workflows/order.ts."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, JsonResponse, StreamingHttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from pydantic import BaseModel, Field, ValidationError
from workflow_studio.client import ComputeClientError, Run
from workflow_studio.compute.ids import parse_run_id

from workflow_studio_app import follow_run_stream, get_client, proxy_trigger_from_django

FULFIL_ORDER = "workflow//./workflows/order//fulfilOrder"


class Order(BaseModel):
    """What a customer wants."""

    customer: str = Field(min_length=1, max_length=200)
    items: list[str] = Field(min_length=1, max_length=100)


@csrf_exempt  # an API for programs: nobody is logged in by a cookie
@require_POST
def create_order(request: HttpRequest) -> JsonResponse:
    """Begin an order. A repeat with the same ``Idempotency-Key`` begins nothing twice."""
    try:
        order = Order.model_validate_json(request.body)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_context=False, include_input=False)
        return JsonResponse({"detail": detail}, status=422)
    started = proxy_trigger_from_django(request, workflow_name=FULFIL_ORDER, input=order.model_dump())
    return JsonResponse({"runId": started.run_id}, status=202)


@require_GET
def read_order(request: HttpRequest, run_id: str) -> JsonResponse:
    """Tell how an order is doing."""
    run = order_run(run_id)
    found: dict[str, Any] = {"runId": run.run_id, "status": run.status}
    if run.status == "completed":
        found["result"] = run.output
    return JsonResponse(found)


@require_GET
def follow_order(request: HttpRequest, run_id: str) -> StreamingHttpResponse:
    """Tell what happens to an order while it happens, as server-sent events."""
    return follow_run_stream(request, order_run(run_id).run_id)


def order_run(run_id: str) -> Run:
    """Return the run of an order. Runs of other workflows are nobody's business here."""
    try:
        run = get_client().get_run(parse_run_id(run_id))
    except ValueError:
        raise Http404("No such order.") from None
    except ComputeClientError as error:
        if error.code != "run_not_found":
            raise
        raise Http404("No such order.") from None
    if run.workflow_name != FULFIL_ORDER:
        raise Http404("No such order.")
    return run
