"""Orders: each one is a run of the workflow in workflows/order.ts."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, request
from pydantic import BaseModel, Field, ValidationError
from workflow_studio.client import ComputeClientError, Run
from workflow_studio.compute.ids import parse_run_id

from workflow_studio_app import follow_run_stream, get_client, proxy_trigger_from_flask

routes = Blueprint("orders", __name__, url_prefix="/api/orders")

FULFIL_ORDER = "workflow//./workflows/order//fulfilOrder"


class Order(BaseModel):
    """What a customer wants."""

    customer: str = Field(min_length=1, max_length=200)
    items: list[str] = Field(min_length=1, max_length=100)


@routes.post("")
def create_order() -> tuple[dict[str, Any], int]:
    """Begin an order. A repeat with the same ``Idempotency-Key`` begins nothing twice."""
    try:
        order = Order.model_validate(request.get_json())
    except ValidationError as error:
        return {"detail": error.errors(include_url=False, include_context=False, include_input=False)}, 422
    started = proxy_trigger_from_flask(request, workflow_name=FULFIL_ORDER, input=order.model_dump())
    return {"runId": started.run_id}, 202


@routes.get("/<run_id>")
def read_order(run_id: str) -> dict[str, Any]:
    """Tell how an order is doing."""
    run = order_run(run_id)
    found: dict[str, Any] = {"runId": run.run_id, "status": run.status}
    if run.status == "completed":
        found["result"] = run.output
    return found


@routes.get("/<run_id>/events")
def follow_order(run_id: str) -> Response:
    """Tell what happens to an order while it happens, as server-sent events."""
    return follow_run_stream(request, order_run(run_id).run_id)


def order_run(run_id: str) -> Run:
    """Return the run of an order. Runs of other workflows are nobody's business here."""
    try:
        run = get_client().get_run(parse_run_id(run_id))
    except ValueError:
        abort(404)
    except ComputeClientError as error:
        if error.code != "run_not_found":
            raise
        abort(404)
    if run.workflow_name != FULFIL_ORDER:
        abort(404)
    return run
