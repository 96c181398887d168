"""Orders: each one is a run of the workflow in workflows/order.ts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from workflow_studio.client import AsyncComputeClient, ComputeClientError, Run
from workflow_studio.compute.ids import RunId, parse_run_id

from workflow_studio_app import follow_run_stream, get_client, proxy_trigger_from_fastapi

router = APIRouter(prefix="/api/orders")

FULFIL_ORDER = "workflow//./workflows/order//fulfilOrder"

Client = Annotated[AsyncComputeClient, Depends(get_client)]


class Order(BaseModel):
    """What a customer wants."""

    customer: str = Field(min_length=1, max_length=200)
    items: list[str] = Field(min_length=1, max_length=100)


async def order_run(run_id: str, client: Client) -> Run:
    """Return the run of an order. Runs of other workflows are nobody's business here."""
    try:
        run = await client.get_run(parse_run_id(run_id))
    except ValueError:
        run = None
    except ComputeClientError as error:
        if error.code != "run_not_found":
            raise
        run = None
    if run is None or run.workflow_name != FULFIL_ORDER:
        raise HTTPException(404, "No such order.")
    return run


OrderRun = Annotated[Run, Depends(order_run)]


@router.post("", status_code=202)
async def create_order(order: Order, request: Request) -> dict[str, RunId]:
    """Begin an order. A repeat with the same ``Idempotency-Key`` begins nothing twice."""
    started = await proxy_trigger_from_fastapi(request, workflow_name=FULFIL_ORDER, input=order.model_dump())
    return {"runId": started.run_id}


@router.get("/{run_id}")
async def read_order(run: OrderRun) -> dict[str, Any]:
    """Tell how an order is doing."""
    found: dict[str, Any] = {"runId": run.run_id, "status": run.status}
    if run.status == "completed":
        found["result"] = run.output
    return found


@router.get("/{run_id}/events", response_class=StreamingResponse)
async def follow_order(run: OrderRun, request: Request) -> StreamingResponse:
    """Tell what happens to an order while it happens, as server-sent events."""
    return await follow_run_stream(request, run.run_id)
